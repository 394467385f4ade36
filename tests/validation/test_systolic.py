"""Programs on systolic arrays take SCALE-Sim's compute cycles, exactly, and compute the right products."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import archsim
from archsim.common.errors import InputError
from archsim.kernels.dataflow import DataflowGemm
from archsim.kernels.gemm import Shape
from archsim.machine.run import isa_of
from archsim.validation.suite import run_suite
from archsim.validation.systolic import SUITE, Layer, run_layer
from tests.cli.run_archsim import archsim as command

HEAD = "dataflow,array,M,K,N,compute_cycles\n"
SIZE = st.one_of(st.integers(1, 3), st.integers(1, 300), st.integers(1000, 2300))
SIDE = st.one_of(st.sampled_from([1, 2, 8, 14, 16, 32, 128, 256]), st.integers(1, 300))


def quiet(done: int, count: int, name: str) -> None:
    pass


def closed_form(dataflow: str, rows: int, columns: int, shape: Shape) -> int:
    """What SCALE-Sim reports: whole arrays are charged, and the last cycle is counted from 0."""
    m, n, k = shape.m, shape.n, shape.k
    along = {"os": (m, n, k), "ws": (k, n, m + rows), "is": (k, m, n + rows)}[dataflow]
    folds = -(-along[0] // rows) * -(-along[1] // columns)
    return folds * (along[2] + rows + columns - 2) - 1


def test_every_row_that_ships_is_exact() -> None:
    rows = run_suite(SUITE, None, quiet)
    assert len(rows) == 99
    assert {row.kind for row in rows} == {
        f"{flow} {side}x{side}" for flow in ("os", "ws", "is") for side in (16, 32, 128)
    }
    for row in rows:
        assert row.simulated == row.reference, row.name
        assert row.detail["matrix_stalls"] == {}
        hidden = row.detail["hidden_preload_cycles"] + row.detail["hidden_fill_and_drain_cycles"]
        assert row.detail["overlapped_cycles"] + hidden == row.simulated
        assert min(row.detail["hidden_preload_cycles"], row.detail["hidden_fill_and_drain_cycles"]) >= 0


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(["os", "ws", "is"]), SIDE, SIDE, st.builds(Shape, SIZE, SIZE, SIZE))
def test_any_array_and_product_is_exact(dataflow: str, rows: int, columns: int, shape: Shape) -> None:
    # programs are written out: many folds of long streams make long ones
    assume(shape.macs / (rows * columns) <= 3_000_000)
    time = run_layer(Layer(dataflow, rows, columns, shape))
    assert time.cycles == closed_form(dataflow, rows, columns, shape)
    assert time.waits == {}
    buffered = run_layer(Layer(dataflow, rows, columns, shape), double_buffered=True)
    overlapped = run_layer(Layer(dataflow, rows, columns, shape), folds="overlapped", double_buffered=True)
    assert shape.macs / (rows * columns) - 1 <= overlapped.cycles <= buffered.cycles <= time.cycles


@pytest.mark.parametrize("dataflow", ["os", "ws", "is"])
@pytest.mark.parametrize(
    "shape",
    [Shape(1, 1, 1), Shape(5, 9, 7), Shape(17, 21, 1100), Shape(1100, 13, 30), Shape(20, 1500, 30), Shape(4200, 9, 3)],
)
def test_products_are_right_and_timed_alike(dataflow: str, shape: Shape) -> None:
    design = archsim.load_design(
        "systolic-ideal", {"core.matrix.kind": f"systolic_{dataflow}", "core.matrix.rows": 8, "core.matrix.columns": 5}
    )
    isa = isa_of(design)
    gemm = DataflowGemm(shape, dataflow, 8, 5, (1024, 1024, 1024))
    rng = np.random.default_rng(shape.macs)
    a, w = (rng.integers(-128, 128, (rows, shape.k)).astype(np.int8) for rows in (shape.m, shape.n))
    run = archsim.run(isa.assemble(gemm.text), design, isa=isa, memory=gemm.memory(a, w))
    assert np.array_equal(gemm.result(run), a.astype(np.int32) @ w.T.astype(np.int32))
    begin, end = run.unit_spans["matrix"]
    assert end - begin - 1 == closed_form(dataflow, 8, 5, shape)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("wx,8x8,1,1,1,1\n", "FILE:2: unknown dataflow 'wx'; known: is, os, ws"),
        ("ws,8*8,1,1,1,1\n", "FILE:2: array is '8*8', not ROWSxCOLUMNS; write it as in 16x16"),
        ("ws,8x8,1,1,1,30\nws,8x8,0,1,1,1\n", "FILE:3: M is '0', no whole number from 1; mend the row"),
        ("ws,8x8,1,2.5,1,1\n", "FILE:2: K is '2.5', no whole number from 1; mend the row"),
        ("ws,8x8,1,1,inf,1\n", "FILE:2: N is 'inf', not a number; mend the row"),
        ("os,2000x8,1,1,1,1\n", "FILE:2: an array of 2000 rows is never filled by tiles of 1024; "
         "use at most 1024 rows"),
    ],
)  # fmt: skip
def test_bad_rows_are_refused_by_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(HEAD + text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        run_suite(SUITE, str(path), quiet)
    assert str(caught.value).replace(str(path), "FILE") == message


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(HEAD + "ws,8x32,5,9,1,101\n", encoding="utf-8")
    done = command("validate", "systolic", "--reference", path, "--json", capsys=capsys, monkeypatch=monkeypatch)
    assert done.code == 0
    (row,) = json.loads(done.out)["rows"]
    assert (row["simulated"], row["error"]) == (101, 0)
    # two folds of 8 rows each: the first is shifted in, the second 8 cycles later, and its 5 rows stream and drain
    assert row["detail"]["overlapped_cycles"] == 8 + 8 + 5 + (8 + 32 - 2) - 1
    assert row["detail"]["hidden_preload_cycles"] == 8
