"""Lloyd's iteration in one dimension, compiled (Lloyd, Least squares quantization in PCM, 1982)."""

from __future__ import annotations

import numpy as np

from archsim.formats.compiled import compiled

ROUNDS = 40


@compiled
def levels_of_rows(x, count, rounds):
    """Levels with which the squared error of each row is least, nearly: float32 [rows, count], ascending.

    Starts halfway between equally frequent and evenly spaced levels. A row of no more than `count` different values has
    exactly these.
    """
    rows, columns = x.shape
    result = np.empty((rows, count), np.float32)
    for row in range(rows):
        ordered = np.sort(x[row])
        sums = np.zeros(columns + 1)
        different = 0
        for i in range(columns):
            sums[i + 1] = sums[i] + ordered[i]
            if i == 0 or ordered[i] != ordered[i - 1]:
                if different < count:
                    result[row, different] = ordered[i]
                different += 1
        if different <= count:
            result[row, different:] = ordered[columns - 1]
            continue
        for k in range(count):
            even = ordered[0] + (ordered[columns - 1] - ordered[0]) * (2 * k + 1) / (2 * count)
            result[row, k] = (ordered[(2 * k + 1) * columns // (2 * count)] + even) / 2
        for _ in range(rounds):
            begin, moved = 0, False
            for k in range(count):
                end = columns
                if k + 1 < count:
                    end = np.searchsorted(ordered, (result[row, k] + result[row, k + 1]) / 2, side="right")
                if end > begin:
                    mean = np.float32((sums[end] - sums[begin]) / (end - begin))
                    moved |= mean != result[row, k]
                    result[row, k] = mean
                    begin = end
            if not moved:
                break
    return result


@compiled
def least_squares_sums(x, codes, scales, levels):
    """For each group sum(x c) and sum(c c), and for each level k sum(s x) and sum(s s) where its code is k."""
    rows, columns = x.shape
    groups = scales.shape[1]
    width = columns // groups
    by_group = np.zeros((2, rows, groups))
    by_level = np.zeros((2, levels.shape[0]))
    for row in range(rows):
        for group in range(groups):
            scale = scales[row, group]
            for i in range(group * width, (group + 1) * width):
                level = levels[codes[row, i]]
                by_group[0, row, group] += x[row, i] * level
                by_group[1, row, group] += level * level
                by_level[0, codes[row, i]] += scale * x[row, i]
                by_level[1, codes[row, i]] += scale * scale
    return by_group, by_level
