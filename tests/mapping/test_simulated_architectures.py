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


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("qwen2-7b", "op 'qkv': its bias has no kernel on this design"),
        ("gpt2", "op 'attn_norm': the design's instruction set has no kernel for ops of kind layer_norm"),
        ("gpt-j-6b", "op 'attn_norm': the design's instruction set has no kernel for ops of kind layer_norm"),
        ("gemma-2b", "op 'gelu_tanh_mul': the design's instruction set has no kernel for ops of kind gelu_tanh_mul"),
        ("mixtral-8x7b", "op 'route': the design's instruction set has no kernel for ops of kind route"),
        ("mistral-7b", "op 'attention': its attribute window has no kernel on this design"),
        ("t5-small", "op 'heads_kv': the design's instruction set has no kernel for ops of kind heads_kv"),
    ],
)
def test_ops_without_a_kernel_on_vectors_are_named(name: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        model = tiny(name, tmp_path, {"head_dim": 32} if name == "gemma-2b" else {}, weights="int8")
        archsim.simulate(model, "edge-rvv", context=50)


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
    """Mixtral's cache: 32 layers of 2 x 8 heads of 128 and their scales, of 32768 tokens 2.0 GiB a sequence."""
    with pytest.raises(InputError, match=r"mixtral-8x7b needs .* cache of 256 x 32768 tokens; edge-npu has 16 GiB"):
        archsim.simulate("mixtral-8x7b", "edge-npu", batch=256, context=32768)
