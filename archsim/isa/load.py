"""isa/*.yaml into an Isa: names resolved, parameters bound, every extension checked alone and against the others."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any

from archsim.common.errors import InputError, unknown
from archsim.common.resources import find
from archsim.common.yamlfile import YamlList, YamlMap, load_yaml
from archsim.isa.encoding import check_encodings
from archsim.isa.operation import check_expression, check_operation
from archsim.isa.spec import Extension, Instruction, Isa, Parameter, State, Text, Variable

UNITS = (
    "alu", "mul", "div", "branch", "load", "store", "csr", "system", "sync", "tile_lsu", "matrix", "vector", "dma",
)  # fmt: skip
STATE_KINDS = ("register_file", "csr", "view")
TYPES = ("int4", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "float16", "float32", "float64")
_WORK = (
    "macs", "rows", "columns", "depth", "format", "weights", "scales", "elements", "bits", "class", "latency",
)  # fmt: skip
# keys of each mapping: (must be there, may be there)
_KEYS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "extension": (
        ("extension", "long_name", "source", "instructions"),
        ("version", "requires", "parameters", "state", "formats", "description"),
    ),
    "counters": (
        ("extension", "long_name", "source", "state"),
        ("version", "requires", "parameters", "formats", "description"),
    ),
    "parameter": (("default", "minimum", "maximum"), ("power_of_two", "description")),
    "state": (
        ("kind",),
        ("type", "count", "shape", "names", "of", "address", "maximum", "writable", "fields", "reset", "description"),
    ),
    "field": (("location",), ("values", "description")),
    "format": (("variables",), ("description",)),
    "variable": (("location",), ("name", "register", "signed", "left_shift", "not", "description")),
    "instruction": (
        ("long_name", "encoding", "assembly", "unit", "operation"),
        ("format", "work", "memory", "description"),
    ),
    "encoding": (("match",), ("variables",)),
    "memory": (("access", "address", "rows", "row_bytes", "stride"), ("space",)),
}


def load_isa(*names: str, parameters: dict[str, int] | None = None) -> Isa:
    """Load extensions together.

    Args:
        names: shipped names or YAML files. A name such as "rv64im_zicsr" stands for its parts.
        parameters: values for the extensions' parameters; those not given take their defaults. Values for parameters
            that no loaded extension has are ignored, so that a design can bind all it knows.

    Returns:
        The Isa, checked: formats, encodings against each other, operations.

    Raises:
        InputError: with file and line.
    """
    paths = tuple(dict.fromkeys(_path(part) for name in names for part in _parts(name)))
    stamps = tuple(path.stat().st_mtime_ns for path in paths)
    return _load(names, paths, stamps, tuple(sorted((parameters or {}).items())))


@cache
def _load(
    names: tuple[str, ...], paths: tuple[Path, ...], stamps: tuple[int, ...], given: tuple[tuple[str, int], ...]
) -> Isa:
    trees = [load_yaml(path) for path in paths]
    declared: dict[str, Parameter] = {}
    for tree in trees:
        _keys(tree, "extension" if "instructions" in tree else "counters", f"extension {tree.get('extension')}")
        declared |= {name: _parameter(name, entry) for name, entry in _map(tree, "parameters").items()}
    bound = {name: parameter.default for name, parameter in declared.items()}
    for name, value in given:
        if name in declared:
            bound[name] = _bind(declared[name], value)
    state: dict[str, State] = {}
    for tree in trees:
        for name, entry in _map(tree, "state").items():
            if name in state:
                raise InputError(f"state {name!r} is declared twice", **tree["state"].where(name), remedy="rename one")
            state[name] = _state(name, entry, bound)
    _check_views(state, trees)
    extensions: dict[str, Extension] = {}
    instructions: dict[str, Instruction] = {}
    for tree in trees:
        extension = _extension(tree, state, declared)
        extensions[extension.name] = extension
        for name, instruction in extension.instructions.items():
            if name in instructions:
                other = instructions[name]
                raise InputError(
                    f"instruction {name} is already there ({other.file}:{other.line})",
                    file=instruction.file,
                    line=instruction.line,
                    remedy="rename one, or load only one of the extensions",
                )
            instructions[name] = instruction
    _check_requires(extensions, trees)
    check_encodings(list(instructions.values()))
    isa = Isa("+".join(names), extensions, bound, state, instructions)
    for instruction in instructions.values():
        _check_meaning(isa, instruction)
    return isa


def _parts(name: str) -> list[str]:
    """rv64im_zicsr -> rv64i, m, zicsr; anything else as it is."""
    match = re.fullmatch(r"(rv\d+[ie])([a-z]*)((?:_[a-z0-9]+)*)", name)
    if not match:
        return [name]
    return [match[1], *match[2], *match[3].split("_")[1:]]


def _path(name: str) -> Path:
    return find("extension", name, "isa").resolve()


def _map(tree: YamlMap, key: str) -> dict[str, YamlMap]:
    """A mapping of mappings under a key; {} where it is missing."""
    value = tree.get(key)
    if value is None:
        return {}
    if not isinstance(value, YamlMap):
        raise InputError(f"{key!r} must be a mapping", **tree.where(key), remedy="write 'name: {...}' lines")
    for name, entry in value.items():
        if not isinstance(entry, YamlMap):
            raise InputError(f"{key}.{name} must be a mapping", **value.where(name), remedy="write {...}")
    return value


def _keys(tree: YamlMap, kind: str, what: str) -> None:
    must, may = _KEYS[kind]
    for key in tree:
        if key not in must and key not in may:
            raise unknown(f"key of {what}", key, [*must, *may], **tree.where(key))
    for key in must:
        if key not in tree:
            raise InputError(f"{what} has no {key!r}", **tree.where(), remedy=f"add '{key}:'")


def _parameter(name: str, entry: YamlMap) -> Parameter:
    _keys(entry, "parameter", f"parameter {name}")
    for key in ("default", "minimum", "maximum"):
        if not isinstance(entry[key], int):
            raise InputError(f"{key} of parameter {name} must be an integer", **entry.where(key), remedy="write one")
    parameter = Parameter(
        name,
        entry["default"],
        entry["minimum"],
        entry["maximum"],
        bool(entry.get("power_of_two", False)),
        str(entry.get("description", "")),
    )
    _bind(parameter, parameter.default)
    return parameter


def _bind(parameter: Parameter, value: int) -> int:
    good = isinstance(value, int) and parameter.minimum <= value <= parameter.maximum
    if not good or (parameter.power_of_two and value & (value - 1)):
        power = ", a power of two" if parameter.power_of_two else ""
        raise InputError(
            f"parameter {parameter.name} is {value}",
            remedy=f"use {parameter.minimum} to {parameter.maximum}{power}",
        )
    return value


def _number(text: Any, bound: dict[str, int], where: dict[str, Any]) -> int:
    """A constant expression over parameters: + - * // max min."""
    try:
        return _evaluate(ast.parse(str(text), mode="eval").body, bound)
    except (SyntaxError, KeyError, ValueError, ZeroDivisionError):
        raise InputError(
            f"{text!r} is no number over parameters",
            remedy=f"use integers, {', '.join(bound) or 'parameters'}, + - * // max() min()",
            **where,
        ) from None


