"""GGUF's blocks of 32, Q4_0 to Q8_0, IQ4_NL and MXFP4, and its ternary blocks TQ1_0 and TQ2_0.

Arithmetic and layout are those of llama.cpp's reference quantizers (ggml-quants.c) as the `gguf` package has them, so
that bytes are the same. IQ4_NL has no reference there: its scale is searched.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from archsim.formats import gguf_loops as loops
from archsim.formats import gguf_super_loops, rounding
from archsim.formats.normal_float import thresholds
from archsim.formats.scaled import half

Encode = Callable[[np.ndarray], np.ndarray]
Decode = Callable[[np.ndarray, np.ndarray], None]
IQ4_NL_LEVELS = np.array([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], np.float32)
"""llama.cpp, ggml-common.h, kvalues_iq4nl."""
_MXFP4_LEVELS = np.array([0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12], np.float32)
"""Twice the E2M1 numbers; scales are half as large, and code 8 is 0, not -0."""
LEVEL_ROUNDS = 4
_ONES = (np.uint32(1) << np.arange(32, dtype=np.uint32)).view(np.int32)


@cache
def halves() -> np.ndarray:
    """The value of each float16 pattern: float32 [65536]."""
    return np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)


def half_bytes(scales: np.ndarray) -> np.ndarray:
    """float16 as stored: uint8 [blocks, 2]."""
    return half(scales).view(np.uint8).reshape(-1, 2)


def inverse(scales: np.ndarray) -> np.ndarray:
    """1 / scale, and 0 where that is beyond float32, and float16 has 0 for the scale."""
    return np.divide(np.float32(1), scales, out=np.zeros_like(scales), where=np.abs(scales) > 2.0**-127)


def _encode_symmetric(x: np.ndarray, bits: int) -> np.ndarray:
    """Q4_0, Q5_0: the weight of largest magnitude becomes the lowest code."""
    middle = 1 << (bits - 1)
    scales = loops.largest_signed(x, 32) / np.float32(-middle)
    return _encode(x, np.zeros_like(scales), scales, middle + 0.5, [half_bytes(scales)], bits)


def _encode_affine(x: np.ndarray, bits: int) -> np.ndarray:
    """Q4_1, Q5_1: lowest weight and step."""
    low, high = loops.ranges(x, 32)
    scales = (high - low) / np.float32((1 << bits) - 1)
    # which of +0 and -0 is the lowest depends on the order of comparisons: +0 is written
    return _encode(x, low, scales, 0.5, [half_bytes(scales), half_bytes(low + np.float32(0))], bits)


def _encode(
    x: np.ndarray, low: np.ndarray, scales: np.ndarray, offset: float, heads: list[np.ndarray], bits: int
) -> np.ndarray:
    """Heads and codes int((x - low) / scale + offset)."""
    if bits == 4:
        blocks = _blocks(heads, 16)
        loops.truncated_nibbles(x, low, inverse(scales), np.float32(offset), blocks, 2 * len(heads), 16)
        return blocks
    blocks, codes = _blocks(heads, 20), np.empty(x.shape, np.uint8)
    loops.truncated_codes(x, low, inverse(scales), np.float32(offset), np.int32(31), codes, 32)
    loops.pack_fifth_bits(codes.view(np.uint64), blocks, 2 * len(heads))
    loops.pack_nibbles(codes, blocks, 2 * len(heads) + 4, 16)
    return blocks


def _blocks(heads: list[np.ndarray], rest: int) -> np.ndarray:
    """Blocks that start with these float16, with room for so many bytes."""
    blocks = np.empty((len(heads[0]), 2 * len(heads) + rest), np.uint8)
    for at, head in enumerate(heads):
        # pairs of bytes at a time
        blocks.view(np.uint16)[:, at] = head.view(np.uint16)[:, 0]
    return blocks


def _encode_bytes(x: np.ndarray) -> np.ndarray:
    """Q8_0."""
    scales = rounding.largest_magnitudes(x, 1)[:, 0] / np.float32(127)
    blocks = _blocks([half_bytes(scales)], 32)
    loops.rounded_codes(x, inverse(scales), blocks[:, 2:].view(np.int8), 32)
    return blocks


def _trits(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scale, the largest magnitude, as stored, and codes."""
    scales = rounding.largest_magnitudes(x, 1)[:, 0]
    codes = np.empty(x.shape, np.int8)
    loops.rounded_codes(x, inverse(scales), codes, 256)
    return half_bytes(scales), codes


def _encode_tq1_0(x: np.ndarray) -> np.ndarray:
    blocks = np.empty((len(x), 54), np.uint8)
    blocks[:, 52:], codes = _trits(x)
    for code, count, stride, byte in _TQ1_0_PARTS:
        loops.pack_trits_base_three(codes, blocks, code, count, stride, byte)
    return blocks


