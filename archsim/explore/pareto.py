"""The points that no other point beats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from archsim.common.errors import InputError, unknown

if TYPE_CHECKING:
    import pandas


def non_dominated(costs: np.ndarray) -> np.ndarray:
    """Which points are on the Pareto front.

    A point dominates another if it is nowhere worse and somewhere better. Equal points do not dominate each other.

    Args:
        costs: float [points, objectives], each to be minimised; no NaN.

    Returns:
        bool [points].
    """
    # in lexicographic order only an earlier point can dominate a later one, and a dominated one need not be kept
    order = np.lexsort(costs.T[::-1])
    result = np.zeros(len(costs), bool)
    front = np.empty_like(costs)
    size = 0
    for index in order:
        rivals = front[:size]
        if np.any(np.all(rivals <= costs[index], axis=1) & np.any(rivals < costs[index], axis=1)):
            continue
        result[index] = True
        front[size] = costs[index]
        size += 1
    return result


def pareto(frame: pandas.DataFrame, objectives: Mapping[str, str]) -> pandas.DataFrame:
    """The rows of a table that no other row dominates, in the table's order.

    Rows without a figure in one of the objectives (points with an error) are left out.

    Args:
        frame: as sweep() returns it.
        objectives: column -> "min" or "max".

    Raises:
        InputError: no objective, an unknown column, or one that holds no numbers.
    """
    if not objectives:
        raise InputError("a Pareto front needs an objective", remedy="name one, such as time_s: min")
    for name, direction in objectives.items():
        if name not in frame:
            raise unknown("objective", name, map(str, frame.columns))
        if direction not in ("min", "max"):
            raise InputError(f"objective {name} is {direction!r}", remedy="use min or max")
        if frame[name].dtype.kind not in "iuf":
            raise InputError(f"objective {name} holds no numbers", remedy="name a figure, such as time_s")
    complete = frame.dropna(subset=list(objectives))
    signs = [1.0 if direction == "min" else -1.0 for direction in objectives.values()]
    costs = complete[list(objectives)].to_numpy(dtype=float) * np.array(signs)
    return complete[non_dominated(costs)]
