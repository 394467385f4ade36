"""The vector unit in time: what can be worked out by hand, and what must never make a program slower."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import archsim
from archsim.isa.program import SCRATCHPAD_BASE

EXIT = "li a0, 0\nli a7, 93\necall\n"
PLAIN = {
    "core.vector.held": "[load]",
    "core.vector.banks": "0",
    "core.vector.latencies": "{}",
    "core.vector.startups": "{}",
    "core.vector.pipe_queues": "{}",
    "core.vector.in_flight": "0",
    "core.vector.queue": "64",
}
"""ara-4 without what hides the figure in question."""
LATENCY = 4
"""Of every kind then."""


def execute(body: str, design: str = "ara-4", fidelity: str = "timed", **changes: Any) -> archsim.RunResult:
    overrides = {f"core.vector.{name}" if "." not in name else name: str(value) for name, value in changes.items()}
    # fetch and the hart's own branches stay out of these times
    overrides = {"core.l1i": "null", "core.l1d.mshrs": "0", **overrides}
    chosen = archsim.load_design(design, overrides)
    isa = archsim.load_isa(*chosen.isa, parameters=chosen.parameters)
    start = "li s0, 0x100000\nli s1, 0x180000\nli s2, 64\n"
    return archsim.run(isa.assemble(start + body + EXIT), chosen, isa=isa, fidelity=fidelity)


def cycles(body: str, vl: int = 64, lmul: str = "m1", sew: int = 64, **changes: Any) -> int:
    set_vl = f"li t0, {vl}\nvsetvli zero, t0, e{sew}, {lmul}, ta, ma\n"
    return execute(set_vl + body, **{**PLAIN, **changes}).cycles


def each(body: str, count: int = 8, **how: Any) -> float:
    """Cycles that another round of a body costs when its pipe is what limits."""
    return (cycles(body * 2 * count, **how) - cycles(body * count, **how)) / count


def test_elements_pass_at_the_width_of_the_lanes_rounded_up() -> None:
    for vl in (1, 3, 4, 5, 31, 32, 33, 64):
        assert each("vadd.vv v1, v2, v3\n", vl=vl) == max(1, -(-vl // 4))
    assert each("vadd.vv v1, v2, v3\n", vl=64, lanes=8) == 8
    assert each("vadd.vv v8, v16, v24\n", vl=512, lmul="m8") == 128
    assert each("vadd.vv v8, v16, v24\n", vl=512, lmul="m8", sew=8) == 16
    assert each("vwadd.vv v8, v16, v20\n", vl=64, lmul="m1", sew=32) == 16
    assert each("vwadd.vv v8, v16, v20\n", vl=64, lmul="m1", sew=32, wide_results="false") == 8


def test_an_instruction_without_elements_takes_a_cycle() -> None:
    assert each("vadd.vv v1, v2, v3\n", vl=0) == 1
    assert execute("vsetivli zero, 0, e64, m1, ta, ma\nvle64.v v1, (s0)\n").dram_read_bytes == 0


@pytest.mark.parametrize(
    "pair", ["vmul.vv v1, v2, v3\nvadd.vv v4, v1, v5\n", "vadd.vv v1, v2, v3\nvmul.vv v4, v5, v1\n"]
)
def test_a_chained_consumer_follows_a_latency_behind_its_producer(pair: str) -> None:
    first = pair.split("\n")[0] + "\n"
    duration = 16
    assert cycles(pair) - cycles(first) == 1 + LATENCY
    assert cycles(pair, chaining="false") - cycles(first, chaining="false") == duration + LATENCY
    # independent ones run side by side
    assert cycles("vmul.vv v1, v2, v3\nvadd.vv v4, v6, v5\n") - cycles(first) <= 1


def test_a_chain_runs_at_the_rate_of_its_slowest_part() -> None:
    """A load of 64 elements of 8 bytes takes 32 cycles at 16 bytes: the addition, of 16, ends just behind it."""
    load = "vle64.v v1, (s0)\n"
    assert cycles(load + "vadd.vv v2, v1, v1\n") - cycles(load) == 1 + LATENCY


def test_groups_of_registers_chain_register_by_register() -> None:
    """The last register of a group of four is there three quarters of the time later than the first."""
    group = "vsetvli zero, s2, e64, m4, ta, ma\nli t1, 256\nvsetvli zero, t1, e64, m4, ta, ma\nvmul.vv v4, v8, v12\n"
    one = "vsetvli zero, s2, e64, m1, ta, ma\nvadd.vv v1, v{}, v2\n"
    early, late = (execute(group + one.format(register), **PLAIN).cycles for register in (4, 7))
    alone = execute(group, **PLAIN).cycles
    assert early <= alone + 1
    assert late == alone + 1 + LATENCY
    unchained = (execute(group + one.format(r), **{**PLAIN, "chaining": "false"}).cycles for r in (4, 7))
    assert len(set(unchained)) == 1


def test_pipes_run_side_by_side_only_where_they_are_separate() -> None:
    both = "vadd.vv v1, v2, v3\nvmul.vv v4, v5, v6\n"
    assert each(both) == 16
    assert each(both, pipes="one") == 32


def test_the_memory_port_takes_words_of_unit_stride_and_elements_of_all_else() -> None:
    rotating = "".join(f"vle64.v v{register}, (s0)\n" for register in range(8))
    assert each(rotating, count=4) == 8 * 512 / 16
    assert each(
        rotating, count=4, memory_width="32 B", **{"interconnect.width": "32 B", "memory.device": "sram-256bit"}
    ) == (8 * 512 / 32)
    assert each(rotating.replace("(s0)", "(s0), s2").replace("vle", "vlse"), count=4) == 8 * 64
    assert each(rotating.replace("(s0)", "(s0), v16").replace("vle64", "vluxei64"), count=4) >= 8 * 64
    # segments of two fields: an element of a field per cycle
    pairs = "".join(f"vlseg2e64.v v{register}, (s0)\n" for register in range(0, 8, 2))
    assert each(pairs, count=4) == 4 * 2 * 64
    # a row that does not begin at a word of the port touches one more
    moved = "addi s3, s0, 8\n" + rotating.replace("(s0)", "(s3)")
    assert each(moved, count=4) == pytest.approx(8 * 33, abs=0.5)


def test_slides_pass_once_per_power_of_two_of_their_distance() -> None:
    assert each("vslidedown.vi v1, v2, 8\n", held="[]") == 16
    assert each("vslidedown.vi v1, v2, 7\n", held="[]") == 48
    assert each("li t1, 5\nvslideup.vx v1, v2, t1\n", held="[]") == 32
    assert each("vslide1down.vx v1, v2, t1\n", held="[]") == 16
    assert each("vslidedown.vi v1, v2, 7\n", held="[]", slide="any") == 16


@pytest.mark.parametrize("lanes", [2, 4, 8, 16])
def test_a_reduction_adds_a_tree_over_lanes_and_words(lanes: int) -> None:
    step = 2 + LATENCY
    steps = lanes.bit_length() - 1
    assert each("vredsum.vs v1, v2, v3\n", lanes=lanes) == 64 // lanes + steps * step
    assert each("vredsum.vs v1, v2, v3\n", lanes=lanes, sew=16) == max(1, 64 // lanes // 4) + (steps + 2) * step
    assert each("vredsum.vs v1, v2, v3\n", lanes=lanes, reduction_step=0) == 64 // lanes
    assert each("vfredosum.vs v1, v2, v3\n", lanes=lanes) == 64 * LATENCY


def test_masked_instructions_wait_for_their_mask() -> None:
    compare = "vmseq.vv v0, v2, v3\n"
    behind = cycles(compare + "vmul.vv v4, v5, v6, v0.t\n", chaining="false")
    beside = cycles(compare + "vmul.vv v4, v5, v6\n", chaining="false")
    assert behind - beside >= 16


def test_a_held_load_waits_for_the_readers_of_its_target() -> None:
    body = "vmul.vv v4, v1, v5\nvle64.v v1, (s0)\nvadd.vv v2, v3, v3\n"
    assert cycles(body) > cycles(body, held="[]")


def test_first_operands_of_one_bank_come_one_by_one() -> None:
    one = "vadd.vv v1, v2, v3\n"
    assert cycles(one, banks=8) - cycles(one) == 1
    assert cycles("vmacc.vv v1, v2, v3\n", banks=8) - cycles("vmacc.vv v1, v2, v3\n") == 2
    # three pipes that together ask for more words than two banks give
    three = "vmacc.vv v1, v2, v3\nvadd.vv v4, v5, v6\nvslide1down.vx v7, v8, t0\n"
    assert each(three, held="[]", banks=2) > 1.5 * each(three, held="[]", banks=8)


def test_queues_and_places_bound_what_is_under_way() -> None:
    """With one instruction in flight there is no overlap at all."""
    body = "vadd.vv v1, v2, v3\n"
    assert each(body, in_flight=1) >= 16 + LATENCY
    assert each(body + "vmul.vv v4, v5, v6\n", pipe_queues="{alu: 1}") >= 16 + LATENCY
    assert each("vadd.vv v1, v2, v3\n", vl=4, dispatch_interval=5) == 5


def test_rows_in_dram_are_counted_and_take_its_time() -> None:
    load = "vsetvli zero, s2, e64, m1, ta, ma\n" + "".join(f"vle64.v v{r}, (s0)\nadd s0, s0, s3\n" for r in range(8))
    result = execute("li s3, 512\n" + load, **PLAIN)
    assert result.dram_read_bytes >= 8 * 512
    assert result.cycles >= 8 * 512 / 16
    store = execute("li s3, 512\n" + load.replace("vle64", "vse64"))
    assert store.dram_write_bytes == 8 * 512
    slow = execute("li s3, 512\n" + load, **PLAIN, **{"interconnect.latency": "200 ns"})
    assert slow.cycles - result.cycles == 2 * (200 - 2)


def test_a_miss_is_not_delayed_by_a_load_that_waits_for_its_turn() -> None:
    """The vector load begins some thousand cycles later; the hart's own miss asks memory before it."""
    wait = "vsetvli zero, s2, e64, m1, ta, ma\n" + "vdiv.vv v1, v1, v2\n" * 5
    load = "vadd.vv v3, v1, v1\nvle64.v v3, (s0)\n"
    miss = "ld t1, 0(s1)\naddi t1, t1, 1\n"
    stalls = [execute(wait + middle + miss).stalls.get("memory_dram", 0) for middle in ("", load)]
    assert 0 < stalls[1] <= stalls[0] + 1


