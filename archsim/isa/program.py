"""A program: bytes at addresses with an entry, symbols and the source lines they came from."""

from __future__ import annotations

from dataclasses import dataclass, field

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
class Program:
    """What a machine runs.

    Attributes:
        segments: what is loaded before the start.
        entry: first address executed.
        symbols: name -> address.
        lines: instruction address -> (file, line) of assembly source, where known.
        name: for messages and results.
    """

    segments: tuple[Segment, ...]
    entry: int
    symbols: dict[str, int] = field(default_factory=dict)
    lines: dict[int, tuple[str, int]] = field(default_factory=dict)
    name: str = "program"
