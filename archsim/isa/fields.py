"""Bits of an encoding and the operand variables that they hold, out of YAML."""

from __future__ import annotations

import re

from archsim.common.errors import InputError, unknown
from archsim.common.yamlfile import YamlMap
from archsim.isa.schema import check_keys, maps
from archsim.isa.spec import Part, State, Variable

_PART = re.compile(r"\s*(\d{1,3})(?:-(\d{1,3}))?\s*")


def parse_location(entry: YamlMap, what: str, width: int) -> tuple[int, ...]:
    """Bits of `location: 31|7|30-25|11-8`, most significant first; each below `width` and used once.

    Raises:
        InputError: it is no such text.
    """
    bits: list[int] = []
    for part in str(entry["location"]).split("|"):
        match = _PART.fullmatch(part)
        high = int(match[1]) if match else -1
        low = int(match[2]) if match and match[2] else high
        if not 0 <= low <= high < width:
            raise InputError(
                f"location {entry['location']!r} of {what} is no range of bits below {width}",
                **entry.where("location"),
                remedy="write it as in 31|7|30-25|11-8, most significant first",
            )
        bits += range(high, low - 1, -1)
    if len(set(bits)) != len(bits):
        raise InputError(
            f"location {entry['location']!r} of {what} names a bit twice",
            **entry.where("location"),
            remedy="name each once",
        )
    return tuple(bits)


def parse_variables(
    mnemonic: str,
    entry: YamlMap,
    encoding: YamlMap,
    formats: dict[str, YamlMap],
    state: dict[str, State],
    width: int,
) -> tuple[Variable, ...]:
    """Operand variables of an instruction: those of its format, then its own, which win.

    Args:
        mnemonic, entry: the instruction.
        encoding: the mapping with its `match`.
        formats: what `format:` may name.
        state: register files of all loaded extensions.
        width: bits of the encoding.
    """
    result: dict[str, Variable] = {}
    name = entry.get("format")
    if name is not None:
        if name not in formats:
            raise unknown(f"format of instruction {mnemonic}", str(name), formats, **entry.where("format"))
        for key, facts in maps(formats[name], "variables", "variable", "variable").items():
            result[key] = _variable(key, facts, state, width)
    for facts in encoding.get("variables", []):
        check_keys(facts, "variable", f"a variable of {mnemonic}")
        if "name" not in facts:
            raise InputError(f"a variable of {mnemonic} has no 'name'", **facts.where(), remedy="add 'name:'")
        result[str(facts["name"])] = _variable(str(facts["name"]), facts, state, width)
    return tuple(result.values())


def _variable(name: str, entry: YamlMap, state: dict[str, State], width: int) -> Variable:
    what = f"variable {name}"
    bits = parse_location(entry, what, width)
    forbidden = entry.get("not", [])
    forbidden = frozenset(forbidden if isinstance(forbidden, list) else [forbidden])
    shift, letters = entry.get("left_shift", 0), str(entry.get("letters", ""))
    if entry.get("add", 0) and "register" not in entry:
        raise InputError(f"{what} is an immediate with 'add'", **entry.where("add"), remedy="leave it to registers")
    if not 0 <= entry.get("written_bits", 0) < 64:
        raise InputError(
            f"written_bits of {what} is {entry['written_bits']}", **entry.where("written_bits"), remedy="use 1 to 63"
        )
    if not 0 <= shift < 32:
        raise InputError(f"left_shift of {what} is {shift}", **entry.where("left_shift"), remedy="use 0 to 31")
    if letters and (len(letters) != len(bits) or len(set(letters)) != len(letters) or not letters.isalpha()):
        raise InputError(
            f"letters of {what} are {letters!r}",
            **entry.where("letters"),
            remedy=f"give {len(bits)} different letters, one per bit",
        )
    words = _words(entry, what, len(bits))
    variable = Variable(
        name,
        bits,
        entry.get("register"),
        entry.get("signed", False),
        shift,
        forbidden | {value for value, word in enumerate(words) if word is None},
        letters,
        entry.get("add", 0),
        entry.get("hexadecimal", False),
        entry.get("written_bits", 0),
        words,
        entry.get("default"),
        entry.get("suffix", False),
        tuple(_part(part, what, len(bits) + shift) for part in entry.get("parts", [])),
        str(entry.get("eew", "")),
        str(entry.get("group", "")),
        int(entry.get("fields", 1)),
    )
    if variable.values or variable.parts or variable.suffix or variable.default is not None:
        _check_words(variable, entry)
    if variable.register is not None:
        _check_register(variable, entry, state)
    return variable


