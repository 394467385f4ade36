"""What every number format offers, and what quantising gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

import numpy as np

from archsim.common.errors import InputError
from archsim.formats.matrix import Matrix, row_blocks


class Stored(NamedTuple):
    """Shape and element type of an array as stored."""

    shape: tuple[int, ...]
    dtype: Any

    @property
    def nbytes(self) -> int:
        return prod(self.shape) * np.dtype(self.dtype).itemsize


class Format(ABC):
    """How a matrix of weights [rows, columns] is stored. Rows are output channels, or tokens of a cache.

    Attributes:
        name: as written.
        bits: of a code.
    """

    name: str
    bits: int

    @abstractmethod
    def storage(self, rows: int, columns: int) -> dict[str, Stored]:
        """The arrays that hold a matrix, by name; all but the shared ones have `rows` rows.

        Raises:
            InputError: the format cannot hold rows of so many columns.
        """

    @property
    def shared(self) -> frozenset[str]:
        """Names of arrays that all rows share."""
        return frozenset()

    def learn(self, matrix: Matrix) -> dict[str, np.ndarray]:
        """The shared arrays of a matrix."""
        return {}

    @abstractmethod
    def encode(self, block: np.ndarray, shared: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The arrays of some rows: finite float32 [rows, columns]."""

    @abstractmethod
    def decode(self, arrays: Mapping[str, np.ndarray], out: np.ndarray) -> None:
        """Values of some rows into contiguous float32 `out` [rows, columns]; `arrays` has the shared ones whole."""

    @abstractmethod
    def read_codes(self, packed: Packed) -> np.ndarray:
        """Codes one by one [rows, columns].

        Raises:
            InputError: the format has no codes of their own.
        """

    def nbytes(self, rows: int, columns: int) -> int:
        """Bytes of storage, scales and tables included."""
        return sum(stored.nbytes for stored in self.storage(rows, columns).values())

    def bits_per_weight(self, rows: int, columns: int) -> float:
        """Bits of storage per weight, scales and tables included."""
        return 8 * self.nbytes(rows, columns) / (rows * columns)

    def quantize(self, weights: Any) -> Packed:
        """Quantise a matrix, some rows at a time.

        Args:
            weights: real [rows, columns]; taken as float32.

        Raises:
            InputError: the weights are no finite matrix, or do not fit the format.
        """
        matrix = Matrix(weights)
        rows, columns = matrix.shape
        arrays = {name: np.empty(*stored) for name, stored in self.storage(rows, columns).items()}
        shared = self.learn(matrix)
        for name, values in shared.items():
            arrays[name][...] = values
        for block in row_blocks(rows, columns):
            for name, values in self.encode(matrix.rows(block), shared).items():
                arrays[name][block] = values
        return Packed(self, matrix.shape, arrays)

    def dequantize(self, packed: Packed, out: np.ndarray | None = None) -> np.ndarray:
        """float32 [rows, columns], into `out` where given.

        Raises:
            InputError: `out` is of another shape or type.
        """
        values = np.empty(packed.shape, np.float32) if out is None else out
        if values.shape != packed.shape or values.dtype != np.float32:
            raise InputError(f"out is no float32 array of shape {packed.shape}", remedy="make it one, or leave it out")
        for block in row_blocks(*packed.shape):
            parts = {n: a if n in self.shared else a[block] for n, a in packed.arrays.items()}
            target = values[block]
            contiguous = target if target.flags.c_contiguous else np.empty(target.shape, np.float32)
            self.decode(parts, contiguous)
            if contiguous is not target:
                target[...] = contiguous
        return values


@dataclass(frozen=True, eq=False)
class Packed:
    """A quantised matrix.

    Attributes:
        format: of the matrix.
        shape: rows, columns.
        arrays: as stored, by the names of `format.storage`.
    """

    format: Format
    shape: tuple[int, int]
    arrays: Mapping[str, np.ndarray]

    @property
    def nbytes(self) -> int:
        """Bytes of storage, scales and tables included."""
        return sum(array.nbytes for array in self.arrays.values())

    @property
    def bits_per_weight(self) -> float:
        """Bits of storage per weight, scales and tables included."""
        return 8 * self.nbytes / prod(self.shape)

    @property
    def packed(self) -> np.ndarray:
        """The codes as stored: uint8 [rows, bytes]; of GGUF types, the blocks."""
        return self.arrays["codes"]

    @property
    def codes(self) -> np.ndarray:
        """Codes one by one: int8 or uint8 [rows, columns]; of plain floating point, the numbers or their patterns.

        Raises:
            InputError: they lie in blocks with the scales.
        """
        return self.format.read_codes(self)

    @property
    def scales(self) -> np.ndarray:
        """Scales as stored: [rows, groups], or [1, 1] of a format with one per tensor.

        Raises:
            InputError: the format has none, or they lie in blocks with the codes.
        """
        if "scales" not in self.arrays:
            raise InputError(
                f"format {self.format.name!r} has no array of scales", remedy=f"it has {', '.join(self.arrays)}"
            )
        return self.arrays["scales"]

    def dequantize(self, out: np.ndarray | None = None) -> np.ndarray:
        """float32 [rows, columns], into `out` where given."""
        return self.format.dequantize(self, out)
