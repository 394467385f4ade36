"""The format of extension files as JSON Schema, with which editors complete and check them."""

from __future__ import annotations

from typing import Any

from archsim.isa.schema import STATE_KINDS, TABLES, UNITS, Key


def json_schema() -> dict[str, Any]:
    """The schema (draft 2020-12) as a JSON-able dictionary, made from the same table that the loader checks by."""
    state = {"oneOf": [{"$ref": f"#/$defs/{kind}"} for kind in STATE_KINDS]}
    tables = {name: _object(keys) for name, keys in TABLES.items() if name != "extension"}
    for kind in STATE_KINDS:
        tables[kind]["properties"]["kind"] = {"const": kind}
    tables["instruction"]["properties"]["unit"]["enum"] = list(UNITS)
    tables["instruction"]["anyOf"] = [{"required": ["expands"]}, {"required": ["unit", "operation"]}]
    tables["encoding"]["anyOf"] = [{"required": [key]} for key in ("match", "RV32", "RV64", "variables")]
    bits = [{"required": ["encoding"]}, {"required": ["opcodes"]}]
    tables["instruction"]["allOf"] = [{"anyOf": bits}]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "An instruction set extension of archsim",
        **_object(TABLES["extension"]),
        "$defs": {"state": state, **tables},
    }


def _object(keys: dict[str, Key]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [name for name, key in keys.items() if key.required],
        "properties": {name: {"description": key.description, **_value(key)} for name, key in keys.items()},
    }


def _value(key: Key) -> dict[str, Any]:
    reference = {"$ref": f"#/$defs/{key.table}"}
    scalar: dict[str, Any] = {"type": ["string", "number"]}
    number: dict[str, Any] = {"type": ["integer", "string"]}
    integers = {"type": "array", "items": {"type": "integer"}}
    shapes: dict[str, dict[str, Any]] = {
        "text": scalar,
        "name": {"type": "string", "pattern": r"^[A-Za-z]\w*$"},
        # in templates, with places for words
        "word": {"type": "string", "pattern": r"^[\w{}]+(\.[\w{}]+)*$"},
        "boolean": {"type": "boolean"},
        "integer": {"type": "integer"},
        "number": number,
        "integers": {"anyOf": [{"type": "integer"}, integers]},
        "numbers": {"type": "array", "items": number},
        "names": {"type": "object", "additionalProperties": {"type": "string"}},
        "words": {"type": "array", "items": {"type": ["string", "number", "null"]}},
        "texts": {"type": "array", "items": scalar},
        "axes": {"type": "array", "items": {"type": "array", "items": {"type": "object"}}},
        "map": reference,
        "anything": {},
        "maps": {"type": "object", "additionalProperties": reference},
        "list": {"type": "array", "items": reference},
    }
    return dict(shapes[key.kind])
