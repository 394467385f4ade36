"""Instruction words to assembly text that the assembler takes back."""

from __future__ import annotations

from archsim.isa.encoding import decode
from archsim.isa.spec import Instruction, Isa, Variable
from archsim.isa.template import Operand, parse_template


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
    fields = {variable.name: variable for variable in instruction.variables}
    operands = parse_template(instruction.assembly)
    for operand in operands[: len(operands) - _left_out(operands, fields, values)]:
        text = operand.name or ""
        if operand.name in fields:
            variable = fields[operand.name]
            value = values[variable.name]
            if _is_distance(instruction, variable, operand.base):
                text = f".{value:+d}"
                comment = f"  # {(address + value) % 2**isa.xlen:#x}" if address else ""
            else:
                text = _show(isa, variable, value)
        if operand.base:
            known = operand.base in fields
            text += f"({_show(isa, fields[operand.base], values[operand.base]) if known else operand.base})"
        texts.append(text)
    suffix = "".join(str(v.values[values[v.name]]) for v in instruction.variables if v.suffix)
    return f"{instruction.name}{suffix} {', '.join(texts)}".rstrip() + comment


def _left_out(operands: tuple[Operand, ...], fields: dict[str, Variable], values: dict[str, int]) -> int:
    """How many operands at the end have the value that need not be written."""
    for count, operand in enumerate(reversed(operands)):
        variable = fields.get(operand.name or "")
        if operand.base or variable is None or variable.default is None or values[variable.name] != variable.default:
            return count
    return len(operands)


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
    if 0 <= value < len(variable.values):
        return str(variable.values[value])
    if variable.parts:
        return _parts(variable, value) or str(value)
    if variable.written_bits:
        value &= (1 << variable.written_bits) - 1
    return f"{value:#x}" if variable.hexadecimal else str(value)


def _parts(variable: Variable, value: int) -> str:
    """A value as the words of its parts, or "" where it has bits that they do not name."""
    words: list[str] = []
    for part in variable.parts:
        index = value >> part.low & (1 << part.width) - 1
        word = part.values[index] if index < len(part.values) else None
        if word is None:
            return ""
        words.append(word)
        value &= ~(index << part.low)
    return ", ".join(words) if not value else ""
