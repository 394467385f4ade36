"""Bits of an encoding and the operand variables that they hold, out of YAML."""

from __future__ import annotations

import re

from archsim.common.errors import InputError, unknown
from archsim.common.yamlfile import YamlMap
from archsim.isa.schema import check_keys, maps
from archsim.isa.spec import State, Variable

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
    if not 0 <= shift < 32:
        raise InputError(f"left_shift of {what} is {shift}", **entry.where("left_shift"), remedy="use 0 to 31")
    if letters and (len(letters) != len(bits) or len(set(letters)) != len(letters) or not letters.isalpha()):
        raise InputError(
            f"letters of {what} are {letters!r}",
            **entry.where("letters"),
            remedy=f"give {len(bits)} different letters, one per bit",
        )
    variable = Variable(name, bits, entry.get("register"), entry.get("signed", False), shift, forbidden, letters)
    if variable.register is not None:
        _check_register(variable, entry, state)
    return variable


def _check_register(variable: Variable, entry: YamlMap, state: dict[str, State]) -> None:
    name = str(variable.register)
    files = [file for file, facts in state.items() if facts.kind == "register_file"]
    if name not in files:
        raise unknown(f"register file of variable {variable.name}", name, files, **entry.where("register"))
    if variable.signed or variable.left_shift or variable.letters:
        raise InputError(
            f"variable {variable.name} selects a register of {name}, and has 'signed', 'left_shift' or 'letters'",
            **entry.where(),
            remedy="leave them to immediates",
        )
    largest = (1 << variable.width) - 1
    while largest in variable.forbidden:
        largest -= 1
    if largest >= state[name].count:
        raise InputError(
            f"variable {variable.name} can be {largest}, {name} has {state[name].count} registers",
            **entry.where("location"),
            remedy="make the field narrower, or list the values under 'not:'",
        )


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
