"""Matrix units of every kind: times worked out by hand, and what must hold of any program."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import archsim
from archsim.common.errors import SimulationError
from archsim.isa.program import SCRATCHPAD_BASE
from archsim.machine.run import isa_of

EXIT = "li a0, 0\nli a7, 93\necall\n"
SYSTOLIC = ("systolic_os", "systolic_ws", "systolic_is")
KINDS = ("dot_product", "outer_product", *SYSTOLIC)
PLACE = 1 << 20
"""Bytes between the tiles of a program in the scratchpad: more than any takes."""
FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@cache
def isa() -> Any:
    return isa_of(archsim.load_design("systolic-ideal"))


def timed(body: str, sizes: tuple[int, int, int], kind: str, **fields: Any) -> archsim.RunResult:
    """Run a body on the ideal design with a matrix unit; sizes are qtm, qtn and qtk, fields those of core.matrix."""
    overrides = {"core.matrix.kind": kind}
    for name, value in fields.items():
        overrides[name.replace("__", ".") if "__" in name else f"core.matrix.{name}"] = value
    if kind == "dot_product":
        overrides["core.matrix.rows"] = 1
    design = archsim.load_design("systolic-ideal", overrides)
    shape = "".join(
        f"li t0, {size}\ncsrw {name}, t0\n" for name, size in zip(("qtm", "qtn", "qtk"), sizes, strict=True)
    )
    run = archsim.run(isa().assemble(shape + body + EXIT), design, isa=isa(), fidelity="addresses")
    accounted(run)
    return run


def accounted(run: archsim.RunResult) -> None:
    """Every cycle of every unit is work or a wait with a cause."""
    assert set(run.units) == set(run.unit_stalls) == {"tile_lsu", "matrix", "vector", "dma"}
    for unit, busy in run.units.items():
        causes = run.unit_stalls[unit]
        assert min(causes.values(), default=0) >= 0
        assert busy + sum(causes.values()) == run.hart_cycles, unit


def span(run: archsim.RunResult) -> int:
    """Cycles from the first multiply's begin to the last result."""
    begin, end = run.unit_spans["matrix"]
    return end - begin


def mma(*operands: tuple[int, int, int]) -> str:
    """Multiplies of accumulator, activations, weights."""
    return "".join(f"qt.mma ac{a}, t{b}, t{c}\n" for a, b, c in operands)


ONE, SAME = mma((0, 0, 4)), mma((0, 0, 4), (0, 0, 4), (0, 0, 4))
# three multiplies, each with another held operand
OTHERS = mma((0, 0, 4), (1, 1, 5), (2, 2, 6))


def test_an_outer_product_takes_a_column_against_a_row_per_cycle() -> None:
    """10 x 20 on 4 x 8: 3 x 3 blocks of accumulators, each for 30 elements of the depth, one or four at a time."""
    for depth, steps in ((1, 30), (4, 8)):
        run = timed(OTHERS, (10, 20, 30), "outer_product", rows=4, columns=8, depth=depth, latency=5)
        assert span(run) == 3 * 3 * 3 * steps + 5
        assert run.units["matrix"] == 3 * 3 * 3 * steps


def test_a_dot_product_unit_takes_an_activation_row_per_cycle() -> None:
    run = timed(OTHERS, (10, 20, 30), "dot_product", columns=8, depth=16, latency=5)
    assert span(run) == 3 * 10 * 3 * 2 + 5


# an array of 6 x 9: 13 cycles of fill and drain; sizes are those of the held operand where they can be
R, C, M, N, K = 6, 9, 20, 31, 50
HAND = {
    "systolic_os": ((R, C, K), 0, K),
    "systolic_ws": ((M, C, R), R, M),
    "systolic_is": ((C, N, R), R, N),
}


