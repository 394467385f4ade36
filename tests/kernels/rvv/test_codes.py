"""TurboQuant's codes in RVV: rotary positions in front, encoding, attention over codes, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.common.errors import InputError
from archsim.formats import parse_format
from archsim.formats.turboquant_vector import VectorCodec
from archsim.kernels import reference
from archsim.kernels.heads import Heads
from archsim.kernels.rvv.coded_attention import CodedAttention
from archsim.kernels.rvv.encode import EncodeVectors
from archsim.kernels.rvv.rope_rows import RopeRows
from archsim.kernels.turboquant import CodedCache
from tests.kernels.coded_attention_reference import coded_attention
from tests.kernels.rvv.checking import check, floats, target


def codec(bits: int, size: int) -> VectorCodec:
    (own,) = parse_format(f"turboquant-{bits}").codecs(size)
    return own


@pytest.mark.parametrize("shape", [Heads(1, 1, 4, 2, 64, 9, 16), Heads(6, 2, 4, 1, 32, 9, 16)])
def test_rope(shape: Heads) -> None:
    table = reference.rope_table(shape.context, shape.head_dim, 10000.0)
    qkv = floats(shape.rows, shape.rows, shape.heads + 2 * shape.kv_heads, shape.head_dim)
    angles = table[shape.position + np.arange(shape.rows) % shape.tokens][:, None]
    turned = reference.rotate(qkv[:, : shape.heads + shape.kv_heads], angles)
    wanted = {"q": turned[:, : shape.heads], "k": turned[:, shape.heads :], "v": qkv[:, shape.heads + shape.kv_heads :]}
    flat = {key: values.reshape(shape.rows, -1).copy() for key, values in wanted.items()}
    check(RopeRows("rope", target(), shape), {"qkv": qkv.reshape(shape.rows, -1), "table": table}, flat)


@pytest.mark.parametrize("bits, size", [(2, 128), (3, 64), (3, 8), (4, 128), (4, 32)])
def test_encode(bits: int, size: int) -> None:
    cache, rows, position = CodedCache(bits, size, 3, 10), 4, 5
    x, own = floats(bits, rows, 3, size), codec(bits, size)
    x[0, 0] = 0
    coded = own.encode(x.reshape(-1, size))
    codes = np.zeros((3, 10, cache.code_bytes), np.uint8)
    norms = np.zeros((3, 10), np.float16)
    codes[:, position : position + rows] = coded["codes"].reshape(rows, 3, -1).swapaxes(0, 1)
    norms[:, position : position + rows] = coded["norms"].reshape(rows, 3).T
    inputs = {"x": x.reshape(rows, -1), "signs": own.sign_bits(), "levels": own.levels()}
    kernel = EncodeVectors("encode", target(), rows, cache, position)
    check(kernel, inputs, {"codes": codes, "norms": norms})


@pytest.mark.parametrize(
    "bits, shape",
    [
        (3, Heads(1, 1, 4, 2, 128, 77, 80)),
        (4, Heads(1, 1, 4, 4, 64, 16, 16)),
        (2, Heads(2, 2, 4, 1, 64, 35, 40)),
        (3, Heads(5, 1, 4, 2, 64, 20, 33)),
    ],
)
def test_attention(bits: int, shape: Heads) -> None:
    own = codec(bits, shape.head_dim)
    q = floats(shape.context, shape.rows, shape.heads, shape.head_dim)
    caches = {}
    for seed, name in enumerate("kv"):
        arrays = own.encode(floats(seed, shape.batch * shape.kv_heads * shape.capacity, shape.head_dim))
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
    inputs = {"q": q.reshape(shape.rows, -1), "signs": own.sign_bits(), "levels": own.levels(), **caches}
    kernel = CodedAttention("attention", target(), shape, bits)
    check(kernel, inputs, {"out": wanted.reshape(shape.rows, -1)})


@pytest.mark.parametrize("bits, size, tokens", [(5, 64, 9), (1, 64, 9), (3, 256, 9), (3, 64, 17)])
def test_what_cannot_be_coded_is_refused(bits: int, size: int, tokens: int) -> None:
    words = "reaches token 17" if tokens > 16 else f"vectors of {size} with {bits} bits"
    with pytest.raises(InputError, match=words):
        CodedAttention("attention", target(), Heads(1, 1, 4, 2, size, tokens, 16), bits)
