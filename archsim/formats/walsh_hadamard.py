"""The Walsh-Hadamard transform of rows in float32, every sum where instructions `qv.had` and `qt.hads` have it.

Stages at distance 1, 2, 4, ..., in each (a + b, a - b) rounded, then times 2**(-n/2), rounded to float32. The matrix is
Sylvester's, over the root of its size: symmetric, and its own inverse.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from archsim.formats.compiled import compiled


@compiled
def _transform(x, before, after, factor, out):
    rows, size = x.shape
    for row in range(rows):
        own = out[row]
        for i in range(size):
            own[i] = x[row, i] * before[i]
        distance = 1
        while distance < size:
            for start in range(0, size, 2 * distance):
                for i in range(start, start + distance):
                    a, b = own[i], own[i + distance]
                    own[i], own[i + distance] = a + b, a - b
            distance *= 2
        for i in range(size):
            own[i] = own[i] * factor * after[i]


def rotate_rows(x: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """The randomised transform H (signs * x) of rows: float32 [rows, size].

    Args:
        x: float32 [rows, size], the size a power of two.
        signs: float32 [size] of 1 and -1.
    """
    return _of(x, signs, np.ones_like(signs))


def rotate_rows_back(y: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """Its inverse, signs * (H y)."""
    return _of(y, np.ones_like(signs), signs)


def _of(x: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    out = np.empty(x.shape, np.float32)
    _transform(np.ascontiguousarray(x), before, after, np.float32(1 / sqrt(x.shape[1])), out)
    return out
