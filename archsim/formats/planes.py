"""Codes in bit planes: no code lies across bytes, so that a few shifts and masks unpack many at once.

A code of three bits is stored as a plane of its two lower bits, four to a byte, and behind it a plane of its upper bit,
eight to a byte; one of five bits as four and one.
"""

from __future__ import annotations

import numpy as np

from archsim.formats.packing import pack_bits, packed_bytes, unpack_bits


def plane_widths(bits: int) -> tuple[int, ...]:
    """Bits of the planes of codes of so many bits (0 to 8), the lowest first."""
    return tuple(width for width in (8, 4, 2, 1) if bits & width)


def plane_bytes(columns: int, bits: int) -> int:
    """Bytes of a row of codes; each plane takes whole bytes."""
    return sum(packed_bytes(columns, width) for width in plane_widths(bits))


def pack_planes(codes: np.ndarray, bits: int) -> np.ndarray:
    """Pack uint8 [rows, columns] into uint8 [rows, plane_bytes]."""
    planes, shift = [np.empty((len(codes), 0), np.uint8)], 0
    for width in plane_widths(bits):
        planes.append(pack_bits(codes >> np.uint8(shift), width))
        shift += width
    return np.concatenate(planes, axis=1)


def unpack_planes(packed: np.ndarray, bits: int, columns: int) -> np.ndarray:
    """The inverse of pack_planes: uint8 [rows, columns]."""
    codes = np.zeros((len(packed), columns), np.uint8)
    at = shift = 0
    for width in plane_widths(bits):
        nbytes = packed_bytes(columns, width)
        codes |= unpack_bits(packed[:, at : at + nbytes], width, columns) << np.uint8(shift)
        at, shift = at + nbytes, shift + width
    return codes
