"""The examples of instructions, executed: state before, one instruction, state after.

Everything is zero before but what `before:` names, and CSRs, which are as after reset. Everything that `after:` does
not name must be unchanged; of a register, elements beyond those listed are not named. Names are those of integer
registers, CSRs (with an integer, or field -> integer or word), registers of other files (nested lists of elements; t0
with a list is a tile), and `memory` (address -> bytes). Elements have the type of their file, or {type: TYPE or VIEW,
values: ...}. `next_pc` is where the instruction leads, which stands at 0x1000. Flags of floating point and saturation
(fflags, fcsr, vxsat, vcsr) count only where `after:` names them. `vtype` and `vl` are set before as vsetvl does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from archsim.common.errors import InputError, unknown
from archsim.common.yamlfile import YamlMap
from archsim.isa.encoding import encode
from archsim.isa.load import load_isa
from archsim.isa.names import resolve
from archsim.isa.register_shapes import row_bytes
from archsim.isa.spec import Instruction, Isa
from archsim.machine import layout as at
from archsim.machine.element_values import same, unpack
from archsim.machine.example_state import FLAGS, ExampleState, signed
from archsim.machine.workbench import Workbench

_TRAPS = {
    "illegal": (at.ILLEGAL,),
    "load": (at.LOAD_FAULT, at.RANGE_FAULT),
    "store": (at.STORE_FAULT, at.RANGE_FAULT),
    "misaligned": (at.LOAD_MISALIGNED, at.STORE_MISALIGNED),
    "index": (at.INDEX_FAULT,),
    "breakpoint": (at.BREAKPOINT,),
    "custom": (at.CUSTOM,),
}
_SHOWN = 8
"""Differences of an example that are told."""


@dataclass(frozen=True)
class Outcome:
    """What an example came to.

    Attributes:
        instruction, name: whose example, and its name (or number from 1).
        file, line: where it stands.
        differences: what was expected and found; none if it passed.
    """

    instruction: str
    name: str
    file: str
    line: int
    differences: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.differences


def run_examples(names: Iterable[str], beside: Iterable[str] = ()) -> list[Outcome]:
    """Execute the examples of extensions, each loaded with what it requires.

    Args:
        names: extensions, as load_isa() takes them.
        beside: what is loaded beside each of them.

    Raises:
        InputError: a file is wrong, or an example names what is not there.
    """
    names = list(names)
    request = resolve(tuple(names))
    outcomes = []
    for path in request.paths:
        loaded = (f"rv{request.xlen}i", *beside, str(path))
        benches: dict[tuple[tuple[str, int], ...], Workbench] = {}
        extension = next(one for one in load_isa(*loaded).extensions.values() if one.file == path)
        for instruction in extension.instructions.values():
            for number, example in enumerate(instruction.examples, 1):
                given = {**request.least, **(example.get("parameters") or {})}
                key = tuple(sorted(given.items()))
                if key not in benches:
                    benches[key] = Workbench(_bound(loaded, given, example))
                outcomes.append(run_example(benches[key], instruction.name, number, example))
    return outcomes


def _bound(names: tuple[str, ...], given: dict[str, int], example: YamlMap) -> Isa:
    """The instruction set with an example's parameters."""
    isa = load_isa(*names)
    for name in given:
        if name not in isa.parameters:
            raise unknown("parameter of an example", name, isa.parameters, **example.where("parameters"))
    return load_isa(*names, parameters=given)


def run_example(bench: Workbench, name: str, number: int, example: YamlMap) -> Outcome:
    """Execute one example of an instruction (the `number`-th) on a workbench with its parameters."""
    instruction = bench.isa.instructions[name]
    differences = tuple(_Example(bench, instruction, example).differences())
    if len(differences) > _SHOWN:
        differences = (*differences[:_SHOWN], f"and {len(differences) - _SHOWN} more")
    title = str(example.get("name", number))
    return Outcome(name, title, str(example.file), example.line, differences)


