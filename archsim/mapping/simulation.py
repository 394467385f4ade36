"""A whole model on a design: embedding, decoder layers, of which equal ones run once and count often, and head."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from archsim.mapping.bind import Bound, Setting, bind_all
from archsim.mapping.families import family_of
from archsim.mapping.layer import LayerProgram, write_program
from archsim.mapping.occupancy import allocations, at_peak, occupancy, to_dicts
from archsim.mapping.result import OpResult, SimulationResult, show_ranges
from archsim.mapping.routing import routing_contents

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
    chosen: Mapping[str, Any] | None = None,
) -> SimulationResult:
    """Simulate one pass of a model.

    Args:
        model: a Model, or the name of one.
        design: a Design, or the name of one.
        phase: "prefill": `batch` prompts of `context` tokens; "decode": the next token of `batch` sequences, which
            are `context` tokens long with it.
        chosen: tilings, by op, as mapping.search finds them; by default they are chosen by estimate.

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
    for program, layers in write_programs(model, graph, design, chosen):
        times = max(1, len(layers))
        area += times * _add(result, program, _run(program, design), layers, design)
    _finish(result, model, graph, design, area)
    return result


def write_programs(
    model: Model, graph: Graph, design: Design, chosen: Mapping[str, Any] | None = None
) -> Iterator[tuple[LayerProgram, tuple[int, ...]]]:
    """The programs of a graph, and the decoder layers that each stands for (the embedding and the head: none).

    Raises:
        InputError: an op does not fit the design.
    """
    embed, *layers, head = bound_programs(model, graph, design)
    # spread over the vocabulary as a multiplicative hash does (Knuth, The Art of Computer Programming 3, 6.4)
    ids = np.arange(_TOKEN_IDS, dtype=np.int64) * 2654435761 % 2**32 % model.config.vocab
    contents = {"token_ids": ids.astype(np.int32)} if any(op.kind == "embed" for op in graph.embed) else {}
    yield write_program("embed", embed, design, contents, chosen), ()
    for kind, bounds in zip(graph.kinds, layers, strict=True):
        yield write_program("layer", bounds, design, routing_contents(kind.ops), chosen), kind.layers
    yield write_program("head", head, design, None, chosen), ()


def bound_programs(model: Model, graph: Graph, design: Design) -> list[tuple[Bound, ...]]:
    """Kernels of the embedding's ops, of each kind of layer, and of the head.

    Raises:
        InputError: an op has no kernel on the design.
    """
    family = family_of(design)
    units = -(-graph.context // _CACHE_UNIT)
    capacity = _CACHE_UNIT * (units | 1)
    eps = model.config.norm_eps
    layer = Setting(
        family.target, eps, capacity, ids=_TOKEN_IDS, scale=model.config.embed_scale, kernels=family.kernels
    )
    # a head works on all rows, or on the last of each sequence
    head = replace(layer, every=graph.rows // graph.head[0].attributes["rows"], ids=0, scale=1.0)
    layers = [bind_all(kind.ops, layer) for kind in graph.kinds]
    return [bind_all(graph.embed, layer), *layers, bind_all(graph.head, head)]


def _run(program: LayerProgram, design: Design) -> RunResult:
    from archsim.machine.run import run

    tensors = {name: (address, array.nbytes) for name, (address, array) in program.plan.tensors.items()}
    return run(program.program, design, fidelity="addresses", memory=program.memory, tensors=tensors)


def _add(
    total: SimulationResult, program: LayerProgram, run: RunResult, layers: tuple[int, ...], design: Design
) -> float:
    """Add a program that runs once for each of so many layers, or once; gives its byte-cycles of scratchpad."""
    times = max(1, len(layers))
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
    for name, count in run.dram.items():
        if isinstance(count, int):
            total.dram[name] = total.dram.get(name, 0) + times * count
    for tensor, moved in run.traffic.items():
        mine = total.traffic.setdefault(tensor, {"read_bytes": 0, "write_bytes": 0})
        for way, count in moved.items():
            mine[way] += times * count
    plan = program.plan
    # what precedes the first op belongs to it
    spans = [(region.region, region.start if region.region else 0, region.end) for region in run.regions]
    held = allocations(plan, spans, run.cycles)
    points = occupancy(held)
    peak = max(size for _, size in points)
    cycles = Counter({number: 0 for number, _, _ in spans})
    for number, begin, end in spans:
        cycles[number] += end - begin
    if peak > total.sram_peak_bytes:
        total.sram_peak_bytes, total.sram_peak = peak, {one.name: one.bytes for one in at_peak(held)}
    if program.name == "layer" and not total.sram_timeline:
        names = {begin: plan.ops[number].bound.op.name for number, begin, _ in spans}
        total.sram_timeline = [
            {"time_s": cycle / design.clock, "bytes": size, "op": names.get(cycle, "")} for cycle, size in points
        ]
        total.sram_allocations = to_dicts(held, design.clock)
    for number, op in enumerate(plan.ops):
        node = op.bound.op
        moved = run.region_traffic.get(number, {"read_bytes": 0, "write_bytes": 0})
        total.ops.append(
            OpResult(
                node.name, node.kind, times, cycles[number], node.macs, node.weight_bytes, plan.occupancy(op),
                moved["read_bytes"], moved["write_bytes"], node.weights[0].format if node.weights else "",
                show_ranges(layers),
            )
        )  # fmt: skip
    return float(sum(one.bytes * (one.end - one.begin) for one in held))


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
    requests = sum(result.dram.get(name, 0) for name in ("row_hits", "row_misses", "row_conflicts"))
    result.row_hit_rate = result.dram.get("row_hits", 0) / requests if requests else 0.0
    result.dram_utilization = moved / (result.time_s * result.dram_peak_bytes_per_s)
    result.matrix_utilization = result.units.get("matrix", 0) / result.hart_cycles
    result.sram_average_bytes = area / result.cycles
    result.sram_size_bytes = design.core.scratchpad.size
    result.weight_bytes, result.kv_bytes = graph.weight_bytes, graph.kv_bytes
    result.memory_bytes = graph.weight_bytes + graph.table_bytes + graph.kv_bytes
    result.memory_fits = result.memory_bytes <= design.memory.size
