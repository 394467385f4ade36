"""What kernels must compute, in numpy, from their definitions and the instructions' arithmetic.

Everything is float32 with one rounding per step, unless it says otherwise; exponentials are taken in float64 and
rounded to float32.
"""

from __future__ import annotations

import numpy as np

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


def matmul(
    codes: np.ndarray, row_scales: Floats, weights: np.ndarray, weight_scales: np.ndarray, group: int, step: int
) -> Floats:
    """float32 [rows, out_features] of int8 rows and quantised weights.

    Args:
        codes: int8 [rows, in_features].
        row_scales: float32 [rows].
        weights: int8 codes [out_features, in_features].
        weight_scales: float16 [out_features, groups].
        group: codes that share a scale; 0: all.
        step: most codes that are summed as integers before a scale is applied.
    """
    features = codes.shape[1]
    length = min(group or features, step)
    result = np.zeros((len(codes), len(weights)), F)
    for first in range(0, features, length):
        dot = codes[:, first : first + length].astype(np.int64) @ weights[:, first : first + length].astype(np.int64).T
        scale = weight_scales[:, first // group if group else 0].astype(F)
        result = result + dot.astype(F) * scale
    return result * row_scales[:, None]


def rotate(x: Floats, table: Floats) -> Floats:
    """Half-split rotation of heads float32 [..., head_dim] by table rows [..., head_dim] (cos, then sin)."""
    first, second = np.split(x, 2, axis=-1)
    cos, sin = np.split(table, 2, axis=-1)
    return np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)


def rope_table(positions: int, head_dim: int, theta: float) -> Floats:
    """float32 [positions, head_dim]: cos of position x theta^(-2i / head_dim), then sin."""
    frequencies = theta ** (-np.arange(0, head_dim, 2) / head_dim)
    angles = np.arange(positions)[:, None] * frequencies
    return np.concatenate([np.cos(angles), np.sin(angles)], axis=1).astype(F)


def rope_kv(
    qkv: Floats, table: Floats, batch: int, heads: int, kv_heads: int, position: int
) -> tuple[np.ndarray, Floats, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Quantised queries and cache entries of new tokens.

    Args:
        qkv: float32 [rows, (heads + 2 kv_heads) * head_dim], sequence by sequence.
        table: float32 [positions, head_dim].
        position: of each sequence's first new token.

    Returns:
        q int8 [rows, heads, head_dim], q scales float32 [rows, heads], then for keys and for values int8
        [rows, kv_heads, head_dim] and float16 scales [rows, kv_heads].
    """
    rows, head_dim = len(qkv), table.shape[1]
    split = qkv.reshape(rows, heads + 2 * kv_heads, head_dim)
    angles = table[position + np.arange(rows) % (rows // batch)][:, None, :]
    turned = np.concatenate([rotate(split[:, : heads + kv_heads], angles), split[:, heads + kv_heads :]], axis=1)
    codes, scales = quantize(turned.reshape(-1, head_dim))
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
) -> Floats:
    """Attention of one head's queries over one sequence's cache.

    Args:
        q: int8 [tokens, head_dim]; q_scales float32 [tokens].
        k, v: int8 [context, head_dim]; k_scales, v_scales float16 [context].
        position: of the first query; each sees keys up to its own. None: all see all.
        step: most products that are summed as integers before the key's scale is applied.

    Returns:
        float32 [tokens, head_dim].
    """
    head_dim = q.shape[1]
    scores = np.zeros((len(q), len(k)), F)
    for first in range(0, head_dim, step):
        part = slice(first, first + step)
        dot = q[:, part].astype(np.int64) @ k[:, part].astype(np.int64).T
        scores = scores + dot.astype(F) * k_scales.astype(F)
    scores = scores * (q_scales * F(1 / np.sqrt(head_dim)))[:, None]
    out = np.empty((len(q), head_dim), F)
    for index, row in enumerate(scores):
        valid = len(k) if position is None else position + index + 1
        powers = exponential(row[:valid] - row[:valid].max())
        codes, scale = quantize((powers * v_scales[:valid].astype(F))[None])
        dot = codes[0].astype(np.int64) @ v[:valid].astype(np.int64)
        out[index] = dot.astype(F) * F(scale[0] / total(powers))
    return out
