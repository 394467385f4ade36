"""Instructions out of YAML: encoding, operand template, unit, work, memory, operation."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from archsim.common.errors import InputError, unknown
from archsim.common.yamlfile import YamlMap
from archsim.isa.fields import check_bits, parse_variables
from archsim.isa.opcode_lines import instruction_encoding
from archsim.isa.problems import Problems
from archsim.isa.schema import TABLES, TRAPS, UNITS, check_keys
from archsim.isa.spec import Instruction, State, Text, Variable
from archsim.isa.template import parse_template
from archsim.isa.templates import expand_templates
from archsim.isa.vector_facts import parse_vector

_MNEMONIC = re.compile(r"[A-Za-z_]\w*(\.\w+)*", re.ASCII)
_WORDS: dict[str, tuple[str, ...]] = {"access": ("read", "write"), "space": ("dram", "scratchpad", "any")}


@dataclass(frozen=True)
class Surroundings:
    """What an extension is loaded into.

    Attributes:
        xlen: 32 or 64.
        state: of all loaded extensions.
        extensions: the loaded extensions' names.
    """

    xlen: int
    state: dict[str, State]
    extensions: Collection[str]


def parse_instructions(
    tree: YamlMap, formats: dict[str, YamlMap], around: Surroundings, problems: Problems
) -> dict[str, Instruction]:
    """The instructions of one extension file that exist in its surroundings.

    Args:
        tree: the file.
        formats: what `format:` may name.
        around: what decides about `base:`, `requires:`, and `RV32:` or `RV64:` of an encoding.
        problems: takes errors, one per instruction at most.

    Raises:
        InputError: an entry is wrong; names its line.
    """
    result: dict[str, Instruction] = {}
    if "instructions" not in tree:
        return {}
    instructions = YamlMap()
    with problems.caught():
        instructions = expand_templates(tree["instructions"])
    for name, entry in instructions.items():
        with problems.caught():
            if not _MNEMONIC.fullmatch(name):
                raise InputError(
                    f"{name!r} is no mnemonic",
                    **instructions.where(name),
                    remedy="use letters, digits, _ and dots",
                )
            check_keys(entry, "instruction", f"instruction {name}")
            if _exists(name, entry, around):
                result[name] = _parse(name, entry, tree, formats, around, instructions.lines[name])
    return result


def _exists(name: str, entry: YamlMap, around: Surroundings) -> bool:
    base = entry.get("base", around.xlen)
    if base not in (32, 64):
        raise InputError(f"base of {name} is {base}", **entry.where("base"), remedy="use 32 or 64")
    return base == around.xlen and all(extension in around.extensions for extension in entry.get("requires", []))


def _parse(
    name: str, entry: YamlMap, tree: YamlMap, formats: dict[str, YamlMap], around: Surroundings, line: int
) -> Instruction:
    what = f"instruction {name}"
    if "opcodes" in entry:
        encoding = instruction_encoding(name, entry, formats)
    else:
        encoding = _encoding(name, _needed(what, entry, "encoding"), around.xlen)
    match = _match(name, encoding)
    variables = parse_variables(name, entry, encoding, formats, around.state, len(match))
    check_bits(name, match, variables, encoding)
    _check_assembly(name, entry, variables, around.state)
    unit, operation = _meaning(what, entry, tree)
    return Instruction(
        name,
        str(entry["long_name"]),
        str(tree["extension"]),
        match,
        variables,
        str(entry["assembly"]),
        unit,
        operation,
        _work(what, entry, variables),
        _memory(what, entry),
        tree.file,
        line,
        str(entry.get("description", "")),
        vector=parse_vector(entry, what, around.extensions),
        within=tuple(str(other) for other in entry.get("within", [])),
        examples=_examples(what, entry, variables),
    )


def _meaning(what: str, entry: YamlMap, tree: YamlMap) -> tuple[str, Text | None]:
    """Unit and operation; those of an instruction with `expands:` are not known yet, in a table of encodings never."""
    if "expands" in entry:
        for key in ("unit", "operation", "work", "memory"):
            if key in entry:
                raise InputError(
                    f"{what} has 'expands' and {key!r}", **entry.where(key), remedy="leave it to what it expands to"
                )
        return "", None
    bare = tree.get("encodings_only", False) and "operation" not in entry
    unit = str(entry.get("unit", "system") if bare else _needed(what, entry, "unit"))
    if unit not in UNITS:
        raise unknown(f"unit of {what}", unit, UNITS, **entry.where("unit"))
    if bare:
        return unit, None
    return unit, Text(str(_needed(what, entry, "operation")), tree.file, _text_line(entry))


def _needed(what: str, entry: YamlMap, key: str) -> Any:
    if key not in entry:
        facts = TABLES["instruction"][key]
        raise InputError(f"{what} has no {key!r}", **entry.where(), remedy=f"add '{key}:' ({facts.description})")
    return entry[key]


def _encoding(name: str, entry: YamlMap, xlen: int) -> YamlMap:
    """The mapping with `match`: the encoding itself, or its part for the base."""
    check_keys(entry, "encoding", f"encoding of {name}")
    bases = [key for key in ("RV32", "RV64") if key in entry]
    if not bases:
        if "match" not in entry:
            raise InputError(f"encoding of {name} has no 'match'", **entry.where(), remedy="add 'match:' (its bits)")
        return entry
    if "match" in entry or "variables" in entry:
        raise InputError(
            f"encoding of {name} has {bases[0]} and 'match' or 'variables'",
            **entry.where(bases[0]),
            remedy="write them under RV32 and RV64, or without either",
        )
    if f"RV{xlen}" not in entry:
        raise InputError(
            f"encoding of {name} has no RV{xlen}", **entry.where(), remedy=f"add it, or 'base: {96 - xlen}'"
        )
    check_keys(entry[f"RV{xlen}"], "bits", f"encoding of {name}")
    part: YamlMap = entry[f"RV{xlen}"]
    return part


def _match(name: str, encoding: YamlMap) -> str:
    match = str(encoding["match"])
    if not re.fullmatch(r"[01-]{32}|[01-]{16}", match):
        raise InputError(
            f"match of {name} is {match!r} ({len(match)} characters)",
            **encoding.where("match"),
            remedy="write 32 (or 16) of 0, 1 and - in quotes",
        )
    if (match[-2:] == "11") != (len(match) == 32) or "-" in match[-2:]:
        raise InputError(
            f"match of {name} ends in {match[-2:]!r}",
            **encoding.where("match"),
            remedy="end 32-bit encodings in 11, and 16-bit ones in 00, 01 or 10: they say the length",
        )
    return match


def _check_assembly(name: str, entry: YamlMap, variables: tuple[Variable, ...], state: dict[str, State]) -> None:
    """Check that the template has every variable once, and else only registers that are always the same (sp, v0)."""
    where = entry.where("assembly")
    try:
        operands = parse_template(str(entry["assembly"]))
    except ValueError as error:
        raise InputError(
            f"assembly of {name}: {str(error)!r} is no operand", **where, remedy="write NAME, NAME(NAME) or (NAME)"
        ) from None
    written = [variable for operand in operands for variable in operand.variables]
    known = [variable.name for variable in variables]
    suffixes = [variable.name for variable in variables if variable.suffix]
    registers = {register for file in state.values() for register in file.names}
    for variable in written:
        if variable not in known and variable not in registers:
            raise unknown(f"variable in assembly of {name}", variable, known, **where)
    for variable in known:
        if written.count(variable) != 1 - (variable in suffixes):
            raise InputError(
                f"assembly of {name} has {variable} {written.count(variable)} times",
                **where,
                remedy="leave out suffixes of the mnemonic" if variable in suffixes else "write every variable once",
            )


def _work(what: str, entry: YamlMap, variables: tuple[Variable, ...]) -> dict[str, Any]:
    work = entry.get("work")
    if work is None:
        return {}
    check_keys(work, "work", f"work of {what}")
    registers = [variable.name for variable in variables if variable.register]
    if "weights" in work and work["weights"] not in registers:
        raise unknown(f"variable for the weights of {what}", str(work["weights"]), registers, **work.where("weights"))
    return dict(work)


def _memory(what: str, entry: YamlMap) -> tuple[dict[str, Any], ...]:
    accesses = entry.get("memory", [])
    for access in accesses:
        check_keys(access, "memory", f"memory of {what}")
        for key, words in _WORDS.items():
            if key in access and access[key] not in words:
                raise unknown(f"{key} in memory of {what}", str(access[key]), words, **access.where(key))
    return tuple(dict(access) for access in accesses)


def _examples(what: str, entry: YamlMap, variables: tuple[Variable, ...]) -> tuple[YamlMap, ...]:
    """The examples; what their registers and values mean is seen when they are executed."""
    examples = entry.get("examples", [])
    names = {variable.name for variable in variables}
    for example in examples:
        check_keys(example, "example", f"example of {what}")
        if "traps" in example and example["traps"] not in TRAPS:
            raise unknown(f"trap in an example of {what}", str(example["traps"]), TRAPS, **example.where("traps"))
        given = example.get("operands") or YamlMap()
        for name in given:
            if name not in names:
                raise unknown(f"operand in an example of {what}", name, names, **example.where("operands"))
        if missing := [name for name in names if name not in given]:
            raise InputError(
                f"example of {what} has no operand {', '.join(sorted(missing))}",
                **example.where("operands"),
                remedy="give every operand",
            )
    return tuple(examples)


def _text_line(entry: YamlMap) -> int:
    """Line of an operation's first line: below the key for a block, on it for a plain value."""
    line = entry.lines["operation"]
    return line + 1 if "\n" in str(entry["operation"]) else line
