"""Instruction words to assembly text that the assembler takes back."""

from __future__ import annotations

import re

from archsim.isa.encoding import decode
from archsim.isa.spec import Isa


def disassemble(isa: Isa, word: int, address: int = 0) -> str:
    """One word as text; branch and jump offsets are printed relative (as numbers), unknown words as `.word`."""
    found = decode(isa, word)
    if found is None:
        return f".word 0x{word:08x}"
    instruction, operands = found
    csrs = {state.address: name for name, state in isa.state.items() if state.kind == "csr"}

    def show(match: re.Match[str]) -> str:
        variable = instruction.variable(match[0])
        value = operands[variable.name]
        if variable.register is not None:
            return isa.state[variable.register].names[value]
        if variable.name == "csr" and value in csrs:
            return csrs[value]
        return str(value)

    text = re.sub(r"[A-Za-z_]\w*", show, instruction.assembly)
    return f"{instruction.name} {text}".rstrip()
