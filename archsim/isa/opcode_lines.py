"""Lines of riscv-opcodes, such as `vdot4a.vv 31..26=0x2c vm vs2 vs1 14..12=0x2 vd 6..0=0x57`, as encodings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archsim.common.errors import InputError, nearest
from archsim.common.yamlfile import YamlList, YamlMap
from archsim.isa.opcode_fields import COMBINED, FIELDS, variable_entry

_FIXED = re.compile(r"(\d{1,2})(?:\.\.(\d{1,2}))?=(0x[0-9a-fA-F]{1,16}|0b[01]{1,64}|\d{1,20})")
_MNEMONIC = re.compile(r"[A-Za-z_]\w*(\.\w+)*", re.ASCII)


@dataclass(frozen=True)
class OpcodeLine:
    """A line as an encoding.

    Attributes:
        name: the mnemonic.
        match: 32 (or 16) of 0, 1 and -, most significant bit first.
        variables: operand fields in the order of the line, as in YAML ({name, location, register, ...}).
    """

    name: str
    match: str
    variables: tuple[dict[str, Any], ...]

    @property
    def assembly(self) -> str:
        """Operands in the order that RISC-V writes them: target, sources (vs2 first), immediates, mask or rounding."""
        return ", ".join(sorted((entry["name"] for entry in self.variables), key=_rank))


def _rank(name: str) -> int:
    order = ("xd", "fd", "vd", "vs3", "vs2", "vs1", "xs1", "fs1", "xs2", "fs2", "xs3", "fs3")
    return order.index(name) if name in order else {"rm": 98, "vm": 99}.get(name, 50)


def parse_line(
    text: str,
    positions: Mapping[str, tuple[int, int]],
    variables: Mapping[str, dict[str, Any]] | None = None,
    **where: Any,
) -> OpcodeLine:
    """One line.

    Args:
        positions: fields besides those of arg_lut.csv: name -> (highest bit, lowest bit).
        variables: operands whose meaning is given, by name: as in YAML, with their location. They stand for the
            fields of the line that lie in their bits.
        where: the line's place, for errors.

    Raises:
        InputError: a field is unknown, or a bit belongs to none or to two of them.
    """
    name, *tokens = text.split() or [""]
    if not _MNEMONIC.fullmatch(name):
        raise InputError(f"{name!r} is no mnemonic", **where, remedy="start the line with the instruction's name")
    bits = _Bits(name, where)
    given = dict(variables or {})
    fields: list[tuple[str, int, int]] = []
    for token in tokens:
        fixed = _FIXED.fullmatch(token)
        if fixed:
            bits.fix(int(fixed[1]), int(fixed[2] or fixed[1]), int(fixed[3], 0), token)
        elif token in given:
            bits.take(_location(given[token]["location"]), token)
        else:
            high, low = _position(token, name, positions, where)
            fields.append((token, high, low))
            bits.take(list(range(high, low - 1, -1)), token)
    match = bits.match()
    named = [given[token] for token in tokens if token in given]
    entries = _entries(fields, [entry for entry in given.values() if entry not in named])
    return OpcodeLine(name, match, (*named, *entries))


def instruction_encoding(name: str, entry: YamlMap, formats: Mapping[str, YamlMap]) -> YamlMap:
    """The `encoding` of an instruction whose YAML has `opcodes` instead, with the lines of the file.

    Variables under its `encoding` or of its format say what their fields in the line mean.

    Raises:
        InputError: see parse_line; the line names another instruction, or `encoding` has bits of its own.
    """
    own = entry.get("encoding") or YamlMap()
    for key in own:
        if key != "variables":
            raise InputError(f"{name} has 'opcodes' and {key!r}", **own.where(key), remedy="keep one of them")
    shared = formats.get(str(entry.get("format")), YamlMap()).get("variables") or {}
    given = {key: {"name": key, **facts} for key, facts in shared.items()}
    given |= {str(facts.get("name")): facts for facts in own.get("variables", [])}
    place = entry.where("opcodes")
    line = parse_line(str(entry["opcodes"]), {}, given, **place)
    if line.name != name:
        raise InputError(f"opcodes of {name} are those of {line.name}", **place, remedy=f"write {name} in it")
    variables = [facts for facts in line.variables if facts["name"] not in shared]
    encoding: YamlMap = _marked({"match": line.match, "variables": variables}, place)
    return encoding


def _marked(value: Any, place: dict[str, Any]) -> Any:
    """A value as if it had been read from that place; what has a place keeps it."""
    if isinstance(value, (YamlMap, YamlList)) or not isinstance(value, (dict, list)):
        return value
    if isinstance(value, dict):
        tree = YamlMap((key, _marked(item, place)) for key, item in value.items())
        tree.file, tree.line, tree.lines = place["file"], place["line"], {}
        return tree
    items = YamlList(_marked(item, place) for item in value)
    items.file, items.line, items.lines = place["file"], place["line"], [place["line"]] * len(items)
    return items


def _position(
    token: str, name: str, positions: Mapping[str, tuple[int, int]], where: dict[str, Any]
) -> tuple[int, int]:
    known = {**FIELDS, **positions}
    if token not in known:
        near = nearest(token, known)
        hint = f"did you mean {near!r}, or is it " if near else "say where it lies: "
        raise InputError(
            f"{token!r} of {name} is no field that riscv-opcodes' arg_lut.csv has",
            **where,
            remedy=f"{hint}'# arg_lut: {token}, HIGH, LOW' in front of it (in YAML: a variable under encoding)",
        )
    return known[token]


def _location(text: Any) -> list[int]:
    bits: list[int] = []
    for part in str(text).split("|"):
        high, _, low = part.partition("-")
        if not high.strip().isdigit() or (low and not low.strip().isdigit()):
            # the variable itself is checked, with its place, where it is parsed
            return []
        bits += range(int(high), int(low or high) - 1, -1)
    return bits


class _Bits:
    """Which bits of a word are taken, and the fixed ones."""

    def __init__(self, name: str, where: dict[str, Any]) -> None:
        self.name, self.where = name, where
        self.owner: dict[int, str] = {}
        self.fixed: dict[int, int] = {}

    def take(self, bits: list[int], token: str) -> None:
        for bit in bits:
            if not 0 <= bit < 32:
                raise InputError(f"{token!r} of {self.name} has bit {bit}", **self.where, remedy="use bits 0 to 31")
            if bit in self.owner:
                raise InputError(
                    f"bit {bit} of {self.name} belongs to {self.owner[bit]!r} and {token!r}",
                    **self.where,
                    remedy="give every bit once",
                )
            self.owner[bit] = token

    def fix(self, high: int, low: int, value: int, token: str) -> None:
        if high < low or value >> (high - low + 1):
            raise InputError(
                f"{token!r} of {self.name} does not fit its bits", **self.where, remedy="write it as in 14..12=0x2"
            )
        self.take(list(range(high, low - 1, -1)), token)
        self.fixed |= {bit: value >> (bit - low) & 1 for bit in range(low, high + 1)}

    def match(self) -> str:
        short = max(self.owner, default=31) < 16 and (self.fixed.get(0), self.fixed.get(1)) != (1, 1)
        width = 16 if short else 32
        missing = [bit for bit in range(width - 1, -1, -1) if bit not in self.owner]
        if missing:
            raise InputError(
                f"bits {missing} of {self.name} belong to nothing", **self.where, remedy="give every bit of the word"
            )
        return "".join(str(self.fixed.get(bit, "-")) for bit in range(width - 1, -1, -1))


def _entries(fields: list[tuple[str, int, int]], given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Variables of a line's fields: those given that lie in them, fields that belong together, and the others."""
    entries: list[dict[str, Any]] = []
    covered: set[int] = set()
    spans = {bit for _, high, low in fields for bit in range(low, high + 1)}
    for facts in given:
        bits = set(_location(facts.get("location", "")))
        if bits and bits <= spans:
            covered |= bits
            entries.append(facts)
    left = [field for field in fields if not set(range(field[2], field[1] + 1)) & covered]
    names = [name for name, _, _ in left]
    for together, facts in COMBINED.items():
        if all(name in names for name in together):
            entries.append(dict(facts))
            left = [field for field in left if field[0] not in together]
    for field in left:
        entry = variable_entry(*field)
        if any(entry["name"] == other["name"] for other in entries):
            entry["name"] = field[0]
        entries.append(entry)
    return entries
