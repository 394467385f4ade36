"""Floating-point numbers of four to eight bits: FP8, FP6, FP4."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from archsim.formats import rounding
from archsim.formats.family import Family
from archsim.formats.format import Stored
from archsim.formats.scaled import CodedFormat, ScaledFormat
from archsim.formats.scope import GRAMMAR, PATTERN, Scope, parse_scope


@dataclass(frozen=True)
class MiniFloat:
    """A small floating-point type: sign, exponent, mantissa; an exponent of 0 means subnormal.

    Attributes:
        bias: of the exponent.
        top: code of the largest finite magnitude.
        special: what the codes above `top` are, from top + 1 on; empty where there are none.
    """

    exponent_bits: int
    mantissa_bits: int
    bias: int
    top: int
    special: tuple[float, ...] = ()

    @property
    def bits(self) -> int:
        return 1 + self.exponent_bits + self.mantissa_bits

    @property
    def maximum(self) -> float:
        """Largest finite magnitude."""
        return float(self.levels()[self.top])

    @property
    def largest_exponent(self) -> int:
        """Exponent of the largest finite power of two: emax of the OCP MX specification."""
        return (self.top >> self.mantissa_bits) - self.bias

    @cache  # noqa: B019 - there are six
    def levels(self) -> np.ndarray:
        """The value of each code: float32 [2**bits]."""
        codes = np.arange(1 << (self.bits - 1))
        exponent, mantissa = codes >> self.mantissa_bits, codes & ((1 << self.mantissa_bits) - 1)
        normal = exponent > 0
        significand = mantissa + normal * (1 << self.mantissa_bits)
        power = np.maximum(exponent, 1) - self.bias - self.mantissa_bits
        values = np.ldexp(significand.astype(np.float32), power.astype(np.int32))
        values[self.top + 1 :] = self.special
        return np.concatenate([values, -values]).astype(np.float32)

    def encode(self, values: np.ndarray, scales: np.ndarray | None = None) -> np.ndarray:
        """Codes of values / scales: ties to even; what is too large becomes the largest finite number.

        Args:
            values: finite float32 [rows, columns].
            scales: float32 [rows, groups]; a scale of 0 divides nothing, as no scales do.

        Returns:
            uint8 [rows, columns].
        """
        divisors = np.zeros((len(values), 1), np.float32) if scales is None else scales
        return rounding.round_to_floats(values, divisors, self.exponent_bits, self.mantissa_bits, self.bias, self.top)


_NAN = float("nan")
MINIFLOATS = {
    # OCP 8-bit Floating Point Specification 1.0, table 1
    "fp8-e4m3": MiniFloat(4, 3, 7, 0x7E, (_NAN,)),
    "fp8-e5m2": MiniFloat(5, 2, 15, 0x7B, (float("inf"), _NAN, _NAN, _NAN)),
    # OCP Microscaling Formats 1.0, section 5.3
    "fp6-e3m2": MiniFloat(3, 2, 3, 0x1F),
    "fp6-e2m3": MiniFloat(2, 3, 1, 0x1F),
    "fp4-e2m1": MiniFloat(2, 1, 1, 0x7),
}


@dataclass(frozen=True)
class MiniFloatFormat(ScaledFormat):
    """Small floating-point numbers times a float32 scale: largest magnitude over the type's largest."""

    element: MiniFloat

    def scale_storage(self, rows: int, groups: int) -> dict[str, Stored]:
        return {"scales": Stored((rows, groups), np.float32)}

    def fit(self, block: np.ndarray, groups: int) -> dict[str, np.ndarray]:
        return {"scales": rounding.largest_magnitudes(block, groups) / np.float32(self.element.maximum)}

    def round(self, block: np.ndarray, fitted: Mapping[str, np.ndarray]) -> np.ndarray:
        return self.element.encode(block, self.scales(fitted, len(block)))

    def table(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        return self.element.levels()[None]


@dataclass(frozen=True)
class MiniFloatCast(CodedFormat):
    """Small floating-point numbers without a scale; what is too large becomes the largest."""

    element: MiniFloat

    def scale_storage(self, rows: int, groups: int) -> dict[str, Stored]:
        return {}

    def fit_rows(self, block: np.ndarray, shared: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {}

    def round(self, block: np.ndarray, fitted: Mapping[str, np.ndarray]) -> np.ndarray:
        return self.element.encode(block)

    def table(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        return self.element.levels()[None]

    def scales(self, arrays: Mapping[str, np.ndarray], rows: int) -> np.ndarray:
        return np.ones((rows, 1), np.float32)

    def zeros(self, arrays: Mapping[str, np.ndarray], rows: int) -> np.ndarray:
        return np.zeros((rows, 1), np.float32)


_NAME = re.compile(rf"({'|'.join(MINIFLOATS)})(?:(-cast)|{PATTERN})")


def _parse(name: str) -> CodedFormat | None:
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    element = MINIFLOATS[match[1]]
    if match[2]:
        return MiniFloatCast(name, element.bits, Scope("none"), element)
    return MiniFloatFormat(name, element.bits, parse_scope(match[3], name), element)


FAMILY = Family(
    f"fp8-e4m3 | fp8-e5m2 | fp6-e3m2 | fp6-e2m3 | fp4-e2m1 {GRAMMAR} | -cast",
    "small floating point with float32 scales; -cast: without any",
    tuple(f"{kind}{end}" for kind in MINIFLOATS for end in ("", "-channel", "-tensor", "-g32", "-g128", "-cast")),
    _parse,
)
