"""Four-bit codes, two to a byte, low nibble first."""

from __future__ import annotations

import numpy as np

from archsim.common.errors import InputError


def pack_int4(codes: np.ndarray) -> np.ndarray:
    """Pack codes.

    Args:
        codes: integers of -8 to 7, [rows, columns].

    Returns:
        uint8 [rows, ceil(columns / 2)]; columns 2i and 2i + 1 are the low and high nibble of byte i, and the high
        nibble after an odd last column is 0.

    Raises:
        InputError: a code is out of range.
    """
    if codes.size and (codes.min() < -8 or codes.max() > 7):
        raise InputError(f"codes from {codes.min()} to {codes.max()} are no int4", remedy="give codes from -8 to 7")
    rows, columns = codes.shape
    nibbles = np.zeros((rows, columns + columns % 2), np.uint8)
    nibbles[:, :columns] = codes & 15
    return nibbles[:, 0::2] | nibbles[:, 1::2] << 4


def unpack_int4(packed: np.ndarray, columns: int | None = None) -> np.ndarray:
    """The inverse of pack_int4.

    Args:
        packed: uint8 [rows, bytes].
        columns: codes per row; two per byte unless given.

    Returns:
        int8 [rows, columns].
    """
    rows, nbytes = packed.shape
    nibbles = np.empty((rows, 2 * nbytes), np.uint8)
    nibbles[:, 0::2], nibbles[:, 1::2] = packed & 15, packed >> 4
    # flips the sign bit and takes its weight off: 8..15 become -8..-1
    return ((nibbles ^ 8).astype(np.int8) - np.int8(8))[:, :columns]
