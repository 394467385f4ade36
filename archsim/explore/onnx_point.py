"""Points whose model is an ONNX file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archsim.common.errors import InputError
from archsim.explore.grid import WORKLOAD

if TYPE_CHECKING:
    from archsim.mapping.result import SimulationResult
    from archsim.mapping.simulation import Progress


def simulate_onnx_point(point: dict[str, Any], progress: Progress | None) -> SimulationResult:
    """Simulate a point.

    Args:
        point: as simulate_point() takes it; of the workload it has weights and dims alone.

    Raises:
        InputError: the file or the design is wrong, or a setting is one that the file has itself.
    """
    from archsim.design import load_design
    from archsim.mapping.onnx_simulation import simulate_onnx
    from archsim.models.onnx.model import load_onnx

    _check(point)
    model = load_onnx(point["model"], point["weights"], point.get("dims"))
    return simulate_onnx(model, load_design(point["design"], point["overrides"]), progress=progress)


def _check(point: dict[str, Any]) -> None:
    for name, usual in {**WORKLOAD, "every_layer": False}.items():
        given = point.get(name, usual)
        if name != "weights" and given != usual:
            what = f"{name} {given!r} is not for ONNX files: they say themselves what runs"
            raise InputError(what, remedy=f"leave {name} out")