@pytest.mark.parametrize("kind", SYSTOLIC)
def test_folds_by_hand(kind: str) -> None:
    """Load and stream of one fold, three multiplies of one fold, and three folds in each of the four ways."""
    sizes, load, stream = HAND[kind]
    drain = R + C - 2
    array = {"rows": R, "columns": C}
    assert span(timed(ONE, sizes, kind, **array)) == load + stream + drain
    assert span(timed(SAME, sizes, kind, **array)) == load + 3 * stream + drain
    assert span(timed(SAME, sizes, kind, folds="overlapped", **array)) == load + 3 * stream + drain
    serial = timed(OTHERS, sizes, kind, **array)
    assert span(serial) == 3 * (load + stream + drain)
    assert serial.unit_stalls["matrix"]["fold"] == 2 * drain
    assert serial.unit_stalls["matrix"]["drain"] == drain
    assert span(timed(OTHERS, sizes, kind, double_buffered=True, **array)) == load + 3 * (stream + drain)
    assert span(timed(OTHERS, sizes, kind, folds="overlapped", **array)) == 3 * (load + stream) + drain
    both = timed(OTHERS, sizes, kind, folds="overlapped", double_buffered=True, **array)
    assert span(both) == load + 3 * stream + drain
    assert "fold" not in both.unit_stalls["matrix"]


def test_a_short_stream_does_not_hide_the_next_weights() -> None:
    """Two activation rows against weights of six: the array takes new weights every six cycles."""
    run = timed(OTHERS, (2, C, R), "systolic_ws", rows=R, columns=C, folds="overlapped", double_buffered=True)
    assert span(run) == 3 * R + 2 + R + C - 2


@pytest.mark.parametrize("kind", SYSTOLIC)
def test_a_pipeline_adds_its_depth_to_every_serial_fold(kind: str) -> None:
    sizes, load, stream = HAND[kind]
    drain = R + C - 2
    assert span(timed(OTHERS, sizes, kind, rows=R, columns=C, latency=4)) == 3 * (load + stream + drain + 4)
    late = timed(OTHERS, sizes, kind, rows=R, columns=C, latency=4, folds="overlapped")
    assert span(late) == 3 * (load + stream) + drain + 4


@pytest.mark.parametrize("kind", SYSTOLIC)
def test_a_tile_larger_than_the_array_takes_folds_of_its_own(kind: str) -> None:
    """13 x 20 x 50 in one multiply: blocks of the held operand, edges charged in full."""
    m, n, k = 13, 20, 50
    folds, load, stream = {
        "systolic_os": (3 * 3, 0, k),
        "systolic_ws": (9 * 3, R, m),
        "systolic_is": (9 * 2, R, n),
    }[kind]
    run = timed(ONE, (m, n, k), kind, rows=R, columns=C)
    assert span(run) == folds * (load + stream + R + C - 2)
    assert run.units["matrix"] == folds * (load + stream)
    assert run.unit_stalls["matrix"]["fold"] == (folds - 1) * (R + C - 2)


def test_what_begins_a_fold() -> None:
    """The held operand changes: another register, or the same with new contents."""
    drain, head = R + C - 2, f"li s1, {SCRATCHPAD_BASE}\nli s2, {R}\n"
    fold = R + M + drain
    sizes, array = (M, C, R), {"rows": R, "columns": C}
    again = head + ONE + "qt.ldw t4, s1, s2\n" + ONE
    assert span(timed(again, sizes, "systolic_ws", **array)) == 2 * fold
    other = head + ONE + "qt.ldw t5, s1, s2\n" + ONE
    assert span(timed(other, sizes, "systolic_ws", **array)) == fold + M
    # an accumulator leaves an output-stationary array when another unit reads it, or when it is cleared
    sizes, fold = (R, C, K), K + drain
    stored = head + ONE + f"li s3, {4 * C}\nqt.sta ac0, s1, s3\n" + ONE
    assert span(timed(stored, sizes, "systolic_os", **array)) > 2 * fold
    assert span(timed(head + ONE + ONE, sizes, "systolic_os", **array)) == fold + K
    assert span(timed(ONE + "qt.zeroa ac0\n" + ONE, sizes, "systolic_os", **array)) == 2 * fold
    assert span(timed(ONE + "qt.zeroa ac1\n" + ONE, sizes, "systolic_os", **array)) == fold + K + 1


