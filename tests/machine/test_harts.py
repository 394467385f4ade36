"""Harts in time: what can be worked out by hand, sums that must hold, and models that must agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archsim.common.errors import InputError
from archsim.machine import layout as at
from tests.machine.timed_programs import BUFFER, CORES, EXIT, design_of, random_program, timed

ROUNDS = 1000
DUAL = " {width: 2, front_end: {queue: 8}, predictor: {kind: bimodal, btb: 16}}"
WINDOW = """
    kind: out_of_order
    width: 4
    branch_penalty: 10 cycles
    ports: {alu: 4, integer: 4, load: 2, memory: 2}
    front_end: {stages: 4, width: 8, queue: 32}
    predictor: {kind: gshare, entries: 1024, history: 8, btb: 64, return_stack: 8}
    out_of_order: {rob: 64, issue_queue: 32, load_queue: 32, store_queue: 16}"""


def loop(body: str, rounds: int = ROUNDS, before: str = "") -> str:
    back = "bnez s0, 1b" if len(body.splitlines()) < 900 else "beqz s0, 9f\nj 1b\n9:"
    return f"li s1, {BUFFER}\n{before}\nli s0, {rounds}\n.align 6\n1:\n{body}\naddi s0, s0, -1\n{back}\n{EXIT}"


@pytest.fixture
def per_round(tmp_path: Path) -> Any:
    """Cycles of a round of a loop on a hart, start and end taken out."""

    def measure(core: str, body: str, overrides: dict[str, str] | None = None, before: str = "") -> float:
        design = design_of(tmp_path, core, overrides)
        once, twice = (timed(loop(body, rounds, before), design).cycles for rounds in (ROUNDS, 2 * ROUNDS))
        return (twice - once) / ROUNDS

    return measure


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("units", [False, True], ids=["scalar", "units"])
def test_every_cycle_and_slot_of_random_programs_is_accounted_for(core: str, units: bool, tmp_path: Path) -> None:
    """200 random programs: busy and stalled cycles are all of each hart, instructions and lost slots all slots."""
    design = design_of(tmp_path, CORES[core])
    for seed in range(25):
        result = timed(random_program(1000 * units + seed, units=units), design)
        assert result.busy_cycles + sum(result.stalls.values()) == result.hart_cycles == result.cycles
        assert result.instructions + sum(result.slots.values()) == result.issue_slots
        assert result.issue_slots == result.cycles * design.core.hart.width
        assert all(cycles > 0 for cycles in result.stalls.values())


def test_every_hart_of_several_is_accounted_for(tmp_path: Path) -> None:
    for core in CORES.values():
        design = design_of(tmp_path, core, {"cores": "3"})
        source = random_program(7, units=True).replace(EXIT, "qt.sync\n" + EXIT)
        source = source.replace("li s0, 40", "csrr s0, mhartid\nslli s0, s0, 4\naddi s0, s0, 8")
        result = timed(source, design)
        for hart in result.harts:
            assert hart["busy_cycles"] + sum(hart["stalls"].values()) == result.cycles
            assert hart["instructions"] + sum(hart["slots"].values()) == result.cycles * design.core.hart.width
        assert result.to_dict() == timed(source, design).to_dict()


class Log:
    """Keeps the view log."""

    def __init__(self) -> None:
        self.records: list[np.ndarray] = []

    def chunk(self, hart: int, records: np.ndarray, transfers: np.ndarray) -> None:
        self.records.append(records)


@pytest.mark.parametrize("core", CORES)
def test_views_change_nothing_and_tell_every_cycle(core: str, tmp_path: Path) -> None:
    """A plain hart is logged by the general model: the quick one must give its very cycles and stalls."""
    design = design_of(tmp_path, CORES[core])
    for seed in range(12):
        source, log = random_program(seed, units=seed % 2 == 1), Log()
        plain, viewed = timed(source, design), timed(source, design, views=[log])
        assert viewed.to_dict() == plain.to_dict()
        records = np.concatenate(log.records)
        assert len(records) == plain.instructions
        told = records[:, [at.V_BUSY, at.V_STALL, at.V_STALL2, at.V_STALL3, at.V_STALL4]].sum()
        assert told == plain.cycles - plain.stalls.get("drain", 0) - plain.stalls.get("idle", 0)
        assert (records[:, at.V_FETCH] <= records[:, at.V_ISSUE]).all()
        assert (records[:, at.V_ISSUE] <= records[:, at.V_BEGIN]).all()
        assert (np.diff(records[:, at.V_RETIRE]) >= 0).all()
        assert (records[:, at.V_PRODUCER] < np.arange(len(records))).all()


def test_two_independent_instructions_issue_together_and_dependent_ones_do_not(per_round: Any) -> None:
    pairs = "add a1, a2, a3\nadd a4, a2, a3\n" * 8
    # eight pairs, addi, and bnez beside the next round's first
    assert per_round(DUAL, pairs) == pytest.approx(8 + 1, abs=0.01)
    assert per_round(DUAL, "add a1, a1, a3\nadd a1, a1, a3\n" * 8) == pytest.approx(16 + 1, abs=1)
    # one multiplier: multiplications go one per cycle, each beside an addition
    assert per_round(DUAL, "mul a1, a2, a3\nmul a4, a2, a3\n" * 8) == pytest.approx(16 + 1, abs=1)
    assert per_round(DUAL, "mul a1, a2, a3\nadd a4, a2, a3\n" * 8) == pytest.approx(8 + 1, abs=0.01)


def test_a_divider_that_is_not_pipelined_takes_one_at_a_time(per_round: Any) -> None:
    body = "div a1, a2, a3\ndiv a4, a2, a3\n"
    assert per_round(" {interval: {div: 20 cycles}}", body) == pytest.approx(40, abs=1)
    assert per_round(" {interval: {div: 7 cycles}}", body * 4) == pytest.approx(56, abs=1)


def test_what_a_mispredicted_branch_costs(per_round: Any) -> None:
    """The loop's own branch: not predicted it costs the penalty each round, predicted and buffered nothing."""
    plain = per_round(" {branch_penalty: 6 cycles}", "")
    assert plain == pytest.approx(2 + 6, abs=0.01)
    buffered = " {branch_penalty: 6 cycles, predictor: {kind: static, btb: 16}, front_end: {taken_bubble: %d cycles}}"
    assert per_round(buffered % 0, "") == pytest.approx(2, abs=0.01)
    assert per_round(buffered % 2, "") == pytest.approx(2 + 2, abs=0.01)
    # without a buffer the target is known at decode: as many cycles as there are stages before it
    decoded = " {branch_penalty: 6 cycles, predictor: {kind: static}, front_end: {stages: 3}}"
    assert per_round(decoded, "") == pytest.approx(2 + 3, abs=0.01)


