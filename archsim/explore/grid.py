"""Sweep specifications: a YAML file that says what stays, what varies, and so which points there are.

    sweep: edge-sram
    model: llama-3-8b
    base: {design: edge-npu, phase: decode, weights: int4-g128}
    grid:
      design.core.scratchpad.size: [256 KiB, 512 KiB]
      workload.context: [512, 4096]
    objectives: {time_s: min, energy_per_token_j: min}

A field is ``model``, ``design``, ``design.`` and a dotted field of the design, or a setting of the workload (phase,
batch, context, weights, activations, kv, mapping, tokens), with or without ``workload.`` before it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from archsim.common.errors import InputError, unknown
from archsim.common.yamlfile import YamlList, YamlMap, load_yaml

WORKLOAD = {
    "phase": "decode",
    "batch": 1,
    "context": 2048,
    "weights": "int4-g128",
    "activations": "int8",
    "kv": "int8",
    "mapping": "estimate",
    "tokens": 128,
}
"""Settings of a workload with their defaults."""
FORMATS = ("weights", "activations", "kv")
MAPPINGS = ("estimate", "search")
"""Tilings by their estimates; or the simulator tries the best of them for each op (map_point)."""
PHASES = ("prefill", "decode", "request")
MAXIMUM_POINTS = 1_000_000

_TOP = ("sweep", "description", "model", "base", "grid", "objectives")


@dataclass(frozen=True)
class Field:
    """One field of a specification: its name in points and tables, its values, and where they stand in the file."""

    name: str
    values: tuple[Any, ...]
    file: Path
    line: int


@dataclass(frozen=True)
class Spec:
    """A checked specification.

    Attributes:
        name: of the sweep.
        fixed: fields with one value.
        grid: fields that vary; the last one varies fastest.
        objectives: result field -> "min" or "max".
    """

    name: str
    fixed: tuple[Field, ...]
    grid: tuple[Field, ...]
    objectives: dict[str, str]

    @property
    def fields(self) -> tuple[Field, ...]:
        return self.fixed + self.grid

    def settings(self) -> list[dict[str, Any]]:
        """Per point, field name -> value, in the order of the grid."""
        fixed = {field.name: field.values[0] for field in self.fixed}
        names = [field.name for field in self.grid]
        combinations = itertools.product(*(field.values for field in self.grid))
        return [{**fixed, **dict(zip(names, values, strict=True))} for values in combinations]

    def points(self) -> list[dict[str, Any]]:
        """Per point, what evaluates it takes: model, design, the workload's settings, and overrides of the design."""
        return [_point(settings) for settings in self.settings()]


def _point(settings: dict[str, Any]) -> dict[str, Any]:
    point: dict[str, Any] = {**WORKLOAD, "overrides": {}}
    for name, value in settings.items():
        if name.startswith("design."):
            point["overrides"][name.removeprefix("design.")] = value
        else:
            point[name] = value
    return point


def load_spec(path: Path) -> Spec:
    """Read a specification.

    Raises:
        InputError: with file and line: an unknown key or field, no values, a value of the wrong kind, a field twice.
    """
    tree = load_yaml(path)
    for key in tree:
        if key not in _TOP:
            raise unknown("key of a sweep", key, _TOP, **tree.where(key))
    fixed = _fields(_mapping(tree, "base"), varies=False)
    if "model" in tree:
        fixed.append(_field("model", [tree["model"]], tree.where("model")))
    grid = _fields(_mapping(tree, "grid"), varies=True)
    if not grid:
        raise InputError("the grid is empty", **tree.where("grid"), remedy="give fields with lists of values")
    _check_once(fixed + grid)
    for name in ("model", "design"):
        if name not in {field.name for field in fixed + grid}:
            raise InputError(f"no {name} is given", **tree.where(), remedy=f"add '{name}:' to base or grid")
    count = prod(len(field.values) for field in grid)
    if count > MAXIMUM_POINTS:
        raise InputError(
            f"the grid has {count} points", **tree.where("grid"), remedy=f"keep to {MAXIMUM_POINTS}: split it"
        )
    return Spec(str(tree.get("sweep", Path(path).stem)), tuple(fixed), tuple(grid), _objectives(tree))


def _mapping(tree: YamlMap, key: str) -> YamlMap:
    value = tree.get(key)
    if isinstance(value, YamlMap):
        return value
    if value is None and key not in tree and key != "grid":
        value = YamlMap()
        value.file, value.line, value.lines = tree.file, tree.line, {}
        return value
    raise InputError(f"{key} must be a mapping", **tree.where(key), remedy="write 'field: value' lines")


def _fields(tree: YamlMap, *, varies: bool) -> list[Field]:
    result = []
    for key, value in tree.items():
        where = tree.where(key)
        if varies and (not isinstance(value, YamlList) or not value):
            raise InputError(f"{key} must have a list of values", **where, remedy="write [value, value, ...]")
        result.append(_field(key, value if varies else [value], where))
    return result


def _field(key: str, values: list[Any], where: dict[str, Any]) -> Field:
    name = key.removeprefix("workload.")
    known = ("model", "design", *WORKLOAD)
    if name not in known and not (key.startswith("design.") and all(key.split("."))):
        raise unknown("field", name, (*known, "design.FIELD"), **where)
    for value in values:
        _check_value(name, value, where)
    twice = [value for index, value in enumerate(values) if value in values[:index]]
    if twice:
        raise InputError(f"{key} has the value {twice[0]!r} twice", **where, remedy="keep one")
    return Field(name, tuple(values), where["file"], where["line"])


def _check_value(name: str, value: Any, where: dict[str, Any]) -> None:
    if name in ("batch", "context"):
        good, wanted = isinstance(value, int) and not isinstance(value, bool) and value >= 1, "a whole number from 1 on"
    elif name == "phase":
        good, wanted = value in PHASES, " or ".join(PHASES)
    elif name.startswith("design."):
        good, wanted = isinstance(value, (str, int, float, bool)), "one value, such as 512 KiB"
    else:
        good, wanted = isinstance(value, str) and value != "", "a name"
    if not good:
        raise InputError(f"{name} is {value!r}", **where, remedy=f"write {wanted}")


def _check_once(fields: list[Field]) -> None:
    seen: dict[str, Field] = {}
    for field in fields:
        if field.name in seen:
            raise InputError(
                f"{field.name} stands twice (first on line {seen[field.name].line})",
                file=field.file,
                line=field.line,
                remedy="keep one",
            )
        seen[field.name] = field


def _objectives(tree: YamlMap) -> dict[str, str]:
    if "objectives" not in tree:
        return {}
    objectives = _mapping(tree, "objectives")
    for name, direction in objectives.items():
        if direction not in ("min", "max"):
            raise InputError(f"{name} is {direction!r}", **objectives.where(name), remedy="write min or max")
    return dict(objectives)
