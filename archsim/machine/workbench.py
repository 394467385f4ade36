"""One hart without a program: state is set and read by hand, and instructions execute one at a time.

It executes the very functions that programs run on, called by address. Nothing is timed.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from archsim.common.errors import InputError
from archsim.isa.element_types import ELEMENT_TYPES
from archsim.isa.program import SCRATCHPAD_BASE
from archsim.isa.register_shapes import row_bytes
from archsim.isa.spec import Isa, State
from archsim.machine import layout as at
from archsim.machine.chip import Chip
from archsim.machine.compiled import tables_of
from archsim.machine.memory import MainMemory
from archsim.machine.predecode import decode_words

HELD = 1 << 24
TEXT = 0x1000


class Workbench:
    """A hart to try instructions on.

    Args:
        isa: the instruction set.
        design: name or Design that says how large the scratchpad is.

    Attributes:
        x: int64 [32], the integer registers.
        csr: int64 [4096], values of CSRs by address.
        memory: main memory (16 MiB) from address 0x1000 on.
        scratchpad: uint8 [size], the bytes from SCRATCHPAD_BASE on.
        trap: why the last instruction trapped (archsim.machine.layout), or 0.
    """

    def __init__(self, isa: Isa, design: Any = "edge-npu") -> None:
        from archsim.design import load_design

        design = load_design(design) if isinstance(design, str) else design
        self.isa = isa
        self.tables = tables_of(isa)
        self.memory = MainMemory(HELD)
        self._decoded: dict[str, tuple[int, int, int]] = {}
        code = decode_words(self.tables.coded, np.array([0x13], np.uint32), TEXT, {})
        self._chip = Chip(design, self.tables, code, self.memory, values=True, timed=False)
        self._context = self._chip.contexts[0]
        self.x = self._chip.view(0, at.X, 32)
        self.csr = self._chip.view(0, at.CSR, 4096)
        self.scratchpad = self._chip.view(0, at.SPAD, design.core.scratchpad.size)
        self._state = self._chip.keep[int(self._context[at.STATE])]
        self._call = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
        self.trap = 0
        self._at_start = self._context.copy(), self.csr.copy()

    def reset(self) -> None:
        """Let everything be as it was at first: CSRs as after reset, all else zero."""
        context, csr = self._at_start
        self._context[:], self.csr[:] = context, csr
        self.x[:], self._state[:], self.scratchpad[:] = 0, 0, 0
        self.memory.clear(TEXT, HELD - TEXT)
        self.trap = 0

    @property
    def next_pc(self) -> int:
        """Where the last instruction leads, which stood at 0x1000."""
        return int(self._context[at.NEXT])

    @property
    def scratchpad_base(self) -> int:
        return SCRATCHPAD_BASE

    def registers(self, name: str) -> np.ndarray:
        """The registers of a file or view as an array [count, *shape] on the hart's own bytes.

        Types that numpy has are themselves; float16 too; other types are the raw bytes of uint8 (packed ones) or the
        unsigned integers that hold their bits.
        """
        state = self.isa.state[name]
        if state.kind == "csr" or name == "X":
            raise InputError(f"{name} is no register file in memory", remedy="use csr or x")
        owner: State = self.isa.state[state.of] if state.of else state
        facts = ELEMENT_TYPES[state.type]
        size = row_bytes(owner)
        rows = owner.count * int(np.prod(owner.shape[:-1], dtype=np.int64))
        offset = self.tables.coded.offsets[owner.name]
        raw = self._state[offset : offset + rows * size]
        kind = "float16" if state.type == "float16" else facts.carrier
        return raw.view(kind).reshape((owner.count, *owner.shape[:-1], -1) if owner.shape else (owner.count,))

    def set_csr(self, name: str, value: int) -> None:
        """Set a CSR past its rules (a window sets its bits of the CSR that it shows)."""
        state = self.isa.state[name]
        if state.of and state.window:
            low, width = state.window
            owner = self.isa.state[state.of].address
            mask = ((1 << width) - 1) << low
            self.csr[owner] = int(self.csr[owner]) & ~mask | (value << low & mask)
        else:
            self.csr[state.address] = value

    def get_csr(self, name: str) -> int:
        """What a CSR holds."""
        state = self.isa.state[name]
        if state.of and state.window:
            low, width = state.window
            return int(self.csr[self.isa.state[state.of].address]) >> low & ((1 << width) - 1)
        return int(self.csr[state.address])

    def execute(self, text: str) -> int:
        """Execute one instruction, written in assembly; the cause of its trap, or 0."""
        number, word, immediate = self._decode(text)
        column = int(self._context[at.COLUMN])
        functions = self.tables.functions
        if functions[number * at.COLUMNS + column] == 0:
            self.tables.compile(number, column, timed=False)
        self._context[at.TRAP] = self._context[at.TRAP_VALUE] = 0
        self._context[at.PC] = TEXT
        self._context[at.NEXT] = TEXT + 4
        function = self._call(int(functions[number * at.COLUMNS + column]))
        function(self._context.ctypes.data, word, immediate)
        self.x[0] = 0
        self.trap = int(self._context[at.TRAP])
        return self.trap

    def _decode(self, text: str) -> tuple[int, int, int]:
        """Number, operand word and immediate of an instruction."""
        if text not in self._decoded:
            program = self.isa.assemble(text)
            data = next(segment.data for segment in program.segments if segment.executable)
            if len(data) > 4:
                raise InputError(f"{text!r} is more than one instruction", remedy="execute them one by one")
            words = np.frombuffer(data.ljust(4, b"\0"), np.uint32)
            code = decode_words(self.tables.coded, words, TEXT, {}).code
            self._decoded[text] = int(code[0, 0]) & 0xFFFF, int(code[0, 0]), int(code[0, 1])
        return self._decoded[text]
