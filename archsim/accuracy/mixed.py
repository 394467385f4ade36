"""Mixed precision: a plan says which format each matrix has, and sensitivity makes a plan under a budget."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from archsim.common.errors import InputError, nearest
from archsim.common.yamlfile import YamlMap, load_yaml
from archsim.formats import Format, parse_format

PREFIX = "mixed:"


def weight_formats(weights: str, names: list[str]) -> dict[str, Format]:
    """The format of each matrix.

    Args:
        weights: a format for all; or "mixed:" and the file of a plan: YAML with `default`, a format, and `matrices`,
            name -> format, either of which may be left out if the other says all.
        names: of a model's matrices.

    Raises:
        InputError: a format or matrix is unknown, or one matrix has none.
    """
    if not weights.startswith(PREFIX):
        return dict.fromkeys(names, parse_format(weights))
    path = Path(weights.removeprefix(PREFIX))
    plan = load_yaml(path)
    for key in plan:
        if key not in ("default", "matrices"):
            raise InputError(f"unknown key {key!r}", **plan.where(key), remedy="use default and matrices")
    matrices = plan.get("matrices", YamlMap())
    if not isinstance(matrices, YamlMap):
        raise InputError("matrices is no mapping", **plan.where("matrices"), remedy="write NAME: FORMAT lines")
    for name in matrices:
        if name not in names:
            near = nearest(name, names)
            remedy = f"did you mean {near!r}?" if near else f"matrices are named as {names[0]!r}"
            raise InputError(f"the model has no matrix {name!r}", **matrices.where(name), remedy=remedy)
    missing = [name for name in names if name not in matrices]
    if missing and "default" not in plan:
        raise InputError(f"matrix {missing[0]!r} has no format", file=path, remedy="add it, or a default")
    return {name: parse_format(str(matrices.get(name, plan.get("default")))) for name in names}


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


def write_plan(path: Path, formats: Mapping[str, Format]) -> None:
    """Write a plan that weight_formats reads."""
    lines = [f"  {name}: {form.name}\n" for name, form in formats.items()]
    path.write_text("matrices:\n" + "".join(lines), encoding="utf-8")
