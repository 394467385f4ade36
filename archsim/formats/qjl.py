"""QJL: one bit per projection of a vector, from which inner products are estimated without bias.

Zandieh, Daliri and Han, QJL: 1-bit quantized JL transform for KV cache quantization with zero overhead (arXiv
2406.03482), definition 1.
"""

from __future__ import annotations

from functools import lru_cache
from math import exp, lgamma, pi, sqrt

import numpy as np

from archsim.formats.rotation import haar


@lru_cache(64)
def projection(size: int, kind: str, seed: int) -> np.ndarray:
    """The matrix S: float32 [size, size], rows of length sqrt(size), exactly or on average.

    Args:
        kind: "gaussian", independent standard normal numbers, as in the paper; or "orthogonal", a uniformly distributed
            orthogonal matrix times sqrt(size).
    """
    # not the seed of the rotation: what is left of a vector depends on that
    if kind == "orthogonal":
        matrix = haar(size, seed + 1) * np.float32(sqrt(size))
    else:
        matrix = np.random.default_rng([seed + 1, size]).standard_normal((size, size)).astype(np.float32)
    matrix.flags.writeable = False
    return matrix


def signs(vectors: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """1 where S x is 0 or more, else 0: uint8 [rows, size]."""
    return (vectors @ matrix.T >= 0).view(np.uint8)


def estimate(bits: np.ndarray, matrix: np.ndarray, kind: str) -> np.ndarray:
    """Vectors of unknown length 1 whose inner products with any vector are right on average: float32 [rows, size].

    sqrt(pi/2)/size x S^T sign(S x) for a Gaussian S. Rows of an orthogonal one are sqrt(size) times a unit vector, one
    coordinate of which is Gamma(size/2) / (sqrt(pi) Gamma((size + 1)/2)) large on average.
    """
    size = len(matrix)
    mean = sqrt(2 / pi)
    if kind == "orthogonal":
        mean = sqrt(size / pi) * exp(lgamma(size / 2) - lgamma((size + 1) / 2))
    return (2 * bits.astype(np.float32) - 1) @ matrix * np.float32(1 / (mean * size))
