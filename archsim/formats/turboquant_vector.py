"""One vector per row in TurboQuant's codes: Zandieh et al., arXiv 2504.19874, algorithms 1 and 2.

With the Hadamard rotation, what algorithm 1 does is defined to the bit, in steps that kernels on xqv take: rotate_rows,
euclidean_lengths, nearest_scaled_levels; back by levels times the stored length, then rotate_rows_back. Every step is
float32. Haar rotations and QJL are products with dense matrices, whose sums have no order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from archsim.formats import qjl
from archsim.formats.packing import pack_bits, packed_bytes, unpack_bits
from archsim.formats.rotation import random_signs, rotation
from archsim.formats.scaled import half
from archsim.formats.sphere_codebook import lloyd_max
from archsim.formats.sphere_loops import euclidean_lengths, nearest_scaled_levels
from archsim.formats.walsh_hadamard import rotate_rows, rotate_rows_back


@dataclass(frozen=True)
class Variant:
    """How vectors are coded.

    Attributes:
        inner_product: one bit of each code is that of a QJL of what the others leave (algorithm 2), so that inner
            products are right on average; otherwise all serve the least squared error (algorithm 1).
        corrected: the length stored is that by which the codes, not their targets, have the vector's own length.
        turn: "hadamard", randomised, where the width is a power of two; or "haar".
        projection: of QJL: "gaussian" or "orthogonal".
        seed: of rotation and projection.
    """

    inner_product: bool = False
    corrected: bool = False
    turn: str = "hadamard"
    projection: str = "gaussian"
    seed: int = 0


@dataclass(frozen=True)
class VectorCodec:
    """Vectors of `width` coordinates with `bits` bits for each, and lengths in float16."""

    bits: int
    width: int
    variant: Variant

    @property
    def code_bits(self) -> int:
        """Bits of an index of the codebook; may be 0 beside a QJL."""
        return self.bits - self.variant.inner_product

    def storage(self) -> dict[str, tuple[int, Any]]:
        """Elements per row, and their type, of each array."""
        arrays: dict[str, tuple[int, Any]] = {}
        if self.code_bits:
            arrays |= {"codes": (packed_bytes(self.width, self.code_bits), np.uint8), "norms": (1, np.float16)}
        if self.variant.inner_product:
            arrays |= {"signs": (packed_bytes(self.width, 1), np.uint8), "residual_norms": (1, np.float16)}
        return arrays

    def encode(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Arrays of contiguous float32 [rows, width].

        Raises:
            InputError: a length is beyond float16.
        """
        arrays = self._encode_codes(x) if self.code_bits else {}
        if self.variant.inner_product:
            rest = x - self._decode_codes(arrays) if arrays else x
            arrays["signs"] = pack_bits(qjl.signs(rest, self._projection()), 1)
            arrays["residual_norms"] = half(euclidean_lengths(rest))
        return arrays

    def decode(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        """float32 [rows, width]."""
        x = self._decode_codes(arrays) if self.code_bits else np.float32(0)
        if self.variant.inner_product:
            bits = unpack_bits(arrays["signs"], 1, self.width)
            rest = qjl.estimate(bits, self._projection(), self.variant.projection)
            x = x + rest * arrays["residual_norms"].astype(np.float32)
        return np.asarray(x)

    def _encode_codes(self, x: np.ndarray) -> dict[str, np.ndarray]:
        lengths, levels = euclidean_lengths(x), self.levels()
        codes = nearest_scaled_levels(self._rotate(x), lengths, levels)
        if self.variant.corrected:
            lengths = lengths / euclidean_lengths(levels[codes])
        return {"codes": pack_bits(codes, self.code_bits), "norms": half(lengths)}

    def _decode_codes(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        turned = self.levels()[unpack_bits(arrays["codes"], self.code_bits, self.width)]
        return self._rotate_back(turned * arrays["norms"].astype(np.float32))

    def levels(self) -> np.ndarray:
        """Of a coordinate of a unit vector: float32 [2**code_bits], ascending."""
        return (lloyd_max(self.code_bits, self.width).levels / sqrt(self.width)).astype(np.float32)

    @property
    def fast(self) -> bool:
        """Whether the rotation is a randomised Hadamard transform."""
        return self.variant.turn == "hadamard" and self.width.bit_count() == 1

    def signs(self) -> np.ndarray:
        """Of the randomised Hadamard transform: float32 [width] of 1 and -1."""
        return random_signs(self.width, self.variant.seed)

    def sign_bits(self) -> np.ndarray:
        """The signs as instruction `qv.flip` reads them: uint8 [ceil(width / 8)], 1 for +1, the first lowest."""
        return np.packbits(self.signs() > 0, bitorder="little")

    def _rotate(self, x: np.ndarray) -> np.ndarray:
        return rotate_rows(x, self.signs()) if self.fast else x @ self._rotation().T

    def _rotate_back(self, y: np.ndarray) -> np.ndarray:
        return rotate_rows_back(y, self.signs()) if self.fast else np.ascontiguousarray(y @ self._rotation())

    def _rotation(self) -> np.ndarray:
        return rotation(self.width, self.variant.turn, self.variant.seed)

    def _projection(self) -> np.ndarray:
        return qjl.projection(self.width, self.variant.projection, self.variant.seed)