def _encode_tq2_0(x: np.ndarray) -> np.ndarray:
    blocks = np.empty((len(x), 66), np.uint8)
    blocks[:, 64:], codes = _trits(x)
    loops.pack_trits_two_bits(codes, blocks, 32)
    return blocks


_TQ1_0_PARTS = ((0, 5, 32, 0), (160, 5, 16, 32), (240, 4, 4, 48))
"""Of a block of TQ1_0: first code, codes in a byte, distance of these (and number of bytes), first byte."""


def _decode_tq1_0(blocks: np.ndarray, out: np.ndarray) -> None:
    for code, count, stride, byte in _TQ1_0_PARTS:
        loops.read_trits_base_three(blocks, halves(), code, count, stride, byte, out)


def _encode_iq4_nl(x: np.ndarray) -> np.ndarray:
    between = thresholds(IQ4_NL_LEVELS[None])
    # thresholds are multiples of 1/2
    nearest = IQ4_NL_LEVELS[np.searchsorted(between[0], np.arange(512) / 2 - 127.75)]
    ends = IQ4_NL_LEVELS[[0, -1]]
    scales = half(gguf_super_loops.fit_level_steps(x, ends, nearest, LEVEL_ROUNDS)).astype(np.float32)
    ratios = x * inverse(scales)[:, None]
    codes = rounding.nearest_levels(ratios, np.ones((len(x), 1), np.float32), between)
    blocks = _blocks([half_bytes(scales)], 16)
    loops.pack_nibbles(codes, blocks, 2, 16)
    return blocks


def _decode_iq4_nl(blocks: np.ndarray, out: np.ndarray) -> None:
    scales = halves()[np.ascontiguousarray(blocks[:, :2]).view(np.uint16)[:, 0]]
    loops.read_nibble_levels(blocks, scales, 2, IQ4_NL_LEVELS, out, 16)


def _half_powers(exponents: np.ndarray) -> np.ndarray:
    """2**(e - 128) of E8M0 codes."""
    return np.ldexp(np.float32(1), exponents.astype(np.int32) - 128)


def _encode_mxfp4(x: np.ndarray) -> np.ndarray:
    """Ties go toward zero, and a largest magnitude a rounding error below a power of two counts as that power."""
    largest = rounding.largest_magnitudes(x, 1)[:, 0]
    logarithm = np.log2(largest, out=np.zeros_like(largest), where=largest > 0)
    exponents = np.where(largest > 0, np.clip(np.floor(logarithm) + 125, 0, 254), 0).astype(np.uint8)
    scales = _half_powers(exponents)[:, None]
    codes = rounding.nearest_levels(np.abs(x), scales, thresholds(_MXFP4_LEVELS[None, :8]))
    codes |= ((x < 0) & (codes > 0)).view(np.uint8) << np.uint8(3)
    blocks = np.empty((len(x), 17), np.uint8)
    blocks[:, 0] = exponents
    loops.pack_nibbles(codes, blocks, 1, 16)
    return blocks


def _decode_mxfp4(blocks: np.ndarray, out: np.ndarray) -> None:
    loops.read_nibble_levels(blocks, _half_powers(blocks[:, 0]), 1, _MXFP4_LEVELS, out, 16)


CODECS: dict[str, tuple[Encode, Decode]] = {
    "q4_0": (
        lambda x: _encode_symmetric(x, 4),
        lambda blocks, out: loops.read_nibbles(blocks, halves(), np.int32(8), out, 16),
    ),
    "q4_1": (
        lambda x: _encode_affine(x, 4),
        lambda blocks, out: loops.read_nibbles_affine(blocks, halves(), out, 16),
    ),
    "q5_0": (
        lambda x: _encode_symmetric(x, 5),
        lambda blocks, out: loops.read_five_bits(blocks, halves(), _ONES, 2, np.int32(16), out, 16),
    ),
    "q5_1": (
        lambda x: _encode_affine(x, 5),
        lambda blocks, out: loops.read_five_bits(blocks, halves(), _ONES, 4, np.int32(0), out, 16),
    ),
    "q8_0": (_encode_bytes, lambda blocks, out: loops.read_bytes(blocks, halves(), out, 32)),
    "iq4_nl": (_encode_iq4_nl, _decode_iq4_nl),
    "tq1_0": (_encode_tq1_0, _decode_tq1_0),
    "tq2_0": (_encode_tq2_0, lambda blocks, out: loops.read_trits_two_bits(blocks, halves(), out, 32)),
    "gguf-mxfp4": (_encode_mxfp4, _decode_mxfp4),
}
"""How blocks are written and read: x, out are float32 [blocks, weights]; blocks uint8 [blocks, bytes]."""
