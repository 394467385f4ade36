"""Random operands of an instruction as assembly text."""

from __future__ import annotations

import random

from archsim.isa.encoding import operand_range
from archsim.isa.spec import Instruction, Isa, Variable
from archsim.isa.template import parse_template


def random_values(rng: random.Random, isa: Isa, variable: Variable) -> int:
    """A value that the field may hold, its smallest and largest more often than others."""
    low, high, step = operand_range(variable)
    if variable.register is not None:
        high = min(high, isa.state[variable.register].count - 1)
    if variable.values and variable.default is None:
        high = min(high, len(variable.values) - 1)
    while True:
        value = rng.choice((low, low + (high - low) // step * step, rng.randrange(low, high + 1, step)))
        if value not in variable.forbidden:
            return value


def written(isa: Isa, variable: Variable, value: int) -> str:
    """A value as archsim's assembler takes it; "" for one that is left out."""
    if variable.register is not None:
        return isa.state[variable.register].names[value]
    if variable.letters:
        count = len(variable.letters)
        return "".join(c for i, c in enumerate(variable.letters) if value >> (count - 1 - i) & 1) or "0"
    if 0 <= value < len(variable.values):
        return str(variable.values[value])
    if variable.default == value:
        return ""
    return str(value)


def random_line(rng: random.Random, isa: Isa, instruction: Instruction, split_address: bool = False) -> tuple[str, str]:
    """An instruction with random operands: as archsim's assembler has it, and with addresses as two operands."""
    values = {variable.name: random_values(rng, isa, variable) for variable in instruction.variables}
    texts = {variable.name: written(isa, variable, values[variable.name]) for variable in instruction.variables}
    suffix = "".join(texts[variable.name] for variable in instruction.variables if variable.suffix)
    own, other = [], []
    for operand in parse_template(instruction.assembly):
        variable = next((v for v in instruction.variables if v.name == operand.name), None)
        if variable is not None and variable.parts:
            words = [rng.choice([word for word in part.values if word is not None]) for part in variable.parts]
            own += words
            other += words
            continue
        parts = [texts.get(name, name) for name in operand.variables]
        if operand.base and operand.name:
            own.append(f"{parts[0]}({parts[1]})")
            other += parts if split_address else [own[-1]]
        else:
            own.append(f"({parts[0]})" if operand.base else parts[0])
            other.append(own[-1])
    while own and not own[-1]:
        own.pop()
        other.pop()
    name = instruction.name + suffix
    return f"{name} {', '.join(own)}".rstrip(), f"{name} {', '.join(other)}".rstrip()
