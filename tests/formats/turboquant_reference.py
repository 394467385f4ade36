"""TurboQuant's arithmetic in numpy, step by step in float32: what format and machine must agree with to the bit."""

from __future__ import annotations

import numpy as np

F = np.float32


def walsh_hadamard(rows: np.ndarray) -> np.ndarray:
    """float32 [rows, size]: stages at distance 1, 2, 4, ..., then times 1 / sqrt(size)."""
    size = rows.shape[1]
    y, distance = rows.astype(F), 1
    while distance < size:
        pairs = y.reshape(len(y), -1, 2, distance)
        y = np.stack([pairs[:, :, 0] + pairs[:, :, 1], pairs[:, :, 0] - pairs[:, :, 1]], axis=2).reshape(y.shape)
        distance *= 2
    return y * F(1 / np.sqrt(np.float64(size)))


def lengths(rows: np.ndarray) -> np.ndarray:
    """float32 [rows]: roots of sums of squares in 16 lanes."""
    squares = np.zeros((len(rows), -(-rows.shape[1] // 16) * 16), F)
    squares[:, : rows.shape[1]] = rows * rows
    lanes = np.zeros((len(rows), 16), F)
    for part in range(0, squares.shape[1], 16):
        lanes = lanes + squares[:, part : part + 16]
    total = np.zeros(len(rows), F)
    for lane in range(16):
        total = total + lanes[:, lane]
    return np.sqrt(total.astype(np.float64)).astype(F)


def encode(rows: np.ndarray, signs: np.ndarray, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Codes uint8 [rows, size] and float32 lengths [rows]."""
    turned, length = walsh_hadamard(rows * signs), lengths(rows)
    scaled = levels[None] * length[:, None]
    middles = (scaled[:, :-1] + scaled[:, 1:]) * F(0.5)
    return (turned[:, :, None] > middles[:, None]).sum(axis=2).astype(np.uint8), length


def decode(codes: np.ndarray, norms: np.ndarray, signs: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """float32 [rows, size] of codes and float16 norms [rows]."""
    return walsh_hadamard(levels[codes] * norms.astype(F)[:, None]) * signs


def scores(
    q: np.ndarray, codes: np.ndarray, norms: np.ndarray, signs: np.ndarray, levels: np.ndarray, step: int
) -> np.ndarray:
    """float32 [queries, tokens] of q float32 [queries, size], codes [tokens, size] and float16 norms [tokens].

    Queries are rotated and rounded to float16; products of a step of coordinates are added in rising order, their sum
    is multiplied by the norm and added to the steps before.
    """
    turned = walsh_hadamard(q * signs).astype(np.float16).astype(F)
    keys, total = levels[codes], np.zeros((len(q), len(codes)), F)
    for first in range(0, q.shape[1], step):
        part = np.zeros_like(total)
        for k in range(first, min(first + step, q.shape[1])):
            part = part + turned[:, k, None] * keys[None, :, k]
        total = total + part * norms.astype(F)[None]
    return total
