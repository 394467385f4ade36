"""What one instruction costs on a design: it is issued alone, by the function that programs are timed with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from archsim.isa.encoding import encode, operand_range
from archsim.isa.program import SCRATCHPAD_BASE
from archsim.isa.spec import Instruction, Isa
from archsim.machine import layout as at
from archsim.machine.chip import Chip
from archsim.machine.compiled import tables_of
from archsim.machine.energy import energy_of
from archsim.machine.host import pointer_int64
from archsim.machine.issue import issue
from archsim.machine.jit import njit
from archsim.machine.memory import MainMemory
from archsim.machine.predecode import decode_words

_TEXT = 0x1000
_DRAM = 1 << 20
_APART = 1 << 20
"""Cycles between instructions: none meets another."""
_PIECES = 8
"""Parts of the scratchpad that operands in it lie in."""
_FIRST = 10
"""The first of the integer registers that hold operands: a0."""


@dataclass(frozen=True)
class Cost:
    """Of one execution on an idle hart.

    Attributes:
        interval: cycles until its unit takes the next instruction.
        latency: cycles from its start there until its result can be used; None where it writes no register.
        energy_j: joules, without leakage and DRAM.
    """

    interval: int
    latency: int | None
    energy_j: float


@njit
def _issue(context: int, op: int, word: int, immediate: int, start: int) -> int:
    return issue(pointer_int64(context), op, word, immediate, start)


class SingleInstructions:
    """Issues instructions one by one on an idle hart of a design.

    Args:
        isa: the instruction set, with the design's parameters.
        design: a Design.
        csrs: values of CSRs by name, such as the sizes of tiles.
    """

    def __init__(self, isa: Isa, design: Any, csrs: Mapping[str, int]) -> None:
        self.isa, self.design = isa, design
        self.tables = tables_of(isa)
        code = decode_words(self.tables.coded, np.array([0x13], np.uint32), _TEXT, {})
        self.chip = Chip(design, self.tables, code, MainMemory(4 * _DRAM), values=False, timed=True)
        self.context = self.chip.contexts[0]
        values = self.chip.view(0, at.CSR, 4096)
        for name, value in csrs.items():
            values[isa.state[name].address] = value
        self.now = 0

    def cost(self, instruction: Instruction) -> Cost | None:
        """Cost of an instruction of a decoupled unit (tile_lsu, matrix, vector), else None.

        None, too, for those of vector registers, whose work is what vl and vtype make it, and where the design cannot
        execute it. Addresses point into the scratchpad, rows adjoin, and every operand is another register.
        """
        unit = at.UNIT_ID[instruction.unit]
        if unit < at.FIRST_DECOUPLED or instruction.unit == "dma" or instruction.vector is not None:
            return None
        number = self.tables.coded.number.get(instruction.name)
        if number is None:
            return None
        self.tables.describe(instruction.name)
        self._registers(instruction)
        for _ in range(2):
            found = self._once(instruction, unit)
            # the first time says how long rows are, and so what the strides are, and fills a systolic array
            self._strides(instruction)
        return found

    def _once(self, instruction: Instruction, unit: int) -> Cost | None:
        word = np.array([encode(instruction, self._operands(instruction))], np.uint32)
        code = decode_words(self.tables.coded, word, _TEXT, {}).code
        events, busy = self.chip.view(0, at.EVENTS, len(at.EVENT_NAMES)), self.chip.view(0, at.UNIT_BUSY, len(at.UNITS))
        before, busy_before = events.copy(), int(busy[unit])
        self.context[at.TRAP] = 0
        self.now += _APART
        op = int(code[0, 0]) & 0xFFFF
        state = _issue(self.context.ctypes.data, op, int(code[0, 0]), int(code[0, 1]), self.now)
        if state != at.RUNNING or self.context[at.TRAP]:
            return None
        interval = int(busy[unit]) - busy_before
        begin = int(self.chip.view(0, at.UNIT_FREE, len(at.UNITS))[unit]) - interval
        ready = int(self.chip.view(0, at.READY, self.tables.coded.scoreboard_size).max())
        counts = dict(zip(at.EVENT_NAMES, (int(value) for value in events - before), strict=True))
        counts[f"instructions.{instruction.unit}"] += 1
        energy = energy_of(counts, 0, 0, 0.0, self.design).total
        return Cost(interval, ready - begin if ready > begin else None, energy)

    def _operands(self, instruction: Instruction) -> dict[str, int]:
        """Another register for every operand of a file, and the smallest immediates."""
        used: dict[str, int] = {"X": _FIRST}
        result = {}
        for variable in instruction.variables:
            low, high, step = operand_range(variable)
            value = low if variable.default is None else variable.default
            if variable.register is not None:
                value = max(low, used.get(variable.register, 0))
                value += -value % step
                used[variable.register] = value + max(step, 8 if variable.register == "V" else 1)
            while value in variable.forbidden and value + step <= high:
                value += step
            result[variable.name] = min(value, high)
        return result

    def _registers(self, instruction: Instruction) -> None:
        """Addresses in the registers that hold some, 0 in the others."""
        registers, size = self.chip.view(0, at.X, 32), self.design.core.scratchpad.size // _PIECES
        registers[:] = 0
        numbers = self._operands(instruction)
        for piece, access in enumerate(instruction.memory):
            base = _DRAM if access.get("space") == "dram" else SCRATCHPAD_BASE
            for name in re.findall(r"X\[(\w+)\]", str(access["address"]))[:1]:
                registers[numbers[name]] = base + piece % _PIECES * size

    def _strides(self, instruction: Instruction) -> None:
        registers, work = self.chip.view(0, at.X, 32), self.chip.view(0, at.WORK, at.WORK_SIZE)
        numbers = self._operands(instruction)
        for index, access in enumerate(instruction.memory):
            for name in re.findall(r"X\[(\w+)\]", str(access["stride"])):
                if not any(f"X[{name}]" in str(other["address"]) for other in instruction.memory):
                    registers[numbers[name]] = work[at.WORK_MEMORY + index * at.MEMORY_FIELDS + at.ACCESS_BYTES]
