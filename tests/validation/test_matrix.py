"""Products against other simulators: SCALE-Sim's cycles with serial folds, ONNXim's at most with overlapped ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import archsim
from archsim.common.errors import InputError
from archsim.kernels.gemm import Shape
from archsim.kernels.gemm_stream import StreamGemm
from archsim.machine.run import isa_of
from archsim.validation.matrix import SUITE
from archsim.validation.suite import read_reference, run_suite

HEAD = "peer,M,K,N,dataflow,folds,design,cycles\n"


def quiet(done: int, count: int, name: str) -> None:
    pass


def test_against_other_simulators() -> None:
    rows = run_suite(SUITE, None, quiet)
    assert len(rows) == 29
    for row in rows:
        peer = row.kind.split(",")[0]
        if peer == "SCALE-Sim":
            assert row.simulated == row.reference, row.name
        if peer == "ONNXim":
            assert row.simulated <= row.reference, row.name
        if peer == "Gemmini RTL":
            # no program is faster than 256 multiply-accumulates per cycle
            m, k, n = (int(size) for size in row.name.split(" ws ")[1].split(" x "))
            assert m * k * n / 256 <= row.simulated


def test_bounds_of_compute_and_memory_hold() -> None:
    """128 x 128 multiply-accumulates and 128 bytes per cycle; results are bytes."""
    path = Path(archsim.__file__).parent.parent / "workloads/reference/gemm_cycles.csv"
    shapes = {tuple(int(row[size]) for size in "MKN") for row in read_reference(path, ("M", "K", "N"))}
    design = archsim.load_design("systolic-128")
    isa = isa_of(design)
    for m, k, n in shapes:
        gemm = StreamGemm(Shape(m, n, k), (512, 128, 128), design.core.scratchpad.size)
        run = archsim.run(isa.assemble(gemm.text), design, isa=isa, fidelity="addresses")
        assert run.cycles >= max(m * k * n / 128**2, (m * k + k * n + m * n) / 128)
        assert run.dram_read_bytes >= m * k + k * n
        for unit, busy in run.units.items():
            assert busy + sum(run.unit_stalls[unit].values()) == run.hart_cycles, unit


@pytest.mark.parametrize("name", ["systolic-128", "gemmini"])
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 300), st.integers(1, 4))
def test_streamed_products_are_right(name: str, m: int, n: int, k: int, blocks: int) -> None:
    design = archsim.load_design(name)
    isa = isa_of(design)
    tile = (isa.parameters["TM"], isa.parameters["TN"], isa.parameters["TROWB"])
    gemm = StreamGemm(Shape(m, n, k), tile, design.core.scratchpad.size, blocks)
    rng = np.random.default_rng(m * n * k)
    a, w = (rng.integers(-9, 10, (rows, k)).astype(np.int8) for rows in (m, n))
    program = isa.assemble(gemm.text)
    run = archsim.run(program, design, isa=isa, memory=gemm.memory(a, w))
    assert np.array_equal(gemm.result(run), np.clip(a.astype(np.int32) @ w.T.astype(np.int32), -128, 127))
    assert archsim.run(program, design, isa=isa, fidelity="addresses").cycles == run.cycles


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("X,1,1,1,ws,serial,systolic-129,1\n", "unknown design 'systolic-129'; did you mean 'systolic-128'?"),
        ("X,1,1,1,ws,parallel,gemmini,1\n", "FILE:2: unknown folds 'parallel'; known: overlapped, serial"),
        ("X,1,1,1,wz,serial,gemmini,1\n", "FILE:2: unknown dataflow 'wz'; known: is, os, ws"),
        ("X,0,1,1,ws,serial,gemmini,1\n", "FILE:2: M is '0', no whole number from 1; mend the row"),
        ("X,1,1,1,ws,serial,gemm-rvv,1\n", "FILE:2: design gemm-rvv is not one core with xqt "
         "and a systolic array; name one that is: systolic-128"),
    ],
)  # fmt: skip
def test_bad_rows_are_refused_by_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(HEAD + text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        run_suite(SUITE, str(path), quiet)
    assert message in str(caught.value).replace(str(path), "FILE")
