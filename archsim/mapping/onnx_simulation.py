"""A model out of an ONNX file on a design: all its ops are one program, run once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from archsim.mapping.bind import Setting, bind
from archsim.mapping.families import family_of
from archsim.mapping.layer import LayerProgram, write_program
from archsim.mapping.result import SimulationResult
from archsim.mapping.simulation import Progress, cache_capacity, run_programs, spread_ids

if TYPE_CHECKING:
    from archsim.design.spec import Design
    from archsim.models.onnx.model import OnnxModel

_ACTIVATIONS = "int8"


def simulate_onnx(
    model: OnnxModel,
    design: Design,
    *,
    chosen: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> SimulationResult:
    """Simulate one pass of a model over its inputs.

    Args:
        chosen: tilings, by op; by default they are chosen by estimate.
        progress: called with the share done (0 to 1) and what is at work.

    Returns:
        SimulationResult of phase "run"; tokens are the first dimension of the file's first input.

    Raises:
        InputError: an op has no kernel on the design, or does not fit it.
        SimulationError: the program trapped.
    """
    graph = model.graph
    formats = model.form, _ACTIVATIONS, _ACTIVATIONS
    result = SimulationResult(model.name, design.name, graph.phase, graph.batch, graph.context, *formats)
    run_programs(result, [onnx_program(model, design, chosen, some_ids(model))], graph, design, progress)
    return result


def some_ids(model: OnnxModel) -> dict[str, np.ndarray]:
    """Numbers of rows of tables, by tensor, that are spread over them: addresses, and so times, depend on them."""
    embeds = [op for op in model.graph.layer if op.kind == "embed"]
    smallest: dict[str, int] = {}
    for op in embeds:
        ids, rows = op.inputs[0].name, op.weights[0].shape[0]
        smallest[ids] = min(rows, smallest.get(ids, rows))
    return {op.inputs[0].name: spread_ids(op.attributes["rows"], smallest[op.inputs[0].name]) for op in embeds}


def onnx_program(
    model: OnnxModel,
    design: Design,
    chosen: Mapping[str, Any] | None = None,
    contents: Mapping[str, np.ndarray] | None = None,
) -> LayerProgram:
    """The program of a model.

    Args:
        contents: what tensors hold at the start, by name, as far as its times depend on it.

    Raises:
        InputError: an op has no kernel on the design, or does not fit it.
    """
    family, capacity = family_of(design), cache_capacity(model.graph.context)
    setting = Setting(family.target, 0.0, capacity, kernels=family.kernels)
    bounds = [bind(op, replace(setting, eps=model.eps.get(op.name, 0.0))) for op in model.graph.layer]
    return write_program(model.graph.phase, bounds, design, contents, chosen)
