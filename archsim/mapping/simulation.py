"""A whole model on a design: embedding, decoder layers, of which equal ones run once and count often, and head."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from archsim.common.collection import collector_paused
from archsim.common.errors import InputError
from archsim.common.units import show
from archsim.mapping.bind import Bound, Setting, bind_all
from archsim.mapping.families import family_of
from archsim.mapping.layer import LayerProgram, write_layers, write_program
from archsim.mapping.result import SimulationResult
from archsim.mapping.roofline import limits_of
from archsim.mapping.routing import routing_contents
from archsim.mapping.totals import add_program, finish

if TYPE_CHECKING:
    from archsim.design.spec import Design
    from archsim.machine.result import RunResult
    from archsim.models import Model
    from archsim.models.graph import Graph
    from archsim.models.onnx.model import OnnxModel

Progress = Callable[[float, str], None]
_TOKEN_IDS = 4096
"""Token ids held for the embedding; more rows use them again."""
_CACHE_UNIT = 256
"""Tokens. Capacities are odd multiples, so that the rows of the transposed values spread over DRAM channels."""


@collector_paused()
def simulate(
    model: Model | OnnxModel | str,
    design: Design | str = "edge-npu",
    *,
    phase: str = "decode",
    batch: int = 1,
    context: int = 2048,
    chosen: Mapping[str, Any] | None = None,
    every_layer: bool = False,
    progress: Progress | None = None,
) -> SimulationResult:
    """Simulate one pass of a model.

    Args:
        model: a Model, or the name of one; or an ONNX file, which says itself what `phase`, `batch` and `context` say
            of others.
        design: a Design, or the name of one.
        phase: "prefill": `batch` prompts of `context` tokens; "decode": the next token of `batch` sequences, which
            are `context` tokens long with it.
        chosen: tilings, by op, as mapping.search finds them; by default they are chosen by estimate.
        every_layer: run all layers, as one program; else equal ones run once, and count as often as they are there.
        progress: called with the share done (0 to 1) and what is at work.

    Returns:
        SimulationResult.

    Raises:
        InputError: a name or size is wrong, or the model does not fit the design.
        SimulationError: a program trapped.
    """
    from archsim.design import load_design
    from archsim.mapping.onnx_simulation import simulate_onnx
    from archsim.models import load_model
    from archsim.models.onnx.file import is_onnx
    from archsim.models.onnx.model import OnnxModel, load_onnx

    design = load_design(design) if isinstance(design, str) else design
    if isinstance(model, str):
        model = load_onnx(model) if is_onnx(model) else load_model(model)
    if isinstance(model, OnnxModel):
        return simulate_onnx(model, design, chosen=chosen, progress=progress)
    graph = model.graph(phase, batch, context)
    check_memory(model, graph, design)
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
    run_programs(result, list(write_programs(model, graph, design, chosen, every_layer)), graph, design, progress)
    return result


def run_programs(
    result: SimulationResult,
    programs: Sequence[LayerProgram],
    graph: Graph,
    design: Design,
    progress: Progress | None = None,
) -> None:
    """Run the programs of a graph, and add their figures to a result."""
    area = 0.0
    steps = _Steps(programs, design, progress or (lambda share, what: None))
    for number, program in enumerate(programs):
        area += add_program(result, program, _run(program, design, partial(steps.say, number)), design)
    finish(result, graph, design, area)


def check_memory(model: Model, graph: Graph, design: Design) -> None:
    """Refuse a model that the main memory has no room for.

    Raises:
        InputError: it says how much there would have to be.
    """
    needed = graph.memory_bytes
    if needed > design.memory.size:
        raise InputError(
            f"{model.name} needs {show(needed, 'B')} of main memory, {show(graph.kv_bytes, 'B')} of it for the KV "
            f"cache of {graph.batch} x {graph.context} tokens; {design.name} has {show(design.memory.size, 'B')}",
            remedy=f"set memory.size to {_size(needed)} or more (and memory.channels), or use smaller formats, "
            "a smaller batch or a shorter context",
        )


def _size(nbytes: int) -> str:
    """A size in whole GiB, or MiB below one."""
    return f"{-(-nbytes >> 30)} GiB" if nbytes >= 1 << 30 else f"{-(-nbytes >> 20)} MiB"


def write_programs(
    model: Model,
    graph: Graph,
    design: Design,
    chosen: Mapping[str, Any] | None = None,
    every_layer: bool = False,
) -> Iterator[LayerProgram]:
    """The programs of a graph: its embedding's, one for each kind of layer or one for all layers, its head's.

    Raises:
        InputError: an op does not fit the design.
    """
    embed, *kinds, head = bound_programs(model, graph, design)
    contents = (
        {"token_ids": spread_ids(_TOKEN_IDS, model.config.vocab)}
        if any(op.kind == "embed" for op in graph.embed)
        else {}
    )
    yield write_program("embed", embed, design, contents, chosen)
    if every_layer:
        of = {layer: bounds for kind, bounds in zip(graph.kinds, kinds, strict=True) for layer in kind.layers}
        routed = {name: held for kind in graph.kinds for name, held in routing_contents(kind.ops).items()}
        yield write_layers({layer: of[layer] for layer in sorted(of)}, design, routed, chosen)
    else:
        for kind, bounds in zip(graph.kinds, kinds, strict=True):
            program = write_program("layer", bounds, design, routing_contents(kind.ops), chosen)
            yield replace(program, layers=kind.layers)
    yield write_program("head", head, design, None, chosen)


def spread_ids(count: int, vocab: int) -> np.ndarray:
    """Token ids int32, spread over a vocabulary as a multiplicative hash does (Knuth, TAOCP 3, 6.4)."""
    return (np.arange(count, dtype=np.int64) * 2654435761 % 2**32 % vocab).astype(np.int32)


def bound_programs(model: Model, graph: Graph, design: Design) -> list[tuple[Bound, ...]]:
    """Kernels of the embedding's ops, of each kind of layer, and of the head.

    Raises:
        InputError: an op has no kernel on the design.
    """
    family = family_of(design)
    capacity = cache_capacity(graph.context)
    eps = model.config.norm_eps
    layer = Setting(
        family.target, eps, capacity, ids=_TOKEN_IDS, scale=model.config.embed_scale, kernels=family.kernels
    )
    # a head works on all rows, or on the last of each sequence
    head = replace(layer, every=graph.rows // graph.head[0].attributes["rows"], ids=0, scale=1.0)
    layers = [bind_all(kind.ops, layer) for kind in graph.kinds]
    return [bind_all(graph.embed, layer), *layers, bind_all(graph.head, head)]


def cache_capacity(context: int) -> int:
    """Tokens that a cache has room for where there are so many."""
    return _CACHE_UNIT * (-(-context // _CACHE_UNIT) | 1)


class _Steps:
    """Progress over programs, by the cycles that each is expected to take."""

    def __init__(self, programs: Sequence[LayerProgram], design: Design, progress: Progress) -> None:
        self.names, self.progress = [program.name for program in programs], progress
        self.expected = [sum(limits_of(op, design).expected for op in program.plan.ops) + 1 for program in programs]

    def say(self, number: int, instructions: int, cycle: int) -> None:
        done = sum(self.expected[:number]) + min(cycle, self.expected[number])
        self.progress(done / sum(self.expected), self.names[number])


def _run(program: LayerProgram, design: Design, progress: Callable[[int, int], None]) -> RunResult:
    from archsim.machine.run import run

    tensors = {name: (address, array.nbytes) for name, (address, array) in program.plan.tensors.items()}
    return run(program.program, design, fidelity="addresses", memory=program.memory, tensors=tensors, progress=progress)
