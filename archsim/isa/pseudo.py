"""Pseudo-instructions: one assembly line that stands for other instructions."""

from __future__ import annotations

from archsim.isa.pseudo_tables import EMPTY_RANGES, IMMEDIATE_FORMS, SHORTER, TABLE
from archsim.isa.spec import Isa

_LOADS = frozenset({"lb", "lbu", "lh", "lhu", "lw", "lwu", "ld"})
_STORES = frozenset({"sb", "sh", "sw", "sd"})
_FLOAT_ACCESSES = frozenset({"flh", "flw", "fld", "fsh", "fsw", "fsd"})
OVERLOADED = frozenset({"jalr", *IMMEDIATE_FORMS, *_LOADS})
"""Instructions with short forms that have as many operands as their own."""
NAMES = frozenset({*TABLE, "li", "jr"})


def expand(isa: Isa, name: str, operands: list[str], is_register: bool) -> tuple[str, ...] | None:
    """Instructions that a line stands for, or None if it is no pseudo-instruction (`li` is expanded elsewhere).

    Args:
        isa: decides where there is more than one way.
        name, operands: of the line.
        is_register: whether the last operand is an integer register.
    """
    if name in IMMEDIATE_FORMS and not is_register:
        if len(operands) == 3:
            return (f"{IMMEDIATE_FORMS[name]} {', '.join(operands)}",)
        name = IMMEDIATE_FORMS[name] if name in TABLE else name
    if name.startswith("vmsge") and len(operands) == 4 and operands[0] == "v0":
        # needs a scratch register
        return None
    lines = TABLE.get(name, {}).get(len(operands))
    if lines is not None:
        if SHORTER.get(name, "").partition(" ")[0] in isa.instructions:
            lines = (SHORTER[name],)
        if name in EMPTY_RANGES and operands[2] == "0":
            lines = (lines[0].replace("({2}) - 1", "{1}").replace(lines[0].split()[0], EMPTY_RANGES[name]),)
        return tuple(line.format(*operands, b=isa.xlen - 8, h=isa.xlen - 16) for line in lines)
    if name in ("jr", "jalr"):
        return _jump_register(name, operands, is_register)
    if len(operands) == 3 and (name in _STORES or name in _FLOAT_ACCESSES):
        value, target, scratch = operands
        return f"auipc {scratch}, %pcrel_hi({target})", f"{name} {value}, %pcrel_lo(.-4)({scratch})"
    if len(operands) == 2 and name in _LOADS and not is_register and not operands[1].endswith(")"):
        return f"auipc {operands[0]}, %pcrel_hi({operands[1]})", f"{name} {operands[0]}, %pcrel_lo(.-4)({operands[0]})"
    return None


def _jump_register(name: str, operands: list[str], is_register: bool) -> tuple[str, ...] | None:
    """Short forms of jalr: [rd,] rs; [rd,] offset(rs); [rd,] rs, offset."""
    if name == "jr":
        operands = ["zero", *operands]
    elif len(operands) == 1 or (len(operands) == 2 and not is_register and not operands[1].endswith(")")):
        operands = ["ra", *operands]
    match operands:
        case [link, base] if is_register:
            return (f"jalr {link}, 0({base})",)
        case [link, address]:
            # already of the instruction's own form
            return (f"jalr {link}, {address}",) if name == "jr" or link == "ra" else None
        case [link, base, offset]:
            return (f"jalr {link}, {offset}({base})",)
    return None


def load_immediate(register: str, value: int, xlen: int = 64) -> tuple[str, ...]:
    """A sequence of lui, addi(w) and slli, eight at most, that puts a constant of XLEN bits into a register.

    Raises:
        ValueError: the value does not fit XLEN bits.
    """
    if not -(1 << xlen - 1) <= value < 1 << xlen:
        raise ValueError(f"{value} does not fit {xlen} bits")
    value = (value + (1 << xlen - 1)) % (1 << xlen) - (1 << xlen - 1)
    low = (value + 2048) % 4096 - 2048
    if value == low:
        return (f"addi {register}, zero, {value}",)
    if -(2**31) <= value < 2**31:
        lui = f"lui {register}, {(value - low) >> 12 & 0xFFFFF}"
        return (lui, f"addi{'w' if xlen == 64 else ''} {register}, {register}, {low}") if low else (lui,)
    rest, shift = (value - low) >> 12, 12
    while not rest & 1:
        rest, shift = rest >> 1, shift + 1
    upper = (*load_immediate(register, rest), f"slli {register}, {register}, {shift}")
    return (*upper, f"addi {register}, {register}, {low}") if low else upper
