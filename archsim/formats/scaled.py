"""Formats of one code per weight, whose level is multiplied by a scale of its group, row or tensor."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from archsim.common.errors import InputError
from archsim.formats import rounding
from archsim.formats.cast import to_float16
from archsim.formats.format import Format, Packed, Stored
from archsim.formats.matrix import Matrix
from archsim.formats.packing import pack_bits, packed_bytes, unpack_bits
from archsim.formats.scope import Scope


@dataclass(frozen=True)
class CodedFormat(Format):
    """Codes of `bits` bits, and what they are read by.

    Attributes:
        sharing: what shares a scale.
    """

    name: str
    bits: int
    sharing: Scope

    @property
    def scope(self) -> str:
        """What shares a scale: "group", "channel", "token", "tensor", and "row" where the name leaves it open."""
        return self.sharing.kind

    @property
    def group(self) -> int:
        """Consecutive codes of a row that share a scale; 0 where a row or the tensor does."""
        return self.sharing.group

    def storage(self, rows: int, columns: int) -> dict[str, Stored]:
        codes = Stored((rows, self.code_bytes(columns)), np.uint8)
        return {"codes": codes, **self.scale_storage(*self.sharing.scale_shape(rows, columns))}

    def code_bytes(self, columns: int) -> int:
        """Bytes of the codes of a row; a part of a byte at the end takes a whole one."""
        return packed_bytes(columns, self.bits)

    def scale_storage(self, rows: int, groups: int) -> dict[str, Stored]:
        """The arrays beside the codes."""
        return {"scales": Stored((rows, groups), np.float16)}

    def encode(self, block: np.ndarray, shared: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        own = self.fit_rows(block, shared)
        return {"codes": self.pack(self.round(block, {**shared, **own})), **own}

    def decode(self, arrays: Mapping[str, np.ndarray], out: np.ndarray) -> None:
        codes = unpack_bits(arrays["codes"], self.bits, out.shape[1])
        rounding.look_up(codes, self.table(arrays), self.scales(arrays, len(out)), self.zeros(arrays, len(out)), out)

    def read_codes(self, packed: Packed) -> np.ndarray:
        return unpack_bits(packed.packed, self.bits, packed.shape[1])

    def pack(self, codes: np.ndarray) -> np.ndarray:
        """Codes as stored."""
        return pack_bits(codes, self.bits)

    def scales(self, arrays: Mapping[str, np.ndarray], rows: int) -> np.ndarray:
        """Scales as float32 [rows, groups]."""
        return spread(arrays["scales"], rows)

    def zeros(self, arrays: Mapping[str, np.ndarray], rows: int) -> np.ndarray:
        """Zero points as float32 [rows, groups]."""
        return np.zeros((rows, arrays["scales"].shape[1]), np.float32)

    @abstractmethod
    def fit_rows(self, block: np.ndarray, shared: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The arrays beside the codes that some rows have of their own."""

    @abstractmethod
    def round(self, block: np.ndarray, fitted: Mapping[str, np.ndarray]) -> np.ndarray:
        """Codes of some rows, int8 or uint8."""

    @abstractmethod
    def table(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        """The level of each code before scaling: float32 [rows or 1, 2**bits]."""


@dataclass(frozen=True)
class ScaledFormat(CodedFormat):
    """Codes whose scales follow from the weights that share them, be that a group or the whole tensor."""

    @property
    def shared(self) -> frozenset[str]:
        return frozenset(self.scale_storage(1, 1)) if self.scope == "tensor" else frozenset()

    def learn(self, matrix: Matrix) -> dict[str, np.ndarray]:
        return self.fit(matrix.whole().reshape(1, -1), 1) if self.scope == "tensor" else {}

    def fit_rows(self, block: np.ndarray, shared: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {} if shared else self.fit(block, self.sharing.groups(block.shape[1]))

    @abstractmethod
    def fit(self, block: np.ndarray, groups: int) -> dict[str, np.ndarray]:
        """The arrays beside the codes, of some rows in so many groups each."""


def spread(values: np.ndarray, rows: int) -> np.ndarray:
    """An array of [rows or 1, groups] as contiguous float32 [rows, groups]."""
    return np.ascontiguousarray(np.broadcast_to(values.astype(np.float32), (rows, values.shape[1])))


def half(scales: np.ndarray) -> np.ndarray:
    """Scales, or levels, rounded to float16.

    Raises:
        InputError: one is beyond float16.
    """
    rounded, fits = to_float16(scales)
    if not fits:
        largest = np.abs(scales).max()
        raise InputError(f"a scale of {largest:.6g} does not fit float16", remedy="divide the weights by a constant")
    return rounded
