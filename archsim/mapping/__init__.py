"""Models on designs: which kernel and tiling runs each op, where its data stands, and what the whole costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archsim.mapping.result import SimulationResult
    from archsim.mapping.simulation import simulate

__all__ = ["SimulationResult", "simulate"]


def __getattr__(name: str) -> Any:
    # the engine is loaded when something is simulated, not when a name is looked at
    if name == "simulate":
        from archsim.mapping.simulation import simulate

        return simulate
    if name == "SimulationResult":
        from archsim.mapping.result import SimulationResult

        return SimulationResult
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
