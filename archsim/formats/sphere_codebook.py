"""Lloyd-Max codebooks of one coordinate of a uniformly distributed unit vector.

A coordinate x of a unit vector in d dimensions has a density proportional to (1 - x**2)**((d - 3)/2) (Zandieh et al.,
TurboQuant, arXiv 2504.19874, lemma 1), a Beta distribution on [-1, 1]; sqrt(d) x is nearly normal. The codebook whose
mean squared error is least has levels that are the means of their cells, and thresholds halfway between levels (Lloyd,
1982; Max, 1960).
"""

from __future__ import annotations

from functools import lru_cache
from math import inf, sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

LLOYD_ROUNDS, NEWTON_ROUNDS, NODES = 30, 30, 64
_TAIL = 12.0
"""In standard deviations; beyond it a normal distribution has 4e-33 of its mass."""


class Codebook(NamedTuple):
    """Levels in ascending order (float64 [2**bits]), and the mean squared error of a unit vector."""

    levels: np.ndarray
    distortion: float


@lru_cache(64)
def lloyd_max(bits: int, dimension: float) -> Codebook:
    """The optimal codebook of sqrt(dimension) times a coordinate.

    Args:
        bits: 1 to 5.
        dimension: of the vector, 3 or more; infinite for the standard normal distribution.
    """
    half = 1 << (bits - 1)
    # the density of optimal levels is that of a normal distribution of variance 3 (Panter and Dite, 1951)
    levels = np.array([NormalDist(0, sqrt(3)).inv_cdf(0.5 + (k + 0.5) / (2 * half)) for k in range(half)])
    levels *= min(1, sqrt(dimension) / (levels[-1] + 1))
    for _ in range(LLOYD_ROUNDS):
        mass, moment = _moments(levels, dimension)
        levels = moment / mass
    for _ in range(NEWTON_ROUNDS):
        step = np.linalg.solve(_slope(levels, dimension), _excess(levels, dimension))
        levels = levels - step
        if np.abs(step).max() < 1e-14:
            break
    mass, moment = _moments(levels, dimension)
    # the variance is 1
    distortion = 1 - 4 * float(moment @ levels) + 2 * float(mass @ levels**2)
    both = np.concatenate([-levels[::-1], levels])
    both.flags.writeable = False
    return Codebook(both, distortion)


def _density(u: np.ndarray, dimension: float) -> np.ndarray:
    """Unnormalised density of sqrt(dimension) times a coordinate."""
    if dimension == inf:
        return np.exp(-(u**2) / 2)
    return np.maximum(1 - u**2 / dimension, 0) ** ((dimension - 3) / 2)


def _cells(levels: np.ndarray, dimension: float) -> np.ndarray:
    """Borders of the cells of the positive levels."""
    return np.concatenate([[0], (levels[1:] + levels[:-1]) / 2, [min(_TAIL, sqrt(dimension))]])


@lru_cache(64)
def _total(dimension: float) -> float:
    """Integral of the unnormalised density."""
    borders = np.linspace(0, min(_TAIL, sqrt(dimension)), 33)
    return 2 * float(_integrals(borders, dimension)[0].sum())


def _integrals(borders: np.ndarray, dimension: float) -> tuple[np.ndarray, np.ndarray]:
    """Integrals of density and u x density between borders, by Gauss and Legendre."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    width = np.diff(borders)[:, None] / 2
    u = borders[:-1, None] + width * (1 + nodes)
    density = _density(u, dimension) * width * weights
    return density.sum(1), (density * u).sum(1)


def _moments(levels: np.ndarray, dimension: float) -> tuple[np.ndarray, np.ndarray]:
    """Probability and first moment of the cells of the positive levels."""
    mass, moment = _integrals(_cells(levels, dimension), dimension)
    return mass / _total(dimension), moment / _total(dimension)


def _excess(levels: np.ndarray, dimension: float) -> np.ndarray:
    """First moment less level x probability of each cell: 0 where levels are means."""
    mass, moment = _moments(levels, dimension)
    return moment - levels * mass


def _slope(levels: np.ndarray, dimension: float) -> np.ndarray:
    """Derivatives of _excess: its borders move half as far as either level beside them."""
    borders = _cells(levels, dimension)
    at_border = _density(borders, dimension) / _total(dimension) / 2
    above = (borders[1:] - levels) * at_border[1:]
    below = (borders[:-1] - levels) * at_border[:-1]
    # 0 and the end of the support do not move
    above[-1] = below[0] = 0
    diagonal = np.diag(above - below - _moments(levels, dimension)[0])
    return diagonal + np.diag(above[:-1], 1) - np.diag(below[1:], -1)
