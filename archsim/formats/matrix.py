"""Weights as they come in: a matrix of finite float32 numbers, or one clear error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from archsim.common.errors import InputError
from archsim.formats.rounding import largest_magnitudes

BLOCK_ELEMENTS = 1 << 18
"""Weights that are worked on at a time: temporaries take a few MB."""
_REMEDY = "give real numbers [rows, columns]"


class Matrix:
    """A matrix whose rows are converted to float32, and checked, when they are asked for.

    Args:
        weights: real [rows, columns].

    Raises:
        InputError: it is no matrix, is empty, or holds no real numbers.
    """

    def __init__(self, weights: Any) -> None:
        try:
            self._values = np.asarray(weights)
        except ValueError:
            raise InputError("the weights are no matrix", remedy=_REMEDY) from None
        if self._values.ndim != 2 or not self._values.size:
            raise InputError(f"weights of shape {self._values.shape} are no matrix", remedy=_REMEDY)
        if not np.can_cast(self._values.dtype, np.float64, "same_kind") and self._values.dtype != object:
            raise InputError("the weights are no numbers", remedy=_REMEDY)

    @property
    def shape(self) -> tuple[int, int]:
        rows, columns = self._values.shape
        return rows, columns

    def rows(self, which: slice) -> np.ndarray:
        """Some rows as contiguous float32.

        Raises:
            InputError: a weight is NaN, infinite or beyond float32.
        """
        try:
            # what is finite in float64 may be infinite in float32: reported below, not warned about
            with np.errstate(over="ignore"):
                block = np.ascontiguousarray(self._values[which], dtype=np.float32)
        except (TypeError, ValueError):
            raise InputError("the weights are no numbers", remedy=_REMEDY) from None
        if not np.isfinite(largest_magnitudes(block.reshape(1, -1), 1)[0, 0]):
            row, column = np.argwhere(~np.isfinite(block))[0]
            place = f"weight [{row + (which.start or 0)}, {column}]"
            raise InputError(f"{place} is {block[row, column]}", remedy="give finite float32 numbers")
        return block

    def blocks(self) -> Iterator[np.ndarray]:
        """All rows, some at a time."""
        return (self.rows(block) for block in row_blocks(*self.shape))

    def whole(self) -> np.ndarray:
        """All rows."""
        return self.rows(slice(None))


def row_blocks(rows: int, columns: int) -> Iterator[slice]:
    """Slices of rows that hold some BLOCK_ELEMENTS."""
    step = max(1, BLOCK_ELEMENTS // columns)
    for start in range(0, rows, step):
        yield slice(start, min(rows, start + step))
