"""Binary and ternary weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from archsim.formats import rounding
from archsim.formats.family import Family
from archsim.formats.format import Packed
from archsim.formats.packing import pack_trits, unpack_trits
from archsim.formats.scaled import ScaledFormat, half
from archsim.formats.scope import GRAMMAR, PATTERN, parse_scope

TERNARY_THRESHOLD = 0.7
"""Times the mean magnitude: smaller weights have no part in the scale.

Li and Liu, Ternary Weight Networks, 2016, eq. 6.
"""


@dataclass(frozen=True)
class SignFormat(ScaledFormat):
    """+scale (bit 1) or -scale (bit 0), the scale being the mean magnitude, which is the least-squares one.

    Rastegari et al., XNOR-Net, 2016, eq. 6. Zero counts as positive.
    """

    def fit(self, block: np.ndarray, groups: int) -> dict[str, np.ndarray]:
        return {"scales": half(_grouped(np.abs(block), groups).mean(axis=2, dtype=np.float64))}

    def round(self, block: np.ndarray, fitted: Mapping[str, np.ndarray]) -> np.ndarray:
        return (block >= 0).view(np.uint8)

    def table(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        return np.array([[-1, 1]], np.float32)

    def read_codes(self, packed: Packed) -> np.ndarray:
        return super().read_codes(packed).astype(np.int8) * np.int8(2) - np.int8(1)


@dataclass(frozen=True)
class TernaryFormat(ScaledFormat):
    """-scale, 0 or +scale, five codes to a byte.

    The scale is the mean magnitude of what is beyond TERNARY_THRESHOLD times the mean magnitude (Li and Liu, 2016,
    eq. 5 and 6); codes are the nearest, a tie being 0.
    """

    def code_bytes(self, columns: int) -> int:
        return -(-columns // 5)

    def fit(self, block: np.ndarray, groups: int) -> dict[str, np.ndarray]:
        magnitudes = _grouped(np.abs(block), groups)
        kept = magnitudes > TERNARY_THRESHOLD * magnitudes.mean(axis=2, dtype=np.float64, keepdims=True)
        total = np.where(kept, magnitudes, 0).sum(axis=2, dtype=np.float64)
        return {"scales": half(total / np.maximum(kept.sum(axis=2), 1))}

    def round(self, block: np.ndarray, fitted: Mapping[str, np.ndarray]) -> np.ndarray:
        scales = self.scales(fitted, len(block))
        one = np.float32(1)
        return rounding.round_to_codes(block, scales, np.zeros_like(scales), -one, one).astype(np.int8)

    def pack(self, codes: np.ndarray) -> np.ndarray:
        return pack_trits(codes)

    def decode(self, arrays: Mapping[str, np.ndarray], out: np.ndarray) -> None:
        scales = self.scales(arrays, len(out))
        codes = _grouped(unpack_trits(arrays["codes"], out.shape[1]), scales.shape[1])
        np.multiply(codes, scales[:, :, None], out=_grouped(out, scales.shape[1]))

    def table(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        return np.array([[-1, 0, 1]], np.float32)

    def read_codes(self, packed: Packed) -> np.ndarray:
        return unpack_trits(packed.packed, packed.shape[1])


def _grouped(values: np.ndarray, groups: int) -> np.ndarray:
    return values.reshape(len(values), groups, -1)


_NAME = re.compile(rf"(binary|ternary){PATTERN}")


def _parse(name: str) -> ScaledFormat | None:
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    scope = parse_scope(match[2], name)
    return SignFormat(name, 1, scope) if match[1] == "binary" else TernaryFormat(name, 2, scope)


FAMILY = Family(
    f"binary | ternary {GRAMMAR}",
    "signs in one bit each; -1, 0 and 1, five in a byte",
    tuple(f"{kind}{end}" for kind in ("ternary", "binary") for end in ("", "-g64", "-g128", "-channel", "-tensor")),
    _parse,
)
