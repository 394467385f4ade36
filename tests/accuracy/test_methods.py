"""Methods keep a model's function where they say so, and lower the error that they set out to lower."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from archsim.accuracy.awq import _error, scale_salient_channels
from archsim.accuracy.calibration import record_inputs
from archsim.accuracy.experiment import Experiment, load_experiment, with_outliers
from archsim.accuracy.folding import norm_sites
from archsim.accuracy.gptq import round_matrix
from archsim.accuracy.hadamard import rotate_model
from archsim.accuracy.ladder import Claim, judge
from archsim.accuracy.llama import Numerics
from archsim.accuracy.loss import window_losses
from archsim.accuracy.measure import Measurement, Setting, parse_method
from archsim.accuracy.mixed import Sensitivity, plan_by_sensitivity
from archsim.accuracy.numerics import round_trip
from archsim.accuracy.smoothquant import smooth
from archsim.common.errors import InputError
from archsim.formats import parse_format
from archsim.models.weight_plan import parse_weights, write_plan


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    whole = load_experiment("reference")
    return replace(whole, windows=whole.windows[::8], calibration=whole.calibration[:32])


def difference(experiment: Experiment, *setting: str) -> float:
    return float((experiment.losses(Setting(*setting)) - experiment.exact).mean())


def test_preparations_keep_the_function(experiment: Experiment) -> None:
    formats = dict.fromkeys(experiment.model.linear_names(), parse_format("int4-g64"))
    loud = with_outliers(experiment, 4)
    for prepared in (
        loud.model,
        rotate_model(experiment.model, formats, experiment.calibration),
        smooth(loud.model, formats, experiment.calibration),
        scale_salient_channels(experiment.model, formats, experiment.calibration[:4]),
    ):
        losses = window_losses(prepared, experiment.windows, Numerics())
        assert np.abs(losses - experiment.exact).max() < 1e-3


def test_gptq_errs_less_on_what_it_has_seen(experiment: Experiment) -> None:
    name = "model.layers.0.mlp.up_proj"
    weight, form = experiment.model.weights[name], parse_format("int3-g64")
    gram = record_inputs(experiment.model, experiment.calibration, [name])[name].gram

    def error(rounded: np.ndarray) -> float:
        wrong = (rounded - weight).astype(np.float64)
        return float(np.vdot(wrong @ gram, wrong))

    rounded = round_matrix(weight, gram, form)
    assert error(rounded) < 0.6 * error(round_trip(weight, form))
    # of inputs that tell nothing of each other, it is rounding to the nearest
    assert np.allclose(round_matrix(weight, np.eye(len(gram)), form), round_trip(weight, form), atol=1e-6)


def test_awq_chooses_no_scales_that_are_worse_than_none(experiment: Experiment) -> None:
    model = experiment.model
    formats = dict.fromkeys(model.linear_names(), parse_format("int3-g64"))
    site = norm_sites(model)[0]
    seen = record_inputs(model, experiment.calibration, [site.targets[0]])[site.targets[0]]
    plain = _error(model, site, np.ones(model.config.hidden), seen, formats)
    scaled = scale_salient_channels(model, formats, experiment.calibration)
    scales = model.weights[site.source] / scaled.weights[site.source]
    assert _error(model, site, scales, seen, formats) <= plain * 1.0001


def test_fewer_bits_cost_more(experiment: Experiment) -> None:
    by_weights = [difference(experiment, f"int{bits}-g64") for bits in (8, 4, 3, 2)]
    assert by_weights == sorted(by_weights) and by_weights[0] < 0.002 and by_weights[-1] > 0.1
    by_cache = [difference(experiment, "fp16", "fp32", f"turboquant-{bits}") for bits in ("4", "3", "2", "1")]
    assert by_cache == sorted(by_cache)


def test_published_orders(experiment: Experiment) -> None:
    """GPTQ and AWQ at 3 bits, a rotation at activations of 4 bits, TurboQuant against integers per token."""
    assert difference(experiment, "int3-g64", "fp32", "fp16", "gptq") < difference(experiment, "int3-g64")
    awq, plain = (difference(experiment, "int3-g64-asym", "fp32", "fp16", method) for method in ("awq", "rtn"))
    assert awq < 1.05 * plain
    assert difference(experiment, "fp16", "int4", "fp16", "hadamard") < difference(experiment, "fp16", "int4")
    for bits in (2, 3):
        assert difference(experiment, "fp16", "fp32", f"turboquant-{bits}") < difference(
            experiment, "fp16", "fp32", f"int{bits}"
        )


def test_outlier_channels_are_what_their_methods_are_for(experiment: Experiment) -> None:
    loud = with_outliers(experiment, 4)
    plain = difference(loud, "fp16", "int8")
    assert plain > 2 * difference(experiment, "fp16", "int8")
    for method in ("smoothquant", "llm-int8", "hadamard"):
        assert difference(loud, "fp16", "int8", "fp16", method) < 0.7 * plain


def test_a_plan_is_the_best_of_few() -> None:
    """Two matrices, three formats: no other choice under the budget costs less, where costs fall ever more slowly."""
    sizes = {"a": (64, 64), "b": (64, 128)}
    forms = [parse_format(f"int{bits}-g64") for bits in (2, 4, 8)]
    costs = dict(zip(itertools.product("ab", (f.name for f in forms)), (9.0, 3.0, 0.1, 4.0, 1.0, 0.2), strict=True))
    for budget in (2.5, 3.3, 4.5, 6.0, 9.0):
        plan = plan_by_sensitivity(Sensitivity(sizes, forms, costs), budget)
        nbytes = sum(form.nbytes(*sizes[name]) for name, form in plan.items())
        assert 8 * nbytes <= budget * (64 * 64 + 64 * 128)
        least = min(
            costs["a", a.name] + costs["b", b.name]
            for a, b in itertools.product(forms, forms)
            if 8 * (a.nbytes(64, 64) + b.nbytes(64, 128)) <= budget * (64 * 64 + 64 * 128)
        )
        # greedy steps are no exhaustive search
        assert sum(costs[name, form.name] for name, form in plan.items()) <= 1.6 * least
    with pytest.raises(InputError, match="less than the smallest"):
        plan_by_sensitivity(Sensitivity(sizes, forms, costs), 1.0)


def test_plans_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    formats = {"x": parse_format("int3-g64"), "y": parse_format("mxfp4")}
    write_plan(path, formats)
    assert parse_weights(f"mixed:{path}").formats(["x", "y"]) == formats
    path.write_text("default: int8\nmatrices:\n  x: int2-g64\n")
    assert [form.name for form in parse_weights(f"mixed:{path}").formats(["x", "y"]).values()] == ["int2-g64", "int8"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("matrices:\n  z: int8\n", "no matrix 'z'"),
        ("matrices:\n  x: int8\n", "'y' has no format"),
        ("defaults: int8\n", "unknown key"),
        ("default: integer\n", "unknown format"),
    ],
)
def test_plans_that_are_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        parse_weights(f"mixed:{path}").formats(["x", "y"])


@pytest.mark.parametrize("text", ["gtpq", "rtn+gptq", "awq+awq", "lsq+gptq", "lsq+llm-int8"])
def test_methods_that_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_method(text)


def test_claims_are_judged_by_paired_differences() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(1, 0.5, 200)
    one, other = Setting("int8"), Setting("int4")

    def outcome(shift: float, noise: float, strictly: bool) -> str:
        measured = {
            one: Measurement(one, base + shift + rng.normal(0, noise, 200), None, None, 8, 16),  # type: ignore[arg-type]
            other: Measurement(other, base, None, None, 4, 16),  # type: ignore[arg-type]
        }
        return judge(measured, [Claim("", one, other, strictly)])[0].outcome

    assert outcome(-0.1, 0.01, True) == "holds"
    assert outcome(0.1, 0.01, False) == "contradicted"
    assert outcome(0.0, 0.05, True) == "open"
