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
