"""The format of extension files as JSON Schema, with which editors complete and check them."""

from __future__ import annotations

from typing import Any

from archsim.isa.schema import SHOWN, STATE_KINDS, TABLES, TRAPS, TYPES, UNITS, Key

_PLACE = r"\{\w+\}"
"""A word of a template: what stands there is not known yet."""
_LOCATION = r"^\s*\d{1,3}(-\d{1,3})?\s*(\|\s*\d{1,3}(-\d{1,3})?\s*)*$"


def _one_of(words: tuple[str, ...]) -> dict[str, Any]:
    return {"anyOf": [{"enum": list(words)}, {"type": "string", "pattern": _PLACE}]}


def _text(pattern: str) -> dict[str, Any]:
    return {"anyOf": [{"type": "string", "pattern": pattern}, {"type": "integer"}, {"pattern": _PLACE}]}


_MATCH = {"type": "string", "pattern": rf"^([01-]{{16}}|[01-]{{32}}|.*{_PLACE}.*)$"}
_REQUIREMENT = {"type": "array", "items": {"type": "string", "pattern": r"^\s*[A-Za-z]\w*\s*([<>=!~].*)?$"}}
_REFINED: dict[str, dict[str, dict[str, Any]]] = {
    "extension": {"requires": _REQUIREMENT, "conflicts": _REQUIREMENT},
    "parameter": {},
    "csr": {
        "address": {"minimum": 0, "maximum": 4095},
        "shows": {"enum": list(SHOWN)},
        "xlen": {"enum": [32, 64]},
        "location": _text(_LOCATION),
    },
    "field": {"location": _text(_LOCATION)},
    "variable": {"location": _text(_LOCATION), "left_shift": {"minimum": 0, "maximum": 31}},
    "part": {"location": _text(_LOCATION)},
    "instruction": {"unit": _one_of(UNITS), "base": {"enum": [32, 64]}},
    "encoding": {"match": _MATCH},
    "bits": {"match": _MATCH},
    "example": {"traps": _one_of(TRAPS)},
    "memory": {"access": _one_of(("read", "write")), "space": _one_of(("dram", "scratchpad", "any"))},
}
"""What the table of keys does not say: table -> key -> more of its schema."""


def json_schema() -> dict[str, Any]:
    """The schema (draft 2020-12) as a JSON-able dictionary, made from the same table that the loader checks by."""
    state = {"oneOf": [{"$ref": f"#/$defs/{kind}"} for kind in STATE_KINDS]}
    tables = {name: _object(name, keys) for name, keys in TABLES.items() if name != "extension"}
    for kind in STATE_KINDS:
        tables[kind]["properties"]["kind"] = {"const": kind}
        if "type" in tables[kind]["properties"]:
            tables[kind]["properties"]["type"]["enum"] = list(TYPES)
    tables["parameter"]["oneOf"] = [{"required": ["value"]}, {"required": ["default", "minimum", "maximum"]}]
    # a line of riscv-opcodes has the bits, `encoding` more operands then
    whole = {"anyOf": [{"required": [key]} for key in ("match", "RV32", "RV64")]}
    bits = [{"required": ["encoding"], "properties": {"encoding": whole}}, {"required": ["opcodes"]}]
    tables["instruction"]["allOf"] = [{"anyOf": bits}]
    top = _object("extension", TABLES["extension"])
    # only tables of encodings may have instructions without a meaning
    has_meaning = {"anyOf": [{"required": ["expands"]}, {"required": ["unit", "operation"]}]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "An instruction set extension of archsim",
        **top,
        "if": {"properties": {"encodings_only": {"const": True}}, "required": ["encodings_only"]},
        "then": {},
        "else": {"properties": {"instructions": {"additionalProperties": has_meaning}}},
        "$defs": {"state": state, **tables},
    }


def _object(table: str, keys: dict[str, Key]) -> dict[str, Any]:
    refined = _REFINED.get(table, {})
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [name for name, key in keys.items() if key.required],
        "properties": {
            name: {"description": key.description, **_value(key), **refined.get(name, {})} for name, key in keys.items()
        },
    }


def _value(key: Key) -> dict[str, Any]:
    reference = {"$ref": f"#/$defs/{key.table}"}
    scalar: dict[str, Any] = {"type": ["string", "number"]}
    number: dict[str, Any] = {"type": ["integer", "string"]}
    integers = {"type": "array", "items": {"type": "integer"}}
    shapes: dict[str, dict[str, Any]] = {
        "text": scalar,
        "name": {"type": "string", "pattern": r"^[A-Za-z]\w*$"},
        "word": {"type": "string", "pattern": rf"^\w+(\.\w+)*$|{_PLACE}"},
        "boolean": {"type": "boolean"},
        "integer": {"type": "integer"},
        "number": number,
        "integers": {"anyOf": [{"type": "integer"}, integers]},
        "numbers": {"type": "array", "items": number},
        "names": {"type": "object", "additionalProperties": {"type": "string"}},
        "words": {"type": "array", "items": {"type": ["string", "number", "null"]}},
        "texts": {"type": "array", "items": scalar},
        "axes": {"type": "array", "items": {"type": "array", "items": {"type": "object"}}},
        "constants": {"type": "object", "additionalProperties": {"type": "integer"}},
        "operands": {"type": "object", "additionalProperties": number},
        "values": {"type": "object"},
        "map": reference,
        "anything": {},
        "maps": {"type": "object", "additionalProperties": reference},
        "list": {"type": "array", "items": reference},
    }
    return dict(shapes[key.kind])
