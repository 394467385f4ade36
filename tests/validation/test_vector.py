"""Kernels of float64 on RVV against numpy, and the suite that compares their time with Ara's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import archsim
from archsim.common.errors import InputError
from archsim.kernels import vector_float
from archsim.kernels.vector_float import C, VectorKernel, axpy, dot_product, matmul
from archsim.validation.suite import run_suite
from archsim.validation.vector import SUITE


def result_of(kernel: VectorKernel, design: str, fidelity: str = "functional") -> tuple[np.ndarray, archsim.RunResult]:
    chosen = archsim.load_design(design)
    isa = archsim.load_isa(*chosen.isa, parameters=chosen.parameters)
    run = archsim.run(isa.assemble(kernel.source), chosen, isa=isa, memory=kernel.operands, fidelity=fidelity)
    return np.frombuffer(run.read(C, 8 * int(np.prod(kernel.shape)))).reshape(kernel.shape), run


def fused_matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """C as fused multiply-adds in the order of k give it: exact products and one rounding by extended precision."""
    c = np.zeros((len(a), b.shape[1]))
    for k in range(len(b)):
        c = (a[:, k : k + 1].astype(np.longdouble) * b[k].astype(np.longdouble) + c).astype(np.float64)
    return c


@pytest.mark.parametrize("n", [4, 8, 16, 32, 48])
@pytest.mark.parametrize("design", ["ara-2", "ara-4"])
def test_the_matrix_product_is_numpys(n: int, design: str) -> None:
    """Bit for bit on whole numbers, whose sums are exact; else to the last bits."""
    rng = np.random.default_rng(n)
    whole = rng.integers(-1000, 1000, (2, n, n)).astype(float)
    got, _ = result_of(matmul(whole[0], whole[1]), design)
    assert np.array_equal(got, whole[0] @ whole[1])
    a, b = rng.standard_normal((2, n, n))
    got, _ = result_of(matmul(a, b), design, "timed")
    assert np.allclose(got, a @ b, rtol=0, atol=1e-13)
    assert np.abs(got - fused_matmul(a, b)).max() <= 4e-15


@pytest.mark.parametrize("n", [1, 7, 256, 1000])
def test_vectors(n: int) -> None:
    x, y = np.random.default_rng(n).integers(-99, 99, (2, n)).astype(float)
    got, _ = result_of(axpy(3.0, x, y), "ara-4")
    assert np.array_equal(got, 3 * x + y)
    got, _ = result_of(dot_product(x, y), "ara-4")
    assert got[0] == x @ y


def test_sizes_that_do_not_divide_are_told_so() -> None:
    assert [vector_float.block_rows(n) for n in (4, 8, 16, 64, 128, 256)] == [4, 8, 16, 16, 8, 4]
    with pytest.raises(InputError, match="n is 20; use a multiple of 16"):
        matmul(np.zeros((20, 20)), np.zeros((20, 20)))


HEAD = "kernel,n,lanes,utilization,source\n"


def suite(tmp_path: Path, rows: str) -> list:
    file = tmp_path / "mine.csv"
    file.write_text("# mine\n" + HEAD + rows)
    return run_suite(SUITE, str(file), lambda *_: None)


def test_rows_of_a_file_are_simulated(tmp_path: Path) -> None:
    rows = suite(tmp_path, "fmatmul,32,4,0.7,mine\ndaxpy,512,2,0.9,mine\nfdotproduct,512,4,0.9,mine\n")
    assert [row.name for row in rows] == ["fmatmul n=32, 4 lanes", "daxpy n=512, 2 lanes", "fdotproduct n=512, 4 lanes"]
    for row in rows:
        assert 0.3 < row.simulated <= 1
        assert row.error == pytest.approx(row.simulated / row.reference - 1)
        assert row.detail["cycles"] > 0


def test_longer_vectors_use_the_lanes_better(tmp_path: Path) -> None:
    rows = suite(tmp_path, "".join(f"fmatmul,{n},{lanes},0.5,mine\n" for lanes in (4, 8) for n in (16, 32, 64)))
    by_lanes = [row.simulated for row in rows]
    assert by_lanes[:3] == sorted(by_lanes[:3]) and by_lanes[3:] == sorted(by_lanes[3:])
    # the same product on twice the lanes is no slower, and uses them less
    assert all(less < more for less, more in zip(by_lanes[3:], by_lanes[:3], strict=True))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("fft,32,4,0.5,mine", "there is no kernel 'fft'"),
        ("fmatmul,33,4,0.5,mine", "n is 33"),
        ("fmatmul,x,4,0.5,mine", "n is 'x', not a number"),
        ("fmatmul,32,3,0.5,mine", "lanes is 3"),
        ("fmatmul,32,4,1.5,mine", "utilization is 1.5"),
        ("fmatmul,99999,4,0.5,mine", "n is 99999"),
    ],
)
def test_a_bad_row_is_one_line(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        suite(tmp_path, "fmatmul,16,4,0.5,mine\n" + row + "\n")
    assert caught.value.line == 4
