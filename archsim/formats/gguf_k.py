"""GGUF's K-quants: blocks of 256, in parts of 16 or 32 whose scales are themselves quantised.

Layouts are llama.cpp's (ggml-common.h). Its quantizers search for scales by rules of their own; ours alternate codes
and least-squares scales from several starts, without weights by importance.
"""

from __future__ import annotations

import numpy as np

from archsim.formats import gguf_super_loops as loops
from archsim.formats.gguf_legacy import Decode, Encode, half_bytes, halves, inverse
from archsim.formats.scaled import half

ROUNDS = 5
"""Of codes and least-squares scales taking turns."""


def _affine(x: np.ndarray, bits: int, parts: int, scale_bits: int) -> tuple[np.ndarray, ...]:
    """Q2_K, Q4_K, Q5_K: d, dmin [blocks, 2 bytes], scales, mins [blocks, parts], codes [blocks, 256]."""
    split = np.ascontiguousarray(x).reshape(len(x) * parts, -1)
    top = np.float64((1 << bits) - 1)
    steps, lows = (fitted.reshape(len(x), parts) for fitted in loops.fit_steps(split, top, ROUNDS))
    most = (1 << scale_bits) - 1
    d, scales = _quantised(steps, most)
    dmin, mins = _quantised(lows, most)
    steps, lows = (d[:, None] * scales).astype(np.float32), (dmin[:, None] * mins).astype(np.float32)
    codes = loops.codes_of_steps(split, steps.ravel(), lows.ravel(), np.float32(0), np.float32(top))
    return half_bytes(d), half_bytes(dmin), scales, mins, codes.reshape(len(x), 256)


def _quantised(values: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """A float16 unit (as float32) of each block, and whole numbers of it from 0 to `most`."""
    unit = half(values.max(axis=1) / np.float32(most)).astype(np.float32)
    return unit, np.clip(np.rint(values * inverse(unit)[:, None]), 0, most).astype(np.uint8)


def _signed(x: np.ndarray, low: int, scale_low: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Q3_K, Q6_K: d [blocks, 2 bytes], scales int16 [blocks, 16] from scale_low on, codes from 0 [blocks, 256]."""
    split = np.ascontiguousarray(x).reshape(len(x) * 16, 16)
    bounds = np.float64(low), np.float64(-low - 1)
    steps = loops.fit_signed_steps(split, *bounds, ROUNDS).reshape(len(x), 16)
    # the largest step becomes scale_low, whose magnitude is one more than that of the other end
    largest = np.take_along_axis(steps, np.abs(steps).argmax(axis=1, keepdims=True), axis=1)[:, 0]
    d = half(largest / np.float32(scale_low)).astype(np.float32)
    scales = np.clip(np.rint(steps * inverse(d)[:, None]), scale_low, -scale_low - 1).astype(np.int16)
    effective = (d[:, None] * scales).astype(np.float32).ravel()
    codes = loops.codes_of_steps(split, effective, np.zeros_like(effective), *map(np.float32, bounds))
    return half_bytes(d), scales, codes.reshape(len(x), 256)


def _pairs(codes: np.ndarray) -> np.ndarray:
    """Low two bits of four codes 32 apart in a byte: uint8 [blocks, 64]."""
    four = codes.reshape(-1, 2, 4, 32) & np.uint8(3)
    shifted = four << np.array([0, 2, 4, 6], np.uint8)[:, None]
    return np.bitwise_or.reduce(shifted, axis=2).reshape(-1, 64)


def _bit_planes(bits: np.ndarray) -> np.ndarray:
    """Bit k of byte i is that of code 32 k + i: uint8 [blocks, 32]."""
    planes = bits.reshape(-1, 8, 32) << np.arange(8, dtype=np.uint8)[:, None]
    return np.bitwise_or.reduce(planes, axis=1)


def _nibbles(codes: np.ndarray) -> np.ndarray:
    """Two codes 32 apart in a byte: uint8 [blocks, 128]."""
    two = codes.reshape(-1, 4, 2, 32) & np.uint8(15)
    return (two[:, :, 0] | two[:, :, 1] << np.uint8(4)).reshape(-1, 128)


def _six_bit_pairs(scales: np.ndarray, mins: np.ndarray) -> np.ndarray:
    """Eight scales and mins of 6 bits in 12 bytes: the last four lend their high bits to the first eight bytes."""
    first = scales[:, :4] | (scales[:, 4:] >> np.uint8(4)) << np.uint8(6)
    second = mins[:, :4] | (mins[:, 4:] >> np.uint8(4)) << np.uint8(6)
    third = (scales[:, 4:] & np.uint8(15)) | (mins[:, 4:] & np.uint8(15)) << np.uint8(4)
    return np.concatenate([first, second, third], axis=1)


def _encode_q2_k(x: np.ndarray) -> np.ndarray:
    d, dmin, scales, mins, codes = _affine(x, 2, 16, 4)
    return np.concatenate([scales | mins << np.uint8(4), _pairs(codes), d, dmin], axis=1)


def _encode_q3_k(x: np.ndarray) -> np.ndarray:
    d, scales, codes = _signed(x, -4, -32)
    six = (scales + 32).astype(np.uint8)
    low = (six[:, :8] & np.uint8(15)) | (six[:, 8:] & np.uint8(15)) << np.uint8(4)
    high = (six >> np.uint8(4)).reshape(-1, 4, 4) << np.array([0, 2, 4, 6], np.uint8)[:, None]
    scale_bytes = np.concatenate([low, np.bitwise_or.reduce(high, axis=1)], axis=1)
    return np.concatenate([_bit_planes(codes >> np.uint8(2)), _pairs(codes), scale_bytes, d], axis=1)


def _encode_q4_k(x: np.ndarray) -> np.ndarray:
    d, dmin, scales, mins, codes = _affine(x, 4, 8, 6)
    return np.concatenate([d, dmin, _six_bit_pairs(scales, mins), _nibbles(codes)], axis=1)


def _encode_q5_k(x: np.ndarray) -> np.ndarray:
    d, dmin, scales, mins, codes = _affine(x, 5, 8, 6)
    fifth = _bit_planes(codes >> np.uint8(4))
    return np.concatenate([d, dmin, _six_bit_pairs(scales, mins), fifth, _nibbles(codes)], axis=1)


def _encode_q6_k(x: np.ndarray) -> np.ndarray:
    d, scales, codes = _signed(x, -32, -128)
    quarters = codes.reshape(-1, 2, 2, 64) & np.uint8(15)
    low = (quarters[:, :, 0] | quarters[:, :, 1] << np.uint8(4)).reshape(-1, 128)
    return np.concatenate([low, _pairs(codes >> np.uint8(4)), scales.astype(np.int8).view(np.uint8), d], axis=1)


CODECS: dict[str, tuple[Encode, Decode]] = {
    "q2_k": (_encode_q2_k, lambda blocks, out: loops.read_q2_k(blocks, halves(), out, 16)),
    "q3_k": (_encode_q3_k, lambda blocks, out: loops.read_q3_k(blocks, halves(), out, 16)),
    "q4_k": (_encode_q4_k, lambda blocks, out: loops.read_q4_k(blocks, halves(), out, 32)),
    "q5_k": (_encode_q5_k, lambda blocks, out: loops.read_q5_k(blocks, halves(), out, 32)),
    "q6_k": (_encode_q6_k, lambda blocks, out: loops.read_q6_k(blocks, halves(), out, 16)),
}
"""As gguf_legacy.CODECS."""
