"""The space of 32-bit instruction words: which of it instructions take, and what a major opcode has left.

Sets of words are lists of cubes that do not overlap: (mask, value) stands for every word with these bits.
Source of the opcodes' names: RISC-V Unprivileged ISA Specification 20240411, chapter 34 (base opcode map).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from archsim.common.errors import unknown
from archsim.isa.encoding import field_value
from archsim.isa.spec import Instruction, Variable

Cube = tuple[int, int]
OPCODES = {
    0x03: "LOAD", 0x07: "LOAD-FP", 0x0B: "custom-0", 0x0F: "MISC-MEM", 0x13: "OP-IMM", 0x17: "AUIPC",
    0x1B: "OP-IMM-32", 0x23: "STORE", 0x27: "STORE-FP", 0x2B: "custom-1", 0x2F: "AMO", 0x33: "OP", 0x37: "LUI",
    0x3B: "OP-32", 0x43: "MADD", 0x47: "MSUB", 0x4B: "NMSUB", 0x4F: "NMADD", 0x53: "OP-FP", 0x57: "OP-V",
    0x5B: "custom-2", 0x63: "BRANCH", 0x67: "JALR", 0x6B: "reserved", 0x6F: "JAL", 0x73: "SYSTEM", 0x77: "OP-VE",
    0x7B: "custom-3",
}  # fmt: skip
_WORD = (1 << 32) - 1
_FUNCT3, _FUNCT7 = 12, 25
"""Least significant bits of the fields."""


def opcode_of(name: str) -> int:
    """The major opcode of a name such as custom-0.

    Raises:
        InputError: there is none.
    """
    numbers = {word.lower(): number for number, word in OPCODES.items()}
    if name.lower() not in numbers:
        raise unknown("major opcode", name, OPCODES.values())
    return numbers[name.lower()]


def cubes(instruction: Instruction) -> list[Cube]:
    """The words of an instruction: those that give no variable a value that it may not have."""
    result = [(instruction.mask, instruction.value)]
    for variable in instruction.variables:
        if variable.forbidden:
            result = [piece for cube in result for piece in _allowed(cube, variable)]
    return result


def _allowed(cube: Cube, variable: Variable) -> list[Cube]:
    """The part of a cube where a variable has a value that it may have, cut at as few bits as will do."""
    mask, value = cube
    free = [bit for bit in variable.bits if not mask >> bit & 1]
    forbidden = [field for field in _forbidden_fields(variable) if not (field ^ value) & mask & _bits(variable)]
    if not forbidden:
        return [cube]
    if len(forbidden) >= 1 << len(free):
        return []
    # a bit that parts the forbidden from the allowed cuts off most
    bit = max(free, key=lambda bit: abs(2 * sum(field >> bit & 1 for field in forbidden) - len(forbidden)))
    return [piece for choice in (0, 1) for piece in _allowed((mask | 1 << bit, value | choice << bit), variable)]


def _bits(variable: Variable) -> int:
    return sum(1 << bit for bit in variable.bits)


def _forbidden_fields(variable: Variable) -> set[int]:
    """Forbidden values as bits of the word."""
    result = set()
    for value in variable.forbidden:
        field = (value - variable.add) >> variable.left_shift & (1 << variable.width) - 1
        word = sum((field >> index & 1) << bit for index, bit in enumerate(reversed(variable.bits)))
        if field_value(variable, word) == value:
            result.add(word)
    return result


def count(taken: Iterable[Cube], mask: int = 0) -> int:
    """How many of the words that a cube of `mask` leaves free the cubes take; they may overlap."""
    rest = list(taken)
    if not rest:
        return 0
    if any(own & ~mask == 0 for own, _ in rest):
        return 1 << 32 - mask.bit_count()
    # the bit that most of them fix parts them best
    bit = max((bit for bit in range(32) if not mask >> bit & 1), key=lambda bit: sum(own >> bit & 1 for own, _ in rest))
    return sum(
        count([cube for cube in rest if not cube[0] >> bit & 1 or cube[1] >> bit & 1 == choice], mask | 1 << bit)
        for choice in (0, 1)
    )


@dataclass(frozen=True)
class Room:
    """What is left of a major opcode.

    Attributes:
        opcode: its seven bits.
        instructions: how many lie in it.
        used: words that they take, of 2**25.
        funct3: values of bits 14-12 that none of them has.
        funct7: value of bits 14-12 that some have -> values of bits 31-25 that none of these has.
    """

    opcode: int
    instructions: int
    used: int
    funct3: tuple[int, ...]
    funct7: dict[int, tuple[int, ...]]

    @property
    def name(self) -> str:
        return OPCODES.get(self.opcode, f"{self.opcode:#04x}")

    @property
    def free_fraction(self) -> float:
        return 1 - self.used / 2**25


def room(instructions: Iterable[Instruction], opcode: int) -> Room:
    """What instructions leave free of a major opcode."""
    own = [one for one in instructions if one.width == 32 and one.value & 0x7F == opcode]
    taken = list(dict.fromkeys(cube for one in own for cube in cubes(one)))
    low = 0x7F
    funct3 = {value: _within(taken, 7, _FUNCT3, value) for value in range(8)}
    funct7 = {
        value: tuple(top for top in range(128) if not _within(part, 127, _FUNCT7, top))
        for value, part in funct3.items()
        if part
    }
    return Room(opcode, len(own), count(taken, low), tuple(value for value, part in funct3.items() if not part), funct7)


def _within(taken: list[Cube], width: int, low: int, value: int) -> list[Cube]:
    """Cubes with words whose field (`width` a mask, from bit `low`) has a value."""
    return [cube for cube in taken if not (cube[1] ^ value << low) & cube[0] & width << low]


def ranges(values: Iterable[int], most: int = 128) -> str:
    """Numbers as ranges in base 16, at most so many: "0x01-0x1f, 0x30"."""
    runs: list[list[int]] = []
    for value in sorted(values):
        if runs and runs[-1][1] == value - 1:
            runs[-1][1] = value
        else:
            runs.append([value, value])
    shown = [f"{low:#04x}" if low == high else f"{low:#04x}-{high:#04x}" for low, high in runs[:most]]
    return ", ".join([*shown, "..."] if len(runs) > most else shown)
