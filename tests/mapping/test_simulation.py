"""Whole models: sums add up, bounds hold, what should cost more costs more."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest

import archsim
from archsim.common.errors import InputError
from archsim.common.resources import data_root
from archsim.common.yamlfile import load_yaml
from archsim.design import load_design
from archsim.formats import parse_format
from archsim.mapping import SimulationResult, simulate
from archsim.models import load_model

DOWN, HEAD = (256, 512), (512, 256)
"""Shapes of matrices of the test model."""
CASES = [
    ("edge-npu", "decode"),
    ("edge-npu", "prefill"),
    ("edge-npu-int8", "decode"),
    ("server-npu", "prefill"),
    ("edge-rvv", "decode"),
    ("edge-rvv", "prefill"),
    ("edge-xuantie", "prefill"),
]


@pytest.fixture(scope="module")
def decode_8b() -> SimulationResult:
    return simulate("llama-3-8b", "edge-npu", phase="decode", context=2048)


@pytest.mark.parametrize("design, phase", CASES)
def test_sums_add_up(design: str, phase: str) -> None:
    result = simulate("tiny-llama-test", design, phase=phase, batch=2, context=60)
    assert result.cycles == sum(op.cycles * op.times for op in result.ops)
    assert result.busy_cycles + sum(result.stalls.values()) == result.hart_cycles
    assert result.hart_cycles == result.cycles * load_design(design).cores
    assert result.macs_total == sum(op.macs * op.times for op in result.ops)
    assert result.energy_j == pytest.approx(sum(result.energy.values()))
    assert result.tokens == (120 if phase == "prefill" else 2)
    assert result.ttft_s == (result.time_s if phase == "prefill" else None)


def test_result_is_json(decode_8b: SimulationResult) -> None:
    tree = json.loads(json.dumps(decode_8b.to_dict()))
    assert tree["energy_per_token_j"] == decode_8b.energy_per_token_j
    assert [op["op"] for op in tree["ops"]][:2] == ["embed", "attn_norm"]


def test_decode_reads_the_weights_and_the_cache_once(decode_8b: SimulationResult) -> None:
    least = decode_8b.weight_bytes + decode_8b.kv_bytes
    assert least <= decode_8b.dram_read_bytes < 1.02 * least


def test_decode_is_close_to_the_dram_bound_and_never_beyond(decode_8b: SimulationResult) -> None:
    assert 0.8 < decode_8b.dram_utilization < 1
    assert decode_8b.tokens_per_s < decode_8b.dram_peak_bytes_per_s / decode_8b.weight_bytes


def test_prefill_is_close_to_the_mac_bound_and_never_beyond() -> None:
    result = simulate("llama-3-8b", "edge-npu", phase="prefill", context=64)
    assert 0.8 < result.macs_total / (result.time_s * result.peak_macs_per_s) < 1


def test_sram_stays_within_the_scratchpad(decode_8b: SimulationResult) -> None:
    timeline = decode_8b.sram_timeline
    assert max(point["bytes"] for point in timeline) == decode_8b.sram_peak_bytes <= decode_8b.sram_size_bytes
    assert decode_8b.sram_average_bytes < decode_8b.sram_peak_bytes
    times = [point["time_s"] for point in timeline]
    assert times == sorted(times) and times[0] == 0


def test_live_allocations_add_up_to_the_occupancy_at_every_moment(decode_8b: SimulationResult) -> None:
    points, held = decode_8b.sram_timeline, decode_8b.sram_allocations
    edges = sorted({point["time_s"] for point in points} | {one[key] for one in held for key in ("begin_s", "end_s")})
    for begin, end in pairwise(edges):
        live = [one for one in held if one["begin_s"] <= begin and one["end_s"] >= end]
        shown = [point["bytes"] for point in points if point["time_s"] <= begin][-1]
        assert sum(one["bytes"] for one in live) == shown <= decode_8b.sram_size_bytes
        places = sorted((one["offset"], one["offset"] + one["bytes"]) for one in live)
        assert all(left[1] <= right[0] for left, right in pairwise(places))
        assert places[-1][1] <= decode_8b.sram_size_bytes
    assert sum(decode_8b.sram_peak.values()) == decode_8b.sram_peak_bytes
    assert {"constants", "weights 0", "weights 1"} < set(decode_8b.sram_peak)


def test_traffic_by_tensor_and_by_op_is_all_of_it(decode_8b: SimulationResult) -> None:
    asked = {way: sum(moved[f"{way}_bytes"] for moved in decode_8b.traffic.values()) for way in ("read", "write")}
    by_op = sum(op.times * op.dram_read_bytes for op in decode_8b.ops)
    assert asked["read"] == by_op
    # rows that begin and end within what the device moves at once are fetched whole
    assert asked["read"] <= decode_8b.dram_read_bytes < 1.02 * asked["read"]
    assert asked["write"] <= decode_8b.dram_write_bytes
    largest = max(decode_8b.traffic, key=lambda name: decode_8b.traffic[name]["read_bytes"])
    assert decode_8b.traffic[largest]["read_bytes"] > 0.2 * asked["read"]
    assert 0.5 < decode_8b.row_hit_rate <= 1


def test_bytes_per_weight_decide_decode(decode_8b: SimulationResult) -> None:
    wide = simulate(load_model("llama-3-8b", weights="int8"), "edge-npu", context=2048)
    assert 1.7 < wide.cycles / decode_8b.cycles < 2


def test_a_design_without_a_scratchpad_holds_nothing_in_it() -> None:
    result = simulate("tiny-llama-test", "edge-rvv", context=60)
    assert result.sram_peak_bytes == result.sram_average_bytes == result.sram_size_bytes == 0
    least = result.weight_bytes + result.kv_bytes
    assert result.dram_read_bytes >= least


def test_longer_contexts_cost_more() -> None:
    short, long = (simulate("tiny-llama-test", "edge-npu", context=context) for context in (16, 512))
    assert short.cycles < long.cycles
    assert short.energy_j < long.energy_j


@pytest.mark.parametrize("size", ["96 KiB", "1 MiB"])
def test_any_size_of_scratchpad_that_is_enough(size: str) -> None:
    design = load_design("edge-npu", {"core.scratchpad.size": size})
    result = simulate("llama-3-8b", design, context=256)
    assert result.sram_peak_bytes <= design.core.scratchpad.size


def test_a_scratchpad_that_is_too_small_says_what_is_enough() -> None:
    design = load_design("edge-npu", {"core.scratchpad.size": "64 KiB"})
    with pytest.raises(InputError, match=r"op '\w+' does not fit a scratchpad of 64 KiB.*set core.scratchpad.size to"):
        simulate("llama-3-8b", design, context=256)


def test_what_exceeds_dram_is_refused() -> None:
    with pytest.raises(InputError, match=r"llama-3-70b needs 3\d\.\d+ GiB .* has 32 GiB; set memory.size to"):
        simulate("llama-3-70b", "server-npu", context=64)
    with pytest.raises(InputError, match=r"of it for the KV cache of 64 x 8192 tokens"):
        simulate("llama-3-8b", "edge-npu", context=8192, batch=64)


def test_public_name() -> None:
    assert archsim.simulate("tiny-llama-test", context=2).tokens == 1


def test_layers_in_formats_of_their_own(tmp_path: Path) -> None:
    """Of three layers two are equal: they run once, and count twice."""
    plan = tmp_path / "plan.yaml"
    plan.write_text("default: int4-g128\nmatrices:\n  model.layers.1.mlp.down_proj: int8\n  lm_head: int2-g64\n")
    model = load_model(three_layers(tmp_path), weights=f"mixed:{plan}")
    result = simulate(model, "edge-npu", context=60)
    assert {(op.layers, op.times) for op in result.ops if op.op == "down"} == {("0, 2", 2), ("1", 1)}
    assert result.cycles == sum(op.cycles * op.times for op in result.ops)
    assert result.macs_total == sum(op.macs * op.times for op in result.ops)
    assert result.weight_bytes == sum(op.weight_bytes * op.times for op in result.ops if op.kind != "embed")
    uniform = simulate(load_model(three_layers(tmp_path)), "edge-npu", context=60)
    change = {op.op: op.weight_bytes for op in uniform.ops}
    assert result.weight_bytes - uniform.weight_bytes == (
        parse_format("int8").nbytes(*DOWN) - change["down"] + parse_format("int2-g64").nbytes(*HEAD) - change["lm_head"]
    )


@pytest.mark.parametrize(
    "text, words",
    [
        ("default: int4-g128\nmatrices:\n  model.layers.3.mlp.down_proj: int8\n", "plan.yaml:3.*no matrix.*layers.3"),
        ("matrices:\n  model.layers.1.mlp.down_proj: int8\n", "'model.layers.0.self_attn.q_proj' has no format"),
        ("default: int4-g127\n", "plan.yaml:1.*group 127"),
    ],
)
def test_plans_of_other_models_are_refused(text: str, words: str, tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(text)
    with pytest.raises(InputError) as refusal:
        load_model(three_layers(tmp_path), weights=f"mixed:{plan}").graph("decode", 1, 20)
    assert re.search(words, str(refusal.value))


def three_layers(folder: Path) -> Path:
    """The test model with three layers."""
    config = load_yaml(data_root() / "workloads/models/tiny-llama-test.yaml")["config"]
    path = folder / "three.json"
    path.write_text(json.dumps(config | {"num_hidden_layers": 3}))
    return path
