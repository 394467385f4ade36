"""The text of an asm statement in C that makes one instruction word."""

from __future__ import annotations

from archsim.isa.encoding import bit_runs
from archsim.isa.spec import Instruction

_FIELDS = {"rd": range(11, 6, -1), "rs1": range(19, 14, -1), "rs2": range(24, 19, -1), "rs3": range(31, 26, -1)}


def insn(instruction: Instruction, numbers: dict[str, str]) -> str | None:
    """`.insn r`, `.insn r4` or `.insn i`, or None if the encoding has another form."""
    fixed = instruction.match[-7:]
    function = instruction.match[17:20]
    if "-" in fixed + function:
        return None
    opcode, three = int(fixed, 2), int(function, 2)
    registers = {field: _register(instruction, field, numbers) for field in _FIELDS}
    rd, rs1, rs2, rs3 = (registers[field] for field in ("rd", "rs1", "rs2", "rs3"))
    if rd is None or rs1 is None:
        return None
    immediate = next((v for v in instruction.variables if v.bits == tuple(range(31, 19, -1)) and not v.register), None)
    if immediate is not None and immediate.signed and not immediate.left_shift:
        return _text(f'.insn i {opcode:#x}, {three}, {rd}, {rs1}, " ARCHSIM_TEXT({immediate.name}) "')
    if rs2 is None or "-" in instruction.match[5:7]:
        return None
    if "-" not in instruction.match[:7]:
        return _text(f".insn r {opcode:#x}, {three}, {int(instruction.match[:7], 2):#x}, {rd}, {rs1}, {rs2}")
    two = int(instruction.match[5:7], 2)
    return _text(f".insn r4 {opcode:#x}, {three}, {two}, {rd}, {rs1}, {rs2}, {rs3}") if rs3 is not None else None


def _text(pieces: str) -> str:
    """A C string that has macros in it."""
    return f'"{pieces}"'.replace(' ""', "")


def _register(instruction: Instruction, field: str, numbers: dict[str, str]) -> str | None:
    """A five-bit field as an operand of `.insn`, or None if it is no register number."""
    bits = tuple(_FIELDS[field])
    here = [variable for variable in instruction.variables if set(variable.bits) & set(bits)]
    pattern = "".join(instruction.match[31 - bit] for bit in bits)
    if not here:
        return f"x{int(pattern, 2)}"
    variable = here[0]
    if len(here) > 1 or variable.register is None or variable.bits != bits[-variable.width :]:
        return None
    if variable.left_shift or variable.add:
        return None
    if variable.name in numbers:
        return numbers[variable.name] if variable.bits == bits else None
    fixed = pattern[: -variable.width]
    # a number that may be a macro goes behind the x only by way of another
    return f'x" ARCHSIM_TEXT({variable.name}) "' if "1" not in fixed else None


def word(instruction: Instruction, numbers: dict[str, str]) -> str:
    """`.4byte` of the word put together by the assembler, which knows the registers' numbers by name."""
    terms = [f"{instruction.value:#x}"]
    for variable in instruction.variables:
        value = f'(" ARCHSIM_TEXT({variable.name}) ")'
        if variable.name in numbers:
            value = f".Larchsim_{numbers[variable.name]}"
        terms += [f"((({value} >> {low}) & {mask:#x}) << {bit})" for low, mask, bit in bit_runs(variable)]
    return _text(f".4byte {' | '.join(terms)}")
