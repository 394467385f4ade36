"""Gradients agree with differences of what they are gradients of; few steps of training already pay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import sqrt

import numpy as np
import pytest

from archsim.accuracy import learned_clips, learned_steps
from archsim.accuracy.experiment import load_experiment
from archsim.accuracy.gradients import ForwardPass, loss_and_gradient
from archsim.accuracy.hadamard import rotate_model
from archsim.accuracy.learned_steps import SteppedMatrix, round_to_steps
from archsim.accuracy.llama import FINAL_NORM, NORMS, TABLE, Llama, Numerics
from archsim.accuracy.loss import mean_loss, window_losses
from archsim.accuracy.measure import Experiment, Setting
from archsim.accuracy.qat import Training, _QuantizedInputs, fine_tune
from archsim.common.errors import InputError
from archsim.formats import parse_format
from archsim.models.config import TransformerConfig
from archsim.models.matrices import GATES, HEAD, LINEARS, layer_part

TINY = TransformerConfig(
    hidden=8, layers=2, heads=4, kv_heads=2, head_dim=4, ffn=8, vocab=11, max_positions=16, norm_eps=1e-5
)  # fmt: skip
TOKENS = np.random.default_rng(1).integers(0, TINY.vocab, (2, 7))


def tiny_weights() -> dict[str, np.ndarray]:
    """float64, with a head of its own."""
    random = np.random.default_rng(0)
    cached = TINY.kv_heads * TINY.head_dim
    sizes = [(16, 8), (cached, 8), (cached, 8), (8, 16), (8, 8), (8, 8), (8, 8)]
    weights = {name: random.normal(size=(TINY.vocab, 8)) for name in (TABLE, HEAD)}
    weights[FINAL_NORM] = random.random(8) + 0.5
    for layer in range(TINY.layers):
        for part, size in zip(LINEARS, sizes, strict=True):
            weights[layer_part(layer, part)] = random.normal(0, 0.5, size)
        for part in NORMS:
            weights[layer_part(layer, part)] = random.random(8) + 0.5
    return weights


def slope(loss: Callable[[float], float], width: float = 1e-5) -> float:
    """Derivative at 0, by central differences."""
    return (loss(width) - loss(-width)) / (2 * width)


def test_gradients_of_all_weights_are_differences_of_the_loss() -> None:
    weights = tiny_weights()
    loss, gradient = loss_and_gradient(weights, TINY, TOKENS)
    single = Llama(TINY, {name: value.astype(np.float32) for name, value in weights.items()})
    assert loss == pytest.approx(window_losses(single, TOKENS, Numerics()).mean(), rel=1e-5)
    assert set(gradient) == set(weights)
    random = np.random.default_rng(2)
    for name, value in weights.items():
        direction = random.normal(size=value.shape)

        def moved(by: float, name: str = name, direction: np.ndarray = direction) -> float:
            return loss_and_gradient({**weights, name: weights[name] + by * direction}, TINY, TOKENS)[0]

        assert np.vdot(gradient[name], direction) == pytest.approx(slope(moved), rel=1e-6, abs=1e-9)


def test_gradient_of_a_step_is_the_papers_case_by_case() -> None:
    """Equations 3 and 5 at two bits, Q_N = 2 and Q_P = 1, steps of 0.5; the ends of the range count as outside."""
    values = np.array([[-3.0, -1.0, -0.6, 0.1, 0.4, 0.5, 2.0]])
    cases = np.array([-2, -2, -1 + 1.2, 0 - 0.2, 1 - 0.8, 1, 1])
    for at, case in enumerate(cases):
        one = np.zeros((1, 7))
        one[0, at] = 3.0
        of_values, of_step = learned_steps.gradients(values, np.array([[0.5]]), 2, one)
        assert of_step == pytest.approx(3 * case / sqrt(7 * 1))
        assert of_values[0, at] == (3 if 2 <= at <= 4 else 0)
    assert learned_steps.initial_steps(values, 3) == pytest.approx(2 * (7.6 / 7) / sqrt(3))


def test_gradients_of_steps_are_differences_of_the_straight_through_model() -> None:
    """A rounding passed straight through adds round(v/s) - v/s, which does not change: the model is smooth in s.

    Outside the range nothing is approximated, and the difference is that of the rounding itself.
    """
    weights, name = tiny_weights(), layer_part(0, GATES[1])
    matrix = SteppedMatrix(weights[name], parse_format("int3-channel"))
    matrix.steps *= 0.4  # so that some are outside
    ratio = matrix.values / matrix.steps
    inside = (ratio > -4) & (ratio < 3)
    assert 0.5 < inside.mean() < 1
    _, gradient = loss_and_gradient({**weights, name: matrix.rounded()}, TINY, TOKENS)
    of_values, of_steps = matrix.gradients(gradient[name])

    def loss(steps: np.ndarray, values: np.ndarray) -> float:
        passed = values + (np.rint(ratio) - ratio) * steps
        rounded = np.where(inside, passed, round_to_steps(values, steps, 3) * steps)
        return loss_and_gradient({**weights, name: rounded}, TINY, TOKENS)[0]

    for row in range(len(matrix.steps)):
        one = np.zeros_like(matrix.steps)
        one[row] = 1
        difference = slope(lambda by, one=one: loss(matrix.steps + by * one, matrix.values))  # type: ignore[misc]
        assert of_steps[row, 0] * sqrt(8 * 3) == pytest.approx(difference, rel=1e-6, abs=1e-9)
    direction = np.random.default_rng(3).normal(size=ratio.shape)
    difference = slope(lambda by: loss(matrix.steps, matrix.values + by * direction))
    assert np.vdot(of_values, direction) == pytest.approx(difference, rel=1e-6)


def test_gradient_of_a_clip_is_that_of_what_is_clipped() -> None:
    x = np.array([[-3.0, -1.3, 0.2, 0.9, 2.5]])
    d = np.array([[1.0, 10, 100, 1000, 10000]])

    def clipped(by: float) -> float:
        y = learned_clips.clip_and_round(x, 2 + by, 7)
        return float((y * d)[np.abs(x) > 2].sum())

    of_x, of_clip = learned_clips.gradients(x, 2.0, d)
    assert of_clip == pytest.approx(slope(clipped)) == pytest.approx(10000 - 1)
    assert of_x.tolist() == [[0, 10, 100, 1000, 0]]
    assert learned_clips.clip_and_round(x, 2.0, 7) * 7 / 2 == pytest.approx(np.array([[-7, -5, 1, 3, 7]]))


def test_gradients_go_back_through_rotations() -> None:
    turned = rotate_model(Llama(TINY, tiny_weights()), {}, TOKENS)
    inputs = _QuantizedInputs(turned, parse_format("fp32"))
    names = [layer_part(layer, part) for layer in range(2) for part in LINEARS]
    target = np.random.default_rng(4).normal(size=(TOKENS.size, TINY.vocab))

    def product(weights: Mapping[str, np.ndarray]) -> float:
        return float(np.vdot(ForwardPass(weights, TINY, TOKENS, inputs).logits, target))

    plain = ForwardPass(tiny_weights(), TINY, TOKENS).logits
    run = ForwardPass(turned.weights, TINY, TOKENS, inputs)
    assert np.abs(run.logits - plain).max() < 1e-5
    gradient = run.backward(target)
    weights = turned.weights
    for name in names:
        difference = slope(lambda by, name=name: product({**weights, name: weights[name] * (1 + by)}))  # type: ignore[misc]
        assert np.vdot(gradient[name], weights[name]) == pytest.approx(difference, rel=1e-5, abs=1e-6)


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    whole = load_experiment("reference")
    return replace(whole, windows=whole.windows[::16], calibration=whole.calibration[::4], training=Training(steps=8))


def test_few_steps_of_training_beat_rounding(experiment: Experiment) -> None:
    """At two bits, on text that was not trained on; and the matrices are what the format stores."""
    model, form, seen = experiment.model, parse_format("int2-channel"), []
    training = Training(8, 0, lambda done, steps, what: seen.append((done, steps)))
    trained = fine_tune(
        model, dict.fromkeys(model.linear_names(), form), parse_format("fp32"), experiment.calibration, training
    )
    assert seen == [(step, 8) for step in range(8)]
    assert trained.losses[-1] < trained.losses[0] / 2
    after = float((window_losses(trained.model, experiment.windows, Numerics()) - experiment.exact).mean())
    before = {m: experiment.measure(Setting("int2-channel", method=m)).difference.mean for m in ("rtn", "gptq")}
    assert after < before["gptq"] < before["rtn"]
    for name in model.linear_names():
        for row in trained.model.weights[name][:8]:
            step = np.abs(row[row != 0]).min()
            assert step == np.float16(step) and set(row / step) <= {-2, -1, 0, 1}
    untrained = set(model.weights) - set(model.linear_names())
    assert all(trained.model.weights[name] is model.weights[name] for name in untrained)


def test_training_is_deterministic(experiment: Experiment) -> None:
    def losses(seed: int) -> np.ndarray:
        own = replace(experiment, windows=experiment.windows[:2], training=Training(1, seed))
        return own.losses(Setting("int3-g64", "int4", "fp16", "hadamard+lsq"))

    assert np.array_equal(losses(0), losses(0))
    assert not np.array_equal(losses(0), losses(1))


def test_learned_clips_serve_activations_of_four_bits(experiment: Experiment) -> None:
    setting = Setting("int8-channel", "int4-tensor", method="lsq")
    first, last = (replace(experiment, training=Training(steps)).measure(setting) for steps in (1, 8))
    assert mean_loss(last.losses - first.losses).interval[1] < 0


@pytest.mark.parametrize("name", ["int2-g64-asym", "mxfp4", "binary", "fp16"])
def test_formats_without_a_step_to_learn_are_refused(name: str, experiment: Experiment) -> None:
    with pytest.raises(InputError, match="lsq does not train"):
        experiment.losses(Setting(name, method="lsq"))
