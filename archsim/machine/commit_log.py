"""A log of every executed instruction in the format of Spike's commit log (``spike --log-commits``).

A line per retired instruction: hart, privilege, address, instruction word, then the registers and CSRs it wrote and
the memory it touched, found by comparing the hart before and after. traces.spike reads the same format.
"""

from __future__ import annotations

import re
from typing import Any, TextIO

import numpy as np

from archsim.isa.encoding import decode
from archsim.isa.program import Program
from archsim.isa.spec import Instruction
from archsim.isa.template import parse_template
from archsim.machine import layout as at
from archsim.machine.chip import Chip

_ACCESS = re.compile(r"\b(load|store)(?:_[iuf]?|\()(\d+)")
_FFLAGS, _FCSR, _VTYPE, _VL = 1, 3, 0xC21, 0xC20


class CommitLog:
    """Writes the log of a chip whose harts come back after every instruction.

    Args:
        chip: what runs.
        program: what it runs, for its width of registers.
        stream: takes the lines.
    """

    def __init__(self, chip: Chip, program: Program, stream: TextIO) -> None:
        self.chip, self.stream = chip, stream
        self.isa = chip.tables.coded.isa
        self.digits = program.xlen // 4
        self.mask = (1 << program.xlen) - 1
        self.offsets = chip.tables.coded.offsets
        counters = ("cycles", "time", "instructions")
        self.numbers = np.array(
            sorted(
                state.address
                for state in self.isa.state.values()
                if state.kind == "csr" and state.of is None and state.shows not in counters and state.address != _FCSR
            ),
            np.int64,
        )
        self.harts = [_Snapshot(self, hart) for hart in range(chip.harts)]

    def before(self) -> None:
        """Harts are about to go on: remember where they stand."""
        for snapshot in self.harts:
            snapshot.take()

    def after(self, hart: int) -> None:
        """A hart came back: write a line if it retired an instruction."""
        context, snapshot = self.chip.contexts[hart], self.harts[hart]
        if int(context[at.INSTRET]) == snapshot.retired:
            return
        try:
            word = int.from_bytes(self.chip.memory.read(snapshot.pc, 4), "little")
        except ValueError:
            return
        short = word & 3 != 3
        word &= 0xFFFF if short else 0xFFFFFFFF
        found = decode(self.isa, word)
        parts = [f"core {hart:3d}: {snapshot.privilege} {self.hex(snapshot.pc)} (0x{word:0{4 if short else 8}x})"]
        parts += self.registers(hart, snapshot, found)
        if found is not None:
            parts += self.memory(snapshot, *found)
        self.stream.write("".join(parts) + "\n")

    def hex(self, value: int) -> str:
        return f"0x{value & self.mask:0{self.digits}x}"

    def registers(self, hart: int, old: _Snapshot, found: tuple[Instruction, dict[str, int]] | None) -> list[str]:
        """What was written to registers and CSRs."""
        x, f, v, csr = old.views
        parts = []
        for number in np.flatnonzero(x[1:32] != old.x[1:32]) + 1:
            parts.append(f" x{number:<2d} {self.hex(int(x[number]))}")
        if not parts and found is not None:
            parts += self.same_register(x, *found)
        for number in np.flatnonzero(f != old.f):
            parts.append(f" f{number:<2d} 0x{int(f[number]) & (1 << 64) - 1:016x}")
        context = self.chip.contexts[hart]
        raised = int(context[at.FFLAGS]) & 31
        if raised:
            csr[_FCSR] |= raised
            context[at.FFLAGS] = 0
            parts.append(f" c1_fflags {self.hex(int(csr[_FCSR]) & 31)}")
        named = -1
        if found is not None and "csr" in found[1] and _writes_csr(*found):
            named = found[1]["csr"]
            parts.append(self.csr(named, hart))
        for number in self.numbers[csr[self.numbers] != old.csr]:
            if number != named:
                parts.append(self.csr(int(number), hart))
        return parts + self.vectors(v, old, csr)

    def same_register(self, x: np.ndarray, instruction: Instruction, values: dict[str, int]) -> list[str]:
        """A register that got the value it had."""
        target = _operand(self.isa, instruction, values, "xd")
        if target is None or not 0 < target < 32:
            return []
        return [f" x{target:<2d} {self.hex(int(x[target]))}"]

    def csr(self, number: int, hart: int) -> str:
        name = self.isa.csr_names.get(number, "unknown")
        state = self.isa.state.get(name)
        window = state.window if state is not None else None
        owner = self.isa.state[state.of].address if state is not None and state.of else number
        value = int(self.chip.view(hart, at.CSR, 4096)[owner])
        if window:
            value = value >> window[0] & (1 << window[1]) - 1
        return f" c{number}_{name} {self.hex(value)}"

    def vectors(self, v: np.ndarray, old: _Snapshot, csr: np.ndarray) -> list[str]:
        if not v.size:
            return []
        changed = np.flatnonzero((v != old.v).any(axis=1))
        if not len(changed):
            return []
        vtype = int(csr[_VTYPE])
        multiplier = vtype & 7
        group = f"mf{1 << 8 - multiplier}" if multiplier > 4 else f"m{1 << multiplier}"
        head = f" e{8 << (vtype >> 3 & 7)} {group} l{int(csr[_VL])}"
        return [head, *(f" v{number:<2d} 0x{v[number][::-1].tobytes().hex()}" for number in changed)]

    def memory(self, old: _Snapshot, instruction: Instruction, values: dict[str, int]) -> list[str]:
        """Addresses loaded from and stored to, and what was stored, of scalar instructions."""
        if instruction.expansion is not None:
            expansion = instruction.expansion
            values = {key: values[v] if isinstance(v, str) else v for key, v in expansion.operands.items()}
            instruction = self.isa.instructions[expansion.mnemonic]
        accesses = _ACCESS.findall(instruction.operation.source) if instruction.operation else []
        template = [operand for operand in parse_template(instruction.assembly) if operand.base in values]
        if not accesses or not template or any(v.register == "V" for v in instruction.variables):
            return []
        operand = template[0]
        address = int(old.x[values[str(operand.base)]]) + (values[operand.name] if operand.name else 0) & self.mask
        parts = [f" mem {self.hex(address)}" for kind, _ in accesses if kind == "load"][:1]
        target = values.get("xd", 0)
        failed = instruction.name.startswith("sc.") and target and old.views[0][target]
        for size in [int(bits) // 8 for kind, bits in accesses if kind == "store" and not failed][:1]:
            try:
                data = int.from_bytes(self.chip.memory.read(address, size), "little")
            except ValueError:
                continue
            parts.append(f" mem {self.hex(address)} 0x{data:0{2 * size}x}")
        return parts


class _Snapshot:
    """A hart before an instruction."""

    def __init__(self, log: CommitLog, hart: int) -> None:
        chip = log.chip
        self.context = chip.contexts[hart]
        state = chip.keep[int(self.context[at.STATE])]
        f, v = np.zeros(0, np.int64), np.zeros((0, 0), np.uint8)
        if "F" in log.offsets:
            f = state[log.offsets["F"] : log.offsets["F"] + 256].view(np.int64)
        if "V" in log.offsets:
            size = 32 * log.isa.state["V"].shape[0]
            v = state[log.offsets["V"] : log.offsets["V"] + size].reshape(32, -1)
        self.views = (chip.view(hart, at.X, 33), f, v, chip.view(hart, at.CSR, 4096))
        self.numbers = log.numbers
        self.take()

    def take(self) -> None:
        x, f, v, csr = self.views
        self.pc, self.privilege = int(self.context[at.PC]), int(self.context[at.PRIVILEGE])
        self.retired = int(self.context[at.INSTRET])
        self.x, self.f, self.v, self.csr = x.copy(), f.copy(), v.copy(), csr[self.numbers]


def _operand(isa: Any, instruction: Instruction, values: dict[str, int], name: str) -> int | None:
    """A register operand of an instruction, or of the one that it is short for."""
    if instruction.expansion is not None:
        found = instruction.expansion.operands.get(name)
        return values[found] if isinstance(found, str) else found
    return values.get(name)


def _writes_csr(instruction: Instruction, values: dict[str, int]) -> bool:
    """csrrs and csrrc with x0, or an immediate of 0, only read."""
    return instruction.name.startswith("csrrw") or bool(values.get("xs1", values.get("uimm", 0)))