def test_scratchpad_and_dram_rows_of_one_program_do_not_mix() -> None:
    body = f"li s4, {SCRATCHPAD_BASE}\nvsetvli zero, s2, e64, m1, ta, ma\n"
    result = execute(body + "vle64.v v1, (s4)\nvlse64.v v2, (s4), zero\nvle64.v v3, (s0)\nvluxei64.v v4, (s4), v5\n")
    assert result.events["scratchpad.read_bytes"] == 3 * 512
    assert result.dram_read_bytes == 512


PROGRAM = st.lists(
    st.sampled_from(
        [
            "vadd.vv v{a}, v{b}, v{c}", "vmul.vv v{a}, v{b}, v{c}", "vfmacc.vf v{a}, f0, v{b}", "vle64.v v{a}, (s0)",
            "vse64.v v{a}, (s1)", "vredsum.vs v{a}, v{b}, v{c}", "vslide1down.vx v{a}, v{b}, t0", "ld t1, 0(s1)",
            "vlse64.v v{a}, (s0), s2", "add t2, t1, t1",
        ]
    ),
    min_size=1,
    max_size=25,
)  # fmt: skip
BETTER = [
    {"lanes": "8"}, {"latency": "2"}, {"queue": "32"}, {"in_flight": "0"}, {"chaining": "true"},
    {"pipe_queues": "{}"}, {"startups": "{}"}, {"banks": "0"}, {"reduction_step": "1"},
    {"memory_width": "32 B", "interconnect.width": "32 B", "memory.device": "sram-256bit"},
]  # fmt: skip
WORSE = {"chaining": "false", "latencies": "{}", "queue": "2", "held": "[]", "slide": "any"}


