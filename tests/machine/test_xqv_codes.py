"""Roots, codes of nearest entries and look-up of rows against numpy, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

import archsim
from archsim.machine.workbench import Workbench

ROW, BOOK, OUT = 0x8000, 0xA000, 0xB000


@pytest.fixture(scope="module")
def bench() -> Workbench:
    return Workbench(archsim.load_isa("rv64im", "zicsr", "xqt"))


def row_of(bench: Workbench, row: np.ndarray, book: np.ndarray, count: int) -> None:
    bench.memory.write(ROW, row.view(np.uint8))
    bench.memory.write(BOOK, book.view(np.uint8))
    bench.memory.write(OUT, np.full(0x1800, 0xAA, np.uint8))
    bench.x[10], bench.x[11], bench.x[12] = OUT, ROW, BOOK
    bench.set_csr("qvl", count)


def packed(codes: np.ndarray, bits: int) -> np.ndarray:
    planes = codes[:, None] >> np.arange(bits) & 1
    return np.packbits(planes.reshape(-1).astype(np.uint8), bitorder="little")


def found(bench: Workbench, nbytes: int) -> np.ndarray:
    """So many bytes of the result, and one behind them."""
    return np.frombuffer(bench.memory.read(OUT, nbytes + 1), np.uint8)


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("count", [1, 7, 8, 128, 333])
def test_codes_there_and_back(bench: Workbench, bits: int, count: int) -> None:
    rng = np.random.default_rng(count)
    book = np.sort(rng.standard_normal(1 << bits)).astype(np.float32)
    middles = (book[:-1] + book[1:]) * np.float32(0.5)
    row = rng.standard_normal(count).astype(np.float32)
    # ties go down; what is no number is greater than nothing
    row[: len(middles)] = middles[:count]
    row[-1] = rng.choice([np.inf, -np.inf, np.nan, -0.0])
    codes = (row[:, None] > middles).sum(axis=1)
    row_of(bench, row, book, count)
    assert bench.execute(f"qv.code a0, a1, a2, {bits}") == 0
    wanted = packed(codes, bits)
    assert np.array_equal(found(bench, wanted.size), [*wanted, 0xAA])
    row_of(bench, wanted, book, count)
    assert bench.execute(f"qv.look a0, a1, a2, {bits}") == 0
    assert np.array_equal(found(bench, 4 * count), [*book[codes].view(np.uint8), 0xAA])


@pytest.mark.parametrize("bits", [0, 6, 7])
@pytest.mark.parametrize("name", ["qv.code", "qv.look"])
def test_other_widths_are_illegal(bench: Workbench, name: str, bits: int) -> None:
    row_of(bench, np.zeros(4, np.float32), np.zeros(4, np.float32), 4)
    assert bench.execute(f"{name} a0, a1, a2, {bits}") != 0


def test_roots_are_rounded_once(bench: Workbench) -> None:
    row = np.exp(np.random.default_rng(0).uniform(-80, 80, 500)).astype(np.float32)
    row[:4] = 0, 1, np.inf, 2e-42
    row_of(bench, row, row, 500)
    assert bench.execute("qv.sqrt a0, a1") == 0
    wanted = np.sqrt(row.astype(np.longdouble)).astype(np.float32)
    assert np.array_equal(found(bench, 2000), [*wanted.view(np.uint8), 0xAA])
