"""Rotary positions and attention over an int8 cache in RVV, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.common.errors import InputError
from archsim.kernels import reference
from archsim.kernels.heads import Heads
from archsim.kernels.rvv.attention import Attention
from archsim.kernels.rvv.rope import RopeKv
from archsim.kernels.rvv.target import STEP
from tests.kernels.rvv.checking import check, floats, target


@pytest.mark.parametrize(
    "shape", [Heads(1, 1, 4, 2, 64, 9, 16), Heads(6, 2, 4, 1, 32, 9, 16), Heads(5, 1, 2, 2, 128, 5, 7)]
)
def test_rope_kv(shape: Heads) -> None:
    qkv = floats(shape.rows, shape.rows, (shape.heads + 2 * shape.kv_heads) * shape.head_dim)
    qkv[0, : shape.head_dim] = 0
    table = reference.rope_table(shape.context, shape.head_dim, 10000.0)
    q, q_scales, k, k_scales, v, v_scales = reference.rope_kv(
        qkv, table, shape.batch, shape.heads, shape.kv_heads, shape.position
    )
    split = shape.batch, shape.tokens, shape.kv_heads
    new = slice(shape.position, shape.context)
    cache = {
        "k": np.zeros((*split[::2], shape.head_dim, shape.capacity), np.int8),
        "v": np.zeros((*split[::2], shape.capacity, shape.head_dim), np.int8),
        **{name: np.zeros((*split[::2], shape.capacity), np.float16) for name in ("k_scales", "v_scales")},
    }
    cache["k"][..., new] = k.reshape(*split, -1).transpose(0, 2, 3, 1)
    cache["v"][:, :, new] = v.reshape(*split, -1).transpose(0, 2, 1, 3)
    cache["k_scales"][..., new] = k_scales.reshape(split).transpose(0, 2, 1)
    cache["v_scales"][..., new] = v_scales.reshape(split).transpose(0, 2, 1)
    expected = {"q": q.reshape(shape.rows, -1), "q_scales": q_scales, **cache}
    check(RopeKv("rope_kv", target(), shape), {"qkv": qkv, "table": table}, expected)


@pytest.mark.parametrize(
    "shape",
    [
        Heads(1, 1, 4, 2, 64, 9, 16),
        Heads(2, 2, 4, 1, 32, 300, 300),
        Heads(5, 1, 2, 2, 128, 20, 21),
        Heads(19, 1, 2, 1, 64, 19, 32),
    ],
)
def test_attention(shape: Heads) -> None:
    rng = np.random.default_rng(shape.context)
    outer = shape.batch, shape.kv_heads
    q = rng.integers(-127, 128, (shape.rows, shape.heads, shape.head_dim)).astype(np.int8)
    q_scales = (rng.random((shape.rows, shape.heads)) / 30).astype(np.float32)
    k, v = rng.integers(-127, 128, (2, *outer, shape.capacity, shape.head_dim)).astype(np.int8)
    k_scales, v_scales = (rng.random((2, *outer, shape.capacity)) / 60).astype(np.float16)
    expected = np.empty(q.shape, np.float32)
    for sequence in range(shape.batch):
        rows = slice(sequence * shape.tokens, (sequence + 1) * shape.tokens)
        for head in range(shape.heads):
            place = sequence, head // shape.group
            parts = (array[place][: shape.context] for array in (k, k_scales, v, v_scales))
            expected[rows, head] = reference.attention(
                q[rows, head], q_scales[rows, head], *parts, shape.position, STEP
            )
    inputs = {
        "q": q.reshape(shape.rows, -1),
        "q_scales": q_scales,
        "k": k.swapaxes(2, 3),
        "k_scales": k_scales,
        "v": v,
        "v_scales": v_scales,
    }
    kernel = Attention("attention", target(), shape, shape.tokens > 1)
    check(kernel, inputs, {"out": expected.reshape(shape.rows, -1)})


def test_heads_that_registers_do_not_hold() -> None:
    with pytest.raises(InputError, match=r"heads of 256 have no kernel of RVV"):
        RopeKv("rope_kv", target(), Heads(1, 1, 4, 2, 256, 9, 16))
