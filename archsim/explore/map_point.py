"""The mapping of one op of a model on a design, found by search, or taken from the store."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from archsim.common.errors import InputError, nearest
from archsim.explore.grid import FORMATS
from archsim.explore.stored import stored_result
from archsim.kernels.base import Kernel
from archsim.mapping.search import MOST_RUNS, search
from archsim.mapping.simulation import bound_programs

if TYPE_CHECKING:
    from archsim.design.spec import Design

Progress = Callable[[int, int], None]


def map_point(point: dict[str, Any], progress: Progress | None = None) -> dict[str, Any]:
    """Search the mapping of an op.

    Args:
        point: op, model, design, phase, batch, context, weights, activations, kv, overrides, and what is least:
            objective, "cycles" unless it is there, or "energy".
        progress: called with the number of each run and of all.

    Returns:
        op, kernel, tiling (field -> value, or a number), cycles, energy_j, bound_cycles (None: none is known), nest
        (lines), buffers (name -> bytes), scratchpad_bytes, candidates, trials [{tiling, cycles, energy_j}], and
        trials_whole: whether these ran the whole op, or a piece of it.

    Raises:
        InputError: a name or a format is wrong, or the op does not fit the design.
    """
    kernels, design = _kernels(point)
    name = point["op"]
    if name not in kernels:
        near = nearest(name, kernels)
        known = f"did you mean {near!r}?" if near else f"use one of {', '.join(kernels)}"
        raise InputError(f"{point['model']} has no op {name!r}", remedy=known)
    found = search(kernels[name], design, MOST_RUNS, progress, point.get("objective", "cycles"))
    bound = found.bound
    return {
        "op": name,
        "kernel": type(found.kernel).__name__,
        "tiling": _plain(found.tiling),
        "cycles": found.cycles,
        "energy_j": found.energy_j,
        "bound_cycles": bound or None,
        "nest": found.kernel.nest(found.tiling),
        "buffers": found.buffers,
        "scratchpad_bytes": design.core.scratchpad.size,
        "candidates": found.candidates,
        "trials_whole": found.kernel.part() is found.kernel,
        "trials": [{**vars(trial), "tiling": _plain(trial.tiling)} for trial in found.trials],
    }


def _kernels(point: dict[str, Any]) -> tuple[dict[str, Kernel], Design]:
    """The kernels of a point's ops by name, and its design."""
    from archsim.design import load_design
    from archsim.models import load_model

    model = load_model(point["model"], **{name: point[name] for name in FORMATS})
    design = load_design(point["design"], point["overrides"])
    graph = model.graph(point["phase"], point["batch"], point["context"])
    kernels = {bound.op.name: bound.kernel for bounds in bound_programs(model, graph, design) for bound in bounds}
    return kernels, design


def searched_tilings(point: dict[str, Any]) -> dict[str, Any]:
    """Tilings of all ops of a point, by op, each from the store or searched now."""
    kernels, _ = _kernels(point)
    result = {}
    for name, kernel in kernels.items():
        found = evaluate_map({**point, "op": name})["tiling"]
        result[name] = type(kernel.tilings()[0])(**found) if isinstance(found, dict) else found
    return result


def evaluate_map(point: dict[str, Any], *, fresh: bool = False, progress: Progress | None = None) -> dict[str, Any]:
    """As map_point(), from the user's store; searched and stored first if it is not there."""
    return stored_result(point, map_point, progress, fresh)


def _plain(tiling: Any) -> Any:
    return dict(vars(tiling)) if hasattr(tiling, "__dict__") else tiling
