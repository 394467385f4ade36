"""Integers of one to eight bits: symmetric, or with a zero point."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from archsim.formats import rounding
from archsim.formats.family import Family
from archsim.formats.format import Packed, Stored
from archsim.formats.packing import pack_bits, packed_bytes, sign_extend, unpack_bits
from archsim.formats.scaled import ScaledFormat, half, spread
from archsim.formats.scope import GRAMMAR, PATTERN, parse_scope
from archsim.formats.sign import SignFormat

CLIP_RATIOS = np.linspace(1, 0.5, 26, dtype=np.float32)
"""Tried by a clipping search; the first of equals is taken, so that what is on the grid stays there."""


@dataclass(frozen=True)
class IntegerFormat(ScaledFormat):
    """Symmetric integers: code x scale, code from -maximum to maximum.

    The scale is the group's largest magnitude over the largest code, rounded to float16; codes are
    clip(rint(weight / scale)) with ties to even, and 0 where the scale is 0.

    Attributes:
        clip: scales are `CLIP_RATIOS` times as large, whichever gives the group the least squared error.
    """

    clip: bool = False

    @property
    def maximum(self) -> int:
        """Largest code (int8: 127, int4: 7)."""
        return (1 << (self.bits - 1)) - 1

    def fit(self, block: np.ndarray, groups: int) -> dict[str, np.ndarray]:
        exact = rounding.largest_magnitudes(block, groups) / np.float32(self.maximum)
        return self._best(block, [{"scales": half(exact * ratio)} for ratio in self.ratios])

    @property
    def ratios(self) -> np.ndarray:
        return CLIP_RATIOS if self.clip else CLIP_RATIOS[:1]

    @property
    def limits(self) -> tuple[np.float32, np.float32]:
        """Smallest and largest code."""
        return np.float32(-self.maximum), np.float32(self.maximum)

    def _best(self, block: np.ndarray, candidates: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """For each group the arrays that give it the least squared error."""
        best = {name: values.copy() for name, values in candidates[0].items()}
        if len(candidates) == 1:
            return best
        least = self._errors(block, best)
        for candidate in candidates[1:]:
            errors = self._errors(block, candidate)
            better = errors < least
            least = np.where(better, errors, least)
            for name, values in candidate.items():
                best[name][better] = values[better]
        return best

    def _errors(self, block: np.ndarray, fitted: Mapping[str, np.ndarray]) -> np.ndarray:
        scales = spread(fitted["scales"], len(block))
        zeros = fitted.get("zeros", np.zeros(scales.shape)).astype(np.float32)
        return rounding.squared_errors(block, scales, zeros, *self.limits)

    def round(self, block: np.ndarray, fitted: Mapping[str, np.ndarray]) -> np.ndarray:
        scales, zeros = self.scales(fitted, len(block)), self.zeros(fitted, len(block))
        return rounding.round_to_codes(block, scales, zeros, *self.limits).astype(np.uint8)

    def table(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        return sign_extend(np.arange(1 << self.bits, dtype=np.uint8), self.bits).astype(np.float32)[None]

    def read_codes(self, packed: Packed) -> np.ndarray:
        return sign_extend(super().read_codes(packed), self.bits)


@dataclass(frozen=True)
class AsymmetricFormat(IntegerFormat):
    """Integers with a zero point: (code - zero) x scale, code and zero from 0 to 2**bits - 1.

    Of a group's range, widened to hold 0, the scale is its extent over the largest code, rounded to float16, and the
    zero point rint(-lowest / scale), as GPTQ and AWQ do it; zero points take `bits` bits each.
    """

    @property
    def maximum(self) -> int:
        """Largest code."""
        return (1 << self.bits) - 1

    @property
    def limits(self) -> tuple[np.float32, np.float32]:
        return np.float32(0), np.float32(self.maximum)

    def scale_storage(self, rows: int, groups: int) -> dict[str, Stored]:
        zeros = Stored((rows, packed_bytes(groups, self.bits)), np.uint8)
        return {"scales": Stored((rows, groups), np.float16), "zeros": zeros}

    def fit(self, block: np.ndarray, groups: int) -> dict[str, np.ndarray]:
        low, high = rounding.extents(block, groups)
        best = self._best(block, [self._of_range(ratio * low, ratio * high) for ratio in self.ratios])
        return {"scales": best["scales"], "zeros": pack_bits(best["zeros"], self.bits)}

    def _of_range(self, low: np.ndarray, high: np.ndarray) -> dict[str, np.ndarray]:
        # a half each: the extent itself may be beyond float32
        scales = half((high / 2 - low / 2) / np.float32(self.maximum / 2))
        wide = scales.astype(np.float32)
        ratio = np.divide(-low, wide, out=np.zeros_like(low), where=wide > 0)
        return {"scales": scales, "zeros": np.clip(np.rint(ratio), 0, self.maximum).astype(np.uint8)}

    def zeros(self, arrays: Mapping[str, np.ndarray], rows: int) -> np.ndarray:
        return spread(unpack_bits(arrays["zeros"], self.bits, arrays["scales"].shape[1]), rows)

    def table(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        return np.arange(1 << self.bits, dtype=np.float32)[None]

    def read_codes(self, packed: Packed) -> np.ndarray:
        return unpack_bits(packed.packed, self.bits, packed.shape[1])


_NAME = re.compile(rf"int([1-8]){PATTERN}(-asym)?(-clip)?")


def _parse(name: str) -> ScaledFormat | None:
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    bits, scope = int(match[1]), parse_scope(match[2], name)
    if match[3]:
        return AsymmetricFormat(name, bits, scope, bool(match[4]))
    if bits > 1:
        return IntegerFormat(name, bits, scope, bool(match[4]))
    return None if match[4] else SignFormat(name, 1, scope)


_ENDINGS = [f"-{kind}" for kind in ("g128", "g64", "g32", "g256", "channel", "token", "tensor")]
_ENDINGS = ["", *_ENDINGS, "-g128-asym", "-g64-asym", "-g128-clip", "-g128-asym-clip"]
FAMILY = Family(
    f"int1 ... int8 {GRAMMAR} [-asym] [-clip]",
    "integers; -asym: with a zero point; -clip: range searched for the least squared error; int1: signs",
    tuple(f"int{bits}{end}" for bits in (8, 4, 3, 2, 5, 6, 7) for end in _ENDINGS),
    _parse,
)
