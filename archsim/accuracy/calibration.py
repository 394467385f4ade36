"""What comes into a model's matrices on calibration text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from archsim.accuracy.llama import Llama, Numerics, batches


@dataclass
class Inputs:
    """Statistics of the inputs of one matrix.

    Attributes:
        gram: sum of x x^T over tokens, float64 [inputs, inputs].
        magnitudes: mean |x| of each input.
        largest: max |x| of each input.
        tokens: how many were seen.
    """

    gram: np.ndarray
    magnitudes: np.ndarray
    largest: np.ndarray
    tokens: int = 0

    def add(self, x: np.ndarray) -> None:
        """Count [tokens, inputs] in."""
        magnitudes = np.abs(x)
        self.gram += x.T @ x
        self.largest = np.maximum(self.largest, magnitudes.max(0))
        self.magnitudes += (magnitudes.sum(0, dtype=np.float64) - len(x) * self.magnitudes) / (self.tokens + len(x))
        self.tokens += len(x)


class Recorder(Numerics):
    """Computes exactly, and keeps statistics of the matrices asked for.

    Args:
        names: of matrices.
    """

    def __init__(self, names: list[str]) -> None:
        self.names = set(names)
        self.inputs: dict[str, Inputs] = {}

    def linear(self, name: str, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
        if name in self.names:
            size = x.shape[1]
            if name not in self.inputs:
                self.inputs[name] = Inputs(np.zeros((size, size)), np.zeros(size), np.zeros(size))
            self.inputs[name].add(x)
        return super().linear(name, x, weight)


def record_inputs(model: Llama, windows: np.ndarray, names: list[str]) -> dict[str, Inputs]:
    """Statistics of the inputs of some matrices, rotated where they are, on [windows, tokens]."""
    recorder = Recorder(names)
    for part in batches(windows):
        model.logits(part, recorder)
    return recorder.inputs
