"""Instruction words: encode, decode, and the check that no two patterns overlap."""

from __future__ import annotations

from archsim.common.errors import InputError, unknown
from archsim.isa.spec import Instruction, Isa, Variable


def encode(instruction: Instruction, operands: dict[str, int]) -> int:
    """The instruction word for operand values.

    Args:
        operands: by variable name: register numbers, and immediates as meant (sign and offsets in bytes).

    Raises:
        InputError: an operand is missing, unknown, or does not fit.
    """
    if len(operands) != len(instruction.variables):
        names = {variable.name for variable in instruction.variables}
        for name in operands:
            if name not in names:
                raise unknown(f"operand of {instruction.name}", name, names)
    word = instruction.value
    for variable in instruction.variables:
        if variable.name not in operands:
            raise InputError(f"{instruction.name} has no {variable.name}", remedy="give every operand")
        field = _field(instruction, variable, operands[variable.name])
        for bit in reversed(variable.bits):
            word |= (field & 1) << bit
            field >>= 1
    return word


def operand_range(variable: Variable) -> tuple[int, int, int]:
    """Smallest and largest value of an operand, and the step between values."""
    step = 1 << variable.left_shift
    span = 1 << variable.width
    low, high = (-span // 2, span // 2 - 1) if variable.signed else (0, span - 1)
    return low * step + variable.add, high * step + variable.add, step


def bit_runs(variable: Variable) -> list[tuple[int, int, int]]:
    """Runs of neighbouring bits: (bit of the value, mask of its width, bit of the word), for each run."""
    pieces: list[tuple[int, int, int]] = []
    for index, bit in enumerate(reversed(variable.bits)):
        low = index + variable.left_shift
        if pieces and pieces[-1][2] + pieces[-1][1].bit_length() == bit:
            first, mask, start = pieces[-1]
            pieces[-1] = (first, mask << 1 | 1, start)
        else:
            pieces.append((low, 1, bit))
    return pieces


def _field(instruction: Instruction, variable: Variable, value: int) -> int:
    low, high, step = operand_range(variable)
    if not low <= value <= high or (value - variable.add) % step:
        multiple = f" in steps of {step}" if step > 1 else ""
        raise InputError(f"{variable.name} of {instruction.name} is {value}", remedy=f"use {low} to {high}{multiple}")
    if value in variable.forbidden:
        raise InputError(f"{variable.name} of {instruction.name} may not be {value}", remedy="use another value")
    return ((value - variable.add) >> variable.left_shift) & ((1 << variable.width) - 1)


def decode(isa: Isa, word: int) -> tuple[Instruction, dict[str, int]] | None:
    """The instruction of a word and its operands (as encode() takes them), or None where there is none.

    Args:
        word: 32 bits, or 16 if the two lowest are not 11.
    """
    for mask, table in isa.decode_tables[32 if word & 3 == 3 else 16]:
        instruction = table.get(word & mask)
        if instruction is None:
            continue
        operands = {variable.name: field_value(variable, word) for variable in instruction.variables}
        if not any(operands[variable.name] in variable.forbidden for variable in instruction.variables):
            return instruction, operands
    return None


def field_value(variable: Variable, word: int) -> int:
    """The value that a word gives a variable."""
    value = 0
    for bit in variable.bits:
        value = value << 1 | (word >> bit & 1)
    if variable.signed and value >> (variable.width - 1):
        value -= 1 << variable.width
    return (value << variable.left_shift) + variable.add


def overlaps(instructions: list[Instruction]) -> list[tuple[Instruction, Instruction]]:
    """Pairs whose patterns some word fits both of, the earlier first, unless one is a declared case of the other."""
    pairs = [(instructions[one], instructions[two]) for one, two in agreeing(instructions)]
    return [
        (one, two)
        for one, two in pairs
        if not (is_case(one, two) or is_case(two, one)) and common_word(one, two) is not None
    ]


def agreeing(instructions: list[Instruction]) -> list[tuple[int, int]]:
    """Places of pairs whose fixed bits agree, in order, the earlier first."""
    import numpy as np

    masks = np.array([one.mask for one in instructions], np.uint32)
    values = np.array([one.value for one in instructions], np.uint32)
    # the lowest two bits, which every instruction fixes, tell 16 bits from 32
    return [
        (at, at + 1 + int(other))
        for at in range(len(instructions))
        for other in np.flatnonzero((values[at + 1 :] ^ values[at]) & masks[at + 1 :] & masks[at] == 0)
    ]


def common_word(one: Instruction, two: Instruction) -> int | None:
    """A word of both of two instructions whose fixed bits agree; None where each gives a variable a forbidden value."""
    variables = [variable for variable in (*one.variables, *two.variables) if variable.forbidden]
    return _completed(variables, one.mask | two.mask, one.value | two.value)


def _completed(variables: list[Variable], mask: int, value: int) -> int | None:
    """A word with given bits that gives every variable a value that it may have."""
    if not variables:
        return value
    variable, rest = variables[0], variables[1:]
    free = [bit for bit in reversed(variable.bits) if not mask >> bit & 1]
    for choice in range(1 << len(free)):
        word = value | sum((choice >> index & 1) << bit for index, bit in enumerate(free))
        if field_value(variable, word) not in variable.forbidden:
            found = _completed(rest, mask | sum(1 << bit for bit in free), word)
            if found is not None:
                return found
    return None


def is_case(one: Instruction, two: Instruction) -> bool:
    """Whether `one` is a case of `two`: it says so, and fixes all that `two` fixes, and more."""
    return two.name in one.within and one.mask & two.mask == two.mask != one.mask


def check_encodings(instructions: list[Instruction]) -> None:
    """Raise unless every word belongs to one instruction at most.

    Raises:
        InputError: two patterns overlap; names both places.
    """
    for one, two in overlaps(instructions):
        raise InputError(
            f"encoding of {two.name} overlaps that of {one.name} ({one.file}:{one.line})",
            file=two.file,
            line=two.line,
            remedy="change the fixed bits of one",
        )
