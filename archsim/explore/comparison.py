"""The same workload on several designs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from archsim.common.errors import InputError
from archsim.design import load_design
from archsim.explore.point import evaluate_point


def compare(
    model: str,
    designs: Sequence[str],
    *,
    phase: str = "decode",
    batch: int = 1,
    context: int = 2048,
    weights: str = "int4-g128",
    activations: str = "int8",
    kv: str = "int8",
    mapping: str = "estimate",
    tokens: int = 128,
    dims: Mapping[str, int] | None = None,
    overrides: Mapping[str, Any] | None = None,
    fresh: bool = False,
    progress: Callable[[str], None] | None = None,
) -> list[dict[str, Any]]:
    """Simulate a model on each design.

    Args:
        model, phase, batch, context, weights, activations, kv, mapping, tokens: the workload.
        dims: sizes by name that an ONNX file leaves open.
        designs: names or YAML files.
        overrides: field -> value, changed in every design.
        fresh: simulate even what the user's store has.
        progress: called with a line of text before each design.

    Returns:
        Per design, in their order, what SimulationResult.to_dict() gives.

    Raises:
        InputError: as simulate_point().
    """
    workload = {
        "model": model,
        "phase": phase,
        "batch": batch,
        "context": context,
        "weights": weights,
        "activations": activations,
        "kv": kv,
        "mapping": mapping,
        "tokens": tokens,
        **({"dims": dict(dims)} if dims else {}),
    }
    for design in designs:
        load_design(design, overrides)
    results = []
    for design in designs:
        if progress:
            progress(f"{model} on {design}")
        point = {**workload, "design": design, "overrides": dict(overrides or {})}
        try:
            results.append(evaluate_point(point, fresh=fresh))
        except InputError as error:
            if design in error.message:
                raise
            raise InputError(f"{design}: {error.message}", remedy=error.remedy) from None
    return results
