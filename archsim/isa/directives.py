"""Directives of the assembler: sections, data, alignment, constants."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

from archsim.common.errors import InputError, unknown
from archsim.isa.lexing import STRING, split_operands, string_bytes
from archsim.isa.sections import SECTIONS, Fill

if TYPE_CHECKING:
    from archsim.isa.assemble import Assembler

_SIZES = {
    ".byte": 1, ".half": 2, ".short": 2, ".2byte": 2, ".word": 4, ".long": 4, ".4byte": 4,
    ".dword": 8, ".quad": 8, ".8byte": 8,
}  # fmt: skip
_FLOATS = {".float": "<f", ".single": "<f", ".double": "<d"}
_IGNORED = frozenset({
    ".globl", ".global", ".local", ".weak", ".option", ".type", ".size", ".attribute", ".file", ".ident", ".loc",
    ".cfi_startproc", ".cfi_endproc", ".cfi_def_cfa_offset", ".cfi_offset", ".cfi_restore", ".cfi_remember_state",
    ".cfi_restore_state", ".cfi_def_cfa", ".cfi_def_cfa_register",
})  # fmt: skip
_LARGEST_ALIGNMENT = 1 << 20
_NOP = (0x13).to_bytes(4, "little")


def directive(assembler: Assembler, name: str, rest: str) -> None:
    """Carry out one directive.

    Raises:
        InputError: it is unknown, or its operands are wrong.
    """
    if name in _IGNORED:
        return
    if name in SECTIONS:
        assembler.enter(name)
    elif name in _SIZES:
        _numbers(assembler, _SIZES[name], rest)
    elif name in _FLOATS:
        _floats(assembler, _FLOATS[name], rest)
    elif name in _OTHERS:
        _OTHERS[name](assembler, rest)
    else:
        raise unknown("directive", name, KNOWN)


def _numbers(assembler: Assembler, size: int, rest: str) -> None:
    for text in split_operands(rest):
        fill = Fill(assembler.here(), assembler.line, size, [text])
        assembler.section.append(bytes(size))
        if assembler.section.name == ".bss":
            raise InputError("values in .bss", remedy="use .zero there, or .data")
        assembler.section.fills.append(fill)


def _floats(assembler: Assembler, form: str, rest: str) -> None:
    for text in split_operands(rest):
        try:
            assembler.section.append(struct.pack(form, float(text)))
        except (ValueError, OverflowError):
            raise InputError(f"{text!r} is no such floating-point number", remedy="write one, such as 1.5e-3") from None


def _strings(assembler: Assembler, rest: str, end: bytes) -> None:
    texts = split_operands(rest)
    for text in texts:
        match = STRING.fullmatch(text)
        if not match:
            raise InputError(f"{text} is no string", remedy='write it in quotes: "..."')
        try:
            assembler.section.append(string_bytes(match[1]) + end)
        except ValueError:
            raise InputError(f"{text} has an escape beyond \\377", remedy="use \\0 to \\377") from None
    if not texts:
        raise InputError("no string", remedy='write one in quotes: "..."')


def _zero(assembler: Assembler, rest: str) -> None:
    operands = split_operands(rest)
    if not 1 <= len(operands) <= 2:
        raise InputError(f"{len(operands)} operands", remedy="write a number of bytes, and perhaps their value")
    count = assembler.constant(operands[0])
    value = assembler.constant(operands[1]) if len(operands) > 1 else 0
    if value == 0:
        assembler.section.zeros(count)
    elif -128 <= value < 256 and 0 <= count <= 1 << 24:
        assembler.section.append(bytes([value & 255]) * count)
    else:
        raise InputError(f"{count} bytes of value {value}", remedy="use -128 to 255, at most 16 MiB")


def _align(assembler: Assembler, rest: str, power: bool) -> None:
    operands = split_operands(rest)
    step = assembler.constant(operands[0]) if operands else 0
    if power:
        step = 1 << step if 0 <= step < 64 else 0
    if not 1 <= step <= _LARGEST_ALIGNMENT or step & (step - 1):
        allowed = "0 to 20, a power of two" if power else f"a power of two up to {_LARGEST_ALIGNMENT}"
        raise InputError(f"alignment {rest or 'missing'}", remedy=f"use {allowed}")
    # code may run through the padding
    executed = assembler.section.name == ".text" and "addi" in assembler.isa.instructions
    assembler.section.align(step, _NOP if executed else b"\0")


def _set(assembler: Assembler, rest: str) -> None:
    operands = split_operands(rest)
    if len(operands) != 2:
        raise InputError(f"{len(operands)} operands", remedy="write NAME, VALUE")
    assembler.define_constant(*operands)


def _common(assembler: Assembler, rest: str) -> None:
    """`.comm NAME, SIZE, ALIGNMENT`: zeros in .bss."""
    operands = split_operands(rest)
    if not 2 <= len(operands) <= 3:
        raise InputError(f"{len(operands)} operands", remedy="write NAME, SIZE, ALIGNMENT")
    size, before = assembler.constant(operands[1]), assembler.section
    assembler.enter(".bss")
    _align(assembler, operands[2] if len(operands) > 2 else "8", False)
    assembler.define_label(operands[0])
    assembler.section.zeros(size)
    assembler.section = before


def _section(assembler: Assembler, rest: str) -> None:
    """`.section .rodata.str1.8, "aMS"` is part of .rodata; what only tools read is dropped."""
    name = split_operands(rest)[0] if rest else ""
    if name.startswith((".note", ".comment", ".debug", ".eh_frame", ".riscv")):
        assembler.enter("")
        return
    base = "." + name.split(".")[1] if name.startswith(".") else name
    known = {".srodata": ".rodata", ".sdata": ".data", ".sbss": ".bss", **{name: name for name in SECTIONS}}
    if base not in known:
        raise unknown("section", name, known)
    assembler.enter(known[base])


_OTHERS: dict[str, Callable[[Assembler, str], None]] = {
    ".section": _section,
    ".comm": _common,
    ".zero": _zero,
    ".space": _zero,
    ".skip": _zero,
    ".align": lambda assembler, rest: _align(assembler, rest, True),
    ".p2align": lambda assembler, rest: _align(assembler, rest, True),
    ".balign": lambda assembler, rest: _align(assembler, rest, False),
    ".equ": _set,
    ".set": _set,
    ".ascii": lambda assembler, rest: _strings(assembler, rest, b""),
    ".asciz": lambda assembler, rest: _strings(assembler, rest, b"\0"),
    ".string": lambda assembler, rest: _strings(assembler, rest, b"\0"),
}
KNOWN = (*SECTIONS, *_SIZES, *_FLOATS, *_OTHERS, *_IGNORED)
