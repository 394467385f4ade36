"""A program's instructions as text by slot: address, disassembly, function, source line."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from archsim.isa.program import Program
from archsim.machine.debug_lines import NO_LINES, SourceLines


@dataclass(frozen=True)
class Line:
    """An instruction of a program.

    Attributes:
        address: of its first byte.
        word: its encoding, of 16 or 32 bits.
        text: as the disassembler writes it.
        function: the symbol it belongs to, "" where there is none.
        source: (file, line), where known.
    """

    address: int
    word: int
    text: str
    function: str
    source: tuple[str, int] | None

    @property
    def mnemonic(self) -> str:
        """The first word of its text."""
        return self.text.split(" ", 1)[0]


class Listing:
    """Instructions of a program by slot: slot i stands at text + 2 * i.

    Args:
        program: an assembled one, or one out of an ELF file.
        isa: an Isa, to disassemble with.
        text: address of slot 0.
        lines: source lines, beside those the program itself knows.
    """

    def __init__(self, program: Program, isa: Any, text: int, lines: SourceLines = NO_LINES) -> None:
        self.program, self.isa, self.text, self.lines = program, isa, text, lines
        self._known: dict[int, Line] = {}

    def __getitem__(self, slot: int) -> Line:
        if slot not in self._known:
            self._known[slot] = self._line(self.text + 2 * slot)
        return self._known[slot]

    def is_barrier(self, slot: int) -> bool:
        """Whether an instruction is one at which harts wait for one another."""
        instruction = self.isa.instructions.get(self[slot].mnemonic)
        if instruction is None or instruction.operation is None:
            return False
        return instruction.unit == "sync" and "barrier(" in instruction.operation.source

    def _line(self, address: int) -> Line:
        data = self._bytes(address)
        word = int.from_bytes(data[: 4 if data and data[0] & 3 == 3 else 2], "little")
        text = " ".join(self.isa.disassemble(word, address).split())
        source = self.program.lines.get(address) or self.lines.at(address)
        return Line(address, word, text, self.program.place(address).partition("+")[0], source)

    def _bytes(self, address: int) -> bytes:
        """Up to four bytes of the program."""
        for segment in self._segments:
            offset = address - segment.address
            if 0 <= offset < len(segment.data):
                return segment.data[offset : offset + 4]
        return b""

    @cached_property
    def _segments(self) -> list[Any]:
        return [segment for segment in self.program.segments if segment.data]
