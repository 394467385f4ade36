"""Compiled loops of GGUF's blocks of 32, and of its ternary blocks of 256.

x, out: float32 [blocks, 32 or 256]; blocks: uint8 [blocks, bytes]; halves: float32 of each float16 pattern. The length
of inner loops is an argument where it could be a constant: LLVM unrolls short loops of known length, and then finds no
vectors in them.
"""

from __future__ import annotations

import numpy as np

from archsim.formats.compiled import compiled, compiled_without_nan


@compiled
def largest_signed(x, width):
    """The first weight of largest magnitude of each block, with its sign."""
    result = np.empty(x.shape[0], np.float32)
    bits = x.view(np.int32)
    for block in range(x.shape[0]):
        # patterns of positive numbers have their order, those of negative ones the opposite order and lie apart
        positive, negative = np.int32(0), np.int32(-0x80000000)
        for i in range(width):
            positive = max(positive, bits[block, i])
            negative = max(negative, np.int32(bits[block, i] ^ np.int32(-0x80000000)))
        opposite = np.int32(negative & np.int32(0x7FFFFFFF)) if negative >= 0 else np.int32(0)
        largest = np.int32(positive).view(np.float32)
        if opposite > positive:
            largest = -np.int32(opposite).view(np.float32)
        elif opposite == positive:
            for i in range(width):
                if abs(x[block, i]) == largest:
                    largest = x[block, i]
                    break
        result[block] = largest
    return result


@compiled_without_nan
def ranges(x, width):
    """Smallest and largest weight of each block."""
    low, high = np.empty(x.shape[0], np.float32), np.empty(x.shape[0], np.float32)
    for block in range(x.shape[0]):
        least, most = x[block, 0], x[block, 0]
        for i in range(width):
            least = x[block, i] if x[block, i] < least else least
            most = x[block, i] if x[block, i] > most else most
        low[block], high[block] = least, most
    return low, high


@compiled
def truncated_codes(x, low, inverse, offset, top, codes, width):
    """min(int((x - low) x inverse + offset), top), the arithmetic of Q4_0 to Q5_1."""
    for block in range(x.shape[0]):
        least, factor = low[block], inverse[block]
        for i in range(width):
            codes[block, i] = np.uint8(min(np.int32((x[block, i] - least) * factor + offset), top))


@compiled
def truncated_nibbles(x, low, inverse, offset, blocks, first, width):
    """truncated_codes of four bits, packed: byte i takes codes i and i + width."""
    for block in range(x.shape[0]):
        least, factor = low[block], inverse[block]
        left, right = x[block, :width], x[block, width : 2 * width]
        target = blocks[block, first : first + width]
        for i in range(width):
            even = np.int32(min(np.int32((left[i] - least) * factor + offset), np.int32(15)))
            odd = np.int32(min(np.int32((right[i] - least) * factor + offset), np.int32(15)))
            target[i] = np.uint8(even | np.int32(odd << np.int32(4)))


@compiled
def rounded_codes(x, inverse, codes, width):
    """x x inverse rounded to int8, halves away from zero: the arithmetic of Q8_0 and the ternary types."""
    for block in range(x.shape[0]):
        factor = inverse[block]
        for i in range(width):
            value = x[block, i] * factor
            whole = np.int32(abs(value))
            whole += np.int32(abs(value) - np.float32(whole) >= np.float32(0.5))
            codes[block, i] = np.int8(whole if value > 0 else -whole)


@compiled
def pack_nibbles(codes, blocks, first, width):
    """Byte i takes the low nibbles of codes i and i + width."""
    for block in range(codes.shape[0]):
        low, high = codes[block, :width], codes[block, width : 2 * width]
        target = blocks[block, first : first + width]
        for i in range(width):
            four = np.int32(low[i]) & np.int32(15)
            target[i] = np.uint8(np.int32(four) | np.int32(np.int32(high[i]) << np.int32(4)))


@compiled
def pack_fifth_bits(codes, blocks, first):
    """Bit i of a little-endian word is bit 4 of code i. codes: eight to an element, uint64 [blocks, 4]."""
    for block in range(codes.shape[0]):
        for i in range(4):
            ones = (codes[block, i] >> np.uint64(4)) & np.uint64(0x0101010101010101)
            # the product gathers the lowest bit of each byte in the highest byte
            blocks[block, first + i] = np.uint8((ones * np.uint64(0x0102040810204080)) >> np.uint64(56))


@compiled
def pack_trits_two_bits(codes, blocks, width):
    """TQ2_0: byte i of half a block takes codes i, i + 32, i + 64, i + 96, plus 1, in two bits each."""
    for block in range(codes.shape[0]):
        for part in range(2):
            for i in range(width):
                first = 128 * part + i
                low = np.int32(codes[block, first]) + np.int32(codes[block, first + 32]) * np.int32(4)
                high = np.int32(codes[block, first + 64]) + np.int32(codes[block, first + 96]) * np.int32(4)
                # all four plus 1
                blocks[block, 32 * part + i] = np.uint8(np.int32(low) + np.int32(high) * np.int32(16) + np.int32(0x55))