def test_waits_are_told_by_cause() -> None:
    """One tile of weights of 40 rows x 50 bytes through a port of 10 bytes per cycle: the array waits 200 cycles."""
    body = f"li s1, {SCRATCHPAD_BASE}\nli s2, {K}\nqt.ldw t4, s1, s2\n" + ONE
    run = timed(body, (M, 40, K), "systolic_os", rows=R, columns=C, core__tile_lsu__width="10 B")
    waits = run.unit_stalls["matrix"]
    assert waits["operand_tile_lsu"] == 40 * K // 10 - 1  # the load begins a cycle before the multiply could
    assert run.units["tile_lsu"] == 40 * K // 10
    begin, end = run.unit_spans["matrix"]
    assert waits["idle"] + waits["operand_tile_lsu"] == begin
    assert run.cycles == end + waits.get("end", 0)


# -- formats


def test_pairs_of_formats_have_rates_of_their_own() -> None:
    """qfmt 1: int4 weights; int8 activations. Twice as fast where the pair says so, whatever int8 alone does."""
    body = "csrwi qfmt, 1\n" + ONE
    plain = timed(body, (M, C, K), "outer_product", rows=1, columns=1)
    assert plain.units["matrix"] == M * C * K
    paired = timed(body, (M, C, K), "outer_product", rows=1, columns=1, pairs={"int4 x int8": 2.0})
    assert paired.units["matrix"] == M * C * K // 2
    assert paired.macs == {"int8": M * C * K}
    only = timed(
        body, (M, C, K), "outer_product", rows=1, columns=1, formats={"int4": None}, pairs={"int4 x int8": 0.5}
    )
    assert only.units["matrix"] == 2 * M * C * K
    with pytest.raises(SimulationError, match="does not multiply this weight format"):
        timed(body, (M, C, K), "outer_product", formats={"int4": None})


@pytest.mark.parametrize("kind", SYSTOLIC)
def test_the_stream_follows_the_rate(kind: str) -> None:
    sizes, load, stream = HAND[kind]
    run = timed(ONE, sizes, kind, rows=R, columns=C, formats={"int8": 0.5})
    assert span(run) == load + 2 * stream + R + C - 2


# -- what must hold of any program

REGISTER, FOUR = st.integers(0, 3), st.integers(4, 7)
STEP = st.one_of(
    st.tuples(st.just("qt.mma"), REGISTER, REGISTER, FOUR),
    st.tuples(st.just("qt.mma"), REGISTER, REGISTER, FOUR),
    st.tuples(st.just("qt.ld"), REGISTER, REGISTER),
    st.tuples(st.just("qt.ldw"), FOUR, REGISTER),
    st.tuples(st.sampled_from(["qt.lda", "qt.sta"]), REGISTER, REGISTER),
    st.tuples(st.just("qt.zeroa"), REGISTER),
)
SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40))
PROGRAM = st.lists(STEP, min_size=1, max_size=24)
ARRAY = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(KINDS),
        "rows": st.integers(1, 20),
        "columns": st.integers(1, 20),
        "latency": st.integers(0, 9),
        "folds": st.sampled_from(["serial", "overlapped"]),
        "double_buffered": st.booleans(),
        "core__tile_lsu__width": st.sampled_from(["8 B", "64 B"]),
    }
)


def assembly(steps: list[tuple[Any, ...]], sizes: tuple[int, int, int]) -> str:
    """Tiles lie at four places of the scratchpad; rows adjoin."""
    _, n, k = sizes
    stride = {"qt.ld": k, "qt.ldw": k, "qt.lda": 4 * n, "qt.sta": 4 * n}
    lines = [f"li s{2 + place}, {SCRATCHPAD_BASE + place * PLACE}" for place in range(4)]
    for what, *numbers in steps:
        if what == "qt.mma":
            lines.append("qt.mma ac{}, t{}, t{}".format(*numbers))
        elif what == "qt.zeroa":
            lines.append(f"qt.zeroa ac{numbers[0]}")
        else:
            register = "ac" if what in ("qt.lda", "qt.sta") else "t"
            lines += [f"li t1, {stride[what]}", f"{what} {register}{numbers[0]}, s{2 + numbers[1]}, t1"]
    return "\n".join(lines) + "\n"