def test_history_learns_what_a_counter_cannot(per_round: Any) -> None:
    """A branch that goes the other way every time."""
    body = "xori a5, a5, 1\nbnez a5, 2f\naddi a6, a6, 1\n2:\n"
    hart = " {branch_penalty: 8 cycles, predictor: {kind: %s, entries: 1024, history: 8, btb: 64}}"
    bimodal, gshare = (per_round(hart % kind, body) for kind in ("bimodal", "gshare"))
    assert gshare == pytest.approx(4.5, abs=0.1)
    assert bimodal >= gshare + 0.5 * 8 - 0.1


def test_a_return_stack_knows_where_calls_return(per_round: Any) -> None:
    """Two places call one function: a target buffer knows one of them, the stack both."""
    before = "j 3f\n2:\nret\n3:\n"
    hart = " {branch_penalty: 9 cycles, predictor: {kind: static, btb: 64, return_stack: %d}}"
    body = "jal ra, 2b\njal ra, 2b\n"
    assert per_round(hart % 0, body, before=before) - per_round(hart % 4, body, before=before) == pytest.approx(
        18, abs=0.1
    )


def test_code_larger_than_the_instruction_cache_is_fetched_again(tmp_path: Path) -> None:
    """Without a second level a line costs a trip to DRAM; with one its latency; and nothing where the code fits."""
    lines = 64
    body = "add a1, a2, a3\n" * (16 * lines)
    small, large = ({"core.l1i.size": size} for size in ("1 KiB", "32 KiB"))
    core = """ {}
  l1i: {size: 1 KiB, line: 64 B, ways: 2}
  l2: {size: 64 KiB, line: 64 B, ways: 4, latency: 25 cycles}"""
    cycles = {}
    for name, overrides in (("fits", large), ("misses", small)):
        once, twice = (timed(loop(body, rounds), design_of(tmp_path, core, overrides)) for rounds in (20, 40))
        cycles[name] = (twice.cycles - once.cycles) / 20
    # three lines hold the loop's end and start
    assert (cycles["misses"] - cycles["fits"]) / 25 == pytest.approx(lines, abs=2)
    assert once.events["l1i.misses"] == pytest.approx(20 * (lines + 1), rel=0.05)


