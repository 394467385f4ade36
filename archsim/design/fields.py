"""Declaring fields: each field of a design, memory device or energy table says its kind, unit, bounds and meaning.

The declaration is the schema: reading, overrides, documentation and the JSON schema are all made from it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LONGEST = 10_000
"""Cycles that anything in a core may take; a scoreboard word has 16 bits for it."""
REQUIRED: Any = ("required",)
"""Default of a field that must be written."""


@dataclass(frozen=True)
class Spec:
    """What may stand in a field.

    Attributes:
        kind: "quantity", "text", "flag", "names", "numbers", "indices", "pairs", "section" or "file".
        doc: what the field means.
        unit: unit in which a quantity is written ("B", "Hz", "s", "cycles", "tCK"), "" for a count.
        whole: whether a quantity is a whole number of its unit (attribute int) or not (float).
        scale: factor from the unit to the attribute, where they differ (1e15: written in s, kept in fs).
        minimum, maximum: bounds of a quantity, or of each number of "numbers", in the unit.
        above_zero: whether 0 is excluded where whole is not asked for.
        power_of_two: whether only powers of two will do.
        choices: the texts, or the names of "numbers", that there are; empty: any.
        complete: whether "numbers" must give every one of its choices.
        key: its name in YAML.
        default: its value when it is not written; REQUIRED if it must be.
        section: the class of a section.
        load: what turns the name of a file into its contents, given the folder of the file that names it.
    """

    kind: str
    doc: str
    unit: str = ""
    whole: bool = True
    scale: float = 1
    minimum: float = 0
    maximum: float = math.inf
    above_zero: bool = False
    power_of_two: bool = False
    choices: tuple[str, ...] = ()
    complete: bool = False
    key: str = ""
    default: Any = REQUIRED
    section: Any = None
    load: Callable[[str, Path | None], Any] | None = None

    @property
    def required(self) -> bool:
        """Whether the field must be written."""
        return self.default is REQUIRED


def _field(spec: Spec) -> Any:
    metadata = {"spec": spec}
    if spec.default is REQUIRED:
        return dataclasses.field(metadata=metadata, kw_only=True)
    if isinstance(spec.default, dict):
        return dataclasses.field(default_factory=lambda: dict(spec.default), metadata=metadata, kw_only=True)
    return dataclasses.field(default=spec.default, metadata=metadata, kw_only=True)


def count(doc: str, *, minimum: float = 1, maximum: float = math.inf, **more: Any) -> Any:
    """A whole number of things."""
    return _field(Spec("quantity", doc, minimum=minimum, maximum=maximum, **more))


def nbytes(doc: str, *, minimum: int = 1, **more: Any) -> Any:
    """A size in bytes."""
    return _field(Spec("quantity", doc, unit="B", minimum=minimum, **more))


def cycles(doc: str, *, minimum: int = 0, maximum: int = LONGEST, **more: Any) -> Any:
    """Clock cycles of the core."""
    return _field(Spec("quantity", doc, unit="cycles", minimum=minimum, maximum=maximum, **more))


def measure(unit: str, doc: str, **more: Any) -> Any:
    """A physical quantity, kept as float in base units."""
    return _field(Spec("quantity", doc, unit=unit, whole=False, **more))


def text(doc: str, **more: Any) -> Any:
    """Words, perhaps one of fixed choices."""
    return _field(Spec("text", doc, **more))


def flag(doc: str, **more: Any) -> Any:
    """True or false."""
    return _field(Spec("flag", doc, **more))


def names(doc: str, **more: Any) -> Any:
    """A list of names."""
    return _field(Spec("names", doc, **more))


def numbers(doc: str, **more: Any) -> Any:
    """A mapping of names to numbers."""
    return _field(Spec("numbers", doc, **more))


def indices(doc: str, **more: Any) -> Any:
    """A list of numbers of things, counted from 0."""
    return _field(Spec("indices", doc, **more))


def pairs(doc: str, **more: Any) -> Any:
    """A list of pairs of numbers of things, counted from 0."""
    return _field(Spec("pairs", doc, **more))


def section(kind: type, doc: str, **more: Any) -> Any:
    """A nested mapping, read into a class of its own."""
    return _field(Spec("section", doc, section=kind, **more))


def file(doc: str, load: Callable[[str, Path | None], Any]) -> Any:
    """The name of a file, read into what it holds."""
    return _field(Spec("file", doc, load=load))


def specs(kind: type) -> dict[str, tuple[str, Spec]]:
    """The declared fields of a class: YAML key -> (attribute, Spec)."""
    declared = ((field.name, field.metadata.get("spec")) for field in dataclasses.fields(kind))
    return {spec.key or name: (name, spec) for name, spec in declared if spec is not None}


def walk(kind: type, prefix: str = "") -> Iterator[tuple[str, Spec]]:
    """Every field of a class and its sections, as (dotted YAML name, Spec), parents first."""
    for key, (_, spec) in specs(kind).items():
        name = f"{prefix}{key}"
        yield name, spec
        if spec.section is not None:
            yield from walk(spec.section, f"{name}.")
