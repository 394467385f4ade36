"""A small emitter of assembly text: named registers, constants, CSRs that are set only when they change, loops."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

from archsim.isa.program import SCRATCHPAD_BASE

SCRATCH = "t6"
"""The emitter's own register."""
HART = "s10"
"""Number of the hart, for the whole program."""
PAD = "s11"
"""SCRATCHPAD_BASE, for the whole program."""
_POOL = ("t0", "t1", "t2", "t3", "t4", "t5", "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "s0", "s1", "s2", "s3",
         "s4", "s5", "s6", "s7", "s8", "s9", "ra", "gp", "tp")  # fmt: skip
_NEAR_LINES = 300
"""Lines a branch reaches for sure: 1024 instructions, and few lines become more than two."""
_INVERSE = {"beqz": "bnez", "bnez": "beqz", "blez": "bgtz", "bgtz": "blez", "bge": "blt", "blt": "bge", "beq": "bne"}
CONSTANTS_BYTES = 256
"""Bytes at the start of the scratchpad that hold the program's float32 constants."""

Value = int | str
"""A number known now, or the name of a register that holds it."""


@dataclass(frozen=True)
class _Branch:
    """A conditional branch whose reach is settled when all labels are placed."""

    mnemonic: str
    registers: tuple[str, ...]
    label: str

    def lines(self, near: bool, index: int) -> list[str]:
        operands = ", ".join(self.registers)
        if near:
            return [f"    {self.mnemonic} {operands}, {self.label}"]
        around = f"around_{index}"
        return [f"    {_INVERSE[self.mnemonic]} {operands}, {around}", f"    j {self.label}", f"{around}:"]


