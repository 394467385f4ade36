"""One point: a model in number formats on a design, simulated, or taken from the store."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from archsim.common.errors import InputError
from archsim.explore.grid import FORMATS, MAPPINGS, PHASES, WORKLOAD, Spec
from archsim.explore.map_point import searched_tilings
from archsim.explore.onnx_point import simulate_onnx_point
from archsim.explore.stored import stored_result

Progress = Callable[[float, str], None]


def simulate_point(point: dict[str, Any], progress: Progress | None = None) -> dict[str, Any]:
    """Simulate a point.

    Args:
        point: model, design, phase, batch, context, weights, activations, kv, overrides (field of the design ->
            value); mapping, how tilings are chosen ("estimate" unless it is there); tokens of a request; and
            every_layer, whether equal layers all run; dims, sizes by name that an ONNX file leaves open.
        progress: called with the share done (0 to 1) and what is at work.

    Returns:
        What SimulationResult.to_dict() gives, with the point's overrides and mapping.

    Raises:
        InputError: the model, a format or the design is wrong, or the model does not fit the design.
    """
    from archsim.design import load_design
    from archsim.mapping import simulate
    from archsim.mapping.request import simulate_request
    from archsim.models import load_model
    from archsim.models.onnx.file import is_onnx

    if is_onnx(str(point["model"])):
        return simulate_onnx_point(point, progress).to_dict()
    if point.get("dims"):
        raise InputError("dims are for ONNX files", remedy="leave them out")
    model = load_model(point["model"], **{name: point[name] for name in FORMATS})
    design = load_design(point["design"], point["overrides"])
    if point["phase"] not in PHASES:
        raise InputError(f"unknown phase {point['phase']!r}", remedy=f"use {', '.join(PHASES)}")
    mapping = _mapping(point)
    sizes = {name: point[name] for name in ("batch", "context")}
    choices: dict[str, Any] = {"every_layer": bool(point.get("every_layer")), "progress": progress}
    if point["phase"] == "request":
        run = partial(simulate_request, model, design, **sizes, tokens=point.get("tokens", WORKLOAD["tokens"]))
    else:
        run = partial(simulate, model, design, **sizes, phase=point["phase"])
    result = run(**choices)
    if mapping == "search":
        # what is best for an op alone may not be so beside others
        result = min(result, run(**choices, chosen=searched_tilings(point)), key=lambda one: one.cycles)
    return {**result.to_dict(), "overrides": dict(point["overrides"]), "mapping": mapping}


def _mapping(point: dict[str, Any]) -> str:
    mapping = str(point.get("mapping", MAPPINGS[0]))
    if point.get("phase") == "request" and mapping == "search":
        raise InputError("a search of the mapping is for one phase", remedy="use --phase prefill or decode")
    if mapping not in MAPPINGS:
        raise InputError(f"unknown mapping {mapping!r}", remedy=f"use {' or '.join(MAPPINGS)}")
    return mapping


def evaluate_point(point: dict[str, Any], *, fresh: bool = False, progress: Progress | None = None) -> dict[str, Any]:
    """A point's result from the user's store, simulated and stored first if it is not there.

    Args:
        point: as simulate_point() takes it.
        fresh: simulate it even if it is there.
        progress: as simulate_point() takes it.
    """
    return stored_result(point, simulate_point, progress, fresh)


def check_spec(spec: Spec) -> None:
    """Refuse a specification with a field that no point can have, before hours go into it.

    A value that some points can take and others cannot is no error here: those points report it.

    Raises:
        InputError: the file and line of the field, and what is wrong with its values.
    """
    values = {field.name: field.values for field in spec.fields}
    # models and designs first: their fields cannot be right if they are not there
    for field in sorted(spec.fields, key=lambda field: field.name not in ("model", "design")):
        owner = "design" if field.name.startswith("design") else "model"
        owners = (None,) if field.name == owner else values[owner]
        refusals = [_refusal(field.name, value, other) for value in field.values for other in owners]
        first = refusals[0]
        if first is not None and all(refusals):
            raise InputError(f"{field.name}: {first.message}", file=field.file, line=field.line, remedy=first.remedy)


def _refusal(name: str, value: Any, owner: Any) -> InputError | None:
    """Why a design or a model (`owner`) does not take a value in a field of its own, or None."""
    from archsim.design import load_design
    from archsim.models import load_model
    from archsim.models.onnx.file import is_onnx

    try:
        if name == "design":
            load_design(value)
        elif name.startswith("design."):
            load_design(owner, {name.removeprefix("design."): value}, rules=False)
        elif is_onnx(str(owner or value)):
            return None  # its points say what is wrong
        elif name == "model":
            load_model(value)
        elif name in FORMATS:
            load_model(owner, **{name: value})
        elif name == "mapping":
            _mapping({name: value})
    except InputError as error:
        return error
    return None
