"""A whole request against its prefill and each of its decode steps."""

from __future__ import annotations

import pytest

from archsim.common.errors import InputError
from archsim.design import load_design
from archsim.mapping import simulate
from archsim.mapping.request import SPANS, simulate_request, spans
from archsim.models import load_model

PROMPT, TOKENS = 40, 13


@pytest.mark.parametrize("steps", [0, 1, 3, 4, 5, 100])
def test_spans_stand_for_every_step_once(steps: int) -> None:
    found = spans(PROMPT, steps)
    assert sum(count for _, count in found) == steps
    assert len(found) == min(SPANS, steps)
    first = PROMPT + 1
    for middle, count in found:
        assert first <= middle < first + count
        assert abs(2 * middle - (2 * first + count - 1)) <= 1
        first += count


def test_a_request_is_its_prefill_and_its_steps() -> None:
    model, design = load_model("tiny-llama-test"), load_design("edge-npu")
    found = simulate_request(model, design, batch=2, context=PROMPT, tokens=TOKENS)
    prefill = simulate(model, design, phase="prefill", batch=2, context=PROMPT)
    steps = [simulate(model, design, phase="decode", batch=2, context=PROMPT + number) for number in range(1, TOKENS)]
    whole = prefill.cycles + sum(step.cycles for step in steps)
    assert found.cycles == pytest.approx(whole, rel=0.01)
    assert found.macs_total == prefill.macs_total + sum(step.macs_total for step in steps)
    assert found.ttft_s == prefill.ttft_s
    assert found.tpot_s == pytest.approx(sum(step.time_s for step in steps) / len(steps), rel=0.02)
    assert found.tokens == 2 * TOKENS
    assert found.cycles == sum(op.cycles * op.times for op in found.ops)
    assert found.busy_cycles + sum(found.stalls.values()) == found.hart_cycles


def test_one_token_is_a_prefill() -> None:
    model, design = load_model("tiny-llama-test"), load_design("edge-npu")
    found = simulate_request(model, design, context=PROMPT, tokens=1)
    assert found.cycles == simulate(model, design, phase="prefill", context=PROMPT).cycles
    assert found.tpot_s is None


def test_more_tokens_than_the_model_has_positions_for() -> None:
    model, design = load_model("tiny-llama-test"), load_design("edge-npu")
    with pytest.raises(InputError, match="exceed the 512 positions"):
        simulate_request(model, design, context=PROMPT, tokens=model.config.max_positions)


@pytest.mark.parametrize("name", ["t5-small", "bert-base-uncased"])
def test_models_that_have_no_requests(name: str) -> None:
    with pytest.raises(InputError, match="is no decoder alone"):
        simulate_request(load_model(name), load_design("edge-npu"), context=16, tokens=4)