def run_of(steps: list[tuple[Any, ...]], sizes: tuple[int, int, int], unit: dict[str, Any]) -> archsim.RunResult:
    return timed(assembly(steps, sizes), sizes, **unit)


@FEW
@given(PROGRAM, SIZES, ARRAY)
def test_nothing_is_faster_than_the_unit_and_its_port(steps: Any, sizes: Any, unit: dict[str, Any]) -> None:
    run = run_of(steps, sizes, unit)
    m, n, k = sizes
    macs = sum(step[0] == "qt.mma" for step in steps) * m * n * k
    peak = (1 if unit["kind"] == "dot_product" else unit["rows"]) * unit["columns"]
    moved = {"qt.ld": m * k, "qt.ldw": n * k, "qt.lda": 4 * m * n, "qt.sta": 4 * m * n}
    nbytes = sum(moved.get(step[0], 0) for step in steps)
    assert run.macs.get("int8", 0) == macs
    assert run.cycles >= max(macs / peak, nbytes / int(unit["core__tile_lsu__width"].split()[0]))


@FEW
@given(PROGRAM, SIZES, ARRAY, st.data())
def test_more_of_anything_is_never_slower(steps: Any, sizes: Any, unit: dict[str, Any], data: Any) -> None:
    """The units execute in order and all their times are maxima and sums of earlier ones, so no anomaly can arise."""
    better = data.draw(
        st.sampled_from(
            [
                {"folds": "overlapped"},
                {"double_buffered": True},
                {"latency": 0},
                {"core__tile_lsu__width": "128 B"},
                {"core__tile_lsu__queue": 64, "queue": 64},
            ]
        )
    )
    base = {**unit, "core__tile_lsu__queue": 1, "queue": 1}
    assert run_of(steps, sizes, {**base, **better}).cycles <= run_of(steps, sizes, base).cycles


