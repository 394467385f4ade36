"""One vector per row in TurboQuant's codes: Zandieh et al., arXiv 2504.19874, algorithms 1 and 2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from archsim.formats import qjl, rounding
from archsim.formats.normal_float import thresholds
from archsim.formats.packing import pack_bits, packed_bytes, unpack_bits
from archsim.formats.planes import pack_planes, plane_bytes, unpack_planes
from archsim.formats.rotation import rotation
from archsim.formats.scaled import half
from archsim.formats.sphere_codebook import lloyd_max


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
            arrays |= {"codes": (plane_bytes(self.width, self.code_bits), np.uint8), "norms": (1, np.float16)}
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
            arrays["residual_norms"] = half(_lengths(rest))
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
        lengths, levels = _lengths(x), self._levels()
        codes = rounding.nearest_levels(x @ self._rotation().T, lengths, thresholds(levels[None]))
        if self.variant.corrected:
            lengths = lengths / _lengths(levels[codes])
        return {"codes": pack_planes(codes, self.code_bits), "norms": half(lengths)}

    def _decode_codes(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        turned = self._levels()[unpack_planes(arrays["codes"], self.code_bits, self.width)]
        return (turned * arrays["norms"].astype(np.float32)) @ self._rotation()

    def _levels(self) -> np.ndarray:
        """Of a coordinate of a unit vector: float32 [2**code_bits]."""
        return (lloyd_max(self.code_bits, self.width).levels / sqrt(self.width)).astype(np.float32)

    def _rotation(self) -> np.ndarray:
        return rotation(self.width, self.variant.turn, self.variant.seed)

    def _projection(self) -> np.ndarray:
        return qjl.projection(self.width, self.variant.projection, self.variant.seed)


def _lengths(x: np.ndarray) -> np.ndarray:
    """Euclidean lengths of rows: float32 [rows, 1]."""
    return np.sqrt(np.square(x, dtype=np.float64).sum(1, keepdims=True)).astype(np.float32)
