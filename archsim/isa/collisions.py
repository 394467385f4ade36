"""Instruction words that two instructions claim, told by the operand values that lead to them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from archsim.isa.encoding import agreeing, common_word, field_value, is_case
from archsim.isa.findings import Finding
from archsim.isa.spec import Instruction, Variable

_LISTED = 6
"""Runs of values that are listed; more are written as a pattern of bits."""
_ENUMERATED = 12
"""Free bits of a variable whose values are enumerated."""


def collisions(instructions: list[Instruction], files: Collection[Path]) -> Iterator[Finding]:
    """Pairs that share words, and operand values that another instruction takes.

    Args:
        instructions: of all loaded extensions.
        files: findings about pairs of which neither stands in one of these are left out.
    """
    for at, other in agreeing(instructions):
        one, two = instructions[at], instructions[other]
        if one.file not in files and two.file not in files:
            continue
        word = common_word(one, two)
        if word is None:
            continue
        declared = is_case(one, two) or is_case(two, one)
        if not declared:
            yield _overlap(one, two, word)
        for wide, narrow in ((one, two), (two, one)):
            if wide.mask & narrow.mask == wide.mask != narrow.mask:
                yield from _taken(wide, narrow, word, declared)


def _overlap(one: Instruction, two: Instruction, word: int) -> Finding:
    text = (
        f"{one.name} with {_operands(one, two)} is also {two.name} with {_operands(two, one)} "
        f"({two.file.name}:{two.line}), as {word:#0{2 + one.width // 4}x}"
    )
    return Finding("error", str(one.file), one.line, "overlap", text, (one.name, two.name), word)


def _operands(one: Instruction, two: Instruction) -> str:
    """The operand values of one instruction that make words of another."""
    given = {variable.name: _shown(variable, two) for variable in one.variables}
    told = [f"{name} = {values}" for name, values in given.items() if values]
    return ", ".join(told) if told else "any operands"


def _taken(wide: Instruction, narrow: Instruction, word: int, declared: bool) -> Iterator[Finding]:
    """Values of the only operand that tells a special instruction from a general one."""
    told = [(variable, values) for variable in wide.variables if (values := _shown(variable, narrow))]
    if len(told) == 1:
        variable, values = told[0]
        yield Finding(
            "note" if declared else "warning",
            str(wide.file),
            wide.line,
            "unreachable",
            f"{variable.name} = {values} of {wide.name} cannot be reached: {narrow.name} takes these words "
            f"({narrow.file.name}:{narrow.line})",
            (wide.name, narrow.name),
            word,
        )


def _shown(variable: Variable, other: Instruction) -> str:
    """The values of a variable whose words another instruction's fixed bits allow; "" if all of them."""
    fixed = [bit for bit in variable.bits if other.mask >> bit & 1]
    if not fixed:
        return ""
    free = [bit for bit in reversed(variable.bits) if not other.mask >> bit & 1]
    if len(free) <= _ENUMERATED:
        words = (
            other.value | sum((choice >> index & 1) << bit for index, bit in enumerate(free))
            for choice in range(1 << len(free))
        )
        runs = _runs(sorted({field_value(variable, word) for word in words} - variable.forbidden))
        if len(runs) <= _LISTED:
            return "|".join(runs)
    pattern = "".join("-" if not other.mask >> bit & 1 else str(other.value >> bit & 1) for bit in variable.bits)
    return f"0b{pattern}{'0' * variable.left_shift}"


def _runs(values: list[int]) -> list[str]:
    """Values as runs: ["0", "4-7"]."""
    runs: list[tuple[int, int]] = []
    for value in values:
        if runs and runs[-1][1] == value - 1:
            runs[-1] = (runs[-1][0], value)
        else:
            runs.append((value, value))
    return [str(low) if low == high else f"{low}-{high}" for low, high in runs]
