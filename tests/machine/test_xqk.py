"""Xqk: products with Q4_K blocks, against numpy and the gguf package's own reader of blocks."""

from __future__ import annotations

import numpy as np
import pytest
from gguf import GGMLQuantizationType, dequantize
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import archsim
from archsim.machine.workbench import Workbench

F = np.float32
CODES = 10
"""cb4 in qfmt.wfmt."""


@pytest.fixture(scope="module")
def bench() -> Workbench:
    isa = archsim.load_isa("rv64im", "zicsr", "xqt", "xqk", parameters={"TM": 8, "TN": 8, "TROWB": 128})
    return Workbench(isa)


def blocks(rng: np.random.Generator, rows: int) -> np.ndarray:
    """Random Q4_K blocks uint8 [rows, 144] with scales that are no infinities."""
    result = rng.integers(0, 256, (rows, 144)).astype(np.uint8)
    result[:, :4] = rng.normal(size=(rows, 2)).astype(np.float16).view(np.uint8)
    return result


def multiply(bench: Workbench, raw: np.ndarray, a: np.ndarray, quarter: int, depth: int) -> np.ndarray:
    """Accumulators float32 [rows of a, rows of raw] after one instruction on zeros."""
    codes = raw[:, 16:].reshape(len(raw), 4, 32)
    whole = np.concatenate([codes & 15, codes >> 4], axis=2).reshape(len(raw), 256)
    part = np.zeros((len(raw), 128), np.uint8)
    part[:, :depth] = whole[:, 64 * quarter : 64 * quarter + depth]
    tiles, scales = bench.registers("t").view(np.uint8), bench.registers("su").view(np.uint8)
    tiles[1, : len(a), :depth] = a.view(np.uint8)
    tiles[2, : len(raw), :64] = part[:, 0::2] | part[:, 1::2] << 4
    scales.reshape(8, -1, 16)[5, : len(raw)] = raw[:, :16]
    bench.registers("ac")[:] = 0
    for name, value in {"qfmt": CODES, "qtm": len(a), "qtn": len(raw), "qtk": depth}.items():
        bench.set_csr(name, value)
    assert bench.execute(f"qt.mma.k4 ac3, t1, t2, sc5, {quarter}") == 0
    return bench.registers("ac")[3].view(F).reshape(8, 8)[: len(a), : len(raw)].copy()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 3), st.integers(1, 4), st.integers(1, 8), st.integers(1, 8), st.integers(0, 2**32))
def test_products(bench: Workbench, quarter: int, parts: int, m: int, n: int, seed: int) -> None:
    parts = min(parts, 8 - 2 * quarter)
    rng, depth = np.random.default_rng(seed), 32 * parts
    raw, a = blocks(rng, n), rng.integers(-128, 128, (m, depth)).astype(np.int8)
    d, low = raw[:, :4].copy().view(np.float16).astype(F).T
    packed = raw[:, 4:16].astype(np.int64)
    wanted = np.zeros((m, n), F)
    nibbles = raw[:, 16:].reshape(n, 4, 32)
    codes = np.concatenate([nibbles & 15, nibbles >> 4], axis=2).reshape(n, 8, 32).astype(np.int64)
    for part in range(parts):
        p = 2 * quarter + part
        if p < 4:
            s, least = packed[:, p] & 63, packed[:, p + 4] & 63
        else:
            s = packed[:, p + 4] & 15 | packed[:, p - 4] >> 6 << 4
            least = packed[:, p + 4] >> 4 | packed[:, p] >> 6 << 4
        rows = a[:, 32 * part : 32 * part + 32].astype(np.int64)
        dot, total = (rows @ codes[:, p].T).astype(F), rows.sum(axis=1).astype(F)
        wanted = wanted + (dot * (d * s.astype(F)) - total[:, None] * (low * least.astype(F)))
    np.testing.assert_array_equal(multiply(bench, raw, a, quarter, depth), wanted)


def test_one_hot_activations_read_what_gguf_reads(bench: Workbench) -> None:
    raw = blocks(np.random.default_rng(3), 8)
    wanted = dequantize(raw, GGMLQuantizationType.Q4_K)
    for first in range(0, 128, 8):
        a = np.zeros((8, 128), np.int8)
        a[np.arange(8), first + np.arange(8)] = 1
        for quarter, start in ((0, 0), (2, 128)):
            found = multiply(bench, raw, a, quarter, 128)
            np.testing.assert_array_equal(found, wanted[:, start + first : start + first + 8].T)


@pytest.mark.parametrize("qfmt", [CODES | 1 << 4, 1, 0])
def test_other_formats_trap(bench: Workbench, qfmt: int) -> None:
    bench.set_csr("qfmt", qfmt)
    before = bench.registers("ac").copy()
    assert bench.execute("qt.mma.k4 ac0, t1, t2, sc5, 0") != 0
    np.testing.assert_array_equal(bench.registers("ac"), before)
