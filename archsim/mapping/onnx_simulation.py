"""A model out of an ONNX file on a design: all its ops are one program, run once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from archsim.mapping.bind import Setting, bind
from archsim.mapping.families import family_of
from archsim.mapping.layer import LayerProgram, write_program
from archsim.mapping.result import SimulationResult
from archsim.mapping.simulation import Progress, cache_capacity, run_programs

if TYPE_CHECKING:
    from archsim.design.spec import Design
    from archsim.models.onnx_model import OnnxModel

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
    run_programs(result, [onnx_program(model, design, chosen)], graph, design, progress)
    return result


def onnx_program(model: OnnxModel, design: Design, chosen: Mapping[str, Any] | None = None) -> LayerProgram:
    """The program of a model.

    Raises:
        InputError: an op has no kernel on the design, or does not fit it.
    """
    family, capacity = family_of(design), cache_capacity(model.graph.context)
    setting = Setting(family.target, 0.0, capacity, kernels=family.kernels)
    bounds = [bind(op, replace(setting, eps=model.eps.get(op.name, 0.0))) for op in model.graph.layer]
    return write_program(model.graph.phase, bounds, design, None, chosen)
