"""Bits that go where they are needed lower the loss, at the same size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from archsim.accuracy.experiment import load_experiment, measure_sensitivity
from archsim.accuracy.loss import mean_loss
from archsim.accuracy.measure import Experiment, Measurement, Setting
from archsim.accuracy.mixed import Sensitivity, plan_by_sensitivity
from archsim.formats import Format, parse_format
from archsim.models.weight_plan import write_plan


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    whole = load_experiment("reference")
    return replace(whole, windows=whole.windows[::8], calibration=whole.calibration[::32])


@pytest.fixture(scope="module")
def sensitivity(experiment: Experiment) -> Sensitivity:
    return measure_sensitivity(experiment, lambda done, steps, what: None)


def test_sensitivity_falls_with_bits(sensitivity: Sensitivity) -> None:
    for name in sensitivity.sizes:
        costs = [sensitivity.costs[name, form.name] for form in sensitivity.formats]
        assert costs == sorted(costs, reverse=True) and costs[-1] >= 0


@pytest.mark.parametrize(
    ("budget", "below", "above"), [(2.7, "int2-g64-asym", "int3-g64-asym"), (4.0, "int3-g64-asym", "int4-g64-asym")]
)
def test_a_plan_loses_less_than_uniform_bits_of_its_size(
    budget: float, below: str, above: str, experiment: Experiment, sensitivity: Sensitivity, tmp_path: Path
) -> None:
    """No uniform format has these sizes: matrices get the next one above in some order, as many as the budget allows.

    Orders are from the first layer on, from the last on, and two of chance; their losses are averaged.
    """
    names = list(sensitivity.sizes)
    weights = sum(rows * columns for rows, columns in sensitivity.sizes.values())

    def bits(formats: Mapping[str, Format]) -> float:
        return 8 * sum(form.nbytes(*sensitivity.sizes[name]) for name, form in formats.items()) / weights

    def mixture(order: list[str]) -> dict[str, Format]:
        formats = dict.fromkeys(names, parse_format(below))
        for name in order:
            more = {**formats, name: parse_format(above)}
            formats = more if bits(more) <= budget else formats
        return formats

    def measured(formats: Mapping[str, Format]) -> Measurement:
        write_plan(tmp_path / "plan.yaml", formats)
        return experiment.measure(Setting(f"mixed:{tmp_path / 'plan.yaml'}"))

    chance = [list(np.random.default_rng(seed).permutation(names)) for seed in range(2)]
    uniform = [measured(mixture(order)) for order in (names, names[::-1], *chance)]
    plan = measured(plan_by_sensitivity(sensitivity, budget))
    assert all(abs(one.weight_bits - budget) < 0.1 for one in uniform)
    assert plan.weight_bits <= budget
    difference = mean_loss(plan.losses - np.mean([one.losses for one in uniform], axis=0))
    assert difference.interval[1] < 0
    assert plan.difference.mean < experiment.measure(Setting(below)).difference.mean
