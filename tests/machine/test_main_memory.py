"""Main memory as a chip's masters see it: the same controllers, in the chip's time, against those that stand alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import archsim
from archsim.common.errors import InputError
from archsim.isa.program import SCRATCHPAD_BASE
from archsim.machine.host import pointer_int64
from archsim.machine.jit import njit
from archsim.machine.layout import CHIP_DRAM, CHIP_HARTS, CHIP_SIZE, CHIP_TX
from archsim.machine.main_memory import MainMemoryControllers
from archsim.machine.memory_ask import answers, ask, begin_asking
from tests.machine.dram_runs import Run, conflicts, scattered, sequential

EXIT = "li a0, 0\nli a7, 93\necall\n"
MIB = 1 << 20


@njit
def _dependent(address, addresses, count, ends):
    """Reads one after the other, each when the answer to the one before is there."""
    chip, a, e = pointer_int64(address), pointer_int64(addresses), pointer_int64(ends)
    time = 1
    for i in range(count):
        begin_asking(pointer_int64(chip[CHIP_DRAM]))
        ask(chip, 0, time, a[i], 0)
        time = answers(chip, 0, chip[CHIP_TX])[1]
        e[i] = time
    return time


def asked(device: str, addresses: np.ndarray, **memory: Any) -> np.ndarray:
    """Cycles, of a chip whose clock is the memory's, at which dependent reads of one channel are answered."""
    changes = {f"memory.{name}": value for name, value in memory.items()}
    one = archsim.load_design("edge-npu", {"memory.device": device, "memory.channels": 1, "memory.size": "128 MiB"})
    clock = 1e15 / one.memory.device.tck_fs * one.memory.device.ticks_per_clock
    design = archsim.load_design(
        "edge-npu",
        {
            "memory.device": device, "memory.channels": 1, "memory.size": "128 MiB", "clock": f"{clock} Hz",
            "memory.interleave": f"{one.memory.device.tx_bytes} B", **changes,
        },
    )  # fmt: skip
    controllers = MainMemoryControllers(design)
    flat, ends = np.ascontiguousarray(addresses, np.int64), np.zeros(len(addresses), np.int64)
    chip = np.zeros(CHIP_SIZE, np.int64)
    chip[CHIP_DRAM], chip[CHIP_TX], chip[CHIP_HARTS] = controllers.address, one.memory.device.tx_bytes, 1
    _dependent(chip.ctypes.data, flat.ctypes.data, len(flat), ends.ctypes.data)
    return ends


@pytest.mark.parametrize("device", ["ddr4-3200", "lpddr5-6400-x16", "hbm3-6400"])
@pytest.mark.parametrize("pattern", [sequential, scattered, conflicts])
def test_an_answer_is_what_the_controller_does(device: str, pattern: Any) -> None:
    """Nobody else is there: what is found by looking ahead is what a window of one request takes."""
    addresses = pattern(device, 2_000) % (1 << 27)
    alone = Run(device, addresses, window=1)
    assert asked(device, addresses)[-1] == pytest.approx(alone.ticks, rel=0.01)


def stream(design: Any, size: int, *, cores: int = 1, write: bool = False, apart: int = 64 * MIB) -> archsim.RunResult:
    """Every core moves `size` bytes of its own between DRAM and its scratchpad, in two halves of a buffer."""
    half = 64 << 10
    isa = archsim.load_isa("rv64im", "zicsr", "zicntr", "xqt")
    way = "st" if write else "ld"
    program = isa.assemble(
        f"""
    csrr t0, mhartid
    li t1, {apart}
    mul s1, t0, t1
    li t1, {16 * MIB}
    add s1, s1, t1
    li s0, {SCRATCHPAD_BASE}
    li s2, {SCRATCHPAD_BASE + half}
    li s3, {size // (2 * half)}
    li t1, 1
    csrw qdrows, t1
    li t1, {half}
    csrw qdrowb, t1
    csrw qddst, t1
    csrw qdsst, t1
    qt.dma.{way} b0, s1, s0
    j enter
loop:
    qt.bar.wait b0
    qt.dma.{way} b0, s1, s0
enter:
    add s1, s1, t1
    qt.bar.wait b1
    qt.dma.{way} b1, s1, s2
    add s1, s1, t1
    addi s3, s3, -1
    bnez s3, loop
    qt.bar.wait b0
    qt.bar.wait b1
    {EXIT}"""
    )
    return archsim.run(program, archsim.load_design(design, {"cores": cores}) if cores > 1 else design, isa=isa)


@pytest.mark.parametrize("write", [False, True])
def test_a_transfer_reaches_what_the_controllers_do_with_a_stream(write: bool) -> None:
    """512 bursts of eight requests on their way: the engine is never the limit."""
    design = archsim.load_design("edge-npu", {"core.dma.outstanding": 512})
    size = 8 * MIB
    run = stream(design, size, write=write)
    rate = size / (run.cycles / design.clock) / design.memory.peak_bytes_per_s
    tx = design.memory.device.tx_bytes
    # a channel of the four has a quarter of the stream, in order, and waits for no other
    alone = Run(design.memory.device.name, sequential("lpddr5-6400-x16", size // tx // 4), int(write), window=512)
    # start-up and the way to the controllers and back, once
    assert rate == pytest.approx(alone.fraction, rel=0.02)
    assert run.dram_read_bytes + run.dram_write_bytes == size
    moved = run.dram["row_hits"] + run.dram["row_misses"] + run.dram["row_conflicts"]
    assert moved * tx == size


def test_bursts_on_their_way_bound_the_rate() -> None:
    """Little's law: no more than `outstanding` bursts in every round trip, and nearly that while the memory is idle."""
    before = 0.0
    for outstanding in (1, 2, 4, 8, 16, 64, 256):
        design = archsim.load_design("edge-npu", {"core.dma.outstanding": outstanding})
        run = stream(design, 2 * MIB)
        rate = 2 * MIB / run.time_s
        trip = run.dram["read_latency_s"] + 2 * design.interconnect.latency
        assert rate <= outstanding * design.core.dma.burst / trip
        assert rate >= before
        before = rate


def test_reads_on_their_way_are_rate_times_latency() -> None:
    run = stream("edge-npu", 4 * MIB)
    rate = run.dram_read_bytes / 32 / run.time_s
    assert run.dram["outstanding_reads"] == pytest.approx(rate * run.dram["read_latency_s"], rel=1e-9)


def test_a_memory_without_rows_gives_a_burst_per_burst_time() -> None:
    run = stream(archsim.load_design("systolic-128", {"core.dma.outstanding": 256}), 4 * MIB)
    assert 4 * MIB / 128 <= run.cycles <= 4 * MIB / 128 + 200


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("mapping", "RoBaBgRa", "memory: .* misses 6 of 6 bits of the column"),
        ("mapping", "RoRoBaBgRaCo", "memory: .* repeats bits of the row"),
        ("drain_below", "0.9", "memory: writes drain from 0.8 to 0.9"),
    ],
)
def test_what_a_memory_cannot_be(field: str, value: str, message: str) -> None:
    design = archsim.load_design("edge-npu", {f"memory.{field}": value})
    with pytest.raises(InputError, match=message):
        MainMemoryControllers(design)


def test_timed_and_address_runs_agree_and_runs_repeat() -> None:
    first, second = stream("edge-npu", 2 * MIB), stream("edge-npu", 2 * MIB)
    assert first.to_dict() == second.to_dict()
