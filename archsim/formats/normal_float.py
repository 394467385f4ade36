"""NF4: sixteen levels at quantiles of the normal distribution."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from archsim.formats import rounding
from archsim.formats.family import Family
from archsim.formats.scaled import ScaledFormat, half
from archsim.formats.scope import GRAMMAR, PATTERN, parse_scope

NF4_LEVELS = np.array(
    [
        -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
        -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
        0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
    ],
    np.float32,
)  # fmt: skip
"""Dettmers et al., QLoRA, 2023, appendix E."""


@dataclass(frozen=True)
class NormalFloatFormat(ScaledFormat):
    """The nearest of NF4_LEVELS times the group's largest magnitude, a tie going to the lower level."""

    def fit(self, block: np.ndarray, groups: int) -> dict[str, np.ndarray]:
        return {"scales": half(rounding.largest_magnitudes(block, groups))}

    def round(self, block: np.ndarray, fitted: Mapping[str, np.ndarray]) -> np.ndarray:
        scales = self.scales(fitted, len(block))
        codes = rounding.nearest_levels(block, scales, thresholds(NF4_LEVELS[None]))
        # a scale that float16 rounded to 0 leaves nothing
        codes[np.repeat(scales == 0, block.shape[1] // scales.shape[1], axis=1)] = _ZERO
        return codes

    def table(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        return NF4_LEVELS[None]


_ZERO = int(np.flatnonzero(NF4_LEVELS == 0)[0])
_NAME = re.compile(rf"nf4{PATTERN}")


def thresholds(levels: np.ndarray) -> np.ndarray:
    """Halfway between levels in ascending order: float32 [tables, levels - 1]."""
    wide = levels.astype(np.float64)
    return ((wide[:, 1:] + wide[:, :-1]) / 2).astype(np.float32)


def _parse(name: str) -> NormalFloatFormat | None:
    match = _NAME.fullmatch(name)
    return NormalFloatFormat(name, 4, parse_scope(match[1], name)) if match else None


FAMILY = Family(
    f"nf4 {GRAMMAR}",
    "16 quantiles of the normal distribution",
    ("nf4-g64", "nf4", "nf4-g128", "nf4-g32", "nf4-channel", "nf4-tensor"),
    _parse,
)