@compiled
def pack_trits_base_three(codes, blocks, code, count, stride, byte):
    """TQ1_0: bytes of 5 or 4 trits `stride` codes apart, the first weighing 81; v is stored as ceil(256 v / 243)."""
    fifth, least = (4 * stride, np.int32(1)) if count == 5 else (0, np.int32(0))
    for block in range(codes.shape[0]):
        source, target = codes[block, code : code + count * stride], blocks[block, byte : byte + stride]
        for i in range(stride):
            high = np.int32(source[i]) * np.int32(81) + np.int32(source[i + stride]) * np.int32(27)
            low = np.int32(source[i + 2 * stride]) * np.int32(9) + np.int32(source[i + 3 * stride]) * np.int32(3)
            last = np.int32(source[i + fifth]) * least
            value = np.int32(np.int32(high) + np.int32(low) + np.int32(last) + np.int32(120) + least)
            # v + ceil(13 v / 243), exact for the 243 values there are
            part = np.int32(np.int32(value * np.int32(877)) + np.int32(16383)) >> np.int32(14)
            target[i] = np.uint8(value + np.int32(part))


@compiled
def read_nibbles(blocks, halves, shift, out, width):
    """Q4_0: d (q - shift). d, then nibbles."""
    for block in range(blocks.shape[0]):
        scale = halves[np.int64(blocks[block, 0]) | np.int64(blocks[block, 1]) << 8]
        nibbles = blocks[block, 2 : 2 + width]
        left, right = out[block, :width], out[block, width : 2 * width]
        for i in range(width):
            left[i] = np.float32(np.int32(np.int32(nibbles[i] & np.uint8(15)) - shift)) * scale
        for i in range(width):
            right[i] = np.float32(np.int32(np.int32(nibbles[i] >> np.uint8(4)) - shift)) * scale


@compiled
def read_nibbles_affine(blocks, halves, out, width):
    """Q4_1: d q + m. d, m, then nibbles."""
    for block in range(blocks.shape[0]):
        scale = halves[np.int64(blocks[block, 0]) | np.int64(blocks[block, 1]) << 8]
        low = halves[np.int64(blocks[block, 2]) | np.int64(blocks[block, 3]) << 8]
        nibbles = blocks[block, 4 : 4 + width]
        left, right = out[block, :width], out[block, width : 2 * width]
        for i in range(width):
            left[i] = np.float32(np.int32(nibbles[i] & np.uint8(15))) * scale + low
        for i in range(width):
            right[i] = np.float32(np.int32(nibbles[i] >> np.uint8(4))) * scale + low


@compiled
def read_five_bits(blocks, halves, ones, at, shift, out, width):
    """Q5_0 and Q5_1: d (q - shift) + m; d, m where at is 4, fifth bits, then nibbles. ones: 1 << i, int32 [32]."""
    for block in range(blocks.shape[0]):
        scale = halves[np.int64(blocks[block, 0]) | np.int64(blocks[block, 1]) << 8]
        low = halves[np.int64(blocks[block, 2]) | np.int64(blocks[block, 3]) << 8] if at == 4 else np.float32(-0.0)
        head, nibbles = blocks[block, at : at + 4], blocks[block, at + 4 : at + 4 + width]
        bits = np.int32(head[0]) | np.int32(head[1]) << 8 | np.int32(head[2]) << 16 | np.int32(head[3]) << 24
        bits = np.int32(bits)
        for i in range(width):
            fifth = np.int32(16) if np.int32(bits & ones[i]) != np.int32(0) else np.int32(0)
            q = np.int32(np.int32(nibbles[i] & np.uint8(15)) | fifth)
            out[block, i] = np.float32(np.int32(q - shift)) * scale + low
        for i in range(width):
            fifth = np.int32(16) if np.int32(bits & ones[i + width]) != np.int32(0) else np.int32(0)
            q = np.int32(np.int32(nibbles[i] >> np.uint8(4)) | fifth)
            out[block, i + width] = np.float32(np.int32(q - shift)) * scale + low


@compiled
def read_bytes(blocks, halves, out, width):
    """Q8_0: d q."""
    for block in range(blocks.shape[0]):
        scale = halves[np.int64(blocks[block, 0]) | np.int64(blocks[block, 1]) << 8]
        for i in range(width):
            out[block, i] = np.float32(np.int32(np.int8(blocks[block, 2 + i]))) * scale


@compiled
def read_nibble_levels(blocks, scales, first, levels, out, width):
    """IQ4_NL and MXFP4: d level[q]; nibbles from byte `first` on. levels: float32 [16]."""
    for block in range(blocks.shape[0]):
        scale = scales[block]
        for i in range(width):
            byte = blocks[block, first + i]
            out[block, i] = levels[byte & 15] * scale
            out[block, i + width] = levels[byte >> 4] * scale


@compiled
def read_trits_two_bits(blocks, halves, out, width):
    """TQ2_0: d (q - 1)."""
    for block in range(blocks.shape[0]):
        scale = halves[np.int64(blocks[block, 64]) | np.int64(blocks[block, 65]) << 8]
        for part in range(2):
            for k in range(4):
                for i in range(width):
                    q = (np.int32(blocks[block, 32 * part + i]) >> np.int32(2 * k)) & np.int32(3)
                    out[block, 128 * part + 32 * k + i] = np.float32(q - np.int32(1)) * scale


@compiled
def read_trits_base_three(blocks, halves, code, count, stride, byte, out):
    """TQ1_0: d (trit - 1); trit k of a byte is the highest one of byte x 3**k modulo 256."""
    for block in range(blocks.shape[0]):
        scale = halves[np.int64(blocks[block, 52]) | np.int64(blocks[block, 53]) << 8]
        source, power = blocks[block, byte : byte + stride], np.int32(1)
        for k in range(count):
            target = out[block, code + stride * k : code + stride * (k + 1)]
            for i in range(stride):
                rest = np.int32(np.int32(np.int32(source[i]) * power) & np.int32(255))
                trit = np.int32(np.int32(rest * np.int32(3)) >> np.int32(8))
                target[i] = np.float32(np.int32(trit - np.int32(1))) * scale
            power = np.int32(power * np.int32(3))
