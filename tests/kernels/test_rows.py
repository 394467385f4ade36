"""Kernels that work row by row. Exponentials are float64 rounded to float32 on both sides: equal to the last bit."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.kernels import reference
from archsim.kernels.rowops import Add, Embed, Norm, Quantize
from archsim.kernels.segmented import Segments
from archsim.kernels.silu import SiluMul
from tests.kernels.checking import DESIGNS, check, design_of, target

SHAPES = [(1, 64), (3, 7), (19, 200), (9, 1000)]


def floats(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize("rows, features", SHAPES)
def test_norm(name: str, rows: int, features: int) -> None:
    x, gamma = floats(rows, rows, features), floats(features, features)
    _, codes, scales = reference.norm(x, gamma, 1e-5)
    kernel = Norm("norm", target(name), rows, features, False, 1e-5)
    check(kernel, design_of(name), {"x": x, "gamma": gamma}, {"codes": codes, "scales": scales})


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_norm_with_residual(name: str, depth: int) -> None:
    x, delta, gamma = floats(1, 37, 130), floats(2, 37, 130), floats(3, 130)
    added, codes, scales = reference.norm(x, gamma, 1e-5, delta)
    kernel = Norm("norm", target(name), 37, 130, True, 1e-5)
    inputs = {"x": x, "delta": delta, "gamma": gamma}
    check(kernel, design_of(name), inputs, {"x": added, "codes": codes, "scales": scales}, depth)


def test_norm_of_the_last_row_of_each_group() -> None:
    x, gamma = floats(1, 12, 64), floats(2, 64)
    _, codes, scales = reference.norm(x[3::4], gamma, 1e-6)
    kernel = Norm("norm", target("edge-npu"), 3, 64, False, 1e-6, every=4)
    check(kernel, design_of("edge-npu"), {"x": x, "gamma": gamma}, {"codes": codes, "scales": scales})


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize("rows, features", SHAPES)
def test_quantize(name: str, rows: int, features: int) -> None:
    x = floats(rows, rows, features)
    x[-1] = 0
    codes, scales = reference.quantize(x)
    kernel = Quantize("quantize", target(name), rows, features)
    check(kernel, design_of(name), {"x": x}, {"codes": codes, "scales": scales})


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize("rows, features", SHAPES)
def test_add(name: str, rows: int, features: int) -> None:
    x, delta = floats(1, rows, features), floats(2, rows, features)
    check(Add("add", target(name), rows, features), design_of(name), {"x": x, "delta": delta}, {"x": x + delta})


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize("rows, ids", [(1, 0), (23, 0), (23, 8)])
def test_embed(name: str, rows: int, ids: int) -> None:
    table = floats(1, 50, 96).astype(np.float16)
    tokens = np.random.default_rng(2).integers(0, 50, ids or rows).astype(np.int32)
    x = np.resize(table[tokens], (rows, 96)).astype(np.float32)
    kernel = Embed("embed", target(name), rows, 96, 50, ids)
    check(kernel, design_of(name), {"ids": tokens, "table": table}, {"x": x})


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize("rows, features", SHAPES)
def test_silu_mul(name: str, rows: int, features: int) -> None:
    gate_up = 3 * floats(rows, rows, 2 * features)
    codes, scales = reference.silu_mul(gate_up)
    kernel = SiluMul("silu_mul", target(name), rows, features)
    check(kernel, design_of(name), {"gate_up": gate_up}, {"codes": codes, "scales": scales})


@pytest.mark.parametrize("tiling", [Segments(2, 2), Segments(8, 4), Segments(32, 2)])
def test_silu_mul_in_segments(tiling: Segments) -> None:
    gate_up = floats(4, 5, 2 * 300)
    codes, scales = reference.silu_mul(gate_up)
    kernel = SiluMul("silu_mul", target("edge-npu"), 5, 300)
    check(kernel, design_of("edge-npu"), {"gate_up": gate_up}, {"codes": codes, "scales": scales}, tiling)
