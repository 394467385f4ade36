"""Adam with decoupled weight decay (Kingma and Ba, 2015, section 2; Loshchilov and Hutter, 2019)."""

from __future__ import annotations

import math

import numpy as np


class Adam:
    """Moments of parameters, by name.

    Args:
        betas: how much of the first and second moments a step keeps.
    """

    def __init__(self, betas: tuple[float, float]) -> None:
        self._betas, self._steps = betas, 0
        self._first: dict[str, np.ndarray] = {}
        self._second: dict[str, np.ndarray] = {}

    def begin_step(self) -> None:
        """Called before the parameters of a step are updated."""
        self._steps += 1

    def update(
        self, name: str, values: np.ndarray, gradient: np.ndarray, rate: float | np.ndarray, decay: float = 0.0
    ) -> None:
        """Move `values` in place, by about `rate` each; `decay` times the rate is how much of them is lost.

        Args:
            rate: one for all, or an array that broadcasts to values.
        """
        if name not in self._first:
            self._first[name], self._second[name] = np.zeros_like(values), np.zeros_like(values)
        keep, keep_squares = self._betas
        first, second = self._first[name], self._second[name]
        first += (1 - keep) * (gradient - first)
        second += (1 - keep_squares) * (gradient * gradient - second)
        values *= 1 - rate * decay
        corrected = rate * math.sqrt(1 - keep_squares**self._steps) / (1 - keep**self._steps)
        values -= corrected * first / (np.sqrt(second) + 1e-8)
