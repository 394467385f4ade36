"""Mixed precision: a plan says which format each matrix has, and sensitivity makes a plan under a budget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from archsim.common.errors import InputError
from archsim.formats import Format


class Sensitivity(NamedTuple):
    """What rounding does to each matrix of a model.

    Attributes:
        sizes: rows and columns of the matrices, by name.
        formats: that were tried.
        costs: what rounding one matrix alone, by name, to a format, by name, adds to the loss.
    """

    sizes: Mapping[str, tuple[int, int]]
    formats: list[Format]
    costs: Mapping[tuple[str, str], float]


def plan_by_sensitivity(sensitivity: Sensitivity, budget: float) -> dict[str, Format]:
    """Formats under a budget of bits per weight: from the smallest on, always the step that gains most per bit.

    Losses of matrices rounded one at a time are taken to add up, as Dong et al. (HAWQ-V2, 2020, section 3.1) take
    their second-order terms.

    Args:
        budget: bits per weight, scales included.

    Raises:
        InputError: the budget is below the smallest format.
    """
    sizes, candidates, costs = sensitivity
    bits = {(name, form.name): 8 * form.nbytes(*size) for name, size in sizes.items() for form in candidates}
    smallest = {name: min((bits[name, form.name], at) for at, form in enumerate(candidates))[1] for name in sizes}
    chosen = {name: candidates[at] for name, at in smallest.items()}
    allowed = budget * sum(rows * columns for rows, columns in sizes.values())
    left = allowed - sum(bits[name, form.name] for name, form in chosen.items())
    if left < 0:
        raise InputError(f"{budget:g} bits per weight are less than the smallest format takes", remedy="allow more")
    while True:
        steps = []
        for name, form in chosen.items():
            for better in candidates:
                gain = costs[name, form.name] - costs[name, better.name]
                more = bits[name, better.name] - bits[name, form.name]
                if gain > 0 and 0 < more <= left:
                    steps.append((gain / more, name, better, more))
        if not steps:
            return chosen
        _, name, better, more = max(steps, key=lambda step: step[0])
        chosen[name], left = better, left - more
