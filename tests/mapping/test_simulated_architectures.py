"""Small variants of every shipped model run whole; what they cost follows what they compute."""

from __future__ import annotations

from pathlib import Path

import pytest

import archsim
from archsim.common.errors import InputError
from archsim.mapping import SimulationResult
from archsim.models import Model
from tests.models.tiny import SHIPPED, tiny


def simulated(model: Model, phase: str, context: int, batch: int = 1) -> SimulationResult:
    context = model.config.max_positions if model.config.image else context
    return archsim.simulate(model, "edge-npu", phase=phase, batch=batch, context=context)


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("phase", ["decode", "prefill"])
def test_every_shipped_architecture(name: str, phase: str, tmp_path: Path) -> None:
    model = tiny(name, tmp_path)
    if phase == "decode" and model.config.role == "encoder":
        with pytest.raises(InputError, match="an encoder generates no tokens"):
            simulated(model, phase, 40)
        return
    result = simulated(model, phase, 40, 2)
    assert result.cycles == sum(op.cycles * op.times for op in result.ops)
    assert result.busy_cycles + sum(result.stalls.values()) == result.hart_cycles
    assert result.macs_total == sum(op.macs * op.times for op in result.ops)
    # no op is free
    assert all(op.cycles > 0 for op in result.ops)
    # every weight is read at least once
    assert result.dram_read_bytes > result.weight_bytes


def test_experts_that_no_token_takes_cost_nothing(tmp_path: Path) -> None:
    one, all_ = (simulated(tiny("mixtral-8x7b", tmp_path), "decode", 20, batch) for batch in (1, 4))
    assert sum(op.kind == "gather" for op in one.ops) == 2
    assert sum(op.kind == "gather" for op in all_.ops) == 8
    assert one.dram_read_bytes < all_.dram_read_bytes


def test_routing_moves_work_between_experts(tmp_path: Path) -> None:
    """Of 20 tokens, 2 of 8 experts each: all to the same two, or five to each."""
    even = simulated(tiny("mixtral-8x7b", tmp_path), "prefill", 20)
    skewed = simulated(tiny("mixtral-8x7b", tmp_path, routing=[0, 1, 0, 0, 0, 0, 1, 0]), "prefill", 20)
    rows = {op.op: op.macs for op in skewed.ops if op.op.startswith("down.")}
    assert list(rows) == ["down.1", "down.6"]
    assert skewed.macs_total == even.macs_total
    assert skewed.weight_bytes < even.weight_bytes
    assert skewed.cycles < even.cycles


def test_a_file_may_state_the_routing(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(SHIPPED["mixtral-8x7b"].read_text() + "routing: [3, 1, 1, 1, 1, 1, 1, 1]\n")
    assert archsim.load_model(path).routing == (3, 1, 1, 1, 1, 1, 1, 1)
    path.write_text(SHIPPED["mixtral-8x7b"].read_text() + "routing: often\n")
    with pytest.raises(InputError, match=r"m.yaml:19: routing is no list of numbers; write uniform, or shares"):
        archsim.load_model(path)


def test_decode_beyond_a_window_reads_no_more_keys(tmp_path: Path) -> None:
    """A window of 48 keys; the cache is longer."""
    model = tiny("mistral-7b", tmp_path)
    reads = {context: simulated(model, "decode", context).dram_read_bytes for context in (48, 100, 400)}
    assert reads[100] == pytest.approx(reads[48], rel=0.02)
    assert reads[400] == pytest.approx(reads[48], rel=0.02)


def test_a_cache_that_exceeds_memory_is_told() -> None:
    """Mixtral's cache: 2 x 8 heads of 128; of 256 sequences of 32768 tokens one layer has 17 GB, edge-npu 16 GiB."""
    with pytest.raises(InputError, match=r"one layer and its KV cache take .* of 16 GiB DRAM; raise memory.size"):
        archsim.simulate("mixtral-8x7b", "edge-npu", batch=256, context=32768)
