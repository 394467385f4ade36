"""The encoding of an instruction as cells of a diagram."""

from __future__ import annotations

from archsim.isa.spec import Instruction

_CUTS = (6, 11, 14, 19, 24)
"""Fixed bits are cut below where the standard formats cut them: opcode, rd, funct3, rs1, rs2, funct7."""


def bit_cells(instruction: Instruction) -> list[tuple[int, int, str]]:
    """(highest bit, lowest bit, text) from left to right: runs of fixed bits, and runs of a variable's bits."""
    owner: dict[int, tuple[str, int]] = {}
    for variable in instruction.variables:
        for index, bit in enumerate(variable.bits):
            owner[bit] = variable.name, variable.width - 1 - index + variable.left_shift
    whole = {variable.name: variable.width + variable.left_shift for variable in instruction.variables}
    cells: list[tuple[int, int, str]] = []
    run: list[int] = []
    for bit in range(instruction.width - 1, -2, -1):
        if run and (
            bit < 0
            or not _continues(owner, run[-1], bit)
            or (bit not in owner and bit in _CUTS and instruction.width == 32)
        ):
            cells.append((run[0], run[-1], _label(instruction, owner, whole, run)))
            run = []
        run.append(bit)
    return cells


def _continues(owner: dict[int, tuple[str, int]], left: int, right: int) -> bool:
    if left not in owner or right not in owner:
        return left not in owner and right not in owner
    return owner[left][0] == owner[right][0] and owner[left][1] == owner[right][1] + 1


def _label(instruction: Instruction, owner: dict[int, tuple[str, int]], whole: dict[str, int], run: list[int]) -> str:
    if run[0] not in owner:
        return "".join(instruction.match[instruction.width - 1 - bit] for bit in run)
    name, high = owner[run[0]]
    low = owner[run[-1]][1]
    variable = instruction.variable(name)
    if high == whole[name] - 1 and low == variable.left_shift and len(run) == variable.width:
        return name
    return f"{name}[{high}:{low}]" if high != low else f"{name}[{high}]"


def bit_diagram(instruction: Instruction) -> str:
    """The encoding as boxes of text with the bit numbers above."""
    cells = bit_cells(instruction)
    widths = [max(len(text) + 2, len(f"{high} {low}"), 4) for high, low, text in cells]
    numbers = [
        f"{high}{low:>{width - len(str(high))}}" if high != low else f"{high:^{width}}"
        for (high, low, _), width in zip(cells, widths, strict=True)
    ]
    line = "+" + "+".join("-" * width for width in widths) + "+"
    texts = "|" + "|".join(f"{text:^{width}}" for (_, _, text), width in zip(cells, widths, strict=True)) + "|"
    return "\n".join([(" " + " ".join(numbers)).rstrip(), line, texts, line])
