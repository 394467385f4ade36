"""Rows through GELU, ReLU and a sum with a number, against their definitions in double precision."""

from __future__ import annotations

from math import erf, sqrt

import numpy as np
import pytest

import archsim
from archsim.machine.workbench import Workbench

ROW, NUMBER, OUT = 0x8000, 0xA000, 0xB000


@pytest.fixture(scope="module")
def bench() -> Workbench:
    return Workbench(archsim.load_isa("rv64im", "zicsr", "xqt"))


def result(bench: Workbench, instruction: str, row: np.ndarray, number: float = 0.0) -> np.ndarray:
    bench.memory.write(ROW, row.view(np.uint8))
    bench.memory.write(NUMBER, np.array([number], np.float32).view(np.uint8))
    bench.x[10], bench.x[11], bench.x[12] = OUT, ROW, NUMBER
    bench.set_csr("qvl", len(row))
    assert bench.execute(instruction) == 0
    return np.frombuffer(bench.memory.read(OUT, 4 * len(row)), np.float32)


@pytest.fixture(scope="module")
def row() -> np.ndarray:
    """From where GELU is nothing to where it is the number itself."""
    return np.concatenate([np.linspace(-20, 20, 997), [0.0, -0.0, 1e-30]]).astype(np.float32)


def test_gelu_by_tanh(bench: Workbench, row: np.ndarray) -> None:
    x = row.astype(np.float64)
    wanted = x / 2 * (1 + np.tanh(sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    np.testing.assert_allclose(result(bench, "qv.gelu a0, a1", row), wanted, rtol=3e-6, atol=1e-7)


def test_gelu_by_erf(bench: Workbench, row: np.ndarray) -> None:
    """The polynomial for erf errs by 1.5e-7, which counts half of the number."""
    x = row.astype(np.float64)
    wanted = x / 2 * (1 + np.array([erf(one / sqrt(2)) for one in x]))
    found = result(bench, "qv.gelue a0, a1", row)
    assert (np.abs(found - wanted) <= np.abs(x) / 2 * 1.5e-7 + 2e-7 * np.abs(wanted) + 1e-7).all()


def test_relu_and_sum(bench: Workbench, row: np.ndarray) -> None:
    np.testing.assert_array_equal(result(bench, "qv.relu a0, a1", row), np.maximum(row, 0))
    np.testing.assert_array_equal(result(bench, "qv.adds a0, a1, a2", row, 1 / 3), row + np.float32(1 / 3))