def written(lines: list[str], registers: list[int], vl: int) -> str:
    picks = iter(registers * 100)
    body = "\n".join(line.format(a=next(picks), b=next(picks), c=next(picks)) for line in lines)
    return f"li t0, {vl}\nvsetvli zero, t0, e64, m1, ta, ma\n{body}\n"


@settings(max_examples=25, deadline=None)
@given(PROGRAM, st.lists(st.integers(1, 9), min_size=3, max_size=12), st.integers(1, 64), st.sampled_from(BETTER))
def test_more_is_never_slower(lines: list[str], registers: list[int], vl: int, better: dict[str, str]) -> None:
    """Wider, deeper, nearer or chained: up to the few cycles by which accesses of an SRAM may change their order."""
    body = written(lines, registers, vl)
    before, after = execute(body, **WORSE).cycles, execute(body, **{**WORSE, **better}).cycles
    assert after <= before + 8


@settings(max_examples=15, deadline=None)
@given(PROGRAM, st.lists(st.integers(1, 9), min_size=3, max_size=12), st.integers(1, 63))
def test_bounds_sums_and_fidelities(lines: list[str], registers: list[int], vl: int) -> None:
    body = written(lines, registers, vl)
    result = execute(body)
    elements = sum(vl for line in lines if line.startswith(("vadd", "vredsum")))
    assert result.cycles >= elements / 4
    assert result.cycles >= (result.dram_read_bytes + result.dram_write_bytes) / 16
    assert result.busy_cycles + sum(result.stalls.values()) == result.cycles
    assert result.units["vector"] + sum(result.unit_stalls["vector"].values()) == result.cycles
    assert execute(body, fidelity="addresses").cycles == result.cycles
    more = execute(written(lines, registers, vl + 1))
    assert more.cycles >= result.cycles - 8


@pytest.mark.parametrize("lmul, elements", [("m1", 128), ("m8", 1024)])
def test_more_bursts_of_one_load_than_a_channel_lets_wait(lmul: str, elements: int) -> None:
    """Some of a load's bursts have ended before the last is asked for; 32 B of a channel take 2.5 ns at 12.8 GB/s."""
    body = f"li t1, 1024\nli t0, {elements}\nvsetvli zero, t0, e8, {lmul}, ta, ma\nvlse8.v v8, (s0), t1\n"
    assert 2.5 * elements <= execute(body, "edge-rvv").cycles <= 10 * elements
