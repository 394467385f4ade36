"""Instruction words to assembly text that the assembler takes back."""

from __future__ import annotations

from archsim.isa.encoding import decode
from archsim.isa.spec import Instruction, Isa, Variable
from archsim.isa.template import parse_template


def disassemble(isa: Isa, word: int, address: int | None = None) -> str:
    """One instruction word as text.

    Args:
        word: 32 bits, or 16.
        address: where it stands; where given (and not 0), targets of jumps are named in a comment.

    Returns:
        Text such as ``addi a0, a0, -1`` or ``beq a0, zero, .+8  # 0x10020``; a word that is no instruction as
        ``.4byte 0x...``. Assembling it gives the word again.
    """
    found = decode(isa, word)
    if found is None:
        return f".4byte {word:#010x}" if word & 3 == 3 or word >> 16 else f".2byte {word:#06x}"
    instruction, values = found
    texts, comment = [], ""
    for operand in parse_template(instruction.assembly):
        text = ""
        if operand.name:
            variable = instruction.variable(operand.name)
            value = values[variable.name]
            if _is_distance(instruction, variable, operand.base):
                text = f".{value:+d}"
                comment = f"  # {(address + value) % 2**64:#x}" if address else ""
            else:
                text = _show(isa, variable, value)
        if operand.base:
            text += f"({_show(isa, instruction.variable(operand.base), values[operand.base])})"
        texts.append(text)
    return f"{instruction.name} {', '.join(texts)}".rstrip() + comment


def _is_distance(instruction: Instruction, variable: Variable, base: str | None) -> bool:
    return instruction.unit == "branch" and variable.register is None and base is None


def _show(isa: Isa, variable: Variable, value: int) -> str:
    if variable.register is not None:
        return isa.state[variable.register].names[value]
    if variable.name == "csr":
        return isa.csr_names.get(value, f"{value:#x}")
    if variable.letters:
        count = len(variable.letters)
        letters = "".join(c for i, c in enumerate(variable.letters) if value >> (count - 1 - i) & 1)
        return letters or "0"
    return str(value)
