"""What changed from one extension file to another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from archsim.isa.load import load_isa
from archsim.isa.names import resolve
from archsim.isa.spec import Extension, Instruction, Parameter, State, Text, Variable


@dataclass(frozen=True)
class Difference:
    """One difference.

    Attributes:
        change: "added", "removed" or "changed".
        kind: "extension", "parameter", "state" or "instruction".
        name: of what.
        part: what of it changed: encoding, assembly, operation, unit, work, memory, ...; "" for all of it.
        before, after: as text; "" where there is none.
    """

    change: str
    kind: str
    name: str
    part: str
    before: str
    after: str


def difference(one: str, two: str) -> list[Difference]:
    """Differences from one extension to another, each loaded with what it requires.

    Args:
        one, two: shipped names or YAML files.

    Raises:
        InputError: one of them cannot be loaded.
    """
    old, new = _extension(one), _extension(two)
    found = list(_parts("extension", "", _head(old), _head(new)))
    found += _compared("parameter", old.parameters, new.parameters, _parameter)
    found += _compared("state", old.state, new.state, _state)
    found += _compared("instruction", old.instructions, new.instructions, _instruction)
    return found


def _extension(name: str) -> Extension:
    request = resolve((name,))
    isa = load_isa(f"rv{request.xlen}i", name)
    return next(one for one in isa.extensions.values() if one.file == request.paths[-1])


def _compared(kind: str, old: Mapping[str, Any], new: Mapping[str, Any], parts: Any) -> Iterator[Difference]:
    """Differences of two mappings of the same kind, removed ones first."""
    for name, entry in old.items():
        if name not in new:
            yield Difference("removed", kind, name, "", _summary(parts(entry)), "")
    for name, entry in new.items():
        if name not in old:
            yield Difference("added", kind, name, "", "", _summary(parts(entry)))
        else:
            yield from _parts(kind, name, parts(old[name]), parts(entry))


def _summary(parts: dict[str, str]) -> str:
    """The first two parts that say something."""
    return ", ".join(f"{part} {text}" for part, text in list(parts.items())[:2] if text)


def _parts(kind: str, name: str, old: dict[str, str], new: dict[str, str]) -> Iterator[Difference]:
    for part in dict.fromkeys([*old, *new]):
        before, after = old.get(part, ""), new.get(part, "")
        if before != after:
            yield Difference("changed", kind, name, part, before, after)


def _head(extension: Extension) -> dict[str, str]:
    return {
        "name": extension.name,
        "long_name": extension.long_name,
        "version": extension.version,
        "requires": ", ".join(extension.requires),
        "conflicts": ", ".join(extension.conflicts),
        "source": extension.source,
    }


def _parameter(parameter: Parameter) -> dict[str, str]:
    if parameter.value is not None:
        return {"value": parameter.value.source, "description": parameter.description}
    power = ", a power of two" if parameter.power_of_two else ""
    return {
        "default": str(parameter.default),
        "range": f"{parameter.minimum} to {parameter.maximum}{power}",
        "description": parameter.description,
    }


def _state(state: State) -> dict[str, str]:
    return {
        field.name: hex(value) if field.name == "address" else str(value)
        for field in fields(state)
        if field.name != "name" and (value := getattr(state, field.name)) != field.default and value not in ({}, None)
    }


def _instruction(instruction: Instruction) -> dict[str, str]:
    facts = {
        "encoding": instruction.match,
        "assembly": instruction.assembly,
        "operands": "; ".join(map(_variable, instruction.variables)),
        "operation": _source(instruction.operation),
        "expands": str(instruction.expansion) if instruction.expansion else "",
        "unit": instruction.unit,
        "work": ", ".join(f"{key}: {value}" for key, value in instruction.work.items()),
        "memory": "; ".join(str(dict(access)) for access in instruction.memory),
        "vector": str(instruction.vector or ""),
        "within": ", ".join(instruction.within),
        "long_name": instruction.long_name,
        "description": instruction.description,
        "examples": "; ".join(str(dict(example)) for example in instruction.examples),
    }
    return facts


def _source(operation: Text | None) -> str:
    return operation.source.rstrip() if operation else ""


def _variable(variable: Variable) -> str:
    """A variable's fields that are not as if left out."""
    told = [
        f"{field.name} {sorted(value) if isinstance(value, frozenset) else value}"
        for field in fields(variable)
        if field.name not in ("name", "bits") and (value := getattr(variable, field.name)) != field.default
    ]
    bits = "|".join(map(str, variable.bits))
    return " ".join([variable.name, "at", bits, *([f"({', '.join(told)})"] if told else [])])