class _Example:
    """One example on a workbench.

    Args:
        bench: with the example's parameters.
        instruction, example: what to execute.
    """

    def __init__(self, bench: Workbench, instruction: Instruction, example: YamlMap) -> None:
        self.bench, self.isa = bench, bench.isa
        self.instruction, self.example = instruction, example
        self.state = ExampleState(bench, instruction.name)
        self.files, self.integers, self.values = self.state.files, self.state.integers, self.state.values

    def differences(self) -> list[str]:
        bench, before = self.bench, self.example.get("before") or YamlMap()
        bench.reset()
        self.state.configure_vectors(before)
        for name, value in before.items():
            self.state.set(name, value, before)
        text = self.isa.disassemble(encode(self.instruction, self._operands()))
        if self.instruction.is_encoding_only:
            raise InputError(
                f"example of {self.instruction.name}, of which only the encoding is known",
                **self.example.where(),
                remedy="write its operation",
            )
        kept = self.state.snapshot()
        flags = [name for name in FLAGS if name in (self.example.get("after") or ())]
        for name in flags:
            self.state.flags(name, int(before.get(name, 0)))
        trap = bench.execute(text)
        seen = {name: self.state.flags(name) for name in flags}
        found = self.state.snapshot()
        return [*self._trap(trap), *self._compared(kept, found, seen)]

    def _operands(self) -> dict[str, int]:
        given = self.example.get("operands") or YamlMap()
        result = {}
        for variable in self.instruction.variables:
            value = given[variable.name]
            numbers = self.isa.register_numbers.get(variable.register or "", {})
            if variable.register and value in numbers:
                result[variable.name] = numbers[value]
            elif variable.register and not isinstance(value, int):
                raise unknown(f"register of {variable.register}", str(value), numbers, **given.where(variable.name))
            elif value in variable.values:
                result[variable.name] = variable.values.index(value)
            else:
                result[variable.name] = self.values.integer(value, given, variable.name)
        return result

    def _trap(self, trap: int) -> list[str]:
        wanted = self.example.get("traps")
        if trap in (_TRAPS[wanted] if wanted else (0,)):
            return []
        return [
            f"expected {f'trap {wanted}' if wanted else 'no trap'}, found {at.TRAP_WORDS.get(trap, trap or 'none')}"
        ]

    def _compared(self, kept: dict[str, Any], found: dict[str, Any], flags: dict[str, int]) -> list[str]:
        after = self.example.get("after") or YamlMap()
        free = {str(name) for name in self.example.get("changes_undefined", [])}
        for name in free - {*self.integers, *self.files, *self.isa.state, "memory"}:
            raise unknown("state in changes_undefined", name, [*self.integers, *self.files], **self.example.where())
        result: list[str] = []
        if "next_pc" in after:
            self._tell(result, "next_pc", self.values.integer(after["next_pc"], after, "next_pc"), self.bench.next_pc)
        result += self._integers(after, free, kept["x"], found["x"])
        result += self._csrs(after, free, kept["csr"], found["csr"], flags)
        for name in self.files:
            if name not in free and self.files[name][0] not in free:
                result += self._file(name, after, kept, found)
        if "memory" not in free:
            result += self._memories(after, kept, found)
        for name in after:
            if name not in (*self.integers, *self.files, "memory", "next_pc"):
                self.state.csr_name(name, after)
        return result

    @staticmethod
    def _tell(result: list[str], name: str, expected: int, found: int) -> None:
        if expected != found:
            result.append(f"{name}: expected {expected:#x} ({expected}), found {found:#x} ({found})")

    def _integers(self, after: YamlMap, free: set[str], kept: np.ndarray, found: np.ndarray) -> list[str]:
        result: list[str] = []
        names = {self.integers[name]: name for name, value in after.items() if self.state.is_integer(name, value)}
        undefined = {self.integers[name] for name in free if name in self.integers}
        mask = (1 << self.isa.xlen) - 1
        for number in range(32):
            old, new = int(kept[number]), int(found[number])
            if number in names:
                expected = self.values.integer(after[names[number]], after, names[number])
                if (expected ^ new) & mask:
                    self._tell(result, names[number], expected, new & mask if expected >= 0 else new)
            elif old != new and number not in undefined and "X" not in free:
                result.append(f"{self.isa.state['X'].names[number]}: changed from {old} to {new}")
        return result

    def _csrs(
        self, after: YamlMap, free: set[str], kept: np.ndarray, found: np.ndarray, flags: dict[str, int]
    ) -> list[str]:
        result: list[str] = []
        expected = kept.copy()
        for name, value in after.items():
            state = self.isa.state.get(name)
            if name in flags:
                self._tell(result, name, self.state.csr(name, 0, value, after), flags[name])
            elif state is not None and state.kind == "csr":
                owner, low, width = state.address, 0, 64
                if state.of and state.window:
                    owner, (low, width) = self.isa.state[state.of].address, state.window
                mask = (1 << width) - 1
                old = int(expected[owner]) & (1 << 64) - 1
                new = self.state.csr(name, old >> low & mask, value, after) & mask
                expected[owner] = signed(old & ~(mask << low) | new << low)
        ignored = {self.isa.state[name].address for name in (*free, *FLAGS) if name in self.isa.state}
        for address in np.flatnonzero(expected != found):
            if int(address) not in ignored:
                name = self.isa.csr_names.get(int(address), hex(address))
                if expected[address] == kept[address]:
                    result.append(f"{name}: changed from {kept[address]} to {found[address]}")
                else:
                    self._tell(result, name, int(expected[address]), int(found[address]))
        return result

    def _file(self, name: str, after: YamlMap, kept: dict[str, Any], found: dict[str, Any]) -> list[str]:
        """Differences of one register of a file."""
        file, index = self.files[name]
        old, new = bytes(kept[file][index]), bytes(found[file][index])
        owner = self.isa.state[file]
        listed = name in after and not self.state.is_integer(name, after[name])
        expected, kind = (old, owner.type) if not listed else self.state.elements(name, old, after[name], after)
        if expected == new:
            return []
        size = row_bytes(owner)
        result: list[str] = []
        for row in range(len(old) // size):
            part = slice(row * size, (row + 1) * size)
            for k, (want, got) in enumerate(zip(unpack(kind, expected[part]), unpack(kind, new[part]), strict=True)):
                if not same(kind, want, got):
                    outer = [int(number) for number in np.unravel_index(row, owner.shape[:-1])] if row else []
                    outer += [0] * (len(owner.shape[:-1]) - len(outer))
                    word = "".join(f"[{number}]" for number in ([*outer, k] if owner.shape else []))
                    result.append(f"{name}{word}: expected {want!r}, found {got!r} ({kind})")
        return result

    def _memories(self, after: YamlMap, kept: dict[str, Any], found: dict[str, Any]) -> list[str]:
        result: list[str] = []
        for address, content in self.values.blocks(after["memory"], after) if "memory" in after else ():
            self.state.memory(address, len(content), after)
            base = self.bench.scratchpad_base
            name, start = ("scratchpad", address - base) if address >= base else ("memory", address)
            kept[name][start : start + len(content)] = np.frombuffer(content, np.uint8)
        for name, base in (("memory", 0), ("scratchpad", self.bench.scratchpad_base)):
            for place in map(int, np.flatnonzero(kept[name] != found[name])):
                want, got = int(kept[name][place]), int(found[name][place])
                result.append(f"memory {base + int(place):#x}: expected {want:#04x}, found {got:#04x}")
        return result
