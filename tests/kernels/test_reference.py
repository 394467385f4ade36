"""The oracles themselves against plain float64 mathematics."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.formats import quantize
from archsim.kernels import reference


@pytest.mark.parametrize("length", [1, 15, 16, 17, 1000])
def test_total_is_the_sum(length: int) -> None:
    row = np.random.default_rng(length).normal(size=length).astype(np.float32)
    assert reference.total(row) == pytest.approx(row.astype(np.float64).sum(), abs=1e-6 * length)


def test_total_adds_lane_by_lane() -> None:
    # 2^24 + 1 is no float32: lane 0 loses the ones it adds one by one, a lane of ones keeps them
    row = np.zeros(48, np.float32)
    row[[0, 16, 32]] = 2.0**24, 1.0, 1.0
    assert reference.total(row) == 2.0**24
    row[[16, 32]] = 0.0
    row[[17, 33]] = 1.0, 1.0
    assert reference.total(row) == 2.0**24 + 2


def test_quantize_is_within_half_a_step_and_reaches_127() -> None:
    rows = np.random.default_rng(1).normal(size=(5, 300)).astype(np.float32)
    rows[3] = 0
    codes, scales = reference.quantize(rows)
    assert np.abs(codes * scales[:, None] - rows).max() <= 0.51 * scales.max()
    assert (np.abs(codes).max(axis=1) == [127, 127, 127, 0, 127]).all()


def test_norm() -> None:
    random = np.random.default_rng(2)
    x, gamma, delta = (random.normal(size=shape).astype(np.float32) for shape in ((4, 200), (200,), (4, 200)))
    added, codes, scales = reference.norm(x, gamma, 1e-5, delta)
    wide = x.astype(np.float64) + delta
    exact = wide / np.sqrt((wide**2).mean(axis=1, keepdims=True) + 1e-5) * gamma
    np.testing.assert_allclose(added, wide, rtol=1e-6)
    np.testing.assert_allclose(codes * scales[:, None], exact, atol=0.51 * scales.max())


def test_silu_mul() -> None:
    gate, up = np.random.default_rng(3).normal(size=(2, 3, 50)).astype(np.float32)
    codes, scales = reference.silu_mul(np.concatenate([gate, up], axis=1))
    exact = gate.astype(np.float64) / (1 + np.exp(-gate.astype(np.float64))) * up
    np.testing.assert_allclose(codes * scales[:, None], exact, atol=0.51 * scales.max())


FORMATS = (
    "int8-channel", "int4-g32", "int4-g128", "int3-g256", "int2-g64-asym", "ternary-g64", "binary", "mxfp4", "mxint8",
    "mxfp8-e5m2", "nf4-g64", "iq4_nl", "q4_0", "q8_0", "q4_k",
)  # fmt: skip


@pytest.mark.parametrize("form", FORMATS)
def test_matmul_is_the_product_of_the_dequantised(form: str) -> None:
    random = np.random.default_rng(5)
    rows, columns, depth = 3, 5, 768
    weights = quantize(random.normal(size=(columns, depth)), form)
    codes, row_scales = random.integers(-127, 128, (rows, depth)), random.random(rows).astype(np.float32)
    exact = codes * row_scales[:, None].astype(np.float64) @ weights.dequantize().T.astype(np.float64)
    result = reference.matmul(codes.astype(np.int8), row_scales, weights, step=128)
    np.testing.assert_allclose(result, exact, rtol=1e-4, atol=1e-2)


def test_rotation_is_a_complex_product() -> None:
    table = reference.rope_table(20, 8, 10000.0)
    x = np.random.default_rng(4).normal(size=8).astype(np.float32)
    turned = reference.rotate(x, table[7])
    angles = 7 * 10000.0 ** (-np.arange(4) / 4)
    exact = (x[:4] + 1j * x[4:]) * np.exp(1j * angles)
    np.testing.assert_allclose(turned[:4] + 1j * turned[4:], exact, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("position", [None, 30])
def test_attention_is_softmax_attention(position: int | None) -> None:
    random = np.random.default_rng(5)
    tokens, context, head = 4, 34, 64
    q, k, v = (random.integers(-127, 128, (n, head)).astype(np.int8) for n in (tokens, context, context))
    q_scales = (random.random(tokens) / 50).astype(np.float32)
    k_scales, v_scales = ((random.random(context) / 50).astype(np.float16) for _ in range(2))
    result = reference.attention(q, q_scales, k, k_scales, v, v_scales, position, step=128)
    scores = (q * q_scales[:, None].astype(np.float64)) @ (k * k_scales[:, None].astype(np.float64)).T / 8
    if position is not None:
        scores[np.arange(context) > position + np.arange(tokens)[:, None]] = -np.inf
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    exact = weights / weights.sum(axis=1, keepdims=True) @ (v * v_scales[:, None].astype(np.float64))
    # weights are quantised to 127 steps of the largest
    np.testing.assert_allclose(result, exact, atol=0.02 * np.abs(exact).max())