def chase(lines: int, stride: int) -> str:
    """A ring of pointers, `stride` bytes apart, followed again and again."""
    fill = (
        f"li t0, {lines}\nmv t1, s1\n1: addi t2, t1, {stride}\nsd t2, 0(t1)\nmv t1, t2\naddi t0, t0, -1\nbnez t0, 1b\n"
    )
    close = f"li t3, {stride}\nsub t1, t1, t3\nsd s1, 0(t1)\nmv a0, s1\n"
    return f"li s1, {BUFFER}\n{fill}{close}li s0, {{rounds}}\n2: ld a0, 0(a0)\naddi s0, s0, -1\nbnez s0, 2b\n{EXIT}"


@pytest.mark.parametrize(("kind", "lines"), [("l1", 64), ("l2", 1024)])
def test_a_pointer_chase_takes_the_latency_of_the_level_that_holds_it(kind: str, lines: int, tmp_path: Path) -> None:
    core = """
    latency: {alu: 1 cycles, mul: 3 cycles, div: 20 cycles, load: 4 cycles, csr: 1 cycles}
    predictor: {kind: static, btb: 16}
  l1d: {size: 16 KiB, line: 64 B, ways: 4}
  l2: {size: 256 KiB, line: 64 B, ways: 8, latency: 15 cycles}"""
    source = chase(lines, 64)
    few, many = (timed(source.format(rounds=rounds), design_of(tmp_path, core)).cycles for rounds in (20000, 40000))
    assert (many - few) / 20000 == pytest.approx({"l1": 4, "l2": 4 + 15}[kind], rel=0.01)


def test_misses_on_their_way_bound_bandwidth(tmp_path: Path) -> None:
    """Little's law: lines per cycle <= MSHRs / latency; one register makes misses wait for each other."""
    loads = "".join(f"ld a{1 + i % 5}, {64 * i}(s2)\n" for i in range(16))
    body = f"mv s2, s1\nli s3, 60\n3:\n{loads}addi s2, s2, 1024\naddi s3, s3, -1\nbnez s3, 3b\n"
    cycles = {}
    for mshrs in (1, 2, 4):
        core = f" {{}}\n  l1d: {{size: 4 KiB, line: 64 B, ways: 2, mshrs: {mshrs}}}"
        result = timed(loop(body, 4), design_of(tmp_path, core))
        cycles[mshrs] = result.cycles
        latency = 2 * 20  # the interconnect alone, both ways
        assert result.events["l1.misses"] / result.cycles <= mshrs / latency
    assert cycles[1] > 1.6 * cycles[2] > 2.5 * cycles[4]


def test_a_full_store_buffer_holds_the_hart_up(tmp_path: Path) -> None:
    stores = "".join(f"sd a1, {64 * i}(s1)\n" for i in range(24))
    caches = "\n  l1d: {size: 1 KiB, line: 64 B, ways: 2}"
    cores = (f" {{store_buffer: {entries}}}{caches}" for entries in (1, 4, 0))
    results = [timed(loop(stores, 40), design_of(tmp_path, core)) for core in cores]
    assert results[0].cycles > results[1].cycles > results[2].cycles
    assert results[0].stalls["store_buffer"] > results[1].stalls["store_buffer"] > 0
    assert "store_buffer" not in results[2].stalls


def test_an_out_of_order_hart_runs_chains_side_by_side(per_round: Any) -> None:
    """Four chains of additions run at four per cycle; one chain at one; a chain of multiplications at its latency."""
    four = "".join(f"add a{i}, a{i}, a5\n" for _ in range(8) for i in range(1, 5))
    assert per_round(WINDOW, four) == pytest.approx((32 + 2) / 4, abs=0.1)
    assert per_round(WINDOW, "add a1, a1, a5\n" * 16) == pytest.approx(16, abs=0.1)
    assert per_round(WINDOW, "mul a1, a1, a5\n" * 8) == pytest.approx(8 * 3, abs=0.1)


