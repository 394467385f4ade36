"""Which format each matrix of a model has: one for all, or those of a plan's file (mixed precision)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archsim.common.errors import InputError, nearest
from archsim.formats import Format, parse_format
from archsim.models.matrices import HEAD

if TYPE_CHECKING:
    from archsim.common.yamlfile import YamlMap

PREFIX = "mixed:"
HEAD_FORMAT = "int8"
"""Of a head that a plan leaves out: sensitivity plans are about layers."""


@dataclass(frozen=True)
class WeightPlan:
    """Formats of a model's matrices.

    Attributes:
        name: as written: a format, or "mixed:FILE".
        default: of matrices that are not named.
        matrices: of those that are.
        places: file and line of each of these.
    """

    name: str
    default: Format | None
    matrices: Mapping[str, Format] = field(default_factory=dict)
    places: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def formats(self, names: list[str], others: Iterable[str] = ()) -> dict[str, Format]:
        """The format of each of a model's matrices.

        Args:
            names: of the matrices that must have one.
            others: names that may stand in the plan as well.

        Raises:
            InputError: the plan names a matrix that is not there, or leaves one out.
        """
        for name, place in self.places.items():
            if name not in names and name not in others:
                near = nearest(name, names)
                remedy = f"did you mean {near!r}?" if near else f"matrices are named as {names[0]!r}"
                raise InputError(f"the model has no matrix {name!r}", **place, remedy=remedy)
        return {name: self.of(name) for name in names}

    def of(self, name: str) -> Format:
        """The format of a matrix.

        Raises:
            InputError: it has none.
        """
        form = self.matrices.get(name, self.default)
        if form is None and name == HEAD:
            return parse_format(HEAD_FORMAT)
        if form is None:
            file = Path(self.name.removeprefix(PREFIX))
            raise InputError(f"matrix {name!r} has no format", file=file, remedy="add it, or a default")
        return form

    def all_formats(self) -> list[Format]:
        """Every format that it names."""
        return [*([self.default] if self.default else []), *self.matrices.values()]


def parse_weights(weights: str) -> WeightPlan:
    """The plan of a format for all matrices; or of "mixed:" and a file.

    The file is YAML with `default`, a format, and `matrices`, name -> format, either of which may be left out if the
    other says all.

    Raises:
        InputError: a format is unknown, or the file is malformed.
    """
    if not weights.startswith(PREFIX):
        return WeightPlan(weights, parse_format(weights))
    # a plan needs yaml, a format does not
    from archsim.common.yamlfile import YamlMap, load_yaml

    path = Path(weights.removeprefix(PREFIX))
    plan = load_yaml(path)
    for key in plan:
        if key not in ("default", "matrices"):
            raise InputError(f"unknown key {key!r}", **plan.where(key), remedy="use default and matrices")
    matrices = plan.get("matrices", YamlMap())
    if not isinstance(matrices, YamlMap):
        raise InputError("matrices is no mapping", **plan.where("matrices"), remedy="write NAME: FORMAT lines")
    default = _format(plan, "default") if "default" in plan else None
    formats = {str(name): _format(matrices, name) for name in matrices}
    return WeightPlan(weights, default, formats, {str(name): matrices.where(name) for name in matrices})


def _format(values: YamlMap, key: str) -> Format:
    try:
        return parse_format(str(values[key]))
    except InputError as error:
        raise InputError(error.message, **values.where(key), remedy=error.remedy) from None


def write_plan(path: Path, formats: Mapping[str, Format]) -> None:
    """Write a plan that parse_weights reads."""
    lines = [f"  {name}: {form.name}\n" for name, form in formats.items()]
    path.write_text("matrices:\n" + "".join(lines), encoding="utf-8")
