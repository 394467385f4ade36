"""TurboQuant on the machine: codes, norms, decoded vectors and scores are those of archsim.formats, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.common.errors import InputError
from archsim.formats import parse_format, quantize
from archsim.formats.turboquant import TurboQuantFormat
from archsim.formats.turboquant_vector import VectorCodec
from archsim.kernels.alone import run_alone
from archsim.kernels.turboquant import CodedCache, DecodeVectors, EncodeVectors
from archsim.kernels.turboquant_scores import CodedScores
from tests.formats import turboquant_reference as reference
from tests.kernels.checking import check, design_of, target

DESIGN = "edge-npu-formats"


def codec(name: str, head_dim: int) -> VectorCodec:
    form = parse_format(name)
    assert isinstance(form, TurboQuantFormat)
    return form.codecs(head_dim)[0]


def constants(name: str, head_dim: int) -> dict[str, np.ndarray]:
    own = codec(name, head_dim)
    return {"signs": own.sign_bits(), "levels": own.levels()}


def vectors(tokens: int, kv_heads: int, head_dim: int) -> np.ndarray:
    """float32 [tokens, kv_heads, head_dim]: zeros, one-hot, equal, large norms, and some below float16."""
    rng = np.random.default_rng(tokens + head_dim)
    x = rng.standard_normal((tokens * kv_heads, head_dim)) * 10.0 ** rng.uniform(-1, 1, (tokens * kv_heads, 1))
    edges = np.zeros((7, head_dim))
    edges[1, 5], edges[2] = -3, 0.25
    edges[3] = 60000 / np.linalg.norm(x[0]) * x[0]
    edges[4], edges[5], edges[6, -1] = 1e-8 * x[0] / np.linalg.norm(x[0]), 1e-30 * x[0], 1e-6
    kept = min(len(edges), len(x) - 1)
    x[:kept] = edges[:kept]
    return x.astype(np.float32).reshape(tokens, kv_heads, head_dim)


def coded(x: np.ndarray, name: str) -> dict[str, np.ndarray]:
    """A cache's arrays of x [tokens, kv_heads, head_dim]: codes [kv_heads, tokens, bytes], norms [kv_heads, tokens]."""
    tokens, kv_heads, head_dim = x.shape
    arrays = quantize(x.transpose(1, 0, 2).reshape(-1, head_dim), name).arrays
    return {
        "codes": arrays["codes"].reshape(kv_heads, tokens, -1),
        "norms": arrays["norms"].reshape(kv_heads, tokens),
    }


def placed(array: np.ndarray, capacity: int, position: int) -> np.ndarray:
    """The tokens of a cache with room for more, from a position on."""
    whole = np.zeros((array.shape[0], capacity, *array.shape[2:]), array.dtype)
    whole[:, position : position + array.shape[1]] = array
    return whole


@pytest.mark.parametrize("name", ["turboquant-3", "turboquant-2", "turboquant-4", "turboquant-3-nc", "turboquant-5"])
@pytest.mark.parametrize("head_dim", [64, 128, 256])
def test_encode(name: str, head_dim: int) -> None:
    x = vectors(9, 2, head_dim)
    cache = CodedCache(int(name[11]), head_dim, 2, 12)
    kernel = EncodeVectors("encode", target(DESIGN), 9, cache, position=2, corrected=name.endswith("-nc"))
    wanted = {array: placed(values, 12, 2) for array, values in coded(x, name).items()}
    assert np.count_nonzero(wanted["norms"]) >= 12
    check(kernel, design_of(DESIGN), {"x": x, **constants(name, head_dim)}, wanted)


@pytest.mark.parametrize("name", ["turboquant-3", "turboquant-2", "turboquant-4", "turboquant-1"])
@pytest.mark.parametrize("head_dim", [64, 128, 256])
def test_decode(name: str, head_dim: int) -> None:
    x = vectors(9, 2, head_dim)
    cache = CodedCache(int(name[11]), head_dim, 2, 12)
    kernel = DecodeVectors("decode", target(DESIGN), 9, cache, position=3)
    arrays = {array: placed(values, 12, 3) for array, values in coded(x, name).items()}
    wanted = quantize(x.reshape(-1, head_dim), name).dequantize().reshape(9, -1)
    check(kernel, design_of(DESIGN), {**arrays, **constants(name, head_dim)}, {"x": wanted})


@pytest.mark.parametrize(("design", "kv_heads"), [("edge-npu", 1), ("edge-npu", 8), ("server-npu", 3)])
@pytest.mark.parametrize("tokens", [1, 2, 21])
def test_there_and_back(design: str, kv_heads: int, tokens: int) -> None:
    x = vectors(tokens, kv_heads, 128)
    cache = CodedCache(3, 128, kv_heads, tokens)
    wanted = coded(x, "turboquant-3")
    own = constants("turboquant-3", 128)
    check(EncodeVectors("encode", target(design), tokens, cache), design_of(design), {"x": x, **own}, wanted)
    back = quantize(x.reshape(-1, 128), "turboquant-3").dequantize().reshape(tokens, -1)
    check(DecodeVectors("decode", target(design), tokens, cache), design_of(design), {**wanted, **own}, {"x": back})