def test_a_window_hides_what_fits_in_it(tmp_path: Path) -> None:
    """Independent loads that miss: as many are on their way as the window has room for (Little's law)."""
    body = "".join(f"ld a{1 + i % 5}, {64 * i}(s2)\n" for i in range(16)) + "addi s2, s2, 1024\n"
    source = loop(body, 60, before=f"li s2, {BUFFER}")
    cycles = {}
    for rob in (4, 16, 64):
        result = timed(source, design_of(tmp_path, WINDOW.replace("rob: 64", f"rob: {rob}")))
        assert result.events["l1.misses"] / result.cycles <= rob / (2 * 20)
        cycles[rob] = result.cycles
    assert cycles[4] > 2 * cycles[16] > 2.5 * cycles[64]


def test_each_bound_of_the_window_is_named_where_it_binds(tmp_path: Path) -> None:
    misses = "".join(f"ld a{1 + i % 5}, {64 * i}(s2)\nadd a6, a6, a7\nadd t0, a6, a7\n" for i in range(16))
    source = loop(misses + "addi s2, s2, 1024\n", 60, before=f"li s2, {BUFFER}")
    for field, size, small in (("rob", 64, 6), ("load_queue", 32, 1)):
        result = timed(source, design_of(tmp_path, WINDOW.replace(f"{field}: {size}", f"{field}: {small}")))
        assert result.slots.get(field, 0) > 0
    stores = "".join(f"sd a1, {64 * i}(s2)\n" for i in range(16)) + "addi s2, s2, 1024\n"
    result = timed(loop(stores, 60, before=f"li s2, {BUFFER}"), design_of(tmp_path, WINDOW))
    assert max(result.stalls, key=lambda cause: result.stalls[cause]) == "store_queue"
    adds = "".join(f"add a{i}, s0, s1\n" for i in range(1, 8))
    result = timed(loop(adds, 60), design_of(tmp_path, WINDOW.replace("issue_queue: 32", "issue_queue: 2")))
    assert result.slots.get("issue_queue", 0) > 0


def test_a_load_behind_a_store_to_its_place_takes_the_stores_data(per_round: Any, tmp_path: Path) -> None:
    """Forwarding: store and load of one place make a chain of their latencies, whatever the caches hold."""
    body = "sd a1, 0(s1)\nld a1, 0(s1)\n"
    assert per_round(WINDOW, body) == pytest.approx(1 + 2, abs=0.1)
    late = "div t0, a2, a3\nandi t0, t0, 0\nadd t0, t0, s1\nsd a1, 8(t0)\nld a4, 8(s1)\nadd a5, a5, a4\n"
    runs = {}
    for order in ("speculative", "conservative"):
        core = WINDOW.replace("store_queue: 16", f"store_queue: 16, memory_dependence: {order}")
        runs[order] = timed(loop(late, 200), design_of(tmp_path, core))
    # it is wrong once, and waits from then on
    assert runs["speculative"].events["memory_order.violations"] == 1
    assert runs["conservative"].events["memory_order.violations"] == 0
    elsewhere = late.replace("sd a1, 8(t0)", "sd a1, 64(t0)")
    speculative, conservative = (
        WINDOW.replace("store_queue: 16", f"store_queue: 16, memory_dependence: {order}") for order in runs
    )
    free, bound = (timed(loop(elsewhere, 200), design_of(tmp_path, core)) for core in (speculative, conservative))
    assert free.cycles <= bound.cycles


def test_what_a_hart_cannot_be_is_said_in_one_line(tmp_path: Path) -> None:
    for core, message in (
        (" {kind: out_of_order, width: 2}", r"core.hart.out_of_order: an out-of-order hart has no window; write "),
        (" {out_of_order: {rob: 8, issue_queue: 4, load_queue: 4, store_queue: 4}}", r"a hart of kind in_order has no"),
        (" {ports: {mul: 2}, interval: {mul: 2 cycles}}", r"core.hart.ports: mul has several ports that take more"),
        (" {predictor: {kind: tage}}", r"unknown value 'tage'; known: bimodal, gshare, none, static"),
        (" {predictor: {entries: 1000}}", r"core.hart.predictor.entries: 1000 is not a power of two"),
        (" {width: 9}", r"core.hart.width: 9 is out of bounds; use at least 1 and at most 7"),
        (" {}\n  l2: {size: 96 KiB, line: 64 B, ways: 8, latency: 9 cycles}", r"core.l2.size: .* no.* power of two"),
        (" {}\n  l2: {size: 64 KiB, line: 32 B, ways: 8, latency: 9 cycles}", r"core.l2.line: lines of 32 B are short"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message) as caught:
            design_of(tmp_path, core)
        assert "mine.yaml" in str(caught.value)
