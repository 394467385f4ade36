"""Attention over the quantised cache; exponentials are float64 rounded to float32 on both sides: equal to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archsim.common.errors import InputError
from archsim.kernels import reference
from archsim.kernels.attention import Attention, Tiling
from archsim.kernels.heads import Heads
from tests.kernels.checking import DESIGNS, check, design_of, target


def compare(name: str, shape: Heads, causal: bool, tiling: Tiling | None = None, window: int = 0) -> None:
    random = np.random.default_rng(shape.context)
    outer = shape.batch, shape.kv_heads
    q = random.integers(-127, 128, (shape.rows, shape.heads, shape.head_dim)).astype(np.int8)
    keys = random.integers(-127, 128, (*outer, shape.capacity, shape.head_dim)).astype(np.int8)
    values = random.integers(-127, 128, (*outer, shape.head_dim, shape.capacity)).astype(np.int8)
    q_scales = (random.random((shape.rows, shape.heads)) / 40).astype(np.float32)
    scales = (random.random((2, *outer, shape.capacity)) / 40).astype(np.float16)
    out = np.empty((shape.batch, shape.tokens, shape.heads, shape.head_dim), np.float32)
    seen = slice(0, shape.context)
    for sequence in range(shape.batch):
        rows = slice(sequence * shape.tokens, (sequence + 1) * shape.tokens)
        for head in range(shape.heads):
            place = sequence, head // shape.group
            out[sequence, :, head] = reference.attention(
                q[rows, head],
                q_scales[rows, head],
                keys[place][seen],
                scales[0][place][seen],
                values[place][:, seen].T,
                scales[1][place][seen],
                shape.position if causal else None,
                target(name).trowb,
                window=window,
            )
    inputs = {"q": q, "q_scales": q_scales, "k": keys, "k_scales": scales[0], "v": values, "v_scales": scales[1]}
    expected = {"out": out.reshape(shape.rows, -1)}
    kernel = Attention("attention", target(name), shape, causal, window=window)
    check(kernel, design_of(name), inputs, expected, tiling)


# rows, batch, heads, kv heads, head_dim, context, capacity
DECODE = [
    (1, 1, 4, 2, 64, 9, 16),
    (3, 3, 8, 2, 96, 300, 320),
    (1, 1, 5, 1, 72, 1100, 1200),
    (1, 1, 4, 2, 256, 130, 256),
    (1, 1, 40, 1, 64, 33, 64),
]
PREFILL = [
    (38, 2, 4, 2, 64, 19, 40),
    (37, 1, 4, 1, 256, 37, 50),
    (7, 1, 4, 4, 128, 600, 700),
    (21, 1, 6, 2, 80, 21, 21),
]


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize("sizes", DECODE)
def test_decode(name: str, sizes: tuple[int, ...]) -> None:
    compare(name, Heads(*sizes), causal=False)


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize("sizes", PREFILL)
def test_prefill(name: str, sizes: tuple[int, ...]) -> None:
    compare(name, Heads(*sizes), causal=True)


@pytest.mark.parametrize("tiling", [Tiling(1, 1, 128), Tiling(1, 2, 128), Tiling(2, 4, 256), Tiling(3, 4, 512)])
def test_tilings_give_the_same(tiling: Tiling) -> None:
    compare("edge-npu", Heads(7, 1, 8, 2, 64, 290, 300), causal=True, tiling=tiling)


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize("window", [1, 7, 64, 100])
@pytest.mark.parametrize("sizes", PREFILL)
def test_prefill_with_a_window(name: str, window: int, sizes: tuple[int, ...]) -> None:
    compare(name, Heads(*sizes), causal=True, window=window)


@pytest.mark.parametrize("tiling", [Tiling(1, 1, 128), Tiling(2, 4, 256), Tiling(4, 4, 128)])
def test_windows_of_every_tiling(tiling: Tiling) -> None:
    compare("edge-npu", Heads(40, 1, 8, 2, 64, 290, 300), causal=True, tiling=tiling, window=270)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(1, 2),
    st.integers(1, 12),
    st.integers(1, 5),
    st.integers(1, 3),
    st.sampled_from([64, 72, 128, 136]),
    st.integers(0, 300),
)
def test_any_shape(batch: int, tokens: int, group: int, kv_heads: int, head_dim: int, past: int) -> None:
    context = past + tokens
    shape = Heads(batch * tokens, batch, group * kv_heads, kv_heads, head_dim, context, context + past % 7)
    compare("edge-npu", shape, causal=True)


def test_heads_longer_than_two_tile_rows_are_refused() -> None:
    with pytest.raises(InputError, match=r"head_dim 512 is more than 2 tile rows; set parameters.TROWB to 256"):
        Attention("attention", target("edge-npu"), Heads(1, 1, 4, 4, 512, 8, 8), causal=False)
