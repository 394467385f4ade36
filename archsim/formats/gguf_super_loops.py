"""Compiled loops of GGUF's K-quants: blocks of 256 with scales of 4 to 8 bits and one or two float16.

Layouts: llama.cpp, ggml-common.h (block_q2_K to block_q6_K). As in gguf_loops, lengths of inner loops are arguments.
"""

from __future__ import annotations

import numpy as np

from archsim.formats.compiled import compiled


@compiled
def read_q2_k(blocks, halves, out, width):
    """d scale q - dmin min: 16 pairs of nibbles, 64 bytes of four codes, d, dmin."""
    for block in range(blocks.shape[0]):
        scale = halves[np.int64(blocks[block, 80]) | np.int64(blocks[block, 81]) << 8]
        least = halves[np.int64(blocks[block, 82]) | np.int64(blocks[block, 83]) << 8]
        for part in range(16):
            pair = np.int32(blocks[block, part])
            step, low = scale * np.float32(pair & np.int32(15)), least * np.float32(pair >> np.int32(4))
            byte = 16 + 32 * (part // 8) + 16 * (part % 2)
            shift = np.int32(2 * (part % 8 // 2))
            for i in range(width):
                q = (np.int32(blocks[block, byte + i]) >> shift) & np.int32(3)
                out[block, 16 * part + i] = step * np.float32(q) - low


@compiled
def read_q3_k(blocks, halves, out, width):
    """d (scale - 32) (q - 4): 32 bytes of third bits, 64 bytes of four low pairs, 12 bytes of scales, d."""
    for block in range(blocks.shape[0]):
        scale = halves[np.int64(blocks[block, 108]) | np.int64(blocks[block, 109]) << 8]
        for part in range(16):
            low = np.int32(blocks[block, 96 + part % 8]) >> np.int32(4 * (part // 8))
            high = np.int32(blocks[block, 104 + part % 4]) >> np.int32(2 * (part // 4))
            six = (low & np.int32(15)) | (high & np.int32(3)) << np.int32(4)
            step = scale * np.float32(six - np.int32(32))
            byte = 32 + 32 * (part // 8) + 16 * (part % 2)
            shift, third, mask = np.int32(2 * (part % 8 // 2)), np.int32(part // 2), 16 * (part % 2)
            for i in range(width):
                q = (np.int32(blocks[block, byte + i]) >> shift) & np.int32(3)
                q |= ((np.int32(blocks[block, mask + i]) >> third) & np.int32(1)) << np.int32(2)
                out[block, 16 * part + i] = step * np.float32(q - np.int32(4))


@compiled
def read_q4_k(blocks, halves, out, width):
    """d scale q - dmin min: d, dmin, 12 bytes of scales and mins, 128 bytes of two codes."""
    for block in range(blocks.shape[0]):
        scale = halves[np.int64(blocks[block, 0]) | np.int64(blocks[block, 1]) << 8]
        least = halves[np.int64(blocks[block, 2]) | np.int64(blocks[block, 3]) << 8]
        for part in range(8):
            if part < 4:
                six = np.int32(blocks[block, 4 + part]) & np.int32(63)
                low6 = np.int32(blocks[block, 8 + part]) & np.int32(63)
            else:
                both, first = np.int32(blocks[block, 8 + part]), np.int32(blocks[block, part])
                six = (both & np.int32(15)) | (first >> np.int32(6)) << np.int32(4)
                low6 = (both >> np.int32(4)) | (np.int32(blocks[block, 4 + part]) >> np.int32(6)) << np.int32(4)
            step, low = scale * np.float32(six), least * np.float32(low6)
            byte, shift = 16 + 32 * (part // 2), np.int32(4 * (part % 2))
            for i in range(width):
                q = (np.int32(blocks[block, byte + i]) >> shift) & np.int32(15)
                out[block, 32 * part + i] = step * np.float32(q) - low


@compiled
def read_q5_k(blocks, halves, out, width):
    """As read_q4_k, with 32 bytes of fifth bits before the others."""
    for block in range(blocks.shape[0]):
        scale = halves[np.int64(blocks[block, 0]) | np.int64(blocks[block, 1]) << 8]
        least = halves[np.int64(blocks[block, 2]) | np.int64(blocks[block, 3]) << 8]
        for part in range(8):
            if part < 4:
                six = np.int32(blocks[block, 4 + part]) & np.int32(63)
                low6 = np.int32(blocks[block, 8 + part]) & np.int32(63)
            else:
                both, first = np.int32(blocks[block, 8 + part]), np.int32(blocks[block, part])
                six = (both & np.int32(15)) | (first >> np.int32(6)) << np.int32(4)
                low6 = (both >> np.int32(4)) | (np.int32(blocks[block, 4 + part]) >> np.int32(6)) << np.int32(4)
            step, low = scale * np.float32(six), least * np.float32(low6)
            byte, shift, fifth = 48 + 32 * (part // 2), np.int32(4 * (part % 2)), np.int32(part)
            for i in range(width):
                q = (np.int32(blocks[block, byte + i]) >> shift) & np.int32(15)
                q |= ((np.int32(blocks[block, 16 + i]) >> fifth) & np.int32(1)) << np.int32(4)
                out[block, 32 * part + i] = step * np.float32(q) - low


@compiled
def read_q6_k(blocks, halves, out, width):
    """d scale (q - 32): 128 bytes of two low nibbles, 64 of four high pairs, 16 signed scales, d."""
    for block in range(blocks.shape[0]):
        scale = halves[np.int64(blocks[block, 208]) | np.int64(blocks[block, 209]) << 8]
        for part in range(16):
            step = scale * np.float32(np.int32(np.int8(blocks[block, 192 + part])))
            side, k, rest = part // 8, part % 8 // 2, 16 * (part % 2)
            byte, shift = 64 * side + 32 * (k % 2) + rest, np.int32(4 * (k // 2))
            pair, pair_shift = 128 + 32 * side + rest, np.int32(2 * k)
            for i in range(width):
                q = (np.int32(blocks[block, byte + i]) >> shift) & np.int32(15)
                q |= ((np.int32(blocks[block, pair + i]) >> pair_shift) & np.int32(3)) << np.int32(4)
                out[block, 16 * part + i] = step * np.float32(q - np.int32(32))


@compiled
def fit_steps(x, top, rounds):
    """Step s >= 0 and low end m >= 0 of each row, so that s q - m with q from 0 to `top` is close to x.

    Starts at the range, widened to hold 0, and some narrower ones; codes and least-squares s and m take turns.
    """
    rows, width = x.shape
    steps, lows = np.empty(rows, np.float32), np.empty(rows, np.float32)
    for row in range(rows):
        least, most, least_error = 0.0, 0.0, np.inf
        for i in range(width):
            least, most = min(least, x[row, i]), max(most, x[row, i])
        steps[row], lows[row] = (most - least) / top, -least
        for start in range(4):
            step, low = (most - least) / (top + 0.3 * start), -least
            for _ in range(rounds):
                if step <= 0:
                    break
                error, sq, sqq, sx, sxq = 0.0, 0.0, 0.0, 0.0, 0.0
                for i in range(width):
                    value = float(x[row, i])
                    q = min(max(np.rint((value + low) / step), 0.0), top)
                    error += (step * q - low - value) ** 2
                    sq += q
                    sqq += q * q
                    sx += value
                    sxq += value * q
                if error < least_error:
                    least_error, steps[row], lows[row] = error, step, low
                spread = width * sqq - sq * sq
                if spread <= 0:
                    break
                step = (width * sxq - sq * sx) / spread
                low = max((step * sq - sx) / width, 0.0)
                if low == 0.0:
                    step = sxq / sqq
    return steps, lows


@compiled
def fit_signed_steps(x, low, high, rounds):
    """Step s of each row, of either sign, so that s q with q from `low` to `high` is close to x."""
    rows, width = x.shape
    steps = np.empty(rows, np.float32)
    for row in range(rows):
        largest, least_error = 0.0, np.inf
        for i in range(width):
            if abs(x[row, i]) > abs(largest):
                largest = float(x[row, i])
        steps[row] = 0
        for start in range(6):
            step = largest / (low - 0.15 * start + 0.3) if start < 5 else largest / high
            for _ in range(rounds):
                if step == 0:
                    break
                error, sqq, sxq = 0.0, 0.0, 0.0
                for i in range(width):
                    q = min(max(np.rint(x[row, i] / step), low), high)
                    error += (step * q - x[row, i]) ** 2
                    sqq += q * q
                    sxq += x[row, i] * q
                if error < least_error:
                    least_error, steps[row] = error, step
                if sqq == 0:
                    break
                step = sxq / sqq
    return steps


@compiled
def fit_level_steps(x, ends, nearest, rounds):
    """Step s of each row, so that s times the nearest of some levels is close to x.

    `ends` are the first and last level; `nearest` has 512 of them, that of i being the one nearest to i / 2 - 127.75.
    """
    rows, width = x.shape
    steps = np.empty(rows, np.float32)
    for row in range(rows):
        largest, least_error = 0.0, np.inf
        for i in range(width):
            if abs(x[row, i]) > abs(largest):
                largest = float(x[row, i])
        steps[row] = 0
        for start in range(6):
            end = ends[0] if start < 3 else ends[1]
            step = largest / (end * (1 - 0.06 * (start % 3)))
            for _ in range(rounds):
                if step == 0:
                    break
                error, sqq, sxq = 0.0, 0.0, 0.0
                for i in range(width):
                    ratio = min(max(x[row, i] / step, -127.5), 127.5)
                    level = float(nearest[int(2 * ratio + 256)])
                    error += (step * level - x[row, i]) ** 2
                    sqq += level * level
                    sxq += x[row, i] * level
                if error < least_error:
                    least_error, steps[row] = error, step
                step = sxq / sqq if sqq > 0 else 0.0
    return steps


@compiled
def codes_of_steps(x, steps, lows, bottom, top):
    """clip(rint((x + low) / step), bottom, top) - bottom of each row: uint8; -bottom where the step is 0."""
    rows, width = x.shape
    codes = np.empty((rows, width), np.uint8)
    for row in range(rows):
        for i in range(width):
            ratio = (x[row, i] + lows[row]) / steps[row] if steps[row] != 0 else np.float32(0)
            codes[row, i] = np.uint8(min(max(np.rint(ratio), bottom), top) - bottom)
    return codes
