"""What no simulation may break: lower bounds, the serial sum, and that more of a resource costs no time."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from archsim.design import load_design
from archsim.mapping import SimulationResult, simulate
from archsim.models import Model, load_model

RUNS = [
    ("edge-npu", "decode", 1, 100), ("edge-npu", "prefill", 1, 70), ("edge-npu", "decode", 3, 37),
    ("octa-npu", "decode", 1, 100), ("octa-npu", "prefill", 2, 33), ("server-npu", "decode", 1, 129),
    ("server-npu", "prefill", 1, 65), ("systolic-128", "decode", 1, 90),
]  # fmt: skip
ANOMALY = 1.001
"""More banks or channels place requests otherwise; what that may cost."""


def small(**sizes: int) -> Model:
    """A model of four layers whose sizes are no multiples of tiles."""
    model = load_model("tiny-llama-test", weights="int4-g64")
    shape = {"hidden": 320, "heads": 5, "kv_heads": 1, "head_dim": 64, "ffn": 832, "layers": 4, "max_positions": 4096}
    return replace(model, config=replace(model.config, **{**shape, **sizes}))  # type: ignore[arg-type]


def run(design: str, phase: str, batch: int = 1, context: int = 100, **overrides: Any) -> SimulationResult:
    return simulate(small(), load_design(design, overrides), phase=phase, batch=batch, context=context)


@pytest.mark.parametrize("design, phase, batch, context", RUNS)
def test_time_is_between_the_roofline_and_the_serial_sum(design: str, phase: str, batch: int, context: int) -> None:
    result = run(design, phase, batch, context)
    moved = result.dram_read_bytes + result.dram_write_bytes
    assert result.time_s >= result.macs_total / result.peak_macs_per_s
    assert result.time_s >= moved / result.dram_peak_bytes_per_s
    assert moved >= result.weight_bytes
    # with nothing overlapping: all instructions of all harts, and all work of all units, one after the other
    assert result.cycles <= result.busy_cycles + sum(result.units.values()) + result.stalls.get("branch", 0)
    for op in result.ops:
        assert op.roofline_cycles <= op.cycles + 2 * 16896 / 51, op.op


@pytest.mark.parametrize("phase, context", [("decode", 100), ("prefill", 70)])
@pytest.mark.parametrize(
    "field, values",
    [
        ("core.scratchpad.size", ["192 KiB", "256 KiB", "384 KiB", "512 KiB", "1 MiB", "2 MiB"]),
        ("memory.channels", [4, 8, 16]),
        ("core.scratchpad.banks", [8, 16, 32]),
        ("interconnect.width", ["32 B", "64 B", "128 B"]),
    ],
)
def test_more_is_never_slower(field: str, values: list[Any], phase: str, context: int) -> None:
    times = [run("edge-npu", phase, context=context, **{field: value}).cycles for value in values]
    for less, more in pairwise(times):
        assert more <= ANOMALY * less, times


@pytest.mark.parametrize("design", ["edge-npu", "octa-npu", "server-npu"])
def test_a_larger_model_takes_longer(design: str) -> None:
    times = [simulate(small(ffn=ffn), design, phase="decode", context=100).cycles for ffn in (832, 1024, 1664)]
    assert times == sorted(times)


@pytest.mark.parametrize(
    "design, phase, context, error",
    [
        ("edge-npu", "prefill", 40, 0.001),
        ("systolic-128", "prefill", 40, 0.001),
        ("systolic-128", "decode", 500, 0.001),
        # of a layer of half a million cycles, refresh and row conflicts take now more, now less
        ("edge-npu", "decode", 500, 0.003),
    ],
)
def test_equal_layers_once_are_all_layers(design: str, phase: str, context: int, error: float) -> None:
    model = small(hidden=2048, heads=16, kv_heads=4, head_dim=128, ffn=5632)
    once = simulate(model, design, phase=phase, context=context)
    every = simulate(model, design, phase=phase, context=context, every_layer=True)
    assert once.cycles == pytest.approx(every.cycles, rel=error)
    assert [op.layers for op in every.ops if op.op == "qkv"] == [str(layer) for layer in range(4)]
    assert once.macs_total == every.macs_total == sum(op.macs * op.times for op in every.ops)
    assert every.busy_cycles + sum(every.stalls.values()) == every.hart_cycles
    assert once.traffic.keys() == every.traffic.keys()


def test_a_layer_of_llama_3_8b_is_near_the_bytes_that_it_reads() -> None:
    """Weights of 8 bits and the cache over 128 bytes per cycle: 1,736,704 cycles; workloads/reference/gemm_cycles.csv
    has the array and the memory."""
    model = load_model("llama-3-8b", weights="int8-channel")
    result = simulate(model, "systolic-128", phase="decode", context=2048)
    cycles = sum(op.cycles for op in result.ops if op.times == 32)
    assert 1_736_704 <= cycles <= 1.05 * 1_736_704
