"""Compiled loops over vectors that are a length and a direction; every step is float32 and rounded.

Arrays: x float32 [rows, columns]; lengths float32 [rows, 1]; levels float32 [levels], ascending.
"""

from __future__ import annotations

import numpy as np

from archsim.formats.compiled import compiled


@compiled
def euclidean_lengths(x):
    """Roots of sums of squares: 16 lanes of every 16th element, then over the lanes, as instruction `qv.sumsq`."""
    rows, columns = x.shape
    lengths = np.empty((rows, 1), np.float32)
    lanes = np.empty(16, np.float32)
    for row in range(rows):
        lanes[:] = 0
        for first in range(0, columns, 16):
            for lane in range(min(16, columns - first)):
                value = x[row, first + lane]
                lanes[lane] += value * value
        total = np.float32(0)
        for lane in range(16):
            total += lanes[lane]
        lengths[row, 0] = np.sqrt(total)
    return lengths


@compiled
def nearest_scaled_levels(x, lengths, levels):
    """Codes of the nearest of levels times the row's length: uint8 [rows, columns]; a tie takes the lower.

    A code is the number of middles (low + high) / 2 that the value is greater than, as instruction `qv.code` has it.
    """
    rows, columns = x.shape
    codes = np.zeros((rows, columns), np.uint8)
    for row in range(rows):
        low = levels[0] * lengths[row, 0]
        for k in range(1, levels.shape[0]):
            high = levels[k] * lengths[row, 0]
            middle = (low + high) * np.float32(0.5)
            for i in range(columns):
                codes[row, i] += np.uint8(x[row, i] > middle)
            low = high
    return codes
