"""Experiments by name: a model, what it predicts, what methods look at; and plans of mixed precision for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from archsim.accuracy.folding import inject_outliers
from archsim.accuracy.llama import Numerics
from archsim.accuracy.load import load_llama, reference_folder
from archsim.accuracy.loss import read_tokens, window_losses
from archsim.accuracy.measure import Experiment
from archsim.accuracy.mixed import plan_by_sensitivity
from archsim.accuracy.numerics import round_trip
from archsim.formats import Format, parse_format

PLAN_FORMATS = tuple(f"int{bits}-g64-asym" for bits in (2, 3, 4, 5, 6, 8))
"""That a plan of mixed precision chooses from."""
PLAN_WINDOWS = 32
"""Of the calibration text, on which sensitivity is measured."""


def load_experiment(
    model: str, text: Path | None = None, calibration: Path | None = None, outliers: int = 0
) -> Experiment:
    """A model and its texts.

    Args:
        model: "reference", a folder of safetensors, or a GGUF file.
        text, calibration: files of text or token numbers; those of the reference model unless given.
        outliers: channels behind each norm to be made large.

    Raises:
        InputError: a file is missing or malformed, or the model is not supported.
    """
    llama = load_llama(model)
    vocab, folder = llama.config.vocab, reference_folder()
    plain = Experiment(
        llama,
        read_tokens(text or folder / "heldout.txt", vocab),
        read_tokens(calibration or folder / "calibration.txt", vocab),
    )
    return with_outliers(plain, outliers)


def with_outliers(experiment: Experiment, channels: int) -> Experiment:
    """The same with some channels behind each norm made large, which changes no result at full precision.

    Raises:
        InputError: there are not so many channels.
    """
    return replace(experiment, model=inject_outliers(experiment.model, channels))


def plan_mixed(experiment: Experiment, budget: float, say: Callable[[int, int, str], None]) -> dict[str, Format]:
    """Formats of the matrices under a budget of bits per weight, by what rounding each alone adds to the loss.

    Args:
        say: hears how many matrices and formats are done, of how many, and which is next.

    Raises:
        InputError: the budget is below the smallest format, or a format does not fit a matrix.
    """
    model, windows = experiment.model, experiment.calibration[:PLAN_WINDOWS]
    formats, names = [parse_format(name) for name in PLAN_FORMATS], model.linear_names()
    exact, done = float(np.mean(window_losses(model, windows, Numerics()))), 0

    def cost(name: str, form: Format) -> float:
        nonlocal done
        say(done, len(names) * len(formats), f"{name} {form.name}")
        done += 1
        rounded = model.with_weights({name: round_trip(model.weights[name], form)})
        return float(np.mean(window_losses(rounded, windows, Numerics()))) - exact

    sizes = {name: (model.weights[name].shape[0], model.weights[name].shape[1]) for name in names}
    return plan_by_sensitivity(sizes, formats, budget, cost)
