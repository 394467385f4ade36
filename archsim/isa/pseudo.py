"""Pseudo-instructions: one assembly line that stands for other instructions.

The table of the RISC-V Assembly Programmer's Manual, section "pseudoinstructions".
"""

from __future__ import annotations

# mnemonic -> number of operands -> instructions it stands for, with {0}, {1}, ... for its operands
TABLE: dict[str, dict[int, tuple[str, ...]]] = {
    "nop": {0: ("addi zero, zero, 0",)},
    "mv": {2: ("addi {0}, {1}, 0",)},
    "not": {2: ("xori {0}, {1}, -1",)},
    "neg": {2: ("sub {0}, zero, {1}",)},
    "negw": {2: ("subw {0}, zero, {1}",)},
    "sext.w": {2: ("addiw {0}, {1}, 0",)},
    "sext.b": {2: ("slli {0}, {1}, 56", "srai {0}, {0}, 56")},
    "sext.h": {2: ("slli {0}, {1}, 48", "srai {0}, {0}, 48")},
    "zext.b": {2: ("andi {0}, {1}, 255",)},
    "zext.h": {2: ("slli {0}, {1}, 48", "srli {0}, {0}, 48")},
    "zext.w": {2: ("slli {0}, {1}, 32", "srli {0}, {0}, 32")},
    "seqz": {2: ("sltiu {0}, {1}, 1",)},
    "snez": {2: ("sltu {0}, zero, {1}",)},
    "sltz": {2: ("slt {0}, {1}, zero",)},
    "sgtz": {2: ("slt {0}, zero, {1}",)},
    "sgt": {3: ("slt {0}, {2}, {1}",)},
    "sgtu": {3: ("sltu {0}, {2}, {1}",)},
    "beqz": {2: ("beq {0}, zero, {1}",)},
    "bnez": {2: ("bne {0}, zero, {1}",)},
    "blez": {2: ("bge zero, {0}, {1}",)},
    "bgez": {2: ("bge {0}, zero, {1}",)},
    "bltz": {2: ("blt {0}, zero, {1}",)},
    "bgtz": {2: ("blt zero, {0}, {1}",)},
    "bgt": {3: ("blt {1}, {0}, {2}",)},
    "ble": {3: ("bge {1}, {0}, {2}",)},
    "bgtu": {3: ("bltu {1}, {0}, {2}",)},
    "bleu": {3: ("bgeu {1}, {0}, {2}",)},
    "j": {1: ("jal zero, {0}",)},
    "jal": {1: ("jal ra, {0}",)},
    "ret": {0: ("jalr zero, 0(ra)",)},
    "la": {2: ("auipc {0}, %pcrel_hi({1})", "addi {0}, {0}, %pcrel_lo(.-4)")},
    "lla": {2: ("auipc {0}, %pcrel_hi({1})", "addi {0}, {0}, %pcrel_lo(.-4)")},
    "call": {
        1: ("auipc ra, %pcrel_hi({0})", "jalr ra, %pcrel_lo(.-4)(ra)"),
        2: ("auipc {0}, %pcrel_hi({1})", "jalr {0}, %pcrel_lo(.-4)({0})"),
    },
    "tail": {1: ("auipc t1, %pcrel_hi({0})", "jalr zero, %pcrel_lo(.-4)(t1)")},
    "csrr": {2: ("csrrs {0}, {1}, zero",)},
    "csrw": {2: ("csrrw zero, {0}, {1}",)},
    "csrs": {2: ("csrrs zero, {0}, {1}",)},
    "csrc": {2: ("csrrc zero, {0}, {1}",)},
    "csrwi": {2: ("csrrwi zero, {0}, {1}",)},
    "csrsi": {2: ("csrrsi zero, {0}, {1}",)},
    "csrci": {2: ("csrrci zero, {0}, {1}",)},
    "rdcycle": {1: ("csrrs {0}, cycle, zero",)},
    "rdtime": {1: ("csrrs {0}, time, zero",)},
    "rdinstret": {1: ("csrrs {0}, instret, zero",)},
    "fence": {0: ("fence iorw, iorw",)},
    "pause": {0: ("fence w, 0",)},
    "unimp": {0: ("csrrw zero, 0xC00, zero",)},
}
IMMEDIATE_FORMS = {
    "add": "addi", "addw": "addiw", "and": "andi", "or": "ori", "xor": "xori", "slt": "slti", "sltu": "sltiu",
    "sll": "slli", "srl": "srli", "sra": "srai", "sllw": "slliw", "srlw": "srliw", "sraw": "sraiw",
}  # fmt: skip
"""Instructions that may be written with an immediate, and which they then are."""
_LOADS = frozenset({"lb", "lbu", "lh", "lhu", "lw", "lwu", "ld"})
_STORES = frozenset({"sb", "sh", "sw", "sd"})
OVERLOADED = frozenset({"jalr", *IMMEDIATE_FORMS, *_LOADS})
"""Instructions with short forms that have as many operands as their own."""
NAMES = frozenset({*TABLE, "li", "jr"})


def expand(name: str, operands: list[str], is_register: bool) -> tuple[str, ...] | None:
    """Instructions that a line stands for, or None if it is no pseudo-instruction (`li` is expanded elsewhere).

    Args:
        name, operands: of the line.
        is_register: whether the last operand is an integer register.
    """
    lines = TABLE.get(name, {}).get(len(operands))
    if lines is not None:
        return tuple(line.format(*operands) for line in lines)
    if name in ("jr", "jalr"):
        return _jump_register(name, operands, is_register)
    if is_register and name not in _STORES:
        return None
    if len(operands) == 3 and name in IMMEDIATE_FORMS:
        return (f"{IMMEDIATE_FORMS[name]} {', '.join(operands)}",)
    if len(operands) == 2 and name in _LOADS and not operands[1].endswith(")"):
        return f"auipc {operands[0]}, %pcrel_hi({operands[1]})", f"{name} {operands[0]}, %pcrel_lo(.-4)({operands[0]})"
    if len(operands) == 3 and name in _STORES:
        value, target, scratch = operands
        return f"auipc {scratch}, %pcrel_hi({target})", f"{name} {value}, %pcrel_lo(.-4)({scratch})"
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


def load_immediate(register: str, value: int) -> tuple[str, ...]:
    """A sequence of lui, addi(w) and slli, eight at most, that puts a 64-bit constant into a register.

    Raises:
        ValueError: the value does not fit 64 bits.
    """
    if not -(2**63) <= value < 2**64:
        raise ValueError(f"{value} does not fit 64 bits")
    value = (value + 2**63) % 2**64 - 2**63
    low = (value + 2048) % 4096 - 2048
    if value == low:
        return (f"addi {register}, zero, {value}",)
    if -(2**31) <= value < 2**31:
        lui = f"lui {register}, {(value - low) >> 12 & 0xFFFFF}"
        return (lui, f"addiw {register}, {register}, {low}") if low else (lui,)
    rest, shift = (value - low) >> 12, 12
    while not rest & 1:
        rest, shift = rest >> 1, shift + 1
    upper = (*load_immediate(register, rest), f"slli {register}, {register}, {shift}")
    return (*upper, f"addi {register}, {register}, {low}") if low else upper
