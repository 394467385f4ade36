"""Pseudo-instructions: one assembly line that stands for other instructions.

From the table of the RISC-V Assembly Programmer's Manual. Operands are given as text; `li`, `la` and `call`, whose
length depends on a value, are expanded here as well.
"""

from __future__ import annotations

from collections.abc import Callable

# mnemonic -> operand count -> instructions it stands for, with {0}, {1}, ... for its operands
SIMPLE: dict[str, dict[int, tuple[str, ...]]] = {
    "nop": {0: ("addi zero, zero, 0",)},
    "mv": {2: ("addi {0}, {1}, 0",)},
    "not": {2: ("xori {0}, {1}, -1",)},
    "neg": {2: ("sub {0}, zero, {1}",)},
    "negw": {2: ("subw {0}, zero, {1}",)},
    "sext.w": {2: ("addiw {0}, {1}, 0",)},
    "zext.b": {2: ("andi {0}, {1}, 255",)},
    "seqz": {2: ("sltiu {0}, {1}, 1",)},
    "snez": {2: ("sltu {0}, zero, {1}",)},
    "sltz": {2: ("slt {0}, {1}, zero",)},
    "sgtz": {2: ("slt {0}, zero, {1}",)},
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
    "jr": {1: ("jalr zero, 0({0})",)},
    "jalr": {1: ("jalr ra, 0({0})",), 3: ("jalr {0}, {2}({1})",)},
    "ret": {0: ("jalr zero, 0(ra)",)},
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
    "fence": {2: ("fence",)},
    "unimp": {0: ("csrrw zero, cycle, zero",)},
}
NAMES = {*SIMPLE, "li", "la", "lla", "call", "tail"}


def expand(name: str, operands: list[str], known: Callable[[str], bool], value: Callable[[str], int]) -> list[str] | None:
    """Lines that a pseudo-instruction stands for, or None if the line is none.

    Args:
        name, operands: of the line.
        known: whether a mnemonic with as many operands is an instruction of its own.
        value: gives a constant expression's value (for `li`).
    """
    simple = SIMPLE.get(name, {}).get(len(operands))
    if simple is not None:
        return [line.format(*operands) for line in simple]
    if name == "li" and len(operands) == 2:
        return load_immediate(operands[0], value(operands[1]))
    if name in ("la", "lla") and len(operands) == 2:
        return [f"auipc {operands[0]}, %pcrel_hi({operands[1]})", f"addi {operands[0]}, {operands[0]}, %pcrel_back({operands[1]})"]
    if name in ("call", "tail") and len(operands) == 1:
        link, scratch = ("ra", "ra") if name == "call" else ("zero", "t1")
        return [f"auipc {scratch}, %pcrel_hi({operands[0]})", f"jalr {link}, %pcrel_back({operands[0]})({scratch})"]
    return None


def load_immediate(register: str, value: int) -> list[str]:
    """Shortest usual sequence of lui, addi(w) and slli that puts a 64-bit constant into a register.

    Raises:
        ValueError: the value does not fit 64 bits.
    """
    if not -(2**63) <= value < 2**64:
        raise ValueError(f"{value} does not fit 64 bits")
    value = (value + 2**63) % 2**64 - 2**63
    if -2048 <= value < 2048:
        return [f"addi {register}, zero, {value}"]
    if -(2**31) <= value < 2**31:
        low = (value + 2048) % 4096 - 2048
        lines = [f"lui {register}, {(value - low) >> 12 & 0xFFFFF}"]
        return lines + ([f"addiw {register}, {register}, {low}"] if low else [])
    low = (value + 2048) % 4096 - 2048
    rest = (value - low) >> 12
    shift = 12
    while not rest & 1:
        rest >>= 1
        shift += 1
    lines = [*load_immediate(register, rest), f"slli {register}, {register}, {shift}"]
    return lines + ([f"addi {register}, {register}, {low}"] if low else [])