@FEW
@given(PROGRAM, SIZES, ARRAY, st.integers(1, 20), st.integers(1, 20), st.integers(1, 3))
def test_a_larger_unit_is_slower_by_its_fill_and_drain_at_most(
    steps: Any, sizes: Any, unit: dict[str, Any], rows: int, columns: int, depth: int
) -> None:
    """More rows, columns or depth never cost a unit without folds anything.

    A larger systolic array has a longer way through it, which every fold of it pays: a true anomaly, of at most its
    load, fill and drain for each fold of a multiply and for each access that waits for a result.
    """
    m, n, k = sizes
    systolic = unit["kind"] in SYSTOLIC
    larger = {**unit, "rows": unit["rows"] + rows, "columns": unit["columns"] + columns}
    if not systolic:
        larger["depth"] = 1 + depth
    down, across = {"systolic_ws": (k, n), "systolic_is": (k, m)}.get(unit["kind"], (m, n))
    folds = -(-down // larger["rows"]) * -(-across // larger["columns"])
    longer = len(steps) * folds * (2 * rows + columns) if systolic else 0
    assert run_of(steps, sizes, larger).cycles <= run_of(steps, sizes, unit).cycles + longer


@FEW
@given(SIZES, ARRAY)
def test_ragged_tiles_are_not_cheaper_than_the_next_smaller_full_tile(
    sizes: tuple[int, int, int], unit: dict[str, Any]
) -> None:
    rows, columns = unit["rows"], unit["columns"]
    along = {"outer_product": (rows, columns, 1), "systolic_os": (rows, columns, 1), "systolic_ws": (1, columns, rows),
             "systolic_is": (columns, 1, rows), "dot_product": (1, columns, 1)}[unit["kind"]]  # fmt: skip
    full = tuple(max(1, size // part) * part if size >= part else size for size, part in zip(sizes, along, strict=True))
    ragged, smaller = (span(run_of([("qt.mma", 0, 0, 4)], some, unit)) for some in (sizes, full))
    assert ragged >= smaller


@FEW
@given(PROGRAM, SIZES, ARRAY, st.sampled_from(["1", "4"]))
def test_narrow_banks_are_accounted_for(steps: Any, sizes: Any, unit: dict[str, Any], banks: str) -> None:
    """Bandwidth is taken in buckets of 64 cycles: more of it may come up to one bucket later per access, not more."""
    narrow = {**unit, "core__scratchpad__width": "4 B", "core__scratchpad__banks": banks}
    less = run_of(steps, sizes, narrow)
    more = run_of(steps, sizes, {**narrow, "core__scratchpad__banks": "16"})
    assert more.cycles <= less.cycles + 64 * len(steps)
    nbytes = less.events["scratchpad.read_bytes"] + less.events["scratchpad.write_bytes"]
    assert less.cycles >= nbytes / (4 * int(banks)) - 64


def test_banks_that_are_busy_are_a_cause_of_their_own() -> None:
    """20 tiles of 40 x 40 bytes through one bank of 4 bytes per cycle take 8000 cycles; the port itself is wide."""
    body = f"li s1, {SCRATCHPAD_BASE}\nli s2, 40\n" + "qt.ld t0, s1, s2\nqt.ld t1, s1, s2\n" * 10
    run = timed(body, (40, 40, 40), "systolic_os", core__scratchpad__width="4 B", core__scratchpad__banks="1")
    assert run.units["tile_lsu"] == 20
    assert 8000 - 64 <= run.units["tile_lsu"] + run.unit_stalls["tile_lsu"]["bank_conflict"] <= 8000


# -- what a format costs where the unit does not multiply it

INT4 = "csrwi qfmt, 1\nqt.ldw t4, s1, s2\n"
SIZE_16 = "li t0, 16\ncsrw qtm, t0\ncsrw qtn, t0\nli t0, 128\ncsrw qtk, t0\n" + f"li s1, {SCRATCHPAD_BASE}\nli s2, 64\n"


def on(name: str, body: str) -> archsim.RunResult:
    design = archsim.load_design(name)
    run = archsim.run(isa_of(design).assemble(SIZE_16 + body + EXIT), design, fidelity="addresses")
    accounted(run)
    return run


def test_unpacking_costs_what_its_instruction_costs() -> None:
    """16 x 128 weights become 2048 bytes at 64 per cycle: 32 cycles of the vector unit, and its 4 of latency."""
    native = on("edge-npu", INT4 + "qt.mma ac0, t0, t4\n")
    unpacked = on("edge-npu-int8", INT4 + "qt.unpk t5, t4\ncsrwi qfmt, 0\nqt.mma ac0, t0, t5\n")
    assert unpacked.units["vector"] == 32
    assert unpacked.unit_spans["matrix"][1] - native.unit_spans["matrix"][1] == 32 + 4
    assert unpacked.units["matrix"] == native.units["matrix"] == 128
    with pytest.raises(SimulationError, match="does not multiply this weight format"):
        on("edge-npu-int8", INT4 + "qt.mma ac0, t0, t4\n")


def test_an_int4_product_costs_its_unpacking_on_a_unit_without_int4() -> None:
    """64 weight tiles of 16 x 128, each unpacked once: the same multiplies, 32 cycles more of the vector unit each."""
    from archsim.kernels.alone import run_alone
    from archsim.kernels.matmul import MatMul, Tiling
    from archsim.kernels.target import target_of
    from archsim.kernels.weight_code import WeightCode

    runs = {}
    for name in ("edge-npu", "edge-npu-int8"):
        design = archsim.load_design(name)
        kernel = MatMul("product", target_of(design), 16, 1024, 128, WeightCode("int4-g128", "int4", group=128))
        _, runs[name] = run_alone(kernel, design, {}, tiling=Tiling(16, kernel.most_steps), fidelity="addresses")
        accounted(runs[name])
    native, unpacked = runs["edge-npu"], runs["edge-npu-int8"]
    assert unpacked.macs == {"int8": 16 * 1024 * 128}
    assert native.macs == {"int4": 16 * 1024 * 128}
    assert unpacked.units["matrix"] == native.units["matrix"]
    assert unpacked.units["vector"] - native.units["vector"] == 64 * 32
    assert unpacked.cycles > native.cycles
    assert unpacked.energy.components["vector"] > native.energy.components["vector"]
