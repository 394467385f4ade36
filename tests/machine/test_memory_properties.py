"""What must hold of any memory system, on whole chips: see also test_dram_controller, test_caches and test_noc."""

from __future__ import annotations

from math import gcd
from typing import Any

import numpy as np
import pytest

import archsim
from archsim.isa.program import SCRATCHPAD_BASE
from archsim.machine import layout as at
from archsim.machine.host import pointer_int64
from archsim.machine.jit import njit
from archsim.machine.scratchpad import transfer
from tests.machine.test_main_memory import stream
from tests.machine.test_xqt_memory import shape
from tests.machine.test_xqt_memory import transfer as run_transfer

MIB = 1 << 20


def test_small_rows_fetch_what_the_device_moves_at_once() -> None:
    """Property 13: of a row of n bytes, n / (tx x bursts it touches) is useful."""
    tx = archsim.load_design("edge-npu").memory.device.tx_bytes
    for size in (1, 8, 32, 40, 100):
        rows, pitch = 64, 4096
        body = shape(rows, size, pitch, 128) + "li a0, 0x200000\nqt.dma.ld b0, a0, s0\nqt.bar.wait b0\n"
        run = run_transfer(body, {}, "timed")
        assert run.traffic["other"]["read_bytes"] - 64 * 64 <= rows * size
        fetched = rows * -(-size // tx) * tx
        # beside them the program's own cache lines
        assert fetched <= run.dram_read_bytes <= fetched + 4096


def test_buffers_two_deep_overlap_and_one_deep_adds_up() -> None:
    """Property 12: with two buffers the time is that of the slower of transfer and work, with one it is their sum."""
    setting = "li t0, 16\ncsrw qtm, t0\nli t0, 16\ncsrw qtn, t0\nli t0, 128\ncsrw qtk, t0\nli s4, 128\n"
    setting += shape(1, 32768, 0, 0) + "li a0, 0x400000\n"

    def program(buffers: int, load: bool, work: bool) -> int:
        body = setting
        for step in range(8):
            number = step % buffers
            place = f"li s1, {SCRATCHPAD_BASE + 65536 + 32768 * number}\n"
            body += place
            if load:
                body += f"qt.dma.ld b{number}, a0, s1\n"
            if buffers == 2 and step:
                number = (step - 1) % 2
                body += f"li s1, {SCRATCHPAD_BASE + 65536 + 32768 * number}\n"
            if buffers == 1 or step:
                body += f"qt.bar.wait b{number}\n"
                body += ("qt.ld t0, s1, s4\nqt.mma ac0, t0, t1\n" * 8) if work else ""
        body += "csrr s3, cycle\nqt.bar.wait b0\nqt.bar.wait b1\n"
        return int(run_transfer(body, {}, "timed").cycles)

    transfer_only, work_only = program(1, True, False), program(1, False, True)
    together, alone = program(2, True, True), program(1, True, True)
    assert max(transfer_only, work_only) * 0.85 <= together <= 1.25 * max(transfer_only, work_only)
    assert 0.9 * (transfer_only + work_only) <= alone <= 1.05 * (transfer_only + work_only)
    assert together < 0.8 * alone


@njit
def _take(ctx, access, user, count, size):
    """Accesses one behind the other; the cycle at which the last of them has its bytes."""
    context, one = pointer_int64(ctx), pointer_int64(access)
    time = 0
    for _ in range(count):
        time += 1 + transfer(context, user, one, time, 1)
    return time


def passed(stride: int, rows: int, banks: int, width: int, ports: int = 1) -> float:
    """Words per cycle of accesses of `rows` rows of a word each, `stride` words apart."""
    changes = {
        "core.scratchpad.banks": str(banks), "core.scratchpad.width": f"{width} B",
        "core.scratchpad.ports": str(ports), "core.scratchpad.size": "1 MiB",
    }  # fmt: skip
    from archsim.isa.program import Program  # noqa: F401
    from archsim.machine.chip import Chip
    from archsim.machine.compiled import tables_of
    from archsim.machine.memory import MainMemory
    from archsim.machine.predecode import decode_words

    design = archsim.load_design("edge-npu", changes)
    tables = tables_of(archsim.load_isa("rv64im", "zicsr", "xqt"))
    code = decode_words(tables.coded, np.array([0x13], np.uint32), 0x10000, {})
    chip = Chip(design, tables, code, MainMemory(1 << 20), values=False, timed=True)
    access = np.zeros(at.MEMORY_FIELDS, np.int64)
    access[at.ACCESS_ADDRESS], access[at.ACCESS_ROWS] = SCRATCHPAD_BASE, rows
    access[at.ACCESS_BYTES], access[at.ACCESS_STRIDE] = width, stride * width
    count = 400
    end = _take(chip.contexts[0].ctypes.data, access.ctypes.data, at.UNIT_ID["vector"], count, width)
    return count * rows / end


@pytest.mark.parametrize("stride", [1, 2, 3, 4, 6, 8, 16, 17, 32])
def test_strides_use_banks_over_their_common_divisor(stride: int) -> None:
    """Property 15: stride s over B banks uses B / gcd(s, B) of them, a word per cycle each."""
    banks = 16
    used = banks // gcd(stride, banks) if stride > 1 else banks
    assert passed(stride, 64, banks, 16) == pytest.approx(used, rel=0.03)


@pytest.mark.parametrize(("banks", "width", "ports"), [(4, 16, 1), (16, 8, 1), (16, 16, 2)])
def test_without_conflicts_all_banks_give_a_word_per_port_and_cycle(banks: int, width: int, ports: int) -> None:
    assert passed(1, 128, banks, width, ports) == pytest.approx(banks * ports, rel=0.03)


def test_conflicts_are_counted_by_pair_and_add_up() -> None:
    """A scratchpad of one bank that tile loads and transfers share."""
    changes = {"core.scratchpad.banks": "1", "core.dma.outstanding": "256"}
    isa = archsim.load_isa("rv64im", "zicsr", "zicntr", "xqt")
    body = "li t0, 16\ncsrw qtm, t0\nli t0, 128\ncsrw qtk, t0\nli s4, 128\n" + shape(1, 131072, 0, 0)
    body += f"li s0, {SCRATCHPAD_BASE}\nli s1, {SCRATCHPAD_BASE + 262144}\nli a0, 0x400000\nqt.dma.ld b0, a0, s1\n"
    body += "qt.ld t0, s0, s4\n" * 200 + "qt.bar.wait b0\nli a0, 0\nli a7, 93\necall\n"
    run = archsim.run(isa.assemble(body), archsim.load_design("edge-npu", changes), isa=isa)
    # who comes first is held up by nobody
    assert run.bank_conflicts.get("tile_lsu by dma", 0) + run.bank_conflicts.get("dma by tile_lsu", 0) > 0
    assert sum(run.bank_conflicts.values()) == sum(hart["bank_conflict_cycles"] for hart in run.harts)


def energy_per_bit(**changes: Any) -> tuple[float, float]:
    design = archsim.load_design("edge-npu", {key.replace("__", "."): str(value) for key, value in changes.items()})
    run = stream(design, 2 * MIB)
    use = run.dram_read_bytes / run.time_s / design.memory.peak_bytes_per_s
    return use, run.energy.components["dram"] / (8 * run.dram_read_bytes)


def test_a_bit_of_dram_costs_more_the_less_it_is_used() -> None:
    """Property 17."""
    points = [energy_per_bit(core__dma__outstanding=count) for count in (1, 4, 16, 64, 256)]
    assert points == sorted(points)
    joules = [joule for _, joule in points]
    assert joules == sorted(joules, reverse=True) and joules[0] > 2 * joules[-1]


@pytest.mark.parametrize(("device", "measured"), [("ddr4-3200", 20.6 / 13.4), ("hbm2-2000", 4.47 / 1.96)])
def test_random_reads_cost_more_than_streams(device: str, measured: float) -> None:
    """DRAMsim3's ratio of random to streamed pJ/bit (corrected); ours counts the same two reasons, roughly alike."""
    design = archsim.load_design("edge-npu", {"memory.device": device, "memory.size": "1 GiB", "memory.channels": 1})
    tx = design.memory.device.tx_bytes
    body = shape(512, tx, 8 * MIB // 512 + 8192, tx) + "li a0, 0x400000\nqt.dma.ld b0, a0, s0\nqt.bar.wait b0\n"
    isa = archsim.load_isa("rv64im", "zicsr", "zicntr", "xqt")
    text = f"li s0, {SCRATCHPAD_BASE}\n{body}\nli a0, 0\nli a7, 93\necall\n"
    scattered = archsim.run(isa.assemble(text), design, isa=isa)
    streamed = stream(design, 2 * MIB)
    ratio = scattered.energy.components["dram"] / scattered.dram_read_bytes
    ratio /= streamed.energy.components["dram"] / streamed.dram_read_bytes
    assert 0.5 * measured < ratio < 3 * measured


def test_energy_is_events_and_time() -> None:
    """Property 17: halving time at the same counts lowers only what is paid by time."""
    slow, fast = (stream(archsim.load_design("edge-npu", {"clock": clock}), MIB) for clock in ("0.5 GHz", "1 GHz"))
    assert fast.time_s < slow.time_s
    for name, joules in fast.energy.components.items():
        assert joules >= 0
        if name in ("leakage", "dram"):
            assert joules < slow.energy.components[name]
        else:
            assert joules == pytest.approx(slow.energy.components[name], rel=0.01)