def _evaluate(node: ast.expr, bound: dict[str, int]) -> int:
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return node.value
    if isinstance(node, ast.Name):
        return bound[node.id]
    if isinstance(node, ast.BinOp):
        left, right = _evaluate(node.left, bound), _evaluate(node.right, bound)
        if isinstance(node.op, ast.Add):
            return left + right
        if isinstance(node.op, ast.Sub):
            return left - right
        if isinstance(node.op, ast.Mult):
            return left * right
        if isinstance(node.op, ast.FloorDiv):
            return left // right
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("max", "min"):
        values = [_evaluate(argument, bound) for argument in node.args]
        return max(values) if node.func.id == "max" else min(values)
    raise ValueError


def _state(name: str, entry: YamlMap, bound: dict[str, int]) -> State:
    _keys(entry, "state", f"state {name}")
    kind, element = str(entry["kind"]), str(entry.get("type", "int64"))
    if kind not in STATE_KINDS:
        raise unknown(f"kind of state {name}", kind, STATE_KINDS, **entry.where("kind"))
    if element not in TYPES:
        raise unknown(f"type of state {name}", element, TYPES, **entry.where("type"))
    count = _number(entry.get("count", 1), bound, entry.where("count"))
    shape = tuple(_number(size, bound, entry.where("shape")) for size in entry.get("shape", []))
    names = tuple(str(n) for n in entry.get("names", [])) or tuple(f"{name}{i}" for i in range(count))
    if len(names) != count:
        raise InputError(f"{name} has {count} registers and {len(names)} names", **entry.where("names"), remedy="match")
    if kind == "csr" and not (isinstance(entry.get("address"), int) and 0 <= entry["address"] < 4096):
        raise InputError(f"CSR {name} needs an address of 0 to 0xFFF", **entry.where("address"), remedy="add 'address:'")
    maximum = _number(entry["maximum"], bound, entry.where("maximum")) if "maximum" in entry else 2**63 - 1
    fields = {}
    for field, facts in _map(entry, "fields").items():
        _keys(facts, "field", f"field {name}.{field}")
        bits = _location(facts, f"field {name}.{field}", 64)
        fields[field] = (bits[-1], len(bits), tuple(str(v) for v in facts.get("values", [])))
    return State(
        name, kind, element, count, shape, names, entry.get("of"), entry.get("address", 0), maximum,
        bool(entry.get("writable", True)), fields, int(entry.get("reset", 0)), str(entry.get("description", "")),
    )  # fmt: skip


