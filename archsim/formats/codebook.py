"""Non-uniform levels learned from the weights: a table for each group, row or tensor, or one with scales."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from archsim.formats import lloyd, rounding
from archsim.formats.family import Family
from archsim.formats.format import Stored
from archsim.formats.matrix import Matrix
from archsim.formats.normal_float import thresholds
from archsim.formats.packing import unpack_bits
from archsim.formats.scaled import CodedFormat, ScaledFormat, half, spread
from archsim.formats.scope import GRAMMAR, PATTERN, parse_scope

SAMPLE = 1 << 20
"""Weights from which a table that the whole tensor shares is learned, or up to twice as many."""
CODEBOOK_ROUNDS, SCALE_ROUNDS = 12, 3


@dataclass(frozen=True)
class KMeansFormat(ScaledFormat):
    """Codes are indices into a table of 2**bits float16 levels, which k-means finds for whatever shares a table.

    As SqueezeLLM does it per channel (Kim et al., 2023), without weights by sensitivity.
    """

    def scale_storage(self, rows: int, groups: int) -> dict[str, Stored]:
        return {"levels": Stored((rows, groups << self.bits), np.float16)}

    def learn(self, matrix: Matrix) -> dict[str, np.ndarray]:
        return self.fit(sampled(matrix).reshape(1, -1), 1) if self.scope == "tensor" else {}

    def fit(self, block: np.ndarray, groups: int) -> dict[str, np.ndarray]:
        levels = lloyd.levels_of_rows(block.reshape(len(block) * groups, -1), 1 << self.bits, lloyd.ROUNDS)
        return {"levels": half(levels).reshape(len(block), -1)}

    def round(self, block: np.ndarray, fitted: Mapping[str, np.ndarray]) -> np.ndarray:
        table = self.table(fitted)
        parts = self._by_table(block, table)
        codes = rounding.nearest_levels(parts, np.ones((len(parts), 1), np.float32), thresholds(table))
        return codes.reshape(block.shape)

    def decode(self, arrays: Mapping[str, np.ndarray], out: np.ndarray) -> None:
        table = self.table(arrays)
        parts = self._by_table(out, table)
        codes = unpack_bits(arrays["codes"], self.bits, out.shape[1]).reshape(parts.shape)
        ones = np.ones((len(parts), 1), np.float32)
        rounding.look_up(codes, table, ones, np.zeros_like(ones), parts)

    def table(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        return arrays["levels"].reshape(-1, 1 << self.bits).astype(np.float32)

    def _by_table(self, values: np.ndarray, table: np.ndarray) -> np.ndarray:
        """Values in rows of one table each; a view."""
        return values if self.scope == "tensor" else values.reshape(len(table), -1)


@dataclass(frozen=True)
class CodebookFormat(CodedFormat):
    """One table of 2**bits float16 levels for the tensor, and a float16 scale for each group.

    Codes, scales and levels take turns, each the least-squares ones given the others.
    """

    @property
    def shared(self) -> frozenset[str]:
        return frozenset({"levels"})

    def scale_storage(self, rows: int, groups: int) -> dict[str, Stored]:
        return {"scales": Stored((rows, groups), np.float16), "levels": Stored((1, 1 << self.bits), np.float16)}

    def learn(self, matrix: Matrix) -> dict[str, np.ndarray]:
        sample = sampled(matrix)
        scales = rounding.largest_magnitudes(sample, self.sharing.groups(sample.shape[1]))
        scaled = sample / np.repeat(np.where(scales > 0, scales, 1), self.group, axis=1)
        levels = lloyd.levels_of_rows(scaled.reshape(1, -1), 1 << self.bits, lloyd.ROUNDS)[0]
        for _ in range(CODEBOOK_ROUNDS):
            codes = rounding.nearest_levels(sample, scales, thresholds(levels[None]))
            (above, below), (top, bottom) = lloyd.least_squares_sums(sample, codes, scales, levels)
            levels = np.sort(np.where(bottom > 0, top / np.where(bottom > 0, bottom, 1), levels)).astype(np.float32)
            scales = _quotient(above, below, scales)
        return {"levels": levels.astype(np.float16)[None]}

    def fit_rows(self, block: np.ndarray, shared: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        levels = shared["levels"][0].astype(np.float32)
        scales = rounding.largest_magnitudes(block, self.sharing.groups(block.shape[1]))
        for _ in range(SCALE_ROUNDS):
            codes = rounding.nearest_levels(block, scales, thresholds(levels[None]))
            (above, below), _ = lloyd.least_squares_sums(block, codes, scales, levels)
            scales = _quotient(above, below, scales)
        return {"scales": half(scales)}

    def round(self, block: np.ndarray, fitted: Mapping[str, np.ndarray]) -> np.ndarray:
        return rounding.nearest_levels(block, spread(fitted["scales"], len(block)), thresholds(self.table(fitted)))

    def table(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        return arrays["levels"].astype(np.float32)


def sampled(matrix: Matrix) -> np.ndarray:
    """Evenly spaced rows that hold some SAMPLE weights; all where there are no more."""
    rows, columns = matrix.shape
    return matrix.rows(slice(None, None, max(1, rows * columns // SAMPLE)))


def _quotient(above: np.ndarray, below: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """above / below where that is positive: a scale turns no signs."""
    positive = (above > 0) & (below > 0)
    return np.where(positive, above / np.where(positive, below, 1), otherwise).astype(np.float32)


_NAME = re.compile(rf"kmeans([1-8]){PATTERN}|codebook([1-8])-(g[1-9][0-9]{{0,8}})")


def _parse(name: str) -> CodedFormat | None:
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    if match[1]:
        return KMeansFormat(name, int(match[1]), parse_scope(match[2], name))
    return CodebookFormat(name, int(match[3]), parse_scope(match[4], name))


FAMILY = Family(
    f"kmeans1 ... kmeans8 {GRAMMAR} | codebook1-gN ... codebook8-gN",
    "learned levels: a table per group, channel or tensor; one table per tensor and a learned scale per group",
    tuple(f"kmeans{b}{end}" for b in (4, 3, 2) for end in ("", "-channel", "-tensor", "-g128"))
    + tuple(f"codebook{b}-g{n}" for b in (4, 3, 2) for n in (128, 64, 32)),
    _parse,
)
