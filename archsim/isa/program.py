"""A program: bytes at addresses with an entry, symbols and the source lines they came from."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property

DRAM_BASE = 0
"""Main memory starts at address 0; the first 4 KiB trap, so that null pointers are noticed."""
TEXT_BASE = 0x1_0000
"""Where assembled programs start, as in common RISC-V link scripts."""
SCRATCHPAD_BASE = 1 << 40
"""Every core sees its own scratchpad here."""


@dataclass(frozen=True)
class Segment:
    """Bytes at an address; `memory_size` >= len(data), the rest is zero."""

    address: int
    data: bytes
    memory_size: int
    executable: bool = False


@dataclass(frozen=True)
class ProgramHeaders:
    """Where an ELF program's own program headers stand in memory (0: nowhere), their size in bytes, and how many."""

    address: int
    entry_size: int
    count: int


@dataclass(frozen=True)
class CodeSection:
    """A stretch of bytes that are instructions, `size` of them."""

    name: str
    address: int
    size: int


@dataclass(frozen=True)
class Program:
    """What a machine runs.

    Attributes:
        segments: what is loaded before the start.
        entry: first address executed.
        symbols: name -> address.
        lines: instruction address -> (file, line) of assembly source, where known.
        name: for messages and results.
        xlen: width of its integer registers, 32 or 64.
        arch: the instruction set it was compiled for, such as "rv64i2p1_m2p0", where its file says so.
        headers: of a program out of an ELF file; None for assembled ones.
        sections: those that hold instructions, where the file has sections.
        names: (address, name) of all symbols of an ELF file, where several may have one name; for an address the best
            name comes first.
    """

    segments: tuple[Segment, ...]
    entry: int
    symbols: dict[str, int] = field(default_factory=dict)
    lines: dict[int, tuple[str, int]] = field(default_factory=dict)
    name: str = "program"
    xlen: int = 64
    arch: str | None = None
    headers: ProgramHeaders | None = None
    sections: tuple[CodeSection, ...] = ()
    names: tuple[tuple[int, str], ...] = ()

    @property
    def named_addresses(self) -> tuple[tuple[int, str], ...]:
        """(address, name) of every symbol."""
        return self.names or tuple((address, name) for name, address in self.symbols.items())

    @property
    def code_sections(self) -> tuple[CodeSection, ...]:
        """Where instructions stand: sections, or else executable segments."""
        return self.sections or tuple(
            CodeSection(".text", segment.address, len(segment.data)) for segment in self.segments if segment.executable
        )

    @cached_property
    def labels(self) -> tuple[list[int], list[str]]:
        """Addresses in rising order, and the name at each, of the symbols in executable segments."""
        code = [(s.address, s.address + s.size) for s in self.code_sections]
        names: dict[int, str] = {}
        for address, name in self.named_addresses:
            if any(first <= address < last for first, last in code):
                names.setdefault(address, name)
        addresses = sorted(names)
        return addresses, [names[address] for address in addresses]

    def place(self, address: int) -> str:
        """The nearest symbol at or before an address, such as ``main+0x10``; "" where there is none."""
        addresses, names = self.labels
        index = bisect_right(addresses, address) - 1
        code = any(s.address <= address < s.address + s.size for s in self.code_sections)
        if index < 0 or not code:
            return ""
        distance = address - addresses[index]
        return names[index] + (f"+{distance:#x}" if distance else "")
