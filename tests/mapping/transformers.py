"""Layers of transformers in double precision, written from the papers and from what Hugging Face's code computes.

They know nothing of graphs, ops or number formats. `w` gives a matrix [outputs, inputs] or a vector by its name.
"""

from __future__ import annotations

from collections.abc import Callable
from math import erf, pi, sqrt

import numpy as np

Array = np.ndarray
Weights = Callable[[str], Array]

_ERF = np.vectorize(erf)


def silu(x: Array) -> Array:
    return x / (1 + np.exp(-x))


def gelu(x: Array) -> Array:
    return x / 2 * (1 + _ERF(x / sqrt(2)))


def gelu_tanh(x: Array) -> Array:
    return x / 2 * (1 + np.tanh(sqrt(2 / pi) * (x + 0.044715 * x**3)))


def rms_norm(x: Array, gain: Array, eps: float) -> Array:
    return x / np.sqrt(np.square(x).mean(-1, keepdims=True) + eps) * gain


def layer_norm(x: Array, gain: Array, bias: Array, eps: float) -> Array:
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt(np.square(centred).mean(-1, keepdims=True) + eps) * gain + bias


def softmax(scores: Array) -> Array:
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def attend(q: Array, k: Array, v: Array, mask: Array, factor: float, bias: Array | float = 0.0) -> Array:
    """q [tokens, heads, size], k and v [keys, kv heads, size], mask [tokens, keys] of what is seen."""
    group = q.shape[1] // k.shape[1]
    k, v = np.repeat(k, group, axis=1), np.repeat(v, group, axis=1)
    scores = np.einsum("qhd,khd->hqk", q, k) * factor + bias
    mixed = np.einsum("hqk,khd->qhd", softmax(np.where(mask, scores, -np.inf)), v)
    return mixed.reshape(len(q), -1)


def seen(tokens: int, causal: bool, window: int | None = None) -> Array:
    """Which keys each token sees."""
    distance = np.arange(tokens)[:, None] - np.arange(tokens)
    return (distance >= 0 if causal else np.full_like(distance, True, bool)) & (distance < (window or tokens))


def rope_halves(x: Array, theta: float) -> Array:
    """Feature i turns with feature i + half (Llama)."""
    half = x.shape[-1] // 2
    angles = np.arange(len(x))[:, None, None] * theta ** (-np.arange(half) / half)
    a, b = x[..., :half], x[..., half:]
    return np.concatenate([a * np.cos(angles) - b * np.sin(angles), b * np.cos(angles) + a * np.sin(angles)], -1)


def rope_pairs(x: Array, turned: int) -> Array:
    """Feature 2i turns with feature 2i + 1, of the first `turned` (GPT-J)."""
    angles = np.arange(len(x))[:, None, None] * 10000.0 ** (-np.arange(0, turned, 2) / turned)
    result, a, b = x.copy(), x[..., 0:turned:2], x[..., 1:turned:2]
    result[..., 0:turned:2] = a * np.cos(angles) - b * np.sin(angles)
    result[..., 1:turned:2] = b * np.cos(angles) + a * np.sin(angles)
    return result


def split_heads(x: Array, *counts: int) -> list[Array]:
    """x [tokens, all heads x size] as parts of so many heads: [tokens, heads, size] each."""
    heads = x.reshape(len(x), sum(counts), -1)
    return np.split(heads, np.cumsum(counts)[:-1], axis=1)
