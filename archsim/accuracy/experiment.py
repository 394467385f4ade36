"""Experiments by name: a model, what it predicts, what methods look at; and plans of mixed precision for them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from archsim.accuracy.folding import inject_outliers
from archsim.accuracy.llama import Numerics
from archsim.accuracy.load import load_llama, reference_folder
from archsim.accuracy.loss import log_softmax, mean_divergence, read_tokens
from archsim.accuracy.measure import Experiment
from archsim.accuracy.mixed import Sensitivity
from archsim.accuracy.numerics import round_trip
from archsim.formats import parse_format

PLAN_FORMATS = tuple(f"int{bits}-g64-asym" for bits in (2, 3, 4, 8))
"""That a plan of mixed precision chooses from: those that kernels multiply."""
PLAN_WINDOWS = 8
"""Of the calibration text, on which sensitivity is measured: four times as many give the same plans."""


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


def measure_sensitivity(experiment: Experiment, say: Callable[[int, int, str], None]) -> Sensitivity:
    """What rounding each matrix alone to each of PLAN_FORMATS does to predictions on calibration text.

    The divergence from the predictions at full precision stands for what is added to the loss: both agree on average
    where a model's predictions are right, and it varies far less between windows, being never negative.

    Args:
        say: hears how many matrices and formats are done, of how many, and which is next.

    Raises:
        InputError: a format does not fit a matrix.
    """
    model, names = experiment.model, experiment.model.linear_names()
    formats = [parse_format(name) for name in PLAN_FORMATS]
    # from all over the text
    tokens = experiment.calibration[:: max(1, len(experiment.calibration) // PLAN_WINDOWS)][:PLAN_WINDOWS, :-1]
    wanted = log_softmax(model.logits(tokens, Numerics()))
    costs: dict[tuple[str, str], float] = {}
    for name, form in itertools.product(names, formats):
        say(len(costs), len(names) * len(formats), f"{name} {form.name}")
        rounded = model.with_weights({name: round_trip(model.weights[name], form)})
        costs[name, form.name] = mean_divergence(wanted, log_softmax(rounded.logits(tokens, Numerics())))
    sizes = {name: (model.weights[name].shape[0], model.weights[name].shape[1]) for name in names}
    return Sensitivity(sizes, formats, costs)
