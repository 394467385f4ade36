"""Rotation and the KV cache: queries, keys in place, values transposed, nothing else touched."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.kernels import reference
from archsim.kernels.heads import Heads
from archsim.kernels.rope import RopeKv
from tests.kernels.checking import DESIGNS, check, design_of, target

# batch, tokens, heads, kv heads, head_dim, context, capacity, tokens of a group
CASES = [
    (1, 1, 4, 2, 64, 9, 16, None),
    (3, 1, 8, 2, 96, 20, 32, None),
    (2, 19, 4, 2, 64, 19, 40, None),
    (1, 37, 5, 1, 256, 50, 50, None),
    (1, 5, 4, 1, 64, 50, 50, 2),
    (2, 5, 4, 4, 128, 50, 60, 1),
]


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize("batch, tokens, heads, kv_heads, head_dim, context, capacity, group", CASES)
def test_rope_kv(
    name: str,
    batch: int,
    tokens: int,
    heads: int,
    kv_heads: int,
    head_dim: int,
    context: int,
    capacity: int,
    group: int | None,
) -> None:
    random = np.random.default_rng(tokens)
    rows = batch * tokens
    qkv = random.normal(size=(rows, (heads + 2 * kv_heads) * head_dim)).astype(np.float32)
    table = reference.rope_table(context, head_dim, 10000.0)
    q, q_scales, k, k_scales, v, v_scales = reference.rope_kv(qkv, table, batch, heads, kv_heads, context - tokens)
    keys = random.integers(-127, 128, (batch, kv_heads, capacity, head_dim)).astype(np.int8)
    values = random.integers(-127, 128, (batch, kv_heads, head_dim, capacity)).astype(np.int8)
    scales = random.random((2, batch, kv_heads, capacity)).astype(np.float16)
    old = {"k": keys.copy(), "v": values.copy(), "k_scales": scales[0].copy(), "v_scales": scales[1].copy()}
    for row in range(rows):
        sequence, position = row // tokens, context - tokens + row % tokens
        keys[sequence, :, position], values[sequence, :, :, position] = k[row], v[row]
        scales[0, sequence, :, position], scales[1, sequence, :, position] = k_scales[row], v_scales[row]
    kernel = RopeKv("rope_kv", target(name), Heads(rows, batch, heads, kv_heads, head_dim, context, capacity))
    expected = {"q": q, "q_scales": q_scales, "k": keys, "k_scales": scales[0], "v": values, "v_scales": scales[1]}
    check(kernel, design_of(name), {"qkv": qkv, "table": table, **old}, expected, group)