@pytest.mark.parametrize(
    ("bits", "head_dim", "kv_heads", "group", "context"),
    [(3, 128, 2, 4, 40), (3, 128, 1, 1, 1), (3, 64, 3, 8, 77), (3, 256, 1, 16, 100), (3, 128, 2, 21, 33),
     (2, 128, 1, 4, 64), (4, 128, 1, 4, 50)],
)  # fmt: skip
def test_scores(bits: int, head_dim: int, kv_heads: int, group: int, context: int) -> None:
    name = f"turboquant-{bits}"
    x = vectors(context, kv_heads, head_dim)
    q = np.random.default_rng(group).standard_normal((kv_heads, group, head_dim)).astype(np.float32)
    own, capacity = codec(name, head_dim), context + 5
    arrays = coded(x, name)
    codes = quantize(x.transpose(1, 0, 2).reshape(-1, head_dim), name).codes.reshape(kv_heads, context, head_dim)
    kernel = CodedScores("scores", target(DESIGN), CodedCache(bits, head_dim, kv_heads, capacity), group, context)
    wanted = np.stack(
        [
            reference.scores(q[head], codes[head], arrays["norms"][head], own.signs(), own.levels(), kernel.step)
            for head in range(kv_heads)
        ]
    )
    inputs = {"q": q, **{key: placed(values, capacity, 0) for key, values in arrays.items()}}
    inputs |= constants(name, head_dim)
    for tiling in (None, 2 * kernel.target.tn):
        check(kernel, design_of(DESIGN), inputs, {"scores": wanted}, tiling)
    # and they are inner products with what the cache decodes to, but for float16 queries
    keys = quantize(x.transpose(1, 0, 2).reshape(-1, head_dim), name).dequantize().reshape(kv_heads, context, -1)
    exact = q.astype(np.float64) @ keys.astype(np.float64).transpose(0, 2, 1)
    sizes = np.linalg.norm(q, axis=2)[:, :, None] * np.linalg.norm(keys, axis=2)[:, None]
    assert (np.abs(wanted - exact) <= 5e-4 * sizes).all()


def test_time_is_that_of_the_documentation() -> None:
    """check() holds every timed run to its stalls; here are figures, and the passes that no run can do without."""
    tokens, design = 128, design_of(DESIGN)
    own, x = constants("turboquant-3", 128), vectors(tokens, 8, 128)
    cache = CodedCache(3, 128, 8, tokens)
    coded_now, encode = run_alone(EncodeVectors("encode", target(DESIGN), tokens, cache), design, {"x": x, **own})
    _, functional = run_alone(
        EncodeVectors("encode", target(DESIGN), tokens, cache), design, {"x": x, **own}, fidelity="functional"
    )
    assert encode.instructions == functional.instructions
    # signs, 7 stages, squares, 3 comparisons: 12 passes of 128 numbers on 16 lanes
    assert encode.units["vector"] >= tokens * 8 * 12 * 128 // 16
    assert encode.cycles / (8 * tokens) == pytest.approx(107, rel=0.02)
    arrays = {name: coded_now[name] for name in ("codes", "norms")}
    _, decode = run_alone(DecodeVectors("decode", target(DESIGN), tokens, cache), design, {**arrays, **own})
    assert decode.cycles / (8 * tokens) == pytest.approx(85, rel=0.02)
    kernel = CodedScores("scores", target(DESIGN), CodedCache(3, 128, 8, 2048), 4, 2048)
    _, scores = run_alone(kernel, design, {"q": np.ones((8, 4, 128), np.float32), **own})
    # 4 x 16 x 128 products at a quarter of 256 per cycle
    assert scores.units["matrix"] >= 8 * 2048 // 16 * 128
    assert scores.cycles / (8 * 2048 // 16) == pytest.approx(138, rel=0.02)


def test_vectors_without_instructions_are_refused() -> None:
    with pytest.raises(InputError, match="no kernel for TurboQuant's vectors of 96 with 3 bits; give vectors of 8 to"):
        CodedCache(3, 96, 1, 1)
    with pytest.raises(InputError, match="no tile format for vectors of 512 with 3 bits; give 2 to 4 bits"):
        CodedScores("scores", target(DESIGN), CodedCache(3, 512, 1, 1), 1, 1)
    cache = CodedCache(3, 128, 1, 9)
    for kernel in (
        lambda: EncodeVectors("op", target(DESIGN), 4, cache, position=6),
        lambda: DecodeVectors("op", target(DESIGN), 10, cache),
        lambda: CodedScores("op", target(DESIGN), cache, 1, 10),
    ):
        with pytest.raises(InputError, match="op 'op' reaches token 10 of a cache of 9; raise its capacity"):
            kernel()
