"""The examples of instructions, executed: state before, one instruction, state after.

Everything is zero before but what `before:` names, and CSRs, which are as after reset. Everything that `after:` does
not name must be unchanged; of a register, elements beyond those listed are not named. Names are those of integer
registers, CSRs (with an integer, or field -> integer or word), registers of other files (nested lists of elements), and
`memory` (address -> bytes). Elements have the type of their file, or {type: TYPE or VIEW, values: ...}.
`next_pc` is where the instruction leads, which stands at 0x1000. Flags of floating point and saturation (fflags, fcsr,
vxsat, vcsr) count only where `after:` names them. Before an instruction that looks at vtype, `vtype` and `vl` are set
by vsetvl.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from archsim.common.errors import InputError, unknown
from archsim.common.yamlfile import YamlMap
from archsim.isa.constants import constant
from archsim.isa.element_types import ELEMENT_TYPES
from archsim.isa.encoding import encode
from archsim.isa.load import load_isa
from archsim.isa.names import resolve
from archsim.isa.operation import row_bytes
from archsim.isa.spec import Instruction, Isa, State
from archsim.machine import layout as at
from archsim.machine.element_values import NoValue, Number, put, same, unpack
from archsim.machine.workbench import TEXT, Workbench

_FLAGS = ("fflags", "fcsr", "vxsat", "vcsr")
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
                outcomes.append(_run(benches[key], instruction.name, number, example))
    return outcomes


def _bound(names: tuple[str, ...], given: dict[str, int], example: YamlMap) -> Isa:
    """The instruction set with an example's parameters."""
    isa = load_isa(*names)
    for name in given:
        if name not in isa.parameters:
            raise unknown("parameter of an example", name, isa.parameters, **example.where("parameters"))
    return load_isa(*names, parameters=given)