def _part(entry: YamlMap, what: str, width: int) -> Part:
    check_keys(entry, "part", f"part of {what}")
    bits = parse_location(entry, f"part of {what}", width)
    if bits != tuple(range(bits[0], bits[-1] - 1, -1)):
        raise InputError(f"part of {what} is in pieces", **entry.where("location"), remedy="use one range, such as 5-3")
    return Part(bits[-1], len(bits), _words(entry, f"part of {what}", len(bits)))


def _words(entry: YamlMap, what: str, width: int) -> tuple[str | None, ...]:
    """The words under `values:`: different ones, at most as many as the field has values."""
    words = tuple(None if word is None else str(word) for word in entry.get("values", []))
    named = [word for word in words if word is not None]
    if len(words) > 1 << min(width, 16) or len(set(named)) != len(named):
        raise InputError(
            f"values of {what} are {len(words)} words",
            **entry.where("values"),
            remedy=f"give at most {1 << min(width, 16)} different ones",
        )
    return words


def _check_words(variable: Variable, entry: YamlMap) -> None:
    what = f"variable {variable.name}"
    if variable.register is not None:
        raise InputError(
            f"{what} selects a register, and has 'values', 'parts', 'suffix' or 'default'",
            **entry.where(),
            remedy="leave them to immediates",
        )
    if variable.suffix and not variable.values:
        raise InputError(f"{what} has 'suffix' without 'values'", **entry.where("suffix"), remedy="add 'values:'")
    low, high = (-1 << variable.width - 1, 1 << variable.width) if variable.signed else (0, 1 << variable.width)
    shifted = variable.default is not None and variable.default >> variable.left_shift
    if variable.default is not None and not low <= shifted < high:
        raise InputError(
            f"default of {what} is {variable.default}", **entry.where("default"), remedy="use one that fits"
        )


def _check_register(variable: Variable, entry: YamlMap, state: dict[str, State]) -> None:
    name = str(variable.register)
    files = [file for file, facts in state.items() if facts.kind == "register_file"]
    if name not in files:
        raise unknown(f"register file of variable {variable.name}", name, files, **entry.where("register"))
    if variable.group and not (variable.group.isdecimal() and 1 <= int(variable.group) <= state[name].count):
        raise InputError(
            f"group of variable {variable.name} is {variable.group!r}",
            **entry.where("group"),
            remedy=f"use 1 to {state[name].count}, the registers of {name}",
        )
    if variable.signed or variable.letters:
        raise InputError(
            f"variable {variable.name} selects a register of {name}, and has 'signed' or 'letters'",
            **entry.where(),
            remedy="leave them to immediates",
        )
    largest = largest_register(variable)
    if largest >= state[name].count or variable.add < 0:
        raise InputError(
            f"variable {variable.name} can be {largest}, {name} has {state[name].count} registers",
            **entry.where("location"),
            remedy="make the field narrower, or list the values under 'not:'",
        )


def largest_register(variable: Variable) -> int:
    """The largest register number that an operand can be."""
    largest = (((1 << variable.width) - 1) << variable.left_shift) + variable.add
    while largest in variable.forbidden and largest > 0:
        largest -= 1 << variable.left_shift
    return largest


def check_bits(mnemonic: str, match: str, variables: tuple[Variable, ...], encoding: YamlMap) -> None:
    """Check that '-' stands exactly where variables lie, and each bit belongs to one.

    Raises:
        InputError: names the bits.
    """
    free = {len(match) - 1 - index for index, character in enumerate(match) if character == "-"}
    used = [bit for variable in variables for bit in variable.bits]
    where = encoding.where("match")
    if len(set(used)) != len(used):
        twice = sorted({bit for bit in used if used.count(bit) > 1}, reverse=True)
        raise InputError(f"bits {twice} of {mnemonic} belong to two variables", **where, remedy="move one of them")
    if free - set(used):
        raise InputError(
            f"bits {sorted(free - set(used), reverse=True)} of {mnemonic} are '-' but no variable's",
            **where,
            remedy="make them 0 or 1, or add a variable",
        )
    if set(used) - free:
        raise InputError(
            f"bits {sorted(set(used) - free, reverse=True)} of {mnemonic} are a variable's but not '-'",
            **where,
            remedy="write '-' there",
        )
