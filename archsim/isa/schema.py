"""What keys an extension's YAML has and what stands behind each: one table for checking and for editors."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from archsim.common.errors import InputError, unknown
from archsim.common.yamlfile import YamlList, YamlMap
from archsim.isa.element_types import ELEMENT_TYPES

UNITS = (
    "alu", "mul", "div", "fpu", "fdiv", "branch", "load", "store", "csr", "system", "sync", "tile_lsu", "matrix",
    "vector", "dma",
)  # fmt: skip
TYPES = tuple(ELEMENT_TYPES)
DIRECT = tuple(name for name, facts in ELEMENT_TYPES.items() if facts.is_direct)
"""Types that scratch may have."""
TRAPS = ("illegal", "load", "store", "misaligned", "index", "breakpoint", "custom")
"""What examples may say of a trap."""
SHOWN = ("cycles", "time", "instructions", "hart", "extensions", "status", "inhibit")
"""What the machine itself can show in a CSR."""


@dataclass(frozen=True)
class Key:
    """A key: the kind of its value (a name of _KINDS, or the table of a nested mapping), and what it is for."""

    kind: str
    description: str
    required: bool = False
    table: str = ""


def _must(kind: str, description: str, table: str = "") -> Key:
    return Key(kind, description, True, table)


# table -> key -> Key
TABLES: dict[str, dict[str, Key]] = {
    "extension": {
        "extension": _must("name", "name of the extension, such as Xdot"),
        "long_name": _must("text", "its name in words"),
        "version": Key("text", "version of the specification"),
        "source": _must("text", "the document, version and section that specify it"),
        "description": Key("text", "more about it"),
        "requires": Key("texts", 'extensions it needs, as "V" or "Xqt >= 0.3"; they are loaded with it'),
        "conflicts": Key("texts", 'extensions that it cannot be loaded with, as "Zvt" or "Zvt < 0.4"'),
        "encodings_only": Key("boolean", "whether instructions may lack a meaning: they trap when executed"),
        "implies": Key("names", "extensions that come with it where another is loaded, as in {D: Zcd}"),
        "parameters": Key("maps", "numbers a design may set", table="parameter"),
        "constraints": Key("texts", "comparisons that must hold between parameters, as TLEN >= TRLEN"),
        "state": Key("maps", "register files, CSRs and views", table="state"),
        "formats": Key("maps", "operand fields that instructions share", table="format"),
        "instructions": Key("maps", "by mnemonic", table="instruction"),
    },
    "parameter": {
        "default": Key("integer", "value unless a design sets another"),
        "minimum": Key("integer", "smallest value"),
        "maximum": Key("integer", "largest value"),
        "value": Key("number", "what follows from other parameters, as TLEN // TRLEN; a design does not set it"),
        "power_of_two": Key("boolean", "whether only powers of two will do"),
        "description": Key("text", "what it is"),
    },
    "register_file": {
        "kind": _must("text", "register_file"),
        "count": _must("number", "registers"),
        "type": Key("text", f"type of an element: {', '.join(TYPES)}"),
        "shape": Key("numbers", "elements of a register by dimension, over parameters; none: a single element"),
        "names": Key("texts", "assembly names; default NAME0, NAME1, ..."),
        "vector": Key("boolean", "whether they are vector registers: elements as wide as the instruction says"),
        "description": Key("text", "what it is"),
    },
    "view": {
        "kind": _must("text", "view"),
        "of": _must("text", "the register file whose bytes it shows"),
        "type": Key("text", f"type of an element: {', '.join(TYPES)}"),
        "select": Key("word", "instead of `type`: the CSR field that says which of `types`, such as qfmt.wfmt"),
        "types": Key("words", "types by value of that field; null: reading or writing an element is illegal"),
        "as": Key("word", "what elements of any of `types` are read as: int or f32"),
        "description": Key("text", "what it is"),
    },
    "scratch": {
        "kind": _must("text", "scratch"),
        "type": _must("text", f"type of an element: {', '.join(DIRECT)}"),
        "shape": _must("numbers", "elements by dimension, over parameters"),
        "description": Key("text", "what it is"),
    },
    "csr": {
        "kind": _must("text", "csr"),
        "address": _must("integer", "0 to 0xFFF"),
        "of": Key("text", "the CSR that it is a window on"),
        "location": Key("text", "the bits of that CSR that it shows, such as 7-5"),
        "maximum": Key("number", "largest value; greater ones are clamped to it"),
        "mask": Key("number", "bits that can be written; the others keep their reset value (default: all)"),
        "float_flags": Key("boolean", "whether bits 4-0 gather floating-point exceptions"),
        "shows": Key("word", f"what the machine shows in it: {', '.join(SHOWN)}"),
        "xlen": Key("integer", "32 or 64: the only register width that has it"),
        "writable": Key("boolean", "whether programs may write it (default true)"),
        "reset": Key("number", "value at the start (default 0)"),
        "fields": Key("maps", "parts with a meaning of their own", table="field"),
        "description": Key("text", "what it is"),
    },
    "field": {
        "location": _must("text", "bits, such as 17-14"),
        "values": Key("texts", "names of the values 0, 1, ..."),
        "legal": Key("integers", "the values it takes, below 16; a write of another leaves it (one field of a CSR)"),
        "description": Key("text", "what it is"),
    },
    "format": {
        "variables": _must("maps", "operand fields by name", "variable"),
        "description": Key("text", "what it is"),
    },
    "variable": {
        "name": Key("text", "as in `assembly` and `operation` (in a list of variables)"),
        "location": _must("text", "bits, most significant first, such as 31|7|30-25|11-8"),
        "register": Key("text", "the register file it selects from; none: an immediate"),
        "signed": Key("boolean", "whether an immediate is two's complement"),
        "left_shift": Key("integer", "zero bits below the field"),
        "not": Key("integers", "values the field may not hold"),
        "add": Key("integer", "what the value is greater by than the field (compressed registers: 8)"),
        "hexadecimal": Key("boolean", "whether disassembly writes an immediate in base 16"),
        "written_bits": Key("integer", "bits of the unsigned number that a signed immediate is written as (c.lui: 20)"),
        "values": Key("words", "words to write the values 0, 1, ... with; null: the field may not hold it"),
        "default": Key("integer", "value that assembly may leave out at the end"),
        "suffix": Key("boolean", "whether the word stands behind the mnemonic, as .aq; it is not in `assembly` then"),
        "parts": Key("list", "pieces of the value, each written as a word of its own", table="part"),
        "letters": Key("text", "one letter per bit, to write the field with, such as iorw"),
        "eew": Key("number", "of a vector operand: bits of its elements, over SEW (default SEW); 1: a mask"),
        "group": Key("number", "registers that it spans (of a vector operand: where vtype does not say)"),
        "fields": Key("number", "of a vector operand: groups that follow each other (segments; default 1)"),
        "description": Key("text", "what it is"),
    },
    "part": {
        "location": _must("text", "bits of the value, such as 5-3"),
        "values": _must("words", "words for 0, 1, ...; null: there is none"),
    },
    "instruction": {
        "long_name": _must("text", "its name in words"),
        "description": Key("text", "more about it"),
        "format": Key("text", "one of `formats`, its own or those of required extensions"),
        "encoding": Key("map", "its bits", table="encoding"),
        "opcodes": Key("text", "its bits as a line of riscv-opcodes, instead of `match` and standard operands"),
        "assembly": _must("text", 'operands as they are written, such as "xd, imm(xs1)"'),
        "base": Key("integer", "XLEN of the only base that has it: 32 or 64"),
        "requires": Key("texts", "extensions without which it is not there"),
        "unit": Key("text", f"class of execution unit: {', '.join(UNITS)}"),
        "work": Key("map", "what it asks of the unit", table="work"),
        "memory": Key("list", "its bulk accesses", table="memory"),
        "within": Key("texts", "instructions whose encodings contain its own"),
        "expands": Key("text", 'the instruction it abbreviates, as "addi xd, xd, imm", instead of unit and operation'),
        "operation": Key("text", "its meaning, in the operation language"),
        "vector": Key("map", "how a vector instruction runs over elements", table="vector"),
        "examples": Key("list", "state before and after, which `archsim isa test` executes", table="example"),
        "for": Key("axes", "axes of a template: a list of lists of {word: text}"),
    },
    "example": {
        "name": Key("text", "what it shows"),
        "parameters": Key("constants", "values of parameters, by name"),
        "operands": Key("operands", "variable -> register name or number"),
        "before": Key("values", "what is not 0 (of CSRs: as after reset): registers, CSRs, memory by address"),
        "after": Key("values", "what the instruction leaves; all else must be unchanged"),
        "traps": Key("word", f"the trap that it raises: {', '.join(TRAPS)}"),
        "changes_undefined": Key("texts", "registers and CSRs that may hold anything afterwards, or memory"),
    },
    "vector": {
        "loop": Key("boolean", "whether the operation is that of one active element, i (default true)"),
        "sew": Key("texts", "element widths for which it is there, such as [8, 16, 32, 64]; none: it ignores vtype"),
        "least": Key("number", "smallest of `sew` that counts (for templates)"),
        "count": Key("number", "elements that it runs over (default vl)"),
        "disjoint": Key("texts", "source operands that the target may not overlap"),
        "restarts": Key("boolean", "whether it may start at a vstart other than 0 (default true)"),
        "kind": Key("word", "what it does with elements, for its time: alu, multiply, float, slide, ... (default alu)"),
        "access": Key("word", "of a load or store: unit (default), strided or indexed"),
    },
    "encoding": {
        "match": Key("text", "32 (or 16) of 0, 1 and -, most significant first"),
        "variables": Key("list", "operand fields besides (or instead of) those of the format", table="variable"),
        "RV32": Key("map", "its bits where XLEN is 32, instead of `match` and `variables`", table="bits"),
        "RV64": Key("map", "its bits where XLEN is 64, instead of `match` and `variables`", table="bits"),
    },
    "bits": {
        "match": _must("text", "32 (or 16) of 0, 1 and -, most significant first"),
        "variables": Key("list", "operand fields besides (or instead of) those of the format", table="variable"),
    },
    "work": {
        "macs": Key("number", "multiply-accumulates"),
        "rows": Key("number", "activation rows of a matrix product"),
        "columns": Key("number", "weight rows of a matrix product"),
        "depth": Key("number", "length of its dot products"),
        "scales": Key("number", "multiplications by scales"),
        "elements": Key("number", "elements of a vector operation"),
        "bits": Key("number", "bits of an element"),
        "latency": Key("number", "cycles from issue to result, where not the unit's"),
        "format": Key("word", "number format of the weights of macs, or the CSR field that says it"),
        "activations": Key("word", "number format of the activations, where it differs from that of the weights"),
        "class": Key("word", "class of vector operation, for its rate"),
        "weights": Key("word", "operand variable that holds the weights"),
    },
    "memory": {
        "access": _must("word", "read or write"),
        "space": Key("word", "dram, scratchpad (default), or any: the address says"),
        "address": _must("number", "of the first row"),
        "rows": _must("number", "number of rows"),
        "row_bytes": _must("number", "bytes of a row"),
        "stride": _must("number", "bytes from row to row"),
        "index": Key("number", "address of a table of 32-bit numbers: row r is at address + stride * its entry r"),
        "planes": Key("number", "so many times the rows (default 1); of transfers"),
        "plane_stride": Key("number", "bytes from the first row of a plane to that of the next"),
        "blocks": Key("number", "so many times the planes (default 1); of transfers"),
        "block_stride": Key("number", "bytes from the first row of a block to that of the next"),
    },
}  # fmt: skip
STATE_KINDS = ("register_file", "csr", "view", "scratch")


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_scalar(value: Any) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return _is_integer(value) or isinstance(value, str)


# kind -> (what an error calls it, test)
_KINDS: dict[str, tuple[str, Any]] = {
    "text": ("text", _is_scalar),
    "name": ("a name of letters and digits", lambda v: isinstance(v, str) and re.fullmatch(r"[A-Za-z]\w*", v, re.A)),
    "word": ("a word", lambda v: isinstance(v, str) and re.fullmatch(r"\w+(\.\w+)*", v, re.A)),
    "boolean": ("true or false", lambda v: isinstance(v, bool)),
    "integer": ("an integer", _is_integer),
    "number": ("an integer or an expression", _is_number),
    "integers": (
        "an integer or a list of them",
        lambda v: _is_integer(v) or (isinstance(v, YamlList) and all(map(_is_integer, v))),
    ),
    "numbers": (
        "a list of integers or expressions",
        lambda v: isinstance(v, YamlList) and all(map(_is_number, v)),
    ),
    "names": (
        "a mapping of names to names",
        lambda v: isinstance(v, YamlMap) and all(isinstance(name, str) for name in v.values()),
    ),
    "words": (
        "a list of words or null",
        lambda v: isinstance(v, YamlList) and all(word is None or _is_scalar(word) for word in v),
    ),
    "constants": (
        "a mapping of names to integers",
        lambda v: isinstance(v, YamlMap) and all(map(_is_integer, v.values())),
    ),
    "operands": (
        "a mapping of variables to registers or numbers",
        lambda v: isinstance(v, YamlMap) and all(map(_is_number, v.values())),
    ),
    "values": ("a mapping of registers, CSRs and memory to values", lambda v: isinstance(v, YamlMap)),
    "texts": ("a list of names", lambda v: isinstance(v, YamlList) and all(map(_is_scalar, v))),
    "axes": (
        "a list of lists of mappings",
        lambda v: isinstance(v, YamlList) and all(isinstance(axis, YamlList) for axis in v),
    ),
    "map": ("a mapping", lambda v: isinstance(v, YamlMap)),
    "maps": (
        "a mapping of names to {...}",
        lambda v: isinstance(v, YamlMap) and all(isinstance(entry, YamlMap) for entry in v.values()),
    ),
    "list": (
        "a list of {...}",
        lambda v: isinstance(v, YamlList) and all(isinstance(entry, YamlMap) for entry in v),
    ),
}


def check_keys(tree: YamlMap, table: str, what: str) -> None:
    """Check that a mapping has the keys of a table, and values of their kinds.

    Raises:
        InputError: an unknown or missing key, or a value of the wrong kind; names `what` and the key's line.
    """
    keys = TABLES[table]
    for key, value in tree.items():
        if key not in keys:
            raise unknown(f"key of {what}", key, keys, **tree.where(key))
        name, good = _KINDS[keys[key].kind]
        if not good(value):
            shown = "empty" if value is None else repr(value)
            raise InputError(
                f"{key!r} of {what} must be {name}, not {shown if len(shown) < 60 else 'that'}",
                **tree.where(key),
                remedy=f"it says: {keys[key].description}",
            )
    for key, facts in keys.items():
        if facts.required and key not in tree:
            raise InputError(f"{what} has no {key!r}", **tree.where(), remedy=f"add '{key}:' ({facts.description})")


def maps(tree: YamlMap, key: str, table: str, what: str) -> dict[str, YamlMap]:
    """The checked mapping of mappings under a key; {} where it is missing."""
    entries: dict[str, YamlMap] = tree.get(key) or {}
    for name, entry in entries.items():
        check_keys(entry, table, f"{what} {name}")
    return entries