def _run(bench: Workbench, name: str, number: int, example: YamlMap) -> Outcome:
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
        self.files = {
            register: (name, index)
            for name, state in self.isa.state.items()
            if state.kind == "register_file" and name != "X"
            for index, register in enumerate(state.names)
        }
        self.integers = self.isa.register_numbers["X"]
        self.expected: dict[str, bytearray] = {}

    def differences(self) -> list[str]:
        bench, before = self.bench, self.example.get("before") or YamlMap()
        bench.reset()
        self._configure_vectors(before)
        for name, value in before.items():
            self._set(name, value, before)
        text = self.isa.disassemble(encode(self.instruction, self._operands()))
        if self.instruction.is_encoding_only:
            raise InputError(
                f"example of {self.instruction.name}, of which only the encoding is known",
                **self.example.where(),
                remedy="write its operation",
            )
        kept = self._snapshot()
        flags = [name for name in _FLAGS if name in (self.example.get("after") or ())]
        for name in flags:
            self._flags(name, int(before.get(name, 0)))
        trap = bench.execute(text)
        seen = {name: self._flags(name) for name in flags}
        found = self._snapshot()
        return [*self._trap(trap), *self._compared(kept, found, seen, trap)]

    # -- what is set

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
                result[variable.name] = self._integer(value, given, variable.name)
        return result

    def _integer(self, value: Any, tree: YamlMap, key: str) -> int:
        return constant(value, self.isa.parameters, **tree.where(key))

    def _configure_vectors(self, before: YamlMap) -> None:
        if "vtype" in before:
            bench = self.bench
            bench.x[5], bench.x[6] = (
                self._integer(before.get("vl", 0), before, "vl"),
                self._integer(before["vtype"], before, "vtype"),
            )
            bench.execute("vsetvl zero, t0, t1")
            bench.x[5] = bench.x[6] = 0

    def _set(self, name: str, value: Any, tree: YamlMap) -> None:
        if name in self.integers:
            self.bench.x[self.integers[name]] = _signed(self._integer(value, tree, name))
            self.bench.x[0] = 0
        elif name in self.files:
            row = self._register(name)
            row[:] = np.frombuffer(self._elements(name, bytes(row), value, tree)[0], np.uint8)
        elif name == "memory":
            for address, content in self._blocks(value, tree):
                self._memory(address, len(content), tree)[:] = np.frombuffer(content, np.uint8)
        elif name not in ("vtype", "vl"):
            self.bench.set_csr(
                name, _signed(self._csr(name, self.bench.get_csr(self._csr_name(name, tree)), value, tree))
            )

    def _csr_name(self, name: str, tree: YamlMap) -> str:
        state = self.isa.state.get(name)
        if state is None or state.kind != "csr":
            known = [*self.integers, *self.files, *self.isa.csr_names.values(), "memory", "next_pc"]
            raise unknown(f"state in an example of {self.instruction.name}", name, known, **tree.where(name))
        return name

    def _csr(self, name: str, old: int, value: Any, tree: YamlMap) -> int:
        """A CSR's value out of YAML: an integer, or fields that replace those of the old value."""
        if not isinstance(value, YamlMap):
            return self._integer(value, tree, name)
        fields = self.isa.state[name].fields
        for field, part in value.items():
            if field not in fields:
                raise unknown(f"field of {name}", field, fields, **value.where(field))
            low, width, words = fields[field]
            number = words.index(part) if part in words else self._integer(part, value, field)
            mask = (1 << width) - 1
            old = old & ~(mask << low) | (number & mask) << low
        return old

    def _register(self, name: str) -> np.ndarray:
        """The bytes of a register."""
        file, index = self.files[name]
        registers: np.ndarray = self.bench.registers(file).reshape(self.isa.state[file].count, -1)
        return registers[index].view(np.uint8)

    def _elements(self, name: str, raw: bytes, value: Any, tree: YamlMap) -> tuple[bytes, str]:
        """A register's bytes with what YAML lists put in, and the type of its elements."""
        owner: State = self.isa.state[self.files[name][0]]
        kind, values = self._typed(value, owner.type, tree.where(name))
        size = row_bytes(owner)
        depth = len(owner.shape[:-1]) if owner.shape else 0
        rows = self._rows(values, depth, owner.shape[:-1], tree.where(name))
        result = bytearray(raw)
        for index, elements in rows:
            part = slice(index * size, index * size + size)
            result[part] = self._put(kind, bytes(result[part]), elements, tree.where(name))
        return bytes(result), kind

    def _rows(
        self, values: Any, depth: int, shape: tuple[int, ...], where: dict[str, Any]
    ) -> list[tuple[int, list[Number]]]:
        """Rows of nested lists as (number of the row, elements)."""
        values = values if isinstance(values, list) else [values]
        if depth == 0:
            return [(0, [self._number(value, where) for value in values])]
        stride = int(np.prod(shape[1:], dtype=np.int64))
        if len(values) > shape[0]:
            raise InputError(f"{len(values)} rows of {shape[0]}", **where, remedy="give fewer")
        return [
            (index * stride + row, elements)
            for index, inner in enumerate(values)
            for row, elements in self._rows(inner, depth - 1, shape[1:], where)
        ]

    def _typed(self, value: Any, kind: str, where: dict[str, Any]) -> tuple[str, Any]:
        """Type and values of `[...]`, or of {type: TYPE or VIEW, values: [...]}."""
        if isinstance(value, YamlMap):
            if set(value) != {"type", "values"}:
                raise InputError(
                    f"values are given as a mapping of {', '.join(value) or 'nothing'}",
                    **where,
                    remedy="write [...] or {type: TYPE, values: [...]}",
                )
            kind, value = str(value["type"]), value["values"]
            if kind in self.isa.state and self.isa.state[kind].kind == "view" and not self.isa.state[kind].select:
                kind = self.isa.state[kind].type
        if kind not in ELEMENT_TYPES:
            views = [name for name, state in self.isa.state.items() if state.kind == "view" and not state.select]
            raise unknown("type of elements", kind, [*ELEMENT_TYPES, *views], **where)
        return kind, value

    def _number(self, value: Any, where: dict[str, Any]) -> Number:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return value
        try:
            return float(str(value))
        except ValueError:
            return constant(str(value), self.isa.parameters, **where)

    def _put(self, kind: str, row: bytes, values: list[Number], where: dict[str, Any]) -> bytes:
        try:
            return put(kind, row, values)
        except NoValue as error:
            raise InputError(f"an example has {error}", **where, remedy="give what fits") from None

    def _blocks(self, value: Any, tree: YamlMap) -> list[tuple[int, bytes]]:
        """Memory out of YAML: (address, bytes)."""
        if not isinstance(value, YamlMap):
            raise InputError("memory is no mapping", **tree.where("memory"), remedy="write {address: [bytes]}")
        result = []
        for address, content in value.items():
            where = value.where(address)
            kind, values = self._typed(content, "uint8", where)
            numbers = [self._number(number, where) for number in (values if isinstance(values, list) else [values])]
            facts = ELEMENT_TYPES[kind]
            size = -(-len(numbers) // facts.per) * facts.bits if facts.per > 1 else len(numbers) * facts.bits
            start = int(address, 0) if address[:1].isdigit() else constant(address, self._places(), **where)
            result.append((start, self._put(kind, bytes(-(-size // 8)), numbers, where)))
        return result

    def _places(self) -> dict[str, int]:
        """What an address may name: scratchpad is its first byte."""
        return {**self.isa.parameters, "scratchpad": self.bench.scratchpad_base}

    def _memory(self, address: int, size: int, tree: YamlMap) -> np.ndarray:
        """Bytes of main memory or the scratchpad, to be written."""
        base = self.bench.scratchpad_base
        array, start = (
            (self.bench.scratchpad, address - base) if address >= base else (self.bench.memory.bytes, address)
        )
        if start < (0 if address >= base else TEXT) or start + size > array.nbytes:
            raise InputError(
                f"{size} bytes at {address:#x} lie in no memory",
                **tree.where("memory"),
                remedy=f"use {TEXT:#x} to {self.bench.memory.held:#x}, or scratchpad + N",
            )
        return array.view(np.uint8)[start : start + size]

    # -- what is found

    def _flags(self, name: str, value: int | None = None) -> int:
        """Flags that the machine keeps besides the CSR: read, or set."""
        bench = self.bench
        kept = int(bench.x[5])
        bench.x[5] = value or 0
        bench.execute(f"csrrs t0, {name}, zero" if value is None else f"csrrw zero, {name}, t0")
        found = int(bench.x[5])
        bench.x[5] = kept
        return found

    def _snapshot(self) -> dict[str, Any]:
        """All state: integer registers, CSRs, bytes of registers and memories."""
        bench = self.bench
        result: dict[str, Any] = {"x": bench.x[:32].copy(), "csr": bench.csr.copy()}
        for name, state in self.isa.state.items():
            if state.kind == "register_file" and name != "X":
                result[name] = bench.registers(name).reshape(state.count, -1).view(np.uint8).copy()
        result["memory"], result["scratchpad"] = bench.memory.bytes.copy(), bench.scratchpad.view(np.uint8).copy()
        return result

    def _trap(self, trap: int) -> list[str]:
        wanted = self.example.get("traps")
        if trap in (_TRAPS[wanted] if wanted else (0,)):
            return []
        return [
            f"expected {f'trap {wanted}' if wanted else 'no trap'}, found {at.TRAP_WORDS.get(trap, trap or 'none')}"
        ]

    def _compared(self, kept: dict[str, Any], found: dict[str, Any], flags: dict[str, int], trap: int) -> list[str]:
        after = self.example.get("after") or YamlMap()
        free = {str(name) for name in self.example.get("changes_undefined", [])}
        for name in free - {*self.integers, *self.files, *self.isa.state, "memory"}:
            raise unknown("state in changes_undefined", name, [*self.integers, *self.files], **self.example.where())
        result = []
        if "next_pc" in after:
            self._tell(result, "next_pc", self._integer(after["next_pc"], after, "next_pc"), self.bench.next_pc)
        result += self._integers(after, free, kept["x"], found["x"])
        result += self._csrs(after, free, kept["csr"], found["csr"], flags)
        for name in self.files:
            if name not in free and self.files[name][0] not in free:
                result += self._file(name, after, kept, found)
        if "memory" not in free:
            result += self._memories(after, kept, found)
        for name in after:
            if name not in (*self.integers, *self.files, "memory", "next_pc"):
                self._csr_name(name, after)
        return result

    @staticmethod
    def _tell(result: list[str], name: str, expected: int, found: int) -> None:
        if expected != found:
            result.append(f"{name}: expected {expected:#x} ({expected}), found {found:#x} ({found})")

    def _integers(self, after: YamlMap, free: set[str], kept: np.ndarray, found: np.ndarray) -> list[str]:
        result: list[str] = []
        names = {self.integers[name]: name for name in after if name in self.integers}
        undefined = {self.integers[name] for name in free if name in self.integers}
        mask = (1 << self.isa.xlen) - 1
        for number in range(32):
            old, new = int(kept[number]), int(found[number])
            if number in names:
                expected = self._integer(after[names[number]], after, names[number])
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
                self._tell(result, name, self._csr(name, 0, value, after), flags[name])
            elif state is not None and state.kind == "csr":
                owner, low, width = state.address, 0, 64
                if state.of and state.window:
                    owner, (low, width) = self.isa.state[state.of].address, state.window
                mask = (1 << width) - 1
                old = int(expected[owner]) & (1 << 64) - 1
                new = self._csr(name, old >> low & mask, value, after) & mask
                expected[owner] = _signed(old & ~(mask << low) | new << low)
        ignored = {self.isa.state[name].address for name in (*free, *_FLAGS) if name in self.isa.state}
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
        expected, kind = (old, owner.type) if name not in after else self._elements(name, old, after[name], after)
        if expected == new:
            return []
        size = row_bytes(owner)
        result: list[str] = []
        for row in range(len(old) // size):
            part = slice(row * size, (row + 1) * size)
            for k, (want, got) in enumerate(zip(unpack(kind, expected[part]), unpack(kind, new[part]), strict=True)):
                if not same(kind, want, got):
                    place = (
                        [*np.unravel_index(row, owner.shape[:-1]), k]
                        if owner.shape[:-1]
                        else [k]
                        if owner.shape
                        else []
                    )
                    word = "".join(f"[{int(number)}]" for number in place)
                    result.append(f"{name}{word}: expected {want!r}, found {got!r} ({kind})")
        return result

    def _memories(self, after: YamlMap, kept: dict[str, Any], found: dict[str, Any]) -> list[str]:
        result = []
        for address, content in self._blocks(after["memory"], after) if "memory" in after else ():
            self._memory(address, len(content), after)
            base = self.bench.scratchpad_base
            name, start = ("scratchpad", address - base) if address >= base else ("memory", address)
            kept[name][start : start + len(content)] = np.frombuffer(content, np.uint8)
        for name, base in (("memory", 0), ("scratchpad", self.bench.scratchpad_base)):
            for place in np.flatnonzero(kept[name] != found[name]):
                want, got = int(kept[name][place]), int(found[name][place])
                result.append(f"memory {base + int(place):#x}: expected {want:#04x}, found {got:#04x}")
        return result


def _signed(value: int) -> int:
    """64 bits as the integer of a register."""
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value