class Assembly:
    """Assembly text under construction.

    Constants, float32 numbers that vector instructions read among them, are copied to the scratchpad at the start.
    """

    def __init__(self) -> None:
        self._lines: list[str | _Branch] = []
        self._free = list(_POOL)
        self._numbers = count()
        self._csrs: dict[str, int] = {}
        self._constants: dict[bytes, int] = {}
        self._deferred: list[Callable[[], None]] = []

    # -- lines

    def __call__(self, mnemonic: str, *operands: Value) -> None:
        """Emit one instruction."""
        self._lines.append(f"    {mnemonic} {', '.join(map(str, operands))}".rstrip())

    def comment(self, text: str) -> None:
        self._lines.append(f"    # {text}")

    def label(self, stem: str) -> str:
        """A new label name, to be placed later."""
        return f"{stem}_{next(self._numbers)}"

    def place(self, label: str) -> None:
        """Put a label here; what CSRs hold is unknown after it."""
        self._lines.append(f"{label}:")
        self._csrs.clear()

    # -- registers

    @contextmanager
    def registers(self, names: str) -> Iterator[list[str]]:
        """Take registers for the names (space-separated) and give them back at the end of the block.

        Raises:
            RuntimeError: there are not so many left.
        """
        wanted = names.split()
        if len(wanted) > len(self._free):
            raise RuntimeError(f"no registers left for {names!r}")
        taken, self._free = self._free[: len(wanted)], self._free[len(wanted) :]
        self.comment(", ".join(f"{name}: {register}" for name, register in zip(wanted, taken, strict=True)))
        yield taken
        self._free = [*taken, *self._free]

    def li(self, register: str, value: int) -> None:
        self("li", register, value)

    def add(self, target: str, source: str, value: Value) -> None:
        """target = source + value."""
        if isinstance(value, str):
            self("add", target, source, value)
        elif -2048 <= value < 2048:
            if value or target != source:
                self("addi", target, source, value)
        else:
            self.li(SCRATCH, value)
            self("add", target, source, SCRATCH)

    def mul(self, target: str, source: str, factor: int) -> None:
        """target = source * factor."""
        if factor & (factor - 1) == 0 and factor > 0:
            self("slli", target, source, factor.bit_length() - 1)
        else:
            self.li(SCRATCH, factor)
            self("mul", target, source, SCRATCH)

    def minimum(self, target: str, source: str, most: int) -> None:
        """target = min(source, most), which must be another register unless it is the source."""
        if target != source:
            self("mv", target, source)
        self.li(SCRATCH, most)
        label = self.label("less")
        self.jump_if("blt", target, SCRATCH, label)
        self("mv", target, SCRATCH)
        # no CSR has changed on either way here, so that what they hold stays known
        self._lines.append(f"{label}:")

    def pad(self, target: str, offset: int) -> None:
        """target = scratchpad address of an offset."""
        self.add(target, PAD, offset)

    def element(self, target: str, base: int, index: str, stride: int) -> None:
        """target = base + index * stride."""
        self.mul(target, index, stride)
        self.li(SCRATCH, base)
        self("add", target, target, SCRATCH)

    # -- control

    def jump_if(self, branch: str, *operands: str) -> None:
        """A conditional jump of any distance: `branch` with its registers and the label."""
        self._lines.append(_Branch(branch, operands[:-1], operands[-1]))

    @contextmanager
    def unless(self, branch: str, *registers: str) -> Iterator[None]:
        """The block is skipped where the branch is taken."""
        label = self.label("skip")
        self.jump_if(branch, *registers, label)
        yield
        self.place(label)

    @contextmanager
    def times(self, counter: str, number: Value) -> Iterator[None]:
        """The block runs `number` (>= 1) times; `counter` counts down to 1. A register number is used up."""
        if isinstance(number, int):
            self.li(counter, number)
        elif number != counter:
            self("mv", counter, number)
        label = self.label("loop")
        self.place(label)
        yield
        self("addi", counter, counter, -1)
        self.jump_if("bnez", counter, label)

    def alternate(self, counter: str, body: Callable[[int], None]) -> None:
        """Run body(0), body(1), body(0), ...: `counter` (>= 1) times in all; counts it down."""
        loop, done = self.label("even"), self.label("done")
        self.place(loop)
        body(0)
        self("addi", counter, counter, -1)
        self.jump_if("beqz", counter, done)
        body(1)
        self("addi", counter, counter, -1)
        self.jump_if("bnez", counter, loop)
        self.place(done)

    # -- CSRs and units

    def csr(self, name: str, value: Value) -> None:
        """Set a CSR unless it holds the value already."""
        if isinstance(value, str):
            self._csrs.pop(name, None)
            self("csrw", name, value)
            return
        if self._csrs.get(name) == value:
            return
        self._csrs[name] = value
        if 0 <= value < 32:
            self("csrwi", name, value)
        else:
            self.li(SCRATCH, value)
            self("csrw", name, SCRATCH)

    def shape(self, rows: Value, row_bytes: Value, dram_stride: Value = 0, pad_stride: Value = 0) -> None:
        """Shape of the next DMA transfers; strides do not matter for one row."""
        self.csr("qdrows", rows)
        self.csr("qdrowb", row_bytes)
        if rows != 1:
            self.csr("qddst", dram_stride)
            self.csr("qdsst", pad_stride)

    def region(self, number: int) -> None:
        """Mark the start of a region for profiles."""
        self._csrs.pop("qmark", None)
        self.csr("qmark", number)

    def wait(self, *barriers: int) -> None:
        for barrier in barriers:
            self("qt.bar.wait", f"b{barrier}")

    # -- work that another kernel lends time for

    def defer(self, work: Callable[[], None]) -> None:
        """Emit `work` once the next kernel has started its own first transfers."""
        self._deferred.append(work)

    def run_deferred(self) -> None:
        """Emit what was deferred."""
        work, self._deferred = self._deferred, []
        for emit in work:
            emit()

    # -- constants and the whole

    def constant(self, value: float) -> int:
        """Scratchpad offset of a float32 constant."""
        return self.table((value,))

    def table(self, values: Sequence[float]) -> int:
        """Scratchpad offset of float32 constants that adjoin."""
        return self.bytes_table(struct.pack(f"<{len(values)}f", *values))

    def bytes_table(self, data: bytes) -> int:
        """Scratchpad offset of constant bytes.

        Raises:
            RuntimeError: there is no room for them.
        """
        words = data.ljust(-(-len(data) // 4) * 4, b"\0")
        if words not in self._constants:
            if self._constants_size + len(words) > CONSTANTS_BYTES:
                raise RuntimeError("too many constants in one program")
            self._constants[words] = self._constants_size
        return self._constants[words]

    @property
    def _constants_size(self) -> int:
        return sum(map(len, self._constants))

    def text(self) -> str:
        """The whole source: start, body, exit, data."""
        start = [".text", "_start:", f"    csrr {HART}, mhartid", f"    li {PAD}, {SCRATCHPAD_BASE}"]
        if self._constants:
            start += [
                "    csrwi qdrows, 1",
                f"    li t0, {self._constants_size}",
                "    csrw qdrowb, t0",
                "    la t0, constants",
                f"    qt.dma.ld b7, t0, {PAD}",
                "    qt.bar.wait b7",
            ]
        end = ["    li a0, 0", "    li a7, 93", "    ecall", ".data", ".balign 64", "constants:"]
        constants = [line for data in self._constants for line in _data_lines(data)]
        return "\n".join([*start, *self._resolved(), *end, *constants]) + "\n"

    def _resolved(self) -> Iterator[str]:
        """The body, its branches short where the label is near and inverted around a jump where it is not."""
        places = {
            line[:-1]: number for number, line in enumerate(self._lines) if isinstance(line, str) and line[-1:] == ":"
        }
        for number, line in enumerate(self._lines):
            if isinstance(line, str):
                yield line
            else:
                yield from line.lines(abs(places[line.label] - number) < _NEAR_LINES, number)


def _data_lines(data: bytes) -> Iterator[str]:
    """Constants for the assembler: words of 32 bits, with their value as float32 beside."""
    for (word,), (value,) in zip(struct.iter_unpack("<I", data), struct.iter_unpack("<f", data), strict=True):
        yield f"    .word {word:#x}    # {value!r}"
