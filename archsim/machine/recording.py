"""Instruction traces: what a run executed, and running that again on any design.

A trace holds, per hart, the slot of each instruction executed and the value its target register got. Replaying takes
control flow and register values from there: nothing is loaded or computed, so the cycles are those of the design it is
replayed on, and on the same design those of the run that recorded it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from archsim.common.errors import InputError
from archsim.isa.program import Program
from archsim.isa.spec import Isa
from archsim.machine import layout as at
from archsim.machine.chip import Chip
from archsim.machine.compiled import tables_of
from archsim.machine.csr_table import any_csr
from archsim.machine.environment import Environment, Options
from archsim.machine.memory import MainMemory
from archsim.machine.predecode import decode_words
from archsim.machine.result import RunResult
from archsim.machine.variant import Variant, core_of

RECORD_SLOTS = 1 << 20
REPLAY_BYTES = 4 << 30
"""Of simulated memory, nearly all of it never touched: vector loads of a trace find something there."""


@dataclass
class Trace:
    """Executed instructions of every hart.

    Attributes:
        name: of the program.
        text: address of the first instruction word.
        words: uint32 [n], instruction words from there on.
        harts: per hart (slot int32 [m], value int64 [m]); slot i is the word at text + 2 * i.
        initial: int64 [harts, 33], registers at the start.
    """

    name: str
    text: int
    words: np.ndarray
    harts: list[tuple[np.ndarray, np.ndarray]]
    initial: np.ndarray

    @property
    def instructions(self) -> int:
        return sum(len(index) for index, _ in self.harts)


class Recorder:
    """Gathers a trace while a chip runs."""

    def __init__(self, chip: Chip) -> None:
        self.chip = chip
        self.index = [chip.array(RECORD_SLOTS, np.int32) for _ in chip.contexts]
        self.value = [chip.array(RECORD_SLOTS) for _ in chip.contexts]
        self.parts: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in chip.contexts]
        self.initial = np.array([chip.view(hart, at.X, 33) for hart in range(chip.harts)])
        for hart, context in enumerate(chip.contexts):
            context[at.RECORD_INDEX] = self.index[hart].ctypes.data
            context[at.RECORD_VALUE] = self.value[hart].ctypes.data
            context[at.RECORD_LIMIT] = RECORD_SLOTS

    def flush(self, hart: int) -> None:
        """Put a hart's full buffer aside."""
        context = self.chip.contexts[hart]
        count = int(context[at.RECORD_COUNT])
        self.parts[hart].append((self.index[hart][:count].copy(), self.value[hart][:count].copy()))
        context[at.RECORD_COUNT] = 0

    def call(self, hart: int, answer: int) -> None:
        """Note an environment call that was just answered in a0."""
        context = self.chip.contexts[hart]
        count = int(context[at.RECORD_COUNT])
        self.index[hart][count] = (int(context[at.PC]) - self.chip.code.text >> 1) - 2
        self.value[hart][count] = answer
        context[at.RECORD_COUNT] = count + 1
        if count + 1 >= RECORD_SLOTS:
            self.flush(hart)

    def trace(self, name: str, words: np.ndarray) -> Trace:
        """All that was recorded."""
        harts = []
        for hart in range(self.chip.harts):
            self.flush(hart)
            index, value = zip(*self.parts[hart], strict=True)
            harts.append((np.concatenate(index), np.concatenate(value)))
        return Trace(name, self.chip.code.text, words, harts, self.initial)


def replay(trace: Trace, design: Any, *, isa: Isa | None = None) -> tuple[RunResult, int]:
    """Time a trace on a design.

    Returns:
        The result (fidelity "addresses"), and how many executed instructions the instruction set does not know:
        those are timed as a fence.

    Raises:
        InputError: the trace has more harts than the design, or slots outside its words.
    """
    from archsim.machine.run import collect, isa_of, latency_table
    from archsim.machine.session import Session

    if len(trace.harts) > design.cores:
        raise InputError(
            f"the trace has {len(trace.harts)} harts, design {design.name} has {design.cores}",
            remedy="replay it on a design with at least as many cores",
        )
    isa = isa or isa_of(design)
    tables = tables_of(isa)
    code = decode_words(tables.coded, trace.words, trace.text, latency_table(design))
    unknown = _known_only(trace, tables.coded.illegal, tables.coded.number["fence"], code)
    chip = Chip(design, tables, code, MainMemory(REPLAY_BYTES), values=False, timed=True)
    for hart in range(chip.harts):
        context = chip.contexts[hart]
        if hart >= len(trace.harts):
            context[at.FINISHED] = 1
            continue
        index = np.ascontiguousarray(trace.harts[hart][0], np.int32)
        value = np.ascontiguousarray(trace.harts[hart][1], np.int64)
        if len(index) and not (index.min() >= 0 and index.max() < code.slots):
            raise InputError(f"{trace.name}: an instruction lies outside the trace's program", remedy="record it again")
        chip.keep |= {index.ctypes.data: index, value.ctypes.data: value}
        context[at.PC] = trace.text
        chip.view(hart, at.X, 33)[:] = trace.initial[hart]
        context[at.TRACE_INDEX], context[at.TRACE_VALUE] = index.ctypes.data, value.ctypes.data
        context[at.TRACE_COUNT] = len(index)
        _any_csr(chip, context)
    environment = Environment(chip, Options())
    go = tables.go(Variant(timed=True, core=core_of(design), replay=True))
    Session(chip, go, Program((), trace.text, name=trace.name), environment, timed=True).run()
    return collect(chip, design, "addresses", chip.memory, environment), unknown


def _known_only(trace: Trace, illegal: int, fence: int, code: Any) -> int:
    """Let unknown instructions pass as a fence; how many of the executed are unknown."""
    bad = (code.code[: code.slots, 0] & 0xFFFF) == illegal
    code.code[: code.slots][bad] = (fence, 0)
    return int(sum(np.count_nonzero(bad[index]) for index, _ in trace.harts if len(index)))


def _any_csr(chip: Chip, context: np.ndarray) -> None:
    """Traces of other simulators touch CSRs that the design does not have: take them as plain registers."""
    any_csr(chip.keep[int(context[at.CSR_FACTS])].reshape(-1, at.CSR_FIELDS))
