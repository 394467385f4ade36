"""Compiled loops that find scales, round to codes, and read codes back.

Arrays: x, out float32 [rows, columns]; scales, zeros float32 [rows, groups] with columns = groups x width.
"""

from __future__ import annotations

import numpy as np

from archsim.formats.compiled import compiled, compiled_without_nan


@compiled
def largest_magnitudes(x, groups):
    """max |x| of each group."""
    rows, columns = x.shape
    width = columns // groups
    result = np.empty((rows, groups), np.float32)
    bits = x.view(np.int32)
    for row in range(rows):
        for group in range(groups):
            # without its sign, a float's pattern has the order of its magnitude; integers are compared in vectors
            part, top = bits[row, group * width : (group + 1) * width], np.int32(0)
            for i in range(width):
                top = max(top, np.int32(part[i] & np.int32(0x7FFFFFFF)))
            result[row, group] = np.int32(top).view(np.float32)
    return result


@compiled_without_nan
def extents(x, groups):
    """min(0, x) and max(0, x) of each group."""
    rows, columns = x.shape
    width = columns // groups
    low, high = np.zeros((rows, groups), np.float32), np.zeros((rows, groups), np.float32)
    for row in range(rows):
        for group in range(groups):
            for i in range(group * width, (group + 1) * width):
                low[row, group] = min(low[row, group], x[row, i])
                high[row, group] = max(high[row, group], x[row, i])
    return low, high


@compiled
def round_to_codes(x, scales, zeros, low, high):
    """clip(rint(x / scale) + zero, low, high) as int16, ties to even; zero where the scale is 0."""
    rows, columns = x.shape
    width = columns // scales.shape[1]
    codes = np.empty((rows, columns), np.int16)
    for row in range(rows):
        for group in range(scales.shape[1]):
            scale, zero = scales[row, group], zeros[row, group]
            for i in range(group * width, (group + 1) * width):
                ratio = x[row, i] / scale if scale > 0 else np.float32(0)
                codes[row, i] = np.int16(min(max(np.rint(ratio) + zero, low), high))
    return codes


@compiled
def squared_errors(x, scales, zeros, low, high):
    """Sum of squared errors of each group, float64, if rounded by round_to_codes."""
    rows, columns = x.shape
    groups = scales.shape[1]
    width = columns // groups
    errors = np.zeros((rows, groups))
    for row in range(rows):
        for group in range(groups):
            scale, zero = scales[row, group], zeros[row, group]
            for i in range(group * width, (group + 1) * width):
                ratio = x[row, i] / scale if scale > 0 else np.float32(0)
                code = min(max(np.rint(ratio) + zero, low), high)
                errors[row, group] += float(x[row, i] - (code - zero) * scale) ** 2
    return errors


@compiled
def nearest_levels(x, scales, thresholds):
    """Number of thresholds below x / scale; scale 0 is taken as 1. thresholds: float32 [rows or 1, levels - 1]."""
    rows, columns = x.shape
    groups = scales.shape[1]
    width = columns // groups
    codes = np.zeros((rows, columns), np.uint8)
    ratios = np.empty(width, np.float32)
    for row in range(rows):
        own = thresholds[row % thresholds.shape[0]]
        for group in range(groups):
            first, scale = group * width, scales[row, group]
            divisor = scale if scale > 0 else np.float32(1)
            for i in range(width):
                ratios[i] = x[row, first + i] / divisor
            # a few thresholds are counted in vectors, many are searched
            if own.shape[0] < 16:
                for k in range(own.shape[0]):
                    threshold = own[k]
                    for i in range(width):
                        codes[row, first + i] += np.uint8(ratios[i] > threshold)
            else:
                for i in range(width):
                    codes[row, first + i] = np.searchsorted(own, ratios[i])
    return codes


@compiled
def round_to_floats(x, scales, exponent_bits, mantissa_bits, bias, top):
    """Codes (sign, exponent, mantissa) of x / scale: ties to even, magnitudes beyond code `top` become `top`.

    A scale of 0 divides nothing. Normal numbers are the upper bits of float32's own pattern, rounded; subnormal ones
    are multiples of the smallest.
    """
    rows, columns = x.shape
    groups = scales.shape[1]
    width = columns // groups
    codes = np.empty((rows, columns), np.uint8)
    shift = 23 - mantissa_bits
    half = (1 << (22 - mantissa_bits)) - 1
    rebias = (127 - bias) << mantissa_bits
    smallest = np.float32(2.0 ** (1 - bias))
    steps = np.float32(2.0 ** (bias - 1 + mantissa_bits))
    for row in range(rows):
        for group in range(groups):
            scale = scales[row, group]
            for i in range(group * width, (group + 1) * width):
                value = np.float32(x[row, i] / scale if scale > 0 else x[row, i])
                pattern = np.int64(value.view(np.uint32))
                magnitude = pattern & 0x7FFFFFFF
                if abs(value) < smallest:
                    code = np.int64(np.rint(abs(value) * steps))
                else:
                    code = ((magnitude + half + ((magnitude >> shift) & 1)) >> shift) - rebias
                sign = (pattern >> 31) << (exponent_bits + mantissa_bits)
                codes[row, i] = min(code, top) | sign
    return codes


@compiled
def look_up(codes, table, scales, zeros, out):
    """out = (table[code] - zero) x scale. codes: uint8; table: float32 [rows or 1, levels]."""
    rows, columns = out.shape
    width = columns // scales.shape[1]
    for row in range(rows):
        own = table[row % table.shape[0]]
        for group in range(scales.shape[1]):
            scale, zero = scales[row, group], zeros[row, group]
            for i in range(group * width, (group + 1) * width):
                out[row, i] = (own[codes[row, i]] - zero) * scale
