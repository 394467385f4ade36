"""Commit logs of Spike, the RISC-V reference simulator (``spike -l --log-commits ... 2> FILE``).

A line per retired instruction, with the privilege level, what was written and which memory was touched::

    core   0: 3 0x0000000080000004 (0x02028593) x11 0x0000000080000024
    core   0: 3 0x0000000080000008 (0x0005b283) x5  0x0000000000000001 mem 0x0000000080000024
    core   0: 3 0x000000008000000c (0x00b2b423) mem 0x0000000000000009 0x0000000080000024
    core   0: 3 0x0000000080000010 (0x30529073) c773_mtvec 0x0000000000000001

and, before it, its disassembly, without a level: ``core   0: 0x0000000080000004 (0x02028593) addi a1, t0, 32``. An
instruction that traps has only that, followed by ``core   0: exception trap_..., epc 0x...``.
"""

from __future__ import annotations

import gzip
import re
import zlib
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from io import BufferedIOBase
from pathlib import Path

import numpy as np

from archsim.common.errors import InputError

_COMMIT = re.compile(
    rb"core +(\d{1,6}): \d 0x([0-9a-f]{1,16}) \(0x([0-9a-f]{1,8})\)"
    rb"(?:.*? [xf] ?\d+ +0x([0-9a-f]+))?(?:.*? mem 0x([0-9a-f]{1,16}))?[ -~]*\r?\n"
)
_DISASSEMBLY = re.compile(rb"core +(\d{1,6}): 0x([0-9a-f]{1,16}) \(0x([0-9a-f]{1,8})\) ")
_EXCEPTION = re.compile(rb"core +(\d{1,6}): exception ([^,]+), epc 0x([0-9a-f]+)")
# what an exception's value is, and the symbol that a jump reached
_REMARK = re.compile(rb"core +\d+: (?: *tval 0x[0-9a-f]+|>>>> )")

_MASK = (1 << 64) - 1


@dataclass(frozen=True)
class SpikeHart:
    """What one hart executed, in order.

    Attributes:
        pc: uint64 [n], addresses.
        word: uint32 [n], instruction words; compressed ones have 16 bits.
        rd_value: int64 [n], what the integer or floating-point register was set to (low 64 bits), 0 if none was.
        has_rd: bool [n], whether one was.
        mem_addr: uint64 [n], the first memory address touched, 0 if none.
        exceptions: (instructions before it, cause, address of the trapped instruction).
        committed: whether the log has values; if not, it was made without --log-commits.
    """

    pc: np.ndarray
    word: np.ndarray
    rd_value: np.ndarray
    has_rd: np.ndarray
    mem_addr: np.ndarray
    exceptions: tuple[tuple[int, str, int], ...]
    committed: bool


@dataclass
class _Rows:
    """A hart's columns as they grow, at 29 bytes per instruction."""

    pc: array[int] = field(default_factory=lambda: array("Q"))
    word: array[int] = field(default_factory=lambda: array("I"))
    rd_value: array[int] = field(default_factory=lambda: array("Q"))
    has_rd: array[int] = field(default_factory=lambda: array("B"))
    mem_addr: array[int] = field(default_factory=lambda: array("Q"))
    exceptions: list[tuple[int, str, int]] = field(default_factory=list)
    committed: bool = False

    def finish(self) -> SpikeHart:
        return SpikeHart(
            np.frombuffer(self.pc, np.uint64),
            np.frombuffer(self.word, np.uint32),
            np.frombuffer(self.rd_value, np.int64),
            np.frombuffer(self.has_rd, np.bool_),
            np.frombuffer(self.mem_addr, np.uint64),
            tuple(self.exceptions),
            self.committed,
        )


def read_spike_log(path: str | Path) -> dict[int, SpikeHart]:
    """Read a log, plain or gzip-compressed, by hart number.

    Lines that do not start with ``core`` (what the program printed) are passed over. Where a hart has commit lines,
    they count and its disassembly does not. A last line without its end is left out, as a stopped Spike leaves one.

    Raises:
        InputError: the file cannot be read, a line of Spike's is not understood, or there is no instruction.
    """
    path = Path(path)
    harts: dict[int, _Rows] = {}
    try:
        with open_log(path) as stream:
            for number, line in enumerate(stream, 1):
                if line.startswith(b"core") and line.endswith(b"\n") and not _add(harts, line):
                    raise InputError(
                        f"not a line of a Spike log: {line.decode(errors='replace').strip()[:60]!r}",
                        file=path,
                        line=number,
                        remedy="record it with: spike -l --log-commits",
                    )
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot read: {reason}", file=path, remedy="check the path, or record it again") from None
    harts = {hart: rows for hart, rows in harts.items() if rows.pc}
    if not harts:
        raise InputError(
            "has no instruction of a Spike log", file=path, remedy="record it with: spike -l --log-commits"
        )
    return {hart: harts[hart].finish() for hart in sorted(harts)}


def open_log(path: Path) -> BufferedIOBase:
    """A log's bytes, decompressed if the file starts as gzip does."""
    with path.open("rb") as stream:
        compressed = stream.read(2) == b"\x1f\x8b"
    return gzip.open(path) if compressed else path.open("rb")


def looks_like_spike(lines: Iterable[bytes]) -> bool:
    """Whether a Spike line is among these."""
    return any(_COMMIT.match(line) or _DISASSEMBLY.match(line) for line in lines)


def _add(harts: dict[int, _Rows], line: bytes) -> bool:
    """Take in a line; False if it is not understood."""
    match = _COMMIT.match(line)
    if match:
        hart, pc, word, value, address = match.groups()
        rows = _rows(harts, hart)
        if not rows.committed:
            # what came before is the disassembly of this instruction
            rows = harts[int(hart)] = _Rows(committed=True)
        rows.pc.append(int(pc, 16))
        rows.word.append(int(word, 16))
        if value is None:
            rows.rd_value.append(0)
            rows.has_rd.append(0)
        else:
            rows.rd_value.append(int(value, 16) & _MASK)
            rows.has_rd.append(1)
        rows.mem_addr.append(0 if address is None else int(address, 16))
        return True
    if match := _DISASSEMBLY.match(line):
        rows = _rows(harts, match[1])
        if not rows.committed:
            rows.pc.append(int(match[2], 16))
            rows.word.append(int(match[3], 16))
            rows.rd_value.append(0)
            rows.has_rd.append(0)
            rows.mem_addr.append(0)
        return True
    if match := _EXCEPTION.match(line):
        rows = _rows(harts, match[1])
        rows.exceptions.append((len(rows.pc), match[2].decode(errors="replace"), int(match[3], 16)))
        return True
    return _REMARK.match(line) is not None


def _rows(harts: dict[int, _Rows], number: bytes) -> _Rows:
    hart = int(number)
    rows = harts.get(hart)
    if rows is None:
        rows = harts[hart] = _Rows()
    return rows
