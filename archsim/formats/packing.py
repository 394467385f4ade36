"""Codes of one to eight bits, and ternary ones, packed into bytes; compiled loops."""

from __future__ import annotations

import numpy as np

from archsim.common.errors import InputError
from archsim.formats.compiled import compiled


@compiled
def _pack(codes, bits, packed):
    mask = np.uint32((1 << bits) - 1)
    for row in range(codes.shape[0]):
        held, count, at = np.uint32(0), 0, 0
        for column in range(codes.shape[1]):
            held |= (np.uint32(codes[row, column]) & mask) << np.uint32(count)
            count += bits
            if count >= 8:
                packed[row, at] = np.uint8(held & np.uint32(255))
                held >>= np.uint32(8)
                count -= 8
                at += 1
        if count:
            packed[row, at] = np.uint8(held)


@compiled
def _unpack(packed, bits, codes):
    mask = np.uint32((1 << bits) - 1)
    for row in range(codes.shape[0]):
        held, count, at = np.uint32(0), 0, 0
        for column in range(codes.shape[1]):
            if count < bits:
                held |= np.uint32(packed[row, at]) << np.uint32(count)
                count += 8
                at += 1
            codes[row, column] = np.uint8(held & mask)
            held >>= np.uint32(bits)
            count -= bits


@compiled
def _pack_trits(codes, packed):
    for row in range(codes.shape[0]):
        for at in range(packed.shape[1]):
            value = 0
            for column in range(min(codes.shape[1], 5 * at + 5) - 1, 5 * at - 1, -1):
                value = 3 * value + codes[row, column] + 1
            packed[row, at] = value


@compiled
def _unpack_trits(packed, codes):
    for row in range(codes.shape[0]):
        for at in range(packed.shape[1]):
            value = packed[row, at]
            for column in range(5 * at, min(codes.shape[1], 5 * at + 5)):
                codes[row, column] = value % 3 - 1
                value //= 3


def packed_bytes(columns: int, bits: int) -> int:
    """Bytes of a row of codes; the last one is filled with zeros."""
    return -(-columns * bits // 8)


def pack_bits(codes: np.ndarray, bits: int) -> np.ndarray:
    """Pack codes: a row is a little-endian number of `bits` per code, the first code lowest.

    Args:
        codes: int8 or uint8 [rows, columns]; the lowest bits of each are taken.
        bits: 1 to 8.

    Returns:
        uint8 [rows, ceil(columns x bits / 8)].
    """
    packed = np.empty((codes.shape[0], packed_bytes(codes.shape[1], bits)), np.uint8)
    _pack(np.ascontiguousarray(codes).view(np.uint8), bits, packed)
    return packed


def unpack_bits(packed: np.ndarray, bits: int, columns: int) -> np.ndarray:
    """The inverse of pack_bits, without signs: uint8 [rows, columns]."""
    codes = np.empty((packed.shape[0], columns), np.uint8)
    _unpack(np.ascontiguousarray(packed), bits, codes)
    return codes


def sign_extend(codes: np.ndarray, bits: int) -> np.ndarray:
    """Two's complement codes out of unpack_bits as int8."""
    sign = np.uint8(1 << (bits - 1))
    return (codes ^ sign).view(np.int8) - sign.view(np.int8)


def pack_trits(codes: np.ndarray) -> np.ndarray:
    """Pack ternary codes, five to a byte: the sum of (code + 1) x 3**k, the first code lowest.

    Args:
        codes: int8 [rows, columns] of -1, 0 and 1.

    Returns:
        uint8 [rows, ceil(columns / 5)]; what is missing in a last byte counts as 0.
    """
    packed = np.empty((codes.shape[0], -(-codes.shape[1] // 5)), np.uint8)
    _pack_trits(np.ascontiguousarray(codes), packed)
    return packed


def unpack_trits(packed: np.ndarray, columns: int) -> np.ndarray:
    """The inverse of pack_trits: int8 [rows, columns]."""
    codes = np.empty((packed.shape[0], columns), np.int8)
    _unpack_trits(np.ascontiguousarray(packed), codes)
    return codes


def pack_int4(codes: np.ndarray) -> np.ndarray:
    """Pack four-bit codes, two to a byte, low nibble first.

    Args:
        codes: integers of -8 to 7, [rows, columns].

    Returns:
        uint8 [rows, ceil(columns / 2)]; the high nibble after an odd last column is 0.

    Raises:
        InputError: a code is out of range.
    """
    if codes.size and (codes.min() < -8 or codes.max() > 7):
        raise InputError(f"codes from {codes.min()} to {codes.max()} are no int4", remedy="give codes from -8 to 7")
    return pack_bits(codes.astype(np.int8), 4)


def unpack_int4(packed: np.ndarray, columns: int | None = None) -> np.ndarray:
    """The inverse of pack_int4.

    Args:
        packed: uint8 [rows, bytes].
        columns: codes per row; two per byte unless given.

    Returns:
        int8 [rows, columns].
    """
    return sign_extend(unpack_bits(packed, 4, 2 * packed.shape[1] if columns is None else columns), 4)
