"""A whole request: a prompt, and tokens that are decoded one after the other.

A decode step takes longer the longer its context, so steps are cut into a few spans of about the same length, and each
span counts its middle step as often as it has steps (midpoint rule).
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from archsim.common.errors import InputError
from archsim.mapping.result import OpResult, SimulationResult
from archsim.mapping.simulation import Progress, check_memory, simulate

if TYPE_CHECKING:
    from archsim.design.spec import Design
    from archsim.models import Model

SPANS = 4
_SUMS = (
    "cycles", "time_s", "instructions", "busy_cycles", "hart_cycles", "dram_read_bytes", "dram_write_bytes",
    "macs_total",
)  # fmt: skip
_COUNTS = ("stalls", "units", "macs", "energy", "dram")


def simulate_request(
    model: Model,
    design: Design,
    *,
    batch: int = 1,
    context: int = 2048,
    tokens: int = 128,
    progress: Progress | None = None,
    **choices: Any,
) -> SimulationResult:
    """Simulate a request of each of `batch` sequences.

    Args:
        context: tokens of the prompt.
        tokens: that are generated; the prefill makes the first.
        progress: as simulate() takes it.
        choices: as simulate() takes them.

    Returns:
        SimulationResult of phase "request": sums over prefill and all decode steps; ttft_s is the prefill's time,
        tpot_s the mean of the steps'. Its ops are named "prefill/..." and, by context, "decode 2064/...".

    Raises:
        InputError: a size is wrong, or the model does not fit the design.
        SimulationError: a program trapped.
    """
    if tokens < 1:
        raise InputError(f"tokens is {tokens}", remedy="ask for 1 or more")
    config = model.config
    if config.role != "decoder":
        raise InputError(
            f"{model.name} is no decoder alone: a request of it is not there", remedy="simulate its phases one by one"
        )
    if context + tokens - 1 > config.max_positions:
        raise InputError(
            f"a prompt of {context} tokens and {tokens} more exceed the {config.max_positions} positions that "
            f"{model.name} is made for",
            remedy="use a shorter context, or fewer tokens",
        )
    # the longest step first: a model without room for it is refused before hours go into it
    check_memory(model, model.graph("decode", batch, context + max(1, tokens - 1)), design)
    passes = spans(context, tokens - 1)
    say = progress or (lambda share, what: None)
    total = simulate(
        model, design, phase="prefill", batch=batch, context=context, progress=_part(say, 0, len(passes)), **choices
    )
    total.ops = [_renamed(op, "prefill", 1) for op in total.ops]
    total.phase, total.tokens = "request", batch * tokens
    held, steps_s = total.sram_average_bytes * total.cycles, 0.0
    for number, (middle, count) in enumerate(passes, start=1):
        part = _part(say, number, len(passes))
        step = simulate(model, design, phase="decode", batch=batch, context=middle, progress=part, **choices)
        steps_s += count * step.time_s
        held += count * step.sram_average_bytes * step.cycles
        _add(total, step, count)
    total.tpot_s = steps_s / (tokens - 1) if tokens > 1 else None
    _finish(total, held)
    return total


def _part(say: Progress, number: int, steps: int) -> Progress:
    """Progress of the prefill (number 0), which is taken for half of all, or of one of so many decode steps."""
    if number == 0:
        return lambda share, what: say(share / 2 if steps else share, f"prefill: {what}")
    return lambda share, what: say(0.5 + (number - 1 + share) / steps / 2, f"decode: {what}")


def spans(context: int, steps: int) -> list[tuple[int, int]]:
    """Contexts that stand for the decode steps after a prompt, each with the number of steps it stands for."""
    count = min(SPANS, steps)
    edges = [context + 1 + steps * number // count for number in range(count + 1)] if count else []
    return [((first + end - 1) // 2, end - first) for first, end in pairwise(edges)]


def _add(total: SimulationResult, step: SimulationResult, count: int) -> None:
    for name in _SUMS:
        setattr(total, name, getattr(total, name) + count * getattr(step, name))
    total.simulated_instructions += step.simulated_instructions
    for name in _COUNTS:
        mine = getattr(total, name)
        for key, value in getattr(step, name).items():
            mine[key] = mine.get(key, 0) + count * value
    for tensor, moved in step.traffic.items():
        mine = total.traffic.setdefault(tensor, {"read_bytes": 0, "write_bytes": 0})
        for way, size in moved.items():
            mine[way] += count * size
    if step.sram_peak_bytes > total.sram_peak_bytes:
        total.sram_peak_bytes, total.sram_peak = step.sram_peak_bytes, step.sram_peak
    total.kv_bytes, total.memory_bytes = max(total.kv_bytes, step.kv_bytes), max(total.memory_bytes, step.memory_bytes)
    total.ops += [_renamed(op, f"decode {step.context}", count) for op in step.ops]


def _renamed(op: OpResult, phase: str, count: int) -> OpResult:
    return replace(op, op=f"{phase}/{op.op}", times=op.times * count)


def _finish(total: SimulationResult, held: float) -> None:
    """What follows from the sums."""
    moved = total.dram_read_bytes + total.dram_write_bytes
    requests = sum(total.dram.get(name, 0) for name in ("row_hits", "row_misses", "row_conflicts"))
    total.row_hit_rate = total.dram.get("row_hits", 0) / requests if requests else 0.0
    total.tokens_per_s = total.tokens / total.time_s
    total.dram_utilization = moved / (total.time_s * total.dram_peak_bytes_per_s)
    total.matrix_utilization = total.units.get("matrix", 0) / total.hart_cycles
    total.sram_average_bytes = held / total.cycles