def _check_views(state: dict[str, State], trees: list[YamlMap]) -> None:
    files = [name for name, entry in state.items() if entry.kind == "register_file"]
    for tree in trees:
        for name, entry in _map(tree, "state").items():
            if state[name].kind == "view" and state[name].of not in files:
                raise unknown(f"register file that {name} views", str(state[name].of), files, **entry.where("of"))


def _location(entry: YamlMap, what: str, width: int) -> tuple[int, ...]:
    """Bits of "31|7|30-25|11-8", most significant first."""
    bits: list[int] = []
    for part in str(entry["location"]).split("|"):
        match = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
        high = int(match[1]) if match else -1
        low = int(match[2]) if match and match[2] else high
        if not match or not 0 <= low <= high < width:
            raise InputError(
                f"location {entry['location']!r} of {what} is no range of bits",
                **entry.where("location"),
                remedy="write it as in 31|7|30-25|11-8, most significant first",
            )
        bits += range(high, low - 1, -1)
    return tuple(bits)


def _variable(name: str, entry: YamlMap, state: dict[str, State], width: int) -> Variable:
    _keys(entry, "variable", f"variable {name}")
    register = entry.get("register")
    files = [file for file, facts in state.items() if facts.kind == "register_file"]
    if register is not None and register not in files:
        raise unknown(f"register file of variable {name}", str(register), files, **entry.where("register"))
    bits = _location(entry, f"variable {name}", width)
    if register is not None and 2 ** len(bits) > state[register].count:
        raise InputError(
            f"variable {name} has {len(bits)} bits, {register} only {state[register].count} registers",
            **entry.where("location"),
            remedy="make the field narrower",
        )
    forbidden = entry.get("not", [])
    return Variable(
        name,
        bits,
        register,
        bool(entry.get("signed", False)),
        int(entry.get("left_shift", 0)),
        frozenset(forbidden if isinstance(forbidden, list) else [forbidden]),
    )


def _extension(tree: YamlMap, state: dict[str, State], declared: dict[str, Parameter]) -> Extension:
    name = str(tree["extension"])
    instructions = {
        mnemonic: _instruction(mnemonic, entry, tree, state) for mnemonic, entry in _map(tree, "instructions").items()
    }
    return Extension(
        name,
        str(tree["long_name"]),
        str(tree.get("version", "")),
        tuple(str(r) for r in tree.get("requires", [])),
        str(tree["source"]),
        tree.file,
        {key: declared[key] for key in _map(tree, "parameters")},
        {key: state[key] for key in _map(tree, "state")},
        instructions,
    )


