"""The figures of a simulation: sums over programs, and what follows from them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from archsim.mapping.layer import OF_LAYER, LayerProgram
from archsim.mapping.occupancy import allocations, at_peak, occupancy, to_dicts
from archsim.mapping.result import OpResult, SimulationResult, show_ranges
from archsim.mapping.roofline import limits_of

if TYPE_CHECKING:
    from archsim.design.spec import Design
    from archsim.machine.result import RunResult
    from archsim.models.graph import Graph


def add_program(total: SimulationResult, program: LayerProgram, run: RunResult, design: Design) -> float:
    """Add a program as often as it runs; gives its byte-cycles of scratchpad, of all these times."""
    times = program.times
    for name in ("cycles", "instructions", "busy_cycles", "hart_cycles", "dram_read_bytes", "dram_write_bytes"):
        setattr(total, name, getattr(total, name) + times * getattr(run, name))
    total.simulated_instructions += run.instructions
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
        mine = total.traffic.setdefault(tensor.partition(OF_LAYER)[0], {"read_bytes": 0, "write_bytes": 0})
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
    if program.name in ("layer", "run") and not total.sram_timeline:
        names = {begin: plan.ops[number].bound.op.name for number, begin, _ in spans}
        total.sram_timeline = [
            {"time_s": cycle / design.clock, "bytes": size, "op": names.get(cycle, "")} for cycle, size in points
        ]
        total.sram_allocations = to_dicts(held, design.clock)
    for number, op in enumerate(plan.ops):
        node = op.bound.op
        moved = run.region_traffic.get(number, {"read_bytes": 0, "write_bytes": 0})
        limits = limits_of(op, design)
        total.ops.append(
            OpResult(
                node.name, node.kind, times, cycles[number], node.macs, node.weight_bytes, plan.occupancy(op),
                moved["read_bytes"], moved["write_bytes"], node.weights[0].format if node.weights else "",
                show_ranges(program.layers_of(number)), limits.roofline, limits.bound(cycles[number]),
            )
        )  # fmt: skip
    return float(times * sum(one.bytes * (one.end - one.begin) for one in held))


def finish(result: SimulationResult, graph: Graph, design: Design, area: float) -> None:
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
    result.memory_bytes = graph.memory_bytes
