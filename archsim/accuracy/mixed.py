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
    """Formats under a budget of bits per weight, scales included.

    Raises:
        InputError: the budget is below the smallest format.
    """
    sizes = sensitivity.sizes
    bits = {(name, f.name): float(8 * f.nbytes(*sizes[name])) for name in sizes for f in sensitivity.formats}
    weights = sum(rows * columns for rows, columns in sizes.values())
    return plan_under(sensitivity, bits, budget * weights, f"{budget:g} bits per weight")


def plan_under(
    sensitivity: Sensitivity, prices: Mapping[tuple[str, str], float], budget: float, words: str
) -> dict[str, Format]:
    """Formats whose prices add up to a budget: from the cheapest on, always the step that gains most for its price.

    Losses of matrices rounded one at a time are taken to add up, as Dong et al. (HAWQ-V2, 2020, section 3.1) take
    their second-order terms. A price that a simulator measured makes it what Wang et al. (HAQ, 2019) ask for.

    Args:
        prices: of a matrix, by name, in a format, by name.
        words: for the budget.

    Raises:
        InputError: the budget is below the cheapest formats.
    """
    sizes, candidates, costs = sensitivity
    cheapest = {name: min((prices[name, form.name], at) for at, form in enumerate(candidates))[1] for name in sizes}
    chosen = {name: candidates[at] for name, at in cheapest.items()}
    left = budget - sum(prices[name, form.name] for name, form in chosen.items())
    if left < 0:
        raise InputError(f"{words} are less than the smallest format takes", remedy="allow more")
    while True:
        steps = []
        for name, form in chosen.items():
            for better in candidates:
                gain = costs[name, form.name] - costs[name, better.name]
                more = prices[name, better.name] - prices[name, form.name]
                if gain > 0 and more <= left:
                    # what is better and no dearer comes first
                    steps.append((gain / more if more > 0 else float("inf"), gain, name, better, more))
        if not steps:
            return chosen
        _, _, name, better, more = max(steps, key=lambda step: step[:2])
        chosen[name], left = better, left - more