def _instruction(name: str, entry: YamlMap, tree: YamlMap, state: dict[str, State]) -> Instruction:
    what = f"instruction {name}"
    _keys(entry, "instruction", what)
    encoding = entry["encoding"]
    if not isinstance(encoding, YamlMap):
        raise InputError(f"encoding of {name} must be a mapping", **entry.where("encoding"), remedy="write {match: ...}")
    _keys(encoding, "encoding", f"encoding of {name}")
    match = str(encoding["match"])
    if not re.fullmatch(r"[01-]{32}|[01-]{16}", match):
        raise InputError(
            f"match of {name} is {match!r} ({len(match)} characters)",
            **encoding.where("match"),
            remedy="write 32 (or 16) of 0, 1 and -, quoted",
        )
    variables = _variables(name, entry, encoding, tree, state, len(match))
    _check_bits(name, match, variables, encoding)
    unit = str(entry["unit"])
    if unit not in UNITS:
        raise unknown(f"unit of {what}", unit, UNITS, **entry.where("unit"))
    work = entry.get("work") or {}
    for key in work:
        if key not in _WORK:
            raise unknown(f"work of {what}", key, _WORK, **entry.where("work"))
    memory = entry.get("memory") or []
    for access in memory:
        if not isinstance(access, YamlMap):
            raise InputError(f"memory of {name} must be a list of {{...}}", **entry.where("memory"), remedy="rewrite it")
        _keys(access, "memory", f"memory of {name}")
    return Instruction(
        name,
        str(entry["long_name"]),
        str(tree["extension"]),
        match,
        variables,
        str(entry["assembly"] or ""),
        unit,
        Text(str(entry["operation"]), tree.file, _text_line(entry)),
        dict(work),
        tuple(dict(access) for access in memory),
        tree.file,
        tree["instructions"].lines[name],
        str(entry.get("description", "")),
    )


def _text_line(entry: YamlMap) -> int:
    """Line of an operation's first line: below the key for a block, on it for a plain value."""
    line = entry.lines["operation"]
    return line + 1 if "\n" in str(entry["operation"]) else line


def _variables(
    name: str, entry: YamlMap, encoding: YamlMap, tree: YamlMap, state: dict[str, State], width: int
) -> tuple[Variable, ...]:
    result: dict[str, Variable] = {}
    if entry.get("format") is not None:
        formats = _map(tree, "formats")
        if entry["format"] not in formats:
            raise unknown(f"format of instruction {name}", str(entry["format"]), formats, **entry.where("format"))
        _keys(formats[entry["format"]], "format", f"format {entry['format']}")
        for key, facts in _map(formats[entry["format"]], "variables").items():
            result[key] = _variable(key, facts, state, width)
    extra = encoding.get("variables")
    if extra is not None and not isinstance(extra, YamlList):
        raise InputError(f"variables of {name} must be a list", **encoding.where("variables"), remedy="write - {name: ...}")
    for facts in extra or []:
        if not isinstance(facts, YamlMap) or "name" not in facts:
            raise InputError(f"a variable of {name} has no name", **encoding.where("variables"), remedy="add 'name:'")
        result[str(facts["name"])] = _variable(str(facts["name"]), facts, state, width)
    return tuple(result.values())


def _check_bits(name: str, match: str, variables: tuple[Variable, ...], encoding: YamlMap) -> None:
    free = {len(match) - 1 - index for index, character in enumerate(match) if character == "-"}
    used = [bit for variable in variables for bit in variable.bits]
    where = encoding.where("match")
    if len(set(used)) != len(used):
        raise InputError(f"variables of {name} share a bit", **where, remedy="move one of them")
    if free - set(used):
        raise InputError(
            f"bits {sorted(free - set(used), reverse=True)} of {name} are '-' but no variable's",
            **where,
            remedy="make them 0 or 1, or add a variable",
        )
    if set(used) - free:
        raise InputError(
            f"bits {sorted(set(used) - free, reverse=True)} of {name} are a variable's but not '-'",
            **where,
            remedy="write '-' there",
        )


def _check_requires(extensions: dict[str, Extension], trees: list[YamlMap]) -> None:
    for tree in trees:
        for name in tree.get("requires", []):
            if name not in extensions:
                raise InputError(
                    f"extension {tree['extension']} requires {name}, which is not loaded",
                    **tree.where("requires"),
                    remedy=f"load {name}, too",
                )


def _check_meaning(isa: Isa, instruction: Instruction) -> None:
    """Check an instruction's operation and the expressions of its work and memory."""
    check_operation(instruction, isa.state, isa.parameters)
    for key, value in instruction.work.items():
        if key not in ("format", "class", "weights"):
            check_expression(value, instruction.line, instruction, isa.state, isa.parameters)
    for access in instruction.memory:
        for key in ("address", "rows", "row_bytes", "stride"):
            check_expression(access[key], instruction.line, instruction, isa.state, isa.parameters)
