"""Symmetric integer quantisation with shared scales."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from archsim.common.errors import InputError
from archsim.formats.names import Format, parse_format
from archsim.formats.nibbles import pack_int4


@dataclass(frozen=True)
class Packed:
    """A quantised matrix.

    Attributes:
        format: of the matrix.
        codes: int8 [rows, columns].
        scales: float16 [rows, groups]; one group per row where the format has none.
    """

    format: Format
    codes: np.ndarray
    scales: np.ndarray

    @property
    def packed(self) -> np.ndarray:
        """The codes as stored: uint8 [rows, format.code_bytes(columns)], of int4 the low nibble first."""
        return pack_int4(self.codes) if self.format.bits == 4 else self.codes.view(np.uint8)

    @property
    def nbytes(self) -> int:
        """Bytes of storage, scales included."""
        rows, columns = self.codes.shape
        return int(rows * self.format.row_bytes(columns))

    @property
    def bits_per_weight(self) -> float:
        """Bits of storage per weight, scales included."""
        return self.format.bits_per_weight(self.codes.shape[1])

    def dequantize(self) -> np.ndarray:
        """float32 [rows, columns]: code x scale."""
        return self.codes.astype(np.float32) * _spread(self.scales, self.format, self.codes.shape[1])


def quantize(weights: np.ndarray, name: str | Format) -> Packed:
    """Round each weight to the nearest code of its group.

    A group's scale is its largest magnitude over the largest code, rounded to float16; codes are
    clip(rint(weight / scale)) with ties to even, and 0 where the scale is 0.

    Args:
        weights: real [rows, columns]; taken as float32.
        name: a format, such as "int4-g128".

    Raises:
        InputError: the format is unknown, the weights are no finite matrix, or a scale does not fit float16.
    """
    form = parse_format(name) if isinstance(name, str) else name
    weights = _checked(weights)
    columns = weights.shape[1]
    starts = np.arange(0, columns, form.group or columns)
    exact = np.maximum.reduceat(np.abs(weights), starts, axis=1) / np.float32(form.maximum)
    if exact.max() > np.finfo(np.float16).max:
        raise InputError(
            f"a scale of {exact.max():.6g} does not fit float16", remedy="divide the weights by a constant"
        )
    scales = exact.astype(np.float16)
    divisor = _spread(scales, form, columns)
    ratio = np.divide(weights, divisor, out=np.zeros_like(weights), where=divisor > 0)
    codes = np.clip(np.rint(ratio), -form.maximum, form.maximum).astype(np.int8)
    return Packed(form, codes, scales)


def _spread(scales: np.ndarray, form: Format, columns: int) -> np.ndarray:
    """The scale of each code: float32 [rows, columns]."""
    return np.repeat(scales.astype(np.float32), form.group or columns, axis=1)[:, :columns]


def _checked(weights: np.ndarray) -> np.ndarray:
    try:
        # what is finite in float64 may be infinite in float32: reported below, not warned about
        with np.errstate(over="ignore"):
            matrix = np.asarray(weights).astype(np.float32)
    except (TypeError, ValueError):
        raise InputError("the weights are no numbers", remedy="give real numbers [rows, columns]") from None
    if matrix.ndim != 2 or not matrix.size:
        raise InputError(f"weights of shape {matrix.shape} are no matrix", remedy="give real numbers [rows, columns]")
    if not np.isfinite(matrix).all():
        row, column = np.argwhere(~np.isfinite(matrix))[0]
        raise InputError(f"weight [{row}, {column}] is {matrix[row, column]}", remedy="give finite float32 numbers")
    return matrix
