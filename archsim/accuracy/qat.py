"""Quantisation-aware training: a model's matrices are trained behind the rounding to their formats.

Gradients pass roundings straight through (Bengio et al., 2013), steps of weights and clips of activations are learned
(learned_steps.py, learned_clips.py). What is learned is to predict as the model at full precision does on calibration
text: knowledge distillation (Hinton et al., 2015), as LLM-QAT has it (Liu et al., 2023); so little text by itself would
be learned by heart. Adam moves parameters by their rate whatever the scale of their gradients: LSQ's scale of the
gradients of steps, which plain gradient descent needs, makes no difference to it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from archsim.accuracy import learned_clips
from archsim.accuracy.adam import Adam
from archsim.accuracy.gradients import ForwardPass, Inputs
from archsim.accuracy.learned_steps import SMALLEST_STEP, SteppedMatrix
from archsim.accuracy.llama import Llama, Numerics
from archsim.accuracy.loss import log_softmax, mean_divergence
from archsim.accuracy.numerics import clip_maximum, round_trip
from archsim.formats import Format

BATCH = 8
"""Windows of a step."""
RATE, BETAS = 0.01, (0.9, 0.999)
"""Of Adam, in units of a weight's step; the rate falls to 0 as a cosine (Esser et al., section 3). Trained on three
quarters of the calibration text and judged on the last, two bits want 0.005, and four bits 0.02."""
CLIP_RATE = 0.05
"""Of clips, as a part of themselves; of 0.01, 0.05 and 0.2 the first within a tenth of the best, likewise."""


@dataclass(frozen=True)
class Training:
    """How long is trained, and on what order of windows.

    Attributes:
        say: hears how many steps are done, of how many, and the loss.
    """

    steps: int = 128
    seed: int = 0
    say: Callable[[int, int, str], None] = lambda done, steps, what: None


@dataclass(frozen=True)
class Trained:
    """What training gives.

    Attributes:
        model: whose matrices hold what their formats store, read back.
        clips: of the inputs of matrices, by name; of formats with one scale per tensor alone.
        losses: what predictions lacked of the teacher's, in nats per token, before each step.
    """

    model: Llama
    clips: Mapping[str, float]
    losses: list[float]


def fine_tune(
    model: Llama, formats: Mapping[str, Format], activations: Format, calibration: np.ndarray, training: Training
) -> Trained:
    """Train matrices for their formats, the rest staying as it is.

    The same arguments give the same bits, on the same computer and with as many threads.

    Args:
        formats: of the matrices, by name: symmetric integers.
        activations: of their inputs; integers with one scale per tensor get a learned clip.
        calibration: tokens [windows, length].

    Raises:
        InputError: a format has no step to learn, or does not fit its matrix.
    """
    matrices = {name: SteppedMatrix(model.weights[name], form) for name, form in formats.items()}
    inputs = _QuantizedInputs(model, activations)
    adam, losses = Adam(BETAS), []
    batches = _shuffled(calibration, training.seed)
    for step in range(training.steps):
        tokens = next(batches)[:, :-1]
        weights = {**model.weights, **{name: matrix.rounded() for name, matrix in matrices.items()}}
        run = ForwardPass(weights, model.config, tokens, inputs)
        wanted, got = log_softmax(model.logits(tokens, Numerics())), log_softmax(run.logits)
        losses.append(mean_divergence(wanted, got))
        training.say(step, training.steps, f"loss {losses[-1]:.4f}")
        gradient = run.backward((np.exp(got) - np.exp(wanted)) / len(got))
        part = (1 + math.cos(math.pi * step / training.steps)) / 2
        adam.begin_step()
        for name, matrix in matrices.items():
            values, steps = matrix.gradients(gradient[name])
            rates = part * RATE * matrix.steps
            adam.update(name, matrix.values, values, rates)
            adam.update(f"{name} steps", matrix.steps, steps, rates)
            np.maximum(matrix.steps, SMALLEST_STEP, out=matrix.steps)
        inputs.update(adam, part * CLIP_RATE)
    trained = {name: matrix.packed().dequantize() for name, matrix in matrices.items()}
    return Trained(model.with_weights(trained), inputs.clips(), losses)


def _shuffled(windows: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """Batches without end; in a pass no window comes up twice, and those that fill no batch are left out."""
    random = np.random.default_rng(seed)
    size = min(BATCH, len(windows))
    while True:
        order = random.permutation(len(windows))
        for start in range(0, len(order) - size + 1, size):
            yield windows[order[start : start + size]]


class _QuantizedInputs(Inputs):
    """Inputs rotated where the model rotates them, then quantised.

    A clip is exp(log_clip), so that what Adam moves it by is a part of it.
    """

    def __init__(self, model: Llama, form: Format) -> None:
        self._rotations, self._form = model.rotations, form
        self._maximum = clip_maximum(form)
        self._log_clips: dict[str, np.ndarray] = {}
        self._gradients: dict[str, float] = {}

    def forward(self, name: str, x: np.ndarray) -> tuple[np.ndarray, Any]:
        if name in self._rotations:
            x = x @ self._rotations[name]
        if not self._maximum:
            return round_trip(x, self._form), None
        if name not in self._log_clips:
            self._log_clips[name] = np.log([learned_clips.initial_clip(x, self._maximum)])
        return learned_clips.clip_and_round(x, self.clips()[name], self._maximum), x

    def backward(self, name: str, dx: np.ndarray, saved: Any) -> np.ndarray:
        if self._maximum:
            dx, self._gradients[name] = learned_clips.gradients(saved, self.clips()[name], dx)
        return dx @ self._rotations[name].T if name in self._rotations else dx

    def clips(self) -> dict[str, float]:
        return {name: math.exp(value[0]) for name, value in self._log_clips.items()}

    def update(self, adam: Adam, rate: float) -> None:
        """Move clips against their gradients, which clips() turns into those of their logarithms."""
        clips = self.clips()
        for name, gradient in self._gradients.items():
            adam.update(f"{name} clip", self._log_clips[name], np.array([gradient * clips[name]]), rate)
