"""A whole model on a design: embedding, one decoder layer counted as often as there are layers, and head."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from archsim.kernels.target import target_of
from archsim.mapping.bind import Setting, bind_all
from archsim.mapping.layer import LayerProgram, write_program
from archsim.mapping.result import OpResult, SimulationResult

if TYPE_CHECKING:
    from archsim.design.spec import Design
    from archsim.machine.result import RunResult
    from archsim.models import Model
    from archsim.models.graph import Graph

_TOKEN_IDS = 4096
"""Token ids held for the embedding; more rows use them again."""
_CACHE_UNIT = 256
"""Tokens. Capacities are odd multiples, so that the rows of the transposed values spread over DRAM channels."""


def simulate(
    model: Model | str,
    design: Design | str = "edge-npu",
    *,
    phase: str = "decode",
    batch: int = 1,
    context: int = 2048,
) -> SimulationResult:
    """Simulate one pass of a model.

    Args:
        model: a Model, or the name of one.
        design: a Design, or the name of one.
        phase: "prefill": `batch` prompts of `context` tokens; "decode": the next token of `batch` sequences, which
            are `context` tokens long with it.

    Returns:
        SimulationResult.

    Raises:
        InputError: a name or size is wrong, or the model does not fit the design.
        SimulationError: a program trapped.
    """
    from archsim.design import load_design
    from archsim.models import load_model

    model = load_model(model) if isinstance(model, str) else model
    design = load_design(design) if isinstance(design, str) else design
    graph = model.graph(phase, batch, context)
    result = SimulationResult(
        model.name,
        design.name,
        phase,
        graph.batch,
        graph.context,
        model.weights.name,
        model.activations.name,
        model.kv.name,
    )
    area = 0.0
    for program, times in write_programs(model, graph, design):
        area += times * _add(result, program, _run(program, design), times, design)
    _finish(result, model, graph, design, area)
    return result


def write_programs(model: Model, graph: Graph, design: Design) -> list[tuple[LayerProgram, int]]:
    """The programs of a graph, and how often each runs.

    Raises:
        InputError: an op does not fit the design.
    """
    target = target_of(design)
    units = -(-graph.context // _CACHE_UNIT)
    capacity = _CACHE_UNIT * (units | 1)
    eps = model.config.norm_eps
    layer = Setting(target, eps, capacity, ids=_TOKEN_IDS)
    head = Setting(target, eps, capacity, every=graph.context if graph.phase == "prefill" else 1)
    # spread over the vocabulary as a multiplicative hash does (Knuth, The Art of Computer Programming 3, 6.4)
    ids = np.arange(_TOKEN_IDS, dtype=np.int64) * 2654435761 % 2**32 % model.config.vocab
    contents = {"token_ids": ids.astype(np.int32)}
    return [
        (write_program("embed", bind_all(graph.embed, layer), design, contents), 1),
        (write_program("layer", bind_all(graph.layer, layer), design), graph.layers),
        (write_program("head", bind_all(graph.head, head), design), 1),
    ]


def _run(program: LayerProgram, design: Design) -> RunResult:
    from archsim.machine.run import run

    return run(program.program, design, fidelity="addresses", memory=program.memory)


def _add(total: SimulationResult, program: LayerProgram, run: RunResult, times: int, design: Design) -> float:
    """Add a program that runs so many times; gives its byte-cycles of scratchpad."""
    for name in ("cycles", "instructions", "busy_cycles", "hart_cycles", "dram_read_bytes", "dram_write_bytes"):
        setattr(total, name, getattr(total, name) + times * getattr(run, name))
    for name, counts in (
        ("stalls", run.stalls),
        ("units", run.units),
        ("macs", run.macs),
        ("energy", run.energy.components),
    ):
        mine = getattr(total, name)
        for key, value in counts.items():
            mine[key] = mine.get(key, 0) + times * value
    plan = program.plan
    total.sram_peak_bytes = max(total.sram_peak_bytes, plan.peak)
    cycles = Counter({region.region: 0 for region in run.regions})
    timeline, area = [], 0.0
    for region in run.regions:
        # what precedes the first op belongs to it
        start = region.start if region.region else 0
        op = plan.ops[region.region]
        cycles[region.region] += region.end - start
        timeline.append({"time_s": start / design.clock, "bytes": plan.occupancy(op), "op": op.bound.op.name})
        area += plan.occupancy(op) * (region.end - start)
    timeline.append({**timeline[-1], "time_s": run.time_s})
    if program.name == "layer":
        total.sram_timeline = timeline
    for number, op in enumerate(plan.ops):
        node = op.bound.op
        total.ops.append(
            OpResult(node.name, node.kind, times, cycles[number], node.macs, node.weight_bytes, plan.occupancy(op))
        )
    return area


def _finish(result: SimulationResult, model: Model, graph: Graph, design: Design, area: float) -> None:
    """What follows from the sums."""
    result.time_s = result.cycles / design.clock
    result.tokens = graph.batch * (graph.context if graph.phase == "prefill" else 1)
    result.tokens_per_s = result.tokens / result.time_s
    result.ttft_s = result.time_s if graph.phase == "prefill" else None
    result.macs_total = graph.macs
    result.peak_macs_per_s = design.peak_macs_per_s
    result.dram_peak_bytes_per_s = design.memory.peak_bytes_per_s
    moved = result.dram_read_bytes + result.dram_write_bytes
    result.dram_utilization = moved / (result.time_s * result.dram_peak_bytes_per_s)
    result.matrix_utilization = result.units.get("matrix", 0) / result.hart_cycles
    result.sram_average_bytes = area / result.cycles
    result.sram_size_bytes = design.core.scratchpad.size
    embedding = sum(op.weight_bytes for op in graph.embed)
    result.weight_bytes, result.kv_bytes = graph.weight_bytes, graph.kv_bytes
    result.memory_bytes = graph.weight_bytes + embedding + graph.kv_bytes
    result.memory_fits = result.memory_bytes <= design.memory.size
