"""What formats and methods do to a model's loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from archsim.accuracy.awq import scale_salient_channels
from archsim.accuracy.gptq import round_weights
from archsim.accuracy.hadamard import rotate_model
from archsim.accuracy.llama import Llama, Numerics
from archsim.accuracy.loss import Loss, mean_loss, window_losses
from archsim.accuracy.numerics import NO_CLIPS, QuantizedNumerics, cache_bits, parse_cache, round_trip
from archsim.accuracy.qat import Training, fine_tune
from archsim.accuracy.smoothquant import smooth
from archsim.common.errors import InputError, unknown
from archsim.formats import Format, parse_format
from archsim.models.matrices import HEAD
from archsim.models.weight_plan import parse_weights

Method = Callable[[Llama, Mapping[str, Format], np.ndarray], Llama]
PREPARATIONS: dict[str, Method] = {
    "hadamard": rotate_model,
    "smoothquant": smooth,
    "awq": scale_salient_channels,
}
"""Methods that change a model, not its function, so that rounding costs less."""


def round_to_nearest(model: Llama, formats: Mapping[str, Format], calibration: np.ndarray) -> Llama:
    """All matrices of all layers rounded to the nearest; the calibration text is not asked."""
    return model.with_weights({name: round_trip(model.weights[name], form) for name, form in formats.items()})


ROUNDINGS: dict[str, Method] = {"rtn": round_to_nearest, "gptq": round_weights}
LEARNED, OUTLIERS = "lsq", "llm-int8"
METHODS = (*ROUNDINGS, LEARNED, *PREPARATIONS, OUTLIERS)


class Setting(NamedTuple):
    """What is quantised, and how.

    Attributes:
        weights: format of all matrices of all layers, or "mixed:" and the file of a plan; embedding, head and norms
            stay as they are.
        activations: format of the inputs of these matrices.
        kv: format of the cache, or "KEYS,VALUES".
        method: one of METHODS, or some joined by "+".
    """

    weights: str = "fp16"
    activations: str = "fp32"
    kv: str = "fp16"
    method: str = "rtn"


@dataclass(frozen=True)
class Measurement:
    """What a setting does.

    Attributes:
        losses: of the windows, in nats per token: float64 [windows].
        loss: their mean.
        difference: from the loss at full precision, window by window.
        weight_bits: per weight of the matrices of all layers, scales included.
        kv_bits: per cached number, scales included.
    """

    setting: Setting
    losses: np.ndarray
    loss: Loss
    difference: Loss
    weight_bits: float
    kv_bits: float


@dataclass(frozen=True)
class Experiment:
    """A model and its texts.

    Attributes:
        windows: tokens [windows, length] that are predicted.
        calibration: tokens [windows, length] that methods may look at.
        training: of lsq.
    """

    model: Llama
    windows: np.ndarray
    calibration: np.ndarray
    training: Training = field(default_factory=Training)

    @cached_property
    def exact(self) -> np.ndarray:
        """Losses of the windows as the weights are stored, in float32 arithmetic."""
        return window_losses(self.model, self.windows, Numerics())

    def losses(self, setting: Setting) -> np.ndarray:
        """Losses of the windows.

        Raises:
            InputError: a format or method is unknown, does not fit the model, or not each other.
        """
        methods = parse_method(setting.method)
        formats = parse_weights(setting.weights).formats(self.model.linear_names(), [HEAD])
        activations, cache = parse_format(setting.activations), parse_cache(setting.kv)
        model, clips = self.model, NO_CLIPS
        for name in methods:
            if name in PREPARATIONS:
                model = PREPARATIONS[name](model, formats, self.calibration)
        if LEARNED in methods:
            trained = fine_tune(model, formats, activations, self.calibration, self.training)
            model, clips = trained.model, trained.clips
        else:
            model = ROUNDINGS["gptq" if "gptq" in methods else "rtn"](model, formats, self.calibration)
        return window_losses(model, self.windows, QuantizedNumerics(activations, cache, OUTLIERS in methods, clips))

    def measure(self, setting: Setting) -> Measurement:
        """Loss, difference and bits of a setting.

        Raises:
            InputError: a format or method is unknown, does not fit the model, or not each other.
        """
        losses = self.losses(setting)
        formats = parse_weights(setting.weights).formats(self.model.linear_names(), [HEAD])
        shapes = {name: self.model.weights[name].shape for name in formats}
        nbytes = sum(form.nbytes(*shapes[name]) for name, form in formats.items())
        sequences, length = self.windows.shape
        return Measurement(
            setting,
            losses,
            mean_loss(losses),
            mean_loss(losses - self.exact),
            8 * nbytes / sum(rows * columns for rows, columns in shapes.values()),
            cache_bits(parse_cache(setting.kv), sequences, length - 1, self.model.config.head_dim),
        )


def parse_method(text: str) -> list[str]:
    """Names of methods joined by "+", preparations in their order.

    Raises:
        InputError: one is unknown, or two round.
    """
    names = text.split("+")
    for name in names:
        if name not in METHODS:
            raise unknown("method", name, METHODS)
    if len(set(names)) < len(names) or len({*ROUNDINGS, LEARNED} & set(names)) > 1:
        raise InputError(f"method {text!r} does the same twice", remedy="name each once, and one of rtn, gptq and lsq")
    if {LEARNED, OUTLIERS} <= set(names):
        raise InputError(f"method {text!r}: lsq trains with all features quantised", remedy="leave llm-int8 out")
    return names
