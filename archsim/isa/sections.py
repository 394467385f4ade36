"""Sections of a program while it is assembled: bytes, and what is filled in once addresses are known."""

from __future__ import annotations

from dataclasses import dataclass, field

from archsim.common.errors import InputError
from archsim.isa.program import TEXT_BASE, Segment
from archsim.isa.spec import Instruction
from archsim.isa.symbols import Place

SECTIONS = (".text", ".rodata", ".data", ".bss")
"""In the order they are laid out."""
ALIGNMENT = 64
"""Of the start of every section."""
LIMIT = 1 << 32
"""Largest section, bytes."""


@dataclass(slots=True)
class Fill:
    """Bytes to write in the second pass: an instruction with its operands, or a number of `size` bytes.

    Attributes:
        place: where they stand.
        line: of the source.
        size: in bytes.
        texts: operands, or the one expression.
        given: operands that the mnemonic's suffix gives.
    """

    place: Place
    line: int
    size: int
    texts: list[str]
    instruction: Instruction | None = None
    given: dict[str, int] = field(default_factory=dict)


@dataclass
class Section:
    """A section; `.bss` has a size, but no bytes."""

    name: str
    data: bytearray = field(default_factory=bytearray)
    fills: list[Fill] = field(default_factory=list)
    empty: int = 0

    @property
    def size(self) -> int:
        return len(self.data) + self.empty

    def append(self, data: bytes) -> None:
        """Add bytes.

        Raises:
            InputError: the section is .bss, and some byte is not zero.
        """
        if self.name == ".bss" and any(data):
            raise InputError("values in .bss", remedy="use .zero there, or .data")
        if self.name == ".bss":
            self.empty += len(data)
        else:
            self.data += data

    def zeros(self, count: int) -> None:
        """Add zero bytes.

        Raises:
            InputError: less than none, or more than LIMIT.
        """
        if not 0 <= count <= LIMIT - self.size:
            raise InputError(f"{count} bytes", remedy=f"use 0 to {LIMIT - self.size}")
        if self.name == ".bss":
            self.empty += count
        else:
            self.data += bytes(count)

    def align(self, step: int, padding: bytes) -> None:
        """Add bytes up to a multiple of `step`: `padding` as often as it fits, after zeros."""
        count = -self.size % step
        whole = count // len(padding) * len(padding)
        self.zeros(count - whole)
        self.append(padding * (whole // len(padding)))


def lay_out(sections: dict[str, Section]) -> dict[str, int]:
    """Address of every section: from TEXT_BASE, one after the other, aligned."""
    bases, address = {}, TEXT_BASE
    for name, section in sections.items():
        bases[name] = address
        address = -(-(address + section.size) // ALIGNMENT) * ALIGNMENT
    return bases


def segments(sections: dict[str, Section], bases: dict[str, int]) -> tuple[Segment, ...]:
    """Segments of the sections that hold something."""
    return tuple(
        Segment(bases[name], bytes(section.data), section.size, name == ".text")
        for name, section in sections.items()
        if section.size
    )
