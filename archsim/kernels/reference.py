"""What kernels must compute, in numpy, from their definitions and the instructions' arithmetic.

Everything is float32 with one rounding per step, unless it says otherwise; exponentials are taken in float64 and
rounded to float32.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from archsim.formats import IntegerFormat, Packed
from archsim.formats.gguf_legacy import IQ4_NL_LEVELS
from archsim.formats.integer import AsymmetricFormat
from archsim.formats.microscaling import BLOCK, MxFloatFormat, MxFormat, MxInt8Format, e8m0_values
from archsim.formats.normal_float import NF4_LEVELS, NormalFloatFormat
from archsim.formats.scaled import ScaledFormat
from archsim.formats.sign import SignFormat, TernaryFormat

F = np.float32
Floats = np.ndarray
LANES = 16


def total(row: Floats) -> np.float32:
    """Sum of float32 [n] as the vector unit forms it: 16 interleaved lanes, then over the lanes."""
    padded = np.zeros(-(-len(row) // LANES) * LANES, F)
    padded[: len(row)] = row
    lanes = np.zeros(LANES, F)
    for part in padded.reshape(-1, LANES):
        lanes = lanes + part
    result = F(0)
    for lane in lanes:
        result = F(result + lane)
    return result


def exponential(values: Floats) -> Floats:
    """exp in float64, rounded to float32."""
    with np.errstate(over="ignore"):
        return np.exp(values.astype(np.float64)).astype(F)


def quantize(rows: Floats) -> tuple[np.ndarray, Floats]:
    """int8 codes [rows, features] and scales float32 [rows] of float32 rows: 127 stands for the largest magnitude."""
    largest = np.abs(rows).max(axis=1).astype(F)
    inverse = np.where(largest == 0, F(0), F(127) / np.where(largest == 0, F(1), largest)).astype(F)
    codes = np.clip(np.rint(rows * inverse[:, None]), -127, 127).astype(np.int8)
    return codes, largest * F(1 / 127)


def norm(x: Floats, gamma: Floats, eps: float, delta: Floats | None = None) -> tuple[Floats, np.ndarray, Floats]:
    """RMSNorm of x (+ delta): the sum, int8 codes, and scales."""
    x = x if delta is None else x + delta
    inverse = np.empty(len(x), F)
    for index, row in enumerate(x):
        mean = F(F(total(row * row)) * F(1 / x.shape[1]))
        inverse[index] = F(1) / np.sqrt(F(mean + F(eps)))
    return x, *quantize(x * inverse[:, None] * gamma)


def silu_mul(gate_up: Floats) -> tuple[np.ndarray, Floats]:
    """silu(gate) * up of rows [gate, up], as int8 codes and scales."""
    gate, up = np.split(gate_up, 2, axis=1)
    return quantize(gate / (F(1) + exponential(-gate)) * up)


def layer_norm(s: Floats, gamma: Floats, beta: Floats, eps: float) -> Floats:
    """LayerNorm of rows float32 [rows, features]."""
    share, result = F(1 / s.shape[1]), np.empty_like(s)
    for index, row in enumerate(s):
        centred = row + total(row) * F(-1 / s.shape[1])
        factor = F(1) / np.sqrt(F(total(centred * centred) * share + F(eps)))
        result[index] = centred * factor * gamma + beta
    return result


def gelu_tanh(x: Floats) -> Floats:
    """x / 2 * (1 + tanh(u)) as x / (1 + exp(-2 u)), u = sqrt(2 / pi) * (x + 0.044715 x^3)."""
    return x / (F(1) + exponential(x * (F(-1.5957691216057308) + x * x * F(-0.07135481627260025))))


def gelu_erf(x: Floats) -> Floats:
    """x / 2 * (1 + erf(x / sqrt(2))), erf by Abramowitz and Stegun 7.1.26."""
    z = np.abs(x) * F(0.7071067811865476)
    t = F(1) / (F(1) + F(0.3275911) * z)
    inner = F(-1.453152027) + t * F(1.061405429)
    inner = F(-0.284496736) + t * (F(1.421413741) + t * inner)
    e = F(1) - t * (F(0.254829592) + t * inner) * exponential(-(z * z))
    return F(0.5) * x * (F(1) + np.where(x > 0, e, -e))


ACTIVATIONS: dict[str, Callable[[Floats], Floats]] = {
    "gelu_tanh": gelu_tanh,
    "gelu_erf": gelu_erf,
    "relu": lambda x: np.maximum(x, F(0)),
}


def activation(x: Floats, function: str, gated: bool) -> tuple[np.ndarray, Floats]:
    """f(x), or f(gate) * up of rows [gate, up], as int8 codes and scales."""
    if not gated:
        return quantize(ACTIVATIONS[function](x))
    gate, up = np.split(x, 2, axis=1)
    return quantize(ACTIVATIONS[function](gate) * up)


def route(logits: Floats, top_k: int) -> tuple[np.ndarray, Floats]:
    """Slots int32 [rows x top_k] by expert, and gates float32 [rows, top_k]; see kernels.route.Route."""
    chosen = np.argsort(-logits, axis=1, kind="stable")[:, :top_k]
    slots = np.argsort(chosen.reshape(-1), kind="stable").astype(np.int32)
    gates = np.take_along_axis(logits, chosen, axis=1)
    powers = exponential(gates - gates[:, :1])
    return slots, np.stack([row / total(row) for row in powers])


def matmul(codes: np.ndarray, row_scales: Floats, weights: Packed, step: int, bias: np.ndarray | None = None) -> Floats:
    """float32 [rows, out_features] of int8 rows and quantised weights.

    Weights of a row that share a scale are summed first, at most `step` at a time: integers exactly, levels and floats
    in float32 in rising order. Then the sum meets its scale, and is added to what there is.

    Args:
        codes: int8 [rows, in_features].
        row_scales: float32 [rows].
        weights: [out_features, in_features].
        step: most products that are summed before a scale is applied.
        bias: float16 [out_features], added in the end.
    """
    rule = _RULES[type(weights.format)] if type(weights.format) in _RULES else _GGUF_RULES[weights.format.name]
    values, length, scaled = rule(weights)
    features = codes.shape[1]
    length = min(length or features, step)
    result = np.zeros((len(codes), weights.shape[0]), F)
    for first in range(0, features, length):
        part = slice(first, min(first + length, features))
        result = result + scaled(_dot(codes[:, part], values[:, part]), codes[:, part], first)
    result = result * row_scales[:, None]
    return result if bias is None else result + bias.astype(F)


def _dot(rows: np.ndarray, weights: np.ndarray) -> Floats:
    """Product sums float32 [rows, out_features]: of integers rounded once, of floats in rising order."""
    if weights.dtype.kind == "i":
        return (rows.astype(np.int64) @ weights.astype(np.int64).T).astype(F)
    total = np.zeros((len(rows), len(weights)), F)
    for row, weight in zip(rows.T.astype(F), weights.T, strict=True):
        total = total + row[:, None] * weight
    return total


Scaled = Callable[[Floats, np.ndarray, int], Floats]
"""What a group adds: of its product sums, its activations and the place of its first weight."""
Rule = tuple[np.ndarray, int, Scaled]
"""Weights before scaling [out_features, in_features], how many share a scale (0: a row), and what a group adds."""


def _by_scale(values: np.ndarray, scales: np.ndarray, group: int) -> Rule:
    """A product sum times a scale: float16 [out_features or 1, groups]."""
    wide = scales.astype(F)
    return values, group, lambda dot, rows, first: dot * wide[:, first // group if group else 0]


def _scaled_codes(weights: Packed) -> Rule:
    """Integers, signs and ternary codes."""
    form = weights.format
    assert isinstance(form, ScaledFormat)
    return _by_scale(weights.codes.astype(np.int8), weights.scales, form.group)


def _zero_points(weights: Packed) -> Rule:
    """(sum of codes x activations - zero point x sum of activations) x scale."""
    form = weights.format
    assert isinstance(form, AsymmetricFormat)
    middle = 1 << form.bits - 1
    zeros = form.zeros(weights.arrays, weights.shape[0]) - F(middle)
    scales = np.broadcast_to(weights.scales.astype(F), zeros.shape)

    def scaled(dot: Floats, rows: np.ndarray, first: int) -> Floats:
        at = first // form.group if form.group else 0
        total = rows.sum(axis=1, dtype=np.int64).astype(F)
        return (dot - zeros[:, at] * total[:, None]) * scales[:, at]

    return weights.codes.astype(np.int16) - middle, form.group, scaled


def _levels(weights: Packed) -> Rule:
    form = weights.format
    assert isinstance(form, NormalFloatFormat)
    return _by_scale(NF4_LEVELS[weights.codes], weights.scales, form.group)


def _microscaled(weights: Packed) -> Rule:
    """A block's float32 product sum times a power of two, in float64, rounded once; MXINT8 counts in integers."""
    form = weights.format
    assert isinstance(form, MxFormat)
    elements = form.table(weights.arrays)[0][weights.codes.view(np.uint8)]
    powers = e8m0_values()[weights.scales].astype(np.float64)
    if isinstance(form, MxInt8Format):
        elements, powers = elements * F(64), powers / 64
    return elements, BLOCK, lambda dot, rows, first: (dot.astype(np.float64) * powers[:, first // BLOCK]).astype(F)


def _q4_k(weights: Packed) -> Rule:
    """A part of 32 codes: dot x (d x scale) - sum of activations x (dmin x min)."""
    blocks = weights.packed.reshape(weights.shape[0], -1, 144)
    d, low = blocks[:, :, :4].copy().view(np.float16).astype(F).transpose(2, 0, 1)
    s, m = np.empty((2, *blocks.shape[:2], 8), np.uint8)
    for part in range(4):
        b = [blocks[:, :, 4 + part + 4 * third] for third in range(3)]
        s[:, :, part], m[:, :, part] = b[0] & 63, b[1] & 63
        s[:, :, part + 4], m[:, :, part + 4] = b[2] & 15 | b[0] >> 6 << 4, b[2] >> 4 | b[1] >> 6 << 4
    quads = blocks[:, :, 16:].reshape(*blocks.shape[:2], 4, 1, 32)
    values = np.concatenate([quads & 15, quads >> 4], axis=3).reshape(weights.shape)
    scales = (d[:, :, None] * s).reshape(len(blocks), -1)
    lows = (low[:, :, None] * m).reshape(len(blocks), -1)

    def scaled(dot: Floats, rows: np.ndarray, first: int) -> Floats:
        total = rows.sum(axis=1, dtype=np.int64).astype(F)
        return dot * scales[:, first // 32] - total[:, None] * lows[:, first // 32]

    return values.astype(np.int16), 32, scaled


def _block_of_32(weights: Packed, read: Callable[[np.ndarray], np.ndarray]) -> Rule:
    """GGUF blocks of a float16 scale and 32 codes."""
    blocks = weights.packed.reshape(weights.shape[0], weights.shape[1] // 32, -1)
    scales = blocks[:, :, :2].copy().view(np.float16)[:, :, 0]
    return _by_scale(read(blocks[:, :, 2:]).reshape(weights.shape), scales, 32)


def _nibbles(stored: np.ndarray) -> np.ndarray:
    return np.concatenate([stored & 15, stored >> 4], axis=2)


_RULES: dict[type, Callable[[Packed], Rule]] = {
    IntegerFormat: _scaled_codes,
    SignFormat: _scaled_codes,
    TernaryFormat: _scaled_codes,
    AsymmetricFormat: _zero_points,
    NormalFloatFormat: _levels,
    MxFloatFormat: _microscaled,
    MxInt8Format: _microscaled,
}
_GGUF_RULES: dict[str, Callable[[Packed], Rule]] = {
    "q4_k": _q4_k,
    "q8_0": lambda weights: _block_of_32(weights, lambda stored: stored.view(np.int8)),
    "q4_0": lambda weights: _block_of_32(weights, lambda stored: _nibbles(stored).astype(np.int8) - np.int8(8)),
    "iq4_nl": lambda weights: _block_of_32(weights, lambda stored: IQ4_NL_LEVELS[_nibbles(stored)]),
}


def rotate(x: Floats, table: Floats) -> Floats:
    """Half-split rotation of heads float32 [..., head_dim] by table rows [..., turned features] (cos, then sin)."""
    turned, rest = np.split(x, [table.shape[-1]], axis=-1)
    first, second = np.split(turned, 2, axis=-1)
    cos, sin = np.split(table, 2, axis=-1)
    return np.concatenate([first * cos - second * sin, second * cos + first * sin, rest], axis=-1)


def rope_table(positions: int, head_dim: int, theta: float) -> Floats:
    """float32 [positions, head_dim]: cos of position x theta^(-2i / head_dim), then sin."""
    frequencies = theta ** (-np.arange(0, head_dim, 2) / head_dim)
    angles = np.arange(positions)[:, None] * frequencies
    return np.concatenate([np.cos(angles), np.sin(angles)], axis=1).astype(F)


def rope_kv(
    qkv: Floats, table: Floats | None, batch: int, heads: int, kv_heads: int, position: int
) -> tuple[np.ndarray, Floats, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Quantised queries and cache entries of new tokens.

    Args:
        qkv: float32 [rows, (heads + 2 kv_heads) * head_dim], sequence by sequence.
        table: float32 [positions, turned features]; None: nothing is turned.
        position: of each sequence's first new token.

    Returns:
        q int8 [rows, heads, head_dim], q scales float32 [rows, heads], then for keys and for values int8
        [rows, kv_heads, head_dim] and float16 scales [rows, kv_heads].
    """
    rows = len(qkv)
    turned = split = qkv.reshape(rows, heads + 2 * kv_heads, -1)
    if table is not None:
        angles = table[position + np.arange(rows) % (rows // batch)][:, None, :]
        turned = np.concatenate([rotate(split[:, : heads + kv_heads], angles), split[:, heads + kv_heads :]], axis=1)
    codes, scales = quantize(turned.reshape(-1, split.shape[2]))
    codes, scales = codes.reshape(split.shape), scales.reshape(rows, -1)
    q, k, v = np.split(codes, [heads, heads + kv_heads], axis=1)
    q_scales, k_scales, v_scales = np.split(scales, [heads, heads + kv_heads], axis=1)
    return q, q_scales, k, k_scales.astype(np.float16), v, v_scales.astype(np.float16)


def attention(
    q: np.ndarray,
    q_scales: Floats,
    k: np.ndarray,
    k_scales: np.ndarray,
    v: np.ndarray,
    v_scales: np.ndarray,
    position: int | None,
    step: int,
    scaled: bool = True,
    bias: Floats | None = None,
    window: int = 0,
) -> Floats:
    """Attention of one head's queries over one sequence's cache.

    Args:
        q: int8 [tokens, head_dim]; q_scales float32 [tokens].
        k, v: int8 [context, head_dim]; k_scales, v_scales float16 [context].
        position: of the first query; each sees keys up to its own. None: all see all.
        step: most products that are summed as integers before the key's scale is applied.
        scaled: whether scores are divided by sqrt(head_dim).
        bias: float32 [tokens, context], added to the scores.
        window: keys that a query with a position sees at most; 0: all.

    Returns:
        float32 [tokens, head_dim].
    """
    head_dim = q.shape[1]
    scores = np.zeros((len(q), len(k)), F)
    for first in range(0, head_dim, step):
        part = slice(first, first + step)
        dot = q[:, part].astype(np.int64) @ k[:, part].astype(np.int64).T
        scores = scores + dot.astype(F) * k_scales.astype(F)
    scores = scores * (q_scales * F(1 / np.sqrt(head_dim) if scaled else 1))[:, None]
    scores = scores if bias is None else scores + bias
    out = np.empty((len(q), head_dim), F)
    for index, row in enumerate(scores):
        end = len(k) if position is None else position + index + 1
        seen = slice(max(0, end - window) if window else 0, end)
        powers = exponential(row[seen] - row[seen].max())
        codes, scale = quantize((powers * v_scales[seen].astype(F))[None])
        dot = codes[0].astype(np.int64) @ v[seen].astype(np.int64)
        out[index] = dot.astype(F) * F(scale[0] / total(powers))
    return out
