"""Documentation and JSON schema of design files, made from the declarations that the loader reads by."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from archsim.design.fields import Spec, specs, walk
from archsim.design.spec import Design

KINDS = {
    "text": "text", "flag": "true or false", "names": "list of names", "indices": "list of numbers",
    "pairs": "list of pairs of numbers", "section": "mapping", "file": "file",
}  # fmt: skip


@dataclass(frozen=True)
class FieldDoc:
    """A field in words.

    Attributes:
        name: dotted, as in overrides.
        kind: such as "quantity in B", "count", "text".
        default: as text; "required" if there is none.
        bounds: such as "at least 1, power of two"; empty if there are none.
        doc: its meaning.
    """

    name: str
    kind: str
    default: str
    bounds: str
    doc: str


def field_docs() -> list[FieldDoc]:
    """Every field of a design file, sections before their fields."""
    return [
        FieldDoc(name, _kind(spec), "required" if spec.required else str(spec.default), _bounds(spec), spec.doc)
        for name, spec in walk(Design)
    ]


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a design file without `base`, with which editors complete and check."""
    schema = _object(Design)
    schema["properties"]["base"] = {"type": "string", "description": "design whose fields this one starts from"}
    # what a base gives need not be written again
    without_base = {"required": [name for name in schema.pop("required") if name != "design"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A design of archsim",
        **schema,
        "required": ["design"],
        "if": {"not": {"required": ["base"]}},
        "then": without_base,
    }


def _kind(spec: Spec) -> str:
    if spec.kind == "quantity":
        return f"quantity in {spec.unit}" if spec.unit else "count"
    return "mapping of names to numbers" if spec.kind == "numbers" else KINDS[spec.kind]


def _bounds(spec: Spec) -> str:
    if spec.choices:
        return " | ".join(spec.choices)
    if spec.kind not in ("quantity", "numbers"):
        return ""
    parts = ["above 0"] if spec.above_zero else [f"at least {spec.minimum:g}"] if spec.minimum else []
    parts += [f"at most {spec.maximum:g}"] if spec.maximum < math.inf else []
    parts += ["power of two"] if spec.power_of_two else []
    return ", ".join(parts)


def _object(kind: type) -> dict[str, Any]:
    declared = specs(kind)
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [key for key, (_, spec) in declared.items() if spec.required],
        "properties": {
            **{key: {"description": spec.doc, **_schema(spec)} for key, (_, spec) in declared.items()},
            "source": {"type": "string", "description": "where the figures come from"},
        },
    }


def _schema(spec: Spec) -> dict[str, Any]:
    """What stands in a field; a null takes a base's value out, which only a file with a base needs."""
    if spec.section is not None:
        # a base may give what a section requires
        return {key: value for key, value in _object(spec.section).items() if key != "required"}
    number: dict[str, Any] = {"type": ["number", "string"]}
    if spec.kind == "quantity":
        # with a unit it is text; only counts and cycles may stand bare
        return number if spec.unit in ("", "cycles") else {"type": "string"}
    if spec.kind == "numbers":
        some = {"type": ["number", "string", "null"]}
        named = {"properties": dict.fromkeys(spec.choices, some), "additionalProperties": False}
        return {"type": "object", **(named if spec.choices else {"additionalProperties": some})}
    if spec.kind == "names":
        return {"type": "array", "items": {"type": "string"}, "minItems": 1}
    index = {"type": "integer", "minimum": 0}
    if spec.kind == "indices":
        return {"type": "array", "items": index}
    if spec.kind == "pairs":
        return {"type": "array", "items": {"type": "array", "items": index, "minItems": 2, "maxItems": 2}}
    if spec.kind == "flag":
        return {"type": "boolean"}
    return {"enum": list(spec.choices)} if spec.choices else {"type": "string"}
