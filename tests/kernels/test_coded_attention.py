"""Attention over a cache of TurboQuant's codes, and the rotary positions in front of it, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.common.errors import InputError
from archsim.formats import parse_format
from archsim.kernels import reference
from archsim.kernels.coded_attention import CodedAttention
from archsim.kernels.heads import Heads
from archsim.kernels.rope_rows import RopeRows
from tests.kernels.checking import check, design_of, target
from tests.kernels.coded_attention_reference import coded_attention

DESIGN = "edge-npu-formats"


@pytest.mark.parametrize(
    "bits, shape",
    [
        (3, Heads(1, 1, 8, 2, 128, 77, 80)),
        (4, Heads(1, 1, 4, 4, 64, 16, 16)),
        (2, Heads(2, 2, 4, 1, 64, 35, 40)),
        (3, Heads(5, 1, 4, 2, 64, 20, 33)),
        (3, Heads(1, 1, 16, 1, 128, 700, 700)),
    ],
)
def test_attention(bits: int, shape: Heads) -> None:
    rng = np.random.default_rng(shape.context)
    own = parse_format(f"turboquant-{bits}").codecs(shape.head_dim)[0]
    q = rng.standard_normal((shape.rows, shape.heads, shape.head_dim)).astype(np.float32)
    caches = {}
    for name in "kv":
        vectors = rng.standard_normal((shape.batch * shape.kv_heads * shape.capacity, shape.head_dim)).astype(
            np.float32
        )
        arrays = own.encode(vectors)
        caches[f"{name}_codes"] = arrays["codes"].reshape(-1, shape.capacity, arrays["codes"].shape[1])
        caches[f"{name}_norms"] = arrays["norms"].reshape(-1, shape.capacity)
    wanted = np.empty_like(q)
    scale = np.float32(np.log2(np.e) / np.sqrt(shape.head_dim))
    for row in range(shape.rows):
        seen = shape.position + row % shape.tokens + 1
        for head in range(shape.kv_heads):
            place = row // shape.tokens * shape.kv_heads + head
            part = slice(head * shape.group, (head + 1) * shape.group)
            cache = {
                f"{long}_{array}": caches[f"{short}_{array}"][place, :seen]
                for long, short in (("key", "k"), ("value", "v"))
                for array in ("codes", "norms")
            }
            wanted[row, part] = coded_attention(q[row, part], own.signs(), own.levels(), cache, scale)
    kernel = CodedAttention("attention", target(DESIGN), shape, bits)
    inputs = {"q": q.reshape(shape.rows, -1), "signs": own.sign_bits(), "levels": own.levels(), **caches}
    check(kernel, design_of(DESIGN), inputs, {"out": wanted.reshape(shape.rows, -1)})


@pytest.mark.parametrize(
    "shape", [Heads(1, 1, 4, 2, 64, 9, 16), Heads(6, 2, 4, 1, 64, 9, 16), Heads(5, 1, 2, 2, 128, 5, 5)]
)
@pytest.mark.parametrize("name", [DESIGN, "server-npu"])
def test_rotary_positions(name: str, shape: Heads) -> None:
    rng = np.random.default_rng(shape.rows)
    table = reference.rope_table(shape.context, shape.head_dim, 10000.0)
    qkv = rng.standard_normal((shape.rows, shape.heads + 2 * shape.kv_heads, shape.head_dim)).astype(np.float32)
    angles = table[shape.position + np.arange(shape.rows) % shape.tokens][:, None]
    turned = reference.rotate(qkv[:, : shape.heads + shape.kv_heads], angles)
    wanted = {"q": turned[:, : shape.heads], "k": turned[:, shape.heads :], "v": qkv[:, shape.heads + shape.kv_heads :]}
    flat = {key: values.reshape(shape.rows, -1).copy() for key, values in wanted.items()}
    kernel = RopeRows("rope", target(name), shape)
    check(kernel, design_of(name), {"qkv": qkv.reshape(shape.rows, -1), "table": table}, flat)


@pytest.mark.parametrize(
    "name, bits, head_dim, words",
    [
        ("edge-npu", 3, 128, "needs a matrix unit that multiplies cb3 and fp16"),
        (DESIGN, 5, 128, "codes of 5 bits"),
        (DESIGN, 3, 256, "heads of 256"),
    ],
)
def test_what_cannot_be_multiplied_is_refused(name: str, bits: int, head_dim: int, words: str) -> None:
    with pytest.raises(InputError, match=words):
        CodedAttention("attention", target(name), Heads(1, 1, 4, 2, head_dim, 9, 16), bits)
