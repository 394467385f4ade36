"""An extension as lines of riscv-opcodes, with comments for what they have no place for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from archsim.common.errors import unknown
from archsim.isa.encoding import bit_runs
from archsim.isa.extension_text import flow
from archsim.isa.opcode_fields import ARG_LUT, COMBINED, FIELDS, variable_entry
from archsim.isa.opcode_lines import parse_line
from archsim.isa.spec import Extension, Instruction, Isa, Variable

_HEAD = """\
# {title}. Made by archsim from {file}; the format is that of riscv-opcodes.
# Fields that arg_lut.csv lacks stand in comments, arg_lut: NAME, HIGH, LOW. Other comments are for archsim isa import:
# register files, operands that are more than the name of their field says, the order of operands in assembly, and
# instructions whose encodings contain one.
"""
_STANDARD = ("X", "F", "V")
_CUTS = (6, 11, 14, 19, 24)
"""Bits below which fixed bits are cut: opcode, rd, funct3, rs1, rs2, funct7."""


def opcodes(isa: Isa, extension: str) -> str:
    """The lines of one extension; `archsim isa import` gives its encodings back from them.

    Args:
        isa: holds the extension and those it requires.
        extension: its name, such as "Xqt".

    Raises:
        InputError: the Isa has no such extension.
    """
    if extension not in isa.extensions:
        raise unknown("extension", extension, isa.extensions)
    found = isa.extensions[extension]
    positions: dict[str, tuple[int, int]] = {}
    lines: list[str] = []
    for instruction in found.instructions.values():
        lines += _lines(instruction, positions)
    title = f"{found.name} {found.version}".rstrip() + f": {found.long_name}"
    added = [f"# arg_lut: {name}, {high}, {low}" for name, (high, low) in positions.items()]
    head = _HEAD.format(title=title, file=found.file.name)
    return "\n".join([head + f"# extension: {found.name}", *_register_files(isa, found), *added, "", *lines, ""])


def _register_files(isa: Isa, extension: Extension) -> Iterator[str]:
    used = {v.register: None for one in extension.instructions.values() for v in one.variables if v.register}
    for name in used:
        if name not in _STANDARD:
            state = isa.state[str(name)]
            yield f"# register_file: {name} {flow({'count': state.count, 'names': list(state.names)})}"


def _lines(instruction: Instruction, positions: dict[str, tuple[int, int]]) -> Iterator[str]:
    """The line of an instruction, behind comments; adds its fields that are not in arg_lut.csv to `positions`."""
    tokens: list[tuple[int, str]] = list(_fixed(instruction))
    for variable in instruction.variables:
        tokens += _fields(variable, positions)
    line = " ".join([instruction.name, *(token for _, token in sorted(tokens, reverse=True))])
    plain = parse_line(line, positions)
    own = {variable.name: entry_of(variable) for variable in instruction.variables}
    if {entry["name"]: entry for entry in plain.variables} != own:
        for entry in own.values():
            if entry not in plain.variables:
                yield f"# variable: {flow(entry)}"
    if plain.assembly != instruction.assembly or len(plain.variables) != len(own):
        yield f"# assembly: {instruction.assembly}".rstrip()
    if instruction.within:
        yield f"# within: {', '.join(instruction.within)}"
    yield line


def _fixed(instruction: Instruction) -> Iterator[tuple[int, str]]:
    high: int | None = None
    width = instruction.width
    for bit in range(width - 1, -1, -1):
        is_fixed = instruction.match[width - 1 - bit] != "-"
        if is_fixed and high is None:
            high = bit
        ends = bit == 0 or instruction.match[width - bit] == "-" or (width == 32 and bit - 1 in _CUTS)
        if is_fixed and high is not None and ends:
            value = instruction.value >> bit & (1 << high - bit + 1) - 1
            yield high, f"{high}..{bit}={value:#x}" if high > bit else f"{bit}={value}"
            high = None


def _fields(variable: Variable, positions: dict[str, tuple[int, int]]) -> Iterator[tuple[int, str]]:
    """(highest bit, name) of each field of a variable."""
    location = location_of(variable)
    for names, entry in COMBINED.items():
        if entry["location"] == location:
            yield from ((ARG_LUT[name][0], name) for name in names)
            return
    runs = [(bit + mask.bit_length() - 1, bit) for _, mask, bit in bit_runs(variable)]
    for high, low in runs:
        yield high, _name(variable, high, low, len(runs) == 1, positions)


def _name(variable: Variable, high: int, low: int, whole: bool, positions: dict[str, tuple[int, int]]) -> str:
    """arg_lut.csv's name for a field: one that means the variable, else one of its kind, else the variable's own."""
    same = [name for name, place in ARG_LUT.items() if place == (high, low) and name != "rt"] if whole else []
    entry = entry_of(variable)
    for name in same:
        if variable_entry(name, high, low) == entry:
            return name
    kinds = {"X": ("rd", "rs"), "F": ("rd", "rs"), "V": ("vd", "vs"), None: ("simm" if variable.signed else "zimm",)}
    for name in same:
        if name.startswith(kinds.get(variable.register, ())):
            return name
    wanted = variable.name if whole else f"{variable.name}_{high}_{low}"
    if FIELDS.get(wanted, positions.get(wanted, (high, low))) != (high, low):
        wanted = f"{variable.name}_{high}_{low}"
    positions[wanted] = high, low
    return wanted


def location_of(variable: Variable) -> str:
    """A variable's bits as `location:` has them, most significant first."""
    runs = [(bit + mask.bit_length() - 1, bit) for _, mask, bit in reversed(bit_runs(variable))]
    return "|".join(f"{high}-{low}" if high > low else str(high) for high, low in runs)


def entry_of(variable: Variable) -> dict[str, Any]:
    """A variable as YAML has it, without what is as it is by default."""
    entry: dict[str, Any] = {"name": variable.name, "location": location_of(variable)}
    words = list(variable.values)
    named = {value for value, word in enumerate(words) if word is None}
    facts: dict[str, Any] = {
        "register": variable.register,
        "signed": variable.signed,
        "left_shift": variable.left_shift,
        "not": sorted(variable.forbidden - named),
        "letters": variable.letters,
        "add": variable.add,
        "hexadecimal": variable.hexadecimal,
        "written_bits": variable.written_bits,
        "values": words,
        "suffix": variable.suffix,
        "parts": [{"location": f"{p.low + p.width - 1}-{p.low}", "values": list(p.values)} for p in variable.parts],
        "eew": variable.eew,
        "group": variable.group,
        "fields": variable.fields if variable.fields != 1 else 0,
    }
    entry |= {key: value for key, value in facts.items() if value}
    if variable.default is not None:
        entry["default"] = variable.default
    return entry
