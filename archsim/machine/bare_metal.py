"""A program on the bare machine: it talks to its host through `tohost` and handles its own traps in machine mode.

Source: RISC-V Privileged Architecture 20240411, sections 3.1.7 (mtvec), 3.1.14 to 3.1.16 (mepc, mcause, mtval) and
3.1.6.1 (the stack of mstatus); the host-target interface as riscv-tests and the proxy kernel use it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from archsim.common.errors import SimulationError
from archsim.isa.program import Program
from archsim.machine import layout as at
from archsim.machine.chip import Chip
from archsim.machine.csr import FS, MCAUSE, MEPC, MIE, MPIE, MPP, MSTATUS, MTVAL, MTVEC, VS
from archsim.machine.environment import Environment, Options
from archsim.machine.linux_numbers import EBADF, ENOSYS

LONGEST_SLICE, SHORTEST_SLICE = 100_000, 5_000
_USER_CALL, _MACHINE_CALL = 8, 11
_CAUSES = {
    at.FETCH_MISALIGNED: 0, at.FETCH_FAULT: 1, at.ILLEGAL: 2, at.CSR_READ_ONLY: 2, at.CSR_FAULT: 2, at.BREAKPOINT: 3,
    at.LOAD_MISALIGNED: 4, at.LOAD_FAULT: 5, at.STORE_MISALIGNED: 6, at.STORE_FAULT: 7,
}  # fmt: skip
"""Traps of the machine -> exception codes of mcause; others end the run."""
_WRITE, _EXIT = 64, 93
_CONSOLE = 1


class BareMetal(Environment):
    """Every hart starts at the program's entry in machine mode, with its number in a0.

    Attributes:
        failed_test: what the program wrote to tohost as its exit code, if not 0.
    """

    def __init__(self, chip: Chip, program: Program, options: Options, *, timed: bool) -> None:
        super().__init__(chip, options)
        self.memory: Any = chip.memory
        self.tohost = program.symbols["tohost"]
        self.fromhost = program.symbols.get("fromhost", 0)
        # instructions behind the program's end count until the next poll: fewer of them where they take time
        self.longest = LONGEST_SLICE // 10 if timed or chip.harts > 1 else LONGEST_SLICE
        self.slice = self.longest
        self.mask = (1 << program.xlen) - 1
        self.failed_test = 0
        self.program = program
        self.counts = [(0, 0)] * chip.harts
        self.trapped_at: dict[int, int] = {}
        self.codes: dict[tuple[bool, bool], np.ndarray] = {(False, False): chip.code.code}
        for hart, context in enumerate(chip.contexts):
            chip.view(hart, at.X, 33)[10] = hart
            context[at.PRIVILEGE] = at.MACHINE

    # -- traps

    def csr(self, hart: int) -> np.ndarray:
        return self.chip.view(hart, at.CSR, 4096)

    def call(self, hart: int) -> None:
        context = self.chip.contexts[hart]
        # an ECALL does not retire
        context[at.PC] -= 4
        context[at.INSTRET] -= 1
        context[at.TRAP] = at.ENVIRONMENT_CALL
        cause = _MACHINE_CALL if context[at.PRIVILEGE] == at.MACHINE else _USER_CALL
        if self.enter(hart, cause, int(context[at.PC]), 0):
            context[at.TRAP] = 0

    def trap(self, hart: int) -> bool:
        context = self.chip.contexts[hart]
        kind, pc, value = int(context[at.TRAP]), int(context[at.PC]), int(context[at.TRAP_VALUE])
        if kind == at.STATUS_CHANGED:
            self.select_code(hart)
            context[at.PC] += 4
            context[at.INSTRET] += 1
        else:
            if kind not in _CAUSES:
                return False
            if kind == at.FETCH_FAULT:
                code = self.chip.code
                # the jump itself has retired, unless the hart already stands outside the program
                if code.text <= pc < code.text + 2 * code.slots:
                    context[at.INSTRET] += 1
                    pc = value
                value = pc
            elif kind == at.BREAKPOINT:
                value = pc
            elif _CAUSES[kind] == 2:
                value = self.instruction(pc)
            if not self.enter(hart, _CAUSES[kind], pc, value):
                context[at.TRAP_VALUE] = value
                return False
        context[at.TRAP] = context[at.TRAP_VALUE] = 0
        return True

    def enter(self, hart: int, cause: int, pc: int, value: int) -> bool:
        """Go to the trap handler; False where there is none, or where it traps at its first instruction."""
        context, csr = self.chip.contexts[hart], self.csr(hart)
        handler = int(csr[MTVEC]) & self.mask & ~3
        retired = int(context[at.INSTRET])
        if not handler or MTVEC not in self.chip.tables.coded.isa.csr_names:
            return False
        if pc == handler and self.trapped_at.get(hart) == retired:
            return False
        self.trapped_at[hart] = retired
        csr[MEPC] = _signed(pc & self.mask & ~1)
        csr[MCAUSE], csr[MTVAL] = cause, _signed(value & self.mask)
        status = int(csr[MSTATUS])
        enabled = (status >> MIE) & 1
        status &= ~(1 << MIE | 1 << MPIE | 3 << MPP)
        csr[MSTATUS] = status | enabled << MPIE | int(context[at.PRIVILEGE]) << MPP
        context[at.PRIVILEGE] = at.MACHINE
        context[at.PC] = handler
        return True

    def instruction(self, pc: int) -> int:
        """The instruction word at an address."""
        try:
            word = int.from_bytes(self.memory.read(pc, 4), "little")
        except ValueError:
            return 0
        return word if word & 3 == 3 else word & 0xFFFF

    def code_changed(self) -> None:
        if len(self.codes) > 1:
            self.codes = {(False, False): self.chip.code.code}
            for hart in range(self.chip.harts):
                self.select_code(hart)

    def select_code(self, hart: int) -> None:
        """Let instructions of units that mstatus switches off be illegal, or back."""
        status = int(self.csr(hart)[MSTATUS])
        off = ((status >> FS) & 3 == 0, (status >> VS) & 3 == 0)
        if off not in self.codes:
            coded, code = self.chip.tables.coded, self.chip.code.code.copy()
            numbers = [
                coded.number[name]
                for name, instruction in coded.isa.instructions.items()
                if name in coded.number and _switched_off(instruction, *off)
            ]
            code[np.isin(code[:, 0] & 0xFFFF, numbers)] = (coded.illegal, 0)
            self.codes[off] = code
        self.chip.contexts[hart][at.CODE] = self.codes[off].ctypes.data

    # -- the host-target interface

    def poll(self) -> None:
        word = int.from_bytes(self.memory.read(self.tohost, 8), "little")
        if not word:
            self.check_waiting()
            self.slice = min(2 * self.slice, self.longest)
            return
        device, command, payload = word >> 56, (word >> 48) & 255, word & ((1 << 48) - 1)
        if device == 0 and payload & 1:
            self.finish_with(payload >> 1)
            return
        self.slice = SHORTEST_SLICE
        self.memory.write(self.tohost, bytes(8))
        if device == _CONSOLE and command == 1:
            self.output.write(1, bytes([payload & 255]))
        elif device == 0:
            self.host_call(payload)

    def check_waiting(self) -> None:
        """End a run in which every hart does nothing but wait for an interrupt.

        Raises:
            SimulationError: they do.
        """
        counts = [(int(context[at.INSTRET]), int(context[at.WAITING])) for context in self.chip.contexts]
        steps = [(ran - a, waits - b) for (ran, waits), (a, b) in zip(counts, self.counts, strict=True)]
        if any(ran < 1000 for ran, _ in steps):
            return
        self.counts = counts
        if all(10 * waits > ran for ran, waits in steps):
            raise SimulationError(f"{self.program.name}: every hart waits for an interrupt (wfi), and none can come")

    def host_call(self, block: int) -> None:
        """A system call passed on: eight 64-bit words, the answer goes into the first."""
        try:
            data = self.memory.read(block, 64)
            number, *arguments = (int.from_bytes(data[8 * i : 8 * i + 8], "little") for i in range(8))
            answer = -ENOSYS
            if number == _WRITE:
                descriptor, address, size = arguments[:3]
                answer = -EBADF
                if descriptor in (1, 2):
                    self.output.write(descriptor, self.memory.read(address, size))
                    answer = size
            elif number == _EXIT:
                self.finish_with(arguments[0])
            else:
                self.unknown[number] += 1
            self.memory.write(block, (answer & (1 << 64) - 1).to_bytes(8, "little"))
        except ValueError:
            # a block outside memory is no call
            return
        if self.fromhost:
            self.memory.write(self.fromhost, (1).to_bytes(8, "little"))

    def finish_with(self, code: int) -> None:
        """The program ends; codes that do not fit an exit status become 255."""
        self.failed_test = code
        self.exit_code = min(code, 255)
        for context in self.chip.contexts:
            context[at.FINISHED] = 1


def _switched_off(instruction: Any, floats: bool, vectors: bool) -> bool:
    vector = instruction.extension == "V" or instruction.extension.startswith("Zv")
    uses_floats = any(variable.register == "F" for variable in instruction.variables)
    return (floats and uses_floats) or (vectors and vector)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value
