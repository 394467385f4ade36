"""One run from start to end: calls compiled code, and has its environment answer what it comes back with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archsim.common.errors import SimulationError
from archsim.isa.program import Program
from archsim.machine import layout as at
from archsim.machine.chip import Chip
from archsim.machine.commit_log import CommitLog
from archsim.machine.environment import Environment

SHARED_SLICE = 1_000_000
"""Instructions of one hart before another one's turn, where nothing is timed."""
LOGGED_TURN = 100
"""The same, while every instruction is logged."""


class Session:
    """Runs the harts of a chip until the program ends.

    Args:
        chip: set up by the environment.
        go: the scheduler (CodeTables.go).
        program, environment: what runs, and what surrounds it.
        timed: whether harts are ordered by their time; if not, they take turns.
        max_instructions: stop with an error after so many.
        progress: called with the instructions retired so far, and the cycle reached.
    """

    def __init__(
        self,
        chip: Chip,
        go: Callable[[int], tuple[int, int]],
        program: Program,
        environment: Environment,
        *,
        timed: bool,
        max_instructions: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.chip, self.go, self.program, self.environment = chip, go, program, environment
        self.timed, self.maximum, self.progress = timed, max_instructions, progress
        self.recorder: Any = None
        self.viewer: Any = None
        self.tracer: CommitLog | None = None

    def run(self) -> None:
        """Run to the end.

        Raises:
            SimulationError: a trap that nobody handles, harts that wait for ever, or the limit of instructions.
        """
        contexts = self.chip.contexts
        retired = 0
        while True:
            self._set_limits(retired)
            hart, status = self.go(self.chip.address)
            if status == at.EXITED:
                return
            self._answer(hart, status)
            if self.tracer is not None:
                self.tracer.after(hart)
            self.environment.poll()
            retired = sum(int(context[at.INSTRET]) for context in contexts)
            if self.progress:
                self.progress(retired, max(int(context[at.NOW]) for context in contexts))
            if self.maximum is not None and retired >= self.maximum and self.environment.exit_code is None:
                raise SimulationError(
                    f"{self.program.name}: stopped after {retired} instructions (the limit is {self.maximum}), "
                    f"hart {hart}{self._place(hart)}"
                )

    def _set_limits(self, retired: int) -> None:
        """How far harts may run before this process looks after them."""
        limit = self.environment.slice
        if self.maximum is not None:
            limit = min(limit, self.maximum - retired)
        if not self.timed and self.chip.harts > 1:
            limit = min(limit, SHARED_SLICE)
        if self.tracer is not None:
            limit = 1
            self.tracer.before()
        for context in self.chip.contexts:
            context[at.LIMIT_COUNT] = context[at.INSTRET] + limit
            if not self.timed:
                # harts take turns by what they have executed; in a commit log, which stops at every instruction, in
                # turns long enough for a load-reserved and its store-conditional
                turn = LOGGED_TURN if self.tracer is not None else 1
                context[at.NOW] = context[at.INSTRET] // turn * turn

    def _answer(self, hart: int, status: int) -> None:
        if status == at.BLOCKED:
            raise SimulationError(self._message(hart, "every hart waits: a barrier or qt.sync nobody can reach"))
        if status == at.ECALL:
            self.environment.call(hart)
            if self.recorder is not None:
                self.recorder.call(hart, int(self.chip.view(hart, at.X, 33)[10]))
            if self.chip.contexts[hart][at.TRAP]:
                raise SimulationError(self._message(hart, "environment call without a trap handler (mtvec)"))
        elif status == at.TRAPPED and self.chip.contexts[hart][at.TRAP] == at.CODE_CHANGED:
            self._decode_again(hart)
        elif status == at.TRAPPED:
            if not self.environment.trap(hart):
                raise SimulationError(self._message(hart, self._cause(hart)))
        elif status == at.NEEDS_CODE:
            self._compile(hart)
        elif status == at.RECORD_FULL:
            self.recorder.flush(hart)
        elif status == at.VIEW_FULL:
            self.viewer.flush(hart)
        elif status == at.TRACE_END:
            self.chip.contexts[hart][at.FINISHED] = 1

    def _compile(self, hart: int) -> None:
        """Compile the instruction that a hart stands at."""
        context = self.chip.contexts[hart]
        slot = (int(context[at.PC]) - self.chip.code.text) >> 1
        number = int(self.chip.code.code[slot, 0]) & 0xFFFF
        self.chip.tables.compile(number, int(context[at.COLUMN]), timed=self.timed)

    def _decode_again(self, hart: int) -> None:
        """FENCE.I: instructions are what now stands in memory."""
        context, code = self.chip.contexts[hart], self.chip.code
        code.decode_again(self.chip.tables.coded, self.chip.memory.read(code.text, 4 * len(code.words)))
        self.environment.code_changed()
        context[at.TRAP] = 0
        context[at.PC] += 4
        context[at.INSTRET] += 1

    def _cause(self, hart: int) -> str:
        context = self.chip.contexts[hart]
        cause = int(context[at.TRAP])
        words = at.TRAP_WORDS.get(cause, f"trap {cause}")
        value = int(context[at.TRAP_VALUE]) & (1 << self.program.xlen) - 1
        return f"{words} ({value:#x})" if value or cause in _WITH_ADDRESS else words

    def _place(self, hart: int) -> str:
        """Where a hart stands: source line or symbol, address, instruction."""
        pc = int(self.chip.contexts[hart][at.PC])
        symbol = self.program.place(pc)
        place = f" at {pc:#x} <{symbol}>" if symbol else f" at {pc:#x}"
        if pc in self.program.lines:
            file, line = self.program.lines[pc]
            place = f" at {file}:{line} ({pc:#x})"
        try:
            word = int.from_bytes(self.chip.memory.read(pc, 4), "little")
        except ValueError:
            return place
        text = self.chip.tables.coded.isa.disassemble(word if word & 3 == 3 else word & 0xFFFF, pc)
        return f"{place}, {' '.join(text.split())}"

    def _message(self, hart: int, what: str) -> str:
        return f"{self.program.name}: hart {hart}{self._place(hart)}: {what}"


_WITH_ADDRESS = (at.LOAD_FAULT, at.STORE_FAULT, at.FETCH_FAULT, at.FETCH_MISALIGNED)
"""Traps whose value is an address, which may be 0."""
