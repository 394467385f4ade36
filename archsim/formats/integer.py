"""Symmetric integer quantisation with shared scales, and packing of four-bit codes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from archsim.common.errors import InputError
from archsim.formats.names import Format, parse_format


@dataclass(frozen=True)
class Packed:
    """A quantised matrix.

    Attributes:
        format: how.
        codes: int8 [rows, columns].
        scales: float16 [rows, groups].
    """

    format: Format
    codes: np.ndarray
    scales: np.ndarray

    @property
    def nbytes(self) -> int:
        """Bytes of storage, scales included."""
        return int(self.codes.shape[0]) * self.format.row_bytes(int(self.codes.shape[1]))

    @property
    def bits_per_weight(self) -> float:
        """Bits of storage per weight, scales included."""
        return self.format.bits_per_weight(int(self.codes.shape[1]))

    def dequantize(self) -> np.ndarray:
        """float32 [rows, columns]: code x scale."""
        columns = self.codes.shape[1]
        group = self.format.group or columns
        scales = np.repeat(self.scales.astype(np.float32), group, axis=1)[:, :columns]
        return self.codes.astype(np.float32) * scales


def quantize(weights: np.ndarray, name: str | Format) -> Packed:
    """Round to nearest in each group: scale = largest magnitude / largest code, as float16.

    Args:
        weights: float [rows, columns].
        name: a format.

    Raises:
        InputError: weights are no finite matrix, or too large for a float16 scale.
    """
    form = parse_format(name) if isinstance(name, str) else name
    weights = np.asarray(weights, np.float32)
    if weights.ndim != 2 or not np.isfinite(weights).all():
        raise InputError(f"weights of shape {weights.shape} are no finite matrix", remedy="give float [rows, columns]")
    rows, columns = weights.shape
    group = form.group or columns
    padded = np.zeros((rows, form.groups(columns) * group), np.float32)
    padded[:, :columns] = weights
    grouped = padded.reshape(rows, -1, group)
    largest = np.abs(grouped).max(axis=2) / form.maximum
    if largest.max(initial=0) > np.finfo(np.float16).max:
        raise InputError("a scale does not fit float16", remedy="scale the weights down")
    scales = largest.astype(np.float16)
    divisor = np.where(scales == 0, 1, scales).astype(np.float32)
    codes = np.clip(np.rint(grouped / divisor[:, :, None]), -form.maximum, form.maximum)
    codes = np.where(scales[:, :, None] == 0, 0, codes)
    return Packed(form, codes.reshape(rows, -1)[:, :columns].astype(np.int8), scales)


def pack_int4(codes: np.ndarray) -> np.ndarray:
    """Codes int8 [rows, columns] to uint8 [rows, ceil(columns / 2)], low nibble first."""
    rows, columns = codes.shape
    even = np.zeros((rows, columns + columns % 2), np.uint8)
    even[:, :columns] = codes.astype(np.uint8) & 15
    return even[:, 0::2] | even[:, 1::2] << 4


def unpack_int4(packed: np.ndarray, columns: int) -> np.ndarray:
    """The inverse of pack_int4: int8 [rows, columns]."""
    rows = packed.shape[0]
    nibbles = np.zeros((rows, 2 * packed.shape[1]), np.uint8)
    nibbles[:, 0::2], nibbles[:, 1::2] = packed & 15, packed >> 4
    return ((nibbles[:, :columns].astype(np.int8) ^ 8) - 8).astype(np.int8)
