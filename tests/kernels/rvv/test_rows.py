"""Kernels of RVV that work row by row. Exponentials are float64 rounded to float32 on both sides."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.kernels import reference
from archsim.kernels.rvv.rows import Add, Embed, Norm, Quantize
from archsim.kernels.rvv.silu import SiluMul
from tests.kernels.rvv.checking import check, floats, target

SHAPES = [(1, 64), (3, 7), (9, 1000)]


@pytest.mark.parametrize("rows, features", SHAPES)
def test_norm(rows: int, features: int) -> None:
    x, gamma = floats(rows, rows, features), floats(features, features)
    _, codes, scales = reference.norm(x, gamma, 1e-5)
    kernel = Norm("norm", target(), rows, features, False, 1e-5)
    check(kernel, {"x": x, "gamma": gamma}, {"codes": codes, "scales": scales})


def test_norm_with_residual() -> None:
    x, delta, gamma = floats(1, 5, 130), floats(2, 5, 130), floats(3, 130)
    added, codes, scales = reference.norm(x, gamma, 1e-5, delta)
    kernel = Norm("norm", target(), 5, 130, True, 1e-5)
    check(kernel, {"x": x, "delta": delta, "gamma": gamma}, {"x": added, "codes": codes, "scales": scales})


def test_norm_of_the_last_row_of_each_group() -> None:
    x, gamma = floats(1, 12, 64), floats(2, 64)
    _, codes, scales = reference.norm(x[3::4], gamma, 1e-6)
    kernel = Norm("norm", target(), 3, 64, False, 1e-6, every=4)
    check(kernel, {"x": x, "gamma": gamma}, {"codes": codes, "scales": scales})


@pytest.mark.parametrize("rows, features", SHAPES)
def test_quantize(rows: int, features: int) -> None:
    x = floats(rows, rows, features)
    x[-1] = 0
    codes, scales = reference.quantize(x)
    check(Quantize("quantize", target(), rows, features), {"x": x}, {"codes": codes, "scales": scales})


@pytest.mark.parametrize("rows, features", SHAPES)
def test_add(rows: int, features: int) -> None:
    x, delta = floats(1, rows, features), floats(2, rows, features)
    check(Add("add", target(), rows, features), {"x": x, "delta": delta}, {"x": x + delta})


@pytest.mark.parametrize("rows, ids", [(1, 0), (23, 0), (23, 8)])
def test_embed(rows: int, ids: int) -> None:
    table = floats(1, 50, 96).astype(np.float16)
    tokens = np.random.default_rng(2).integers(0, 50, ids or rows).astype(np.int32)
    x = np.resize(table[tokens], (rows, 96)).astype(np.float32)
    check(Embed("embed", target(), rows, 96, 50, ids), {"ids": tokens, "table": table}, {"x": x})


@pytest.mark.parametrize("rows, features", SHAPES)
def test_silu_mul(rows: int, features: int) -> None:
    gate_up = 3 * floats(rows, rows, 2 * features)
    # beyond what float32 has exponentials for, both ways, and where they are subnormal
    gate_up[0, :6] = [-100, 100, 0, -88.5, 95, -1000]
    codes, scales = reference.silu_mul(gate_up)
    check(SiluMul("silu_mul", target(), rows, features), {"gate_up": gate_up}, {"codes": codes, "scales": scales})
