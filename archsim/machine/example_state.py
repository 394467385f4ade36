"""All the state that an example of an instruction may name, on a workbench."""

from __future__ import annotations

from typing import Any

import numpy as np

from archsim.common.errors import InputError, unknown
from archsim.common.yamlfile import YamlMap
from archsim.isa.register_shapes import row_bytes
from archsim.isa.spec import State
from archsim.machine.example_values import ExampleValues
from archsim.machine.workbench import TEXT, Workbench

FLAGS = ("fflags", "fcsr", "vxsat", "vcsr")
"""CSRs whose bits the machine gathers elsewhere while instructions execute."""


class ExampleState:
    """Sets and reads state by the names that examples use.

    Args:
        bench: holds it.
        name: mnemonic of the instruction, for errors.

    Attributes:
        files: name of a register -> its file and number (without the integer registers).
        integers: name of an integer register -> its number.
        values: reads values.
    """

    def __init__(self, bench: Workbench, name: str) -> None:
        self.bench, self.isa, self.name = bench, bench.isa, name
        self.files = {
            register: (name, index)
            for name, state in self.isa.state.items()
            if state.kind == "register_file" and name != "X"
            for index, register in enumerate(state.names)
        }
        self.values = ExampleValues(self.isa, bench.scratchpad_base)
        self.integers = self.isa.register_numbers["X"]

    def is_integer(self, name: str, value: Any) -> bool:
        """Whether a name with this value is an integer register: t0 with a list is a tile, where there are tiles."""
        return name in self.integers and not (name in self.files and isinstance(value, (list, dict)))

    def configure_vectors(self, before: YamlMap) -> None:
        """Set vtype and vl, if they are named, as vsetvl does."""
        if "vtype" in before:
            bench = self.bench
            bench.x[5], bench.x[6] = (
                self.values.integer(before.get("vl", 0), before, "vl"),
                self.values.integer(before["vtype"], before, "vtype"),
            )
            bench.execute("vsetvl zero, t0, t1")
            bench.x[5] = bench.x[6] = 0

    def set(self, name: str, value: Any, tree: YamlMap) -> None:
        """Set what has a name to a value out of YAML."""
        if self.is_integer(name, value):
            self.bench.x[self.integers[name]] = signed(self.values.integer(value, tree, name), self.isa.xlen)
            self.bench.x[0] = 0
        elif name in self.files:
            row = self.register(name)
            row[:] = np.frombuffer(self.elements(name, bytes(row), value, tree)[0], np.uint8)
        elif name == "memory":
            for address, content in self.values.blocks(value, tree):
                self.memory(address, len(content), tree)[:] = np.frombuffer(content, np.uint8)
        elif name not in ("vtype", "vl"):
            old = self.bench.get_csr(self.csr_name(name, tree))
            self._set_csr(name, self.csr(name, old, value, tree), tree)

    def _set_csr(self, name: str, value: int, tree: YamlMap) -> None:
        """Set a CSR to a value that a program could give it: operations rely on its maximum."""
        state = self.isa.state[name]
        most = state.maximum
        if state.of and state.window:
            most = min(most, (1 << state.window[1]) - 1)
        fields = [(*state.fields[field][:2], values) for field, values in state.legal.items()]
        legal = all(value >> low & (1 << width) - 1 in values for low, width, values in fields)
        # without a maximum, any 64 bits
        least, most = (0, most) if most < 2**63 - 1 else (-(2**63), 2**64 - 1)
        if not least <= value <= most or not legal:
            raise InputError(f"CSR {name} cannot be {value}", **tree.where(), remedy="use what it can hold")
        self.bench.set_csr(name, signed(value))
        if state.of:
            self._set_csr(state.of, self.bench.get_csr(state.of), tree)

    def csr_name(self, name: str, tree: YamlMap) -> str:
        """The name, if it is a CSR's; raises InputError if not."""
        state = self.isa.state.get(name)
        if state is None or state.kind != "csr":
            known = [*self.integers, *self.files, *self.isa.csr_names.values(), "memory", "next_pc"]
            raise unknown(f"state in an example of {self.name}", name, known, **tree.where(name))
        return name

    def csr(self, name: str, old: int, value: Any, tree: YamlMap) -> int:
        """A CSR's value out of YAML: an integer, or fields that replace those of the old value."""
        if not isinstance(value, YamlMap):
            return self.values.integer(value, tree, name)
        fields = self.isa.state[name].fields
        for field, part in value.items():
            if field not in fields:
                raise unknown(f"field of {name}", field, fields, **value.where(field))
            low, width, words = fields[field]
            number = words.index(part) if part in words else self.values.integer(part, value, field)
            mask = (1 << width) - 1
            old = old & ~(mask << low) | (number & mask) << low
        return old

    def register(self, name: str) -> np.ndarray:
        """The bytes of a register."""
        file, index = self.files[name]
        registers: np.ndarray = self.bench.registers(file).reshape(self.isa.state[file].count, -1)
        return registers[index].view(np.uint8)

    def elements(self, name: str, raw: bytes, value: Any, tree: YamlMap) -> tuple[bytes, str]:
        """A register's bytes with what YAML lists put in, and the type of its elements."""
        owner: State = self.isa.state[self.files[name][0]]
        kind, values = self.values.typed(value, owner.type, tree.where(name))
        size = row_bytes(owner)
        depth = len(owner.shape[:-1]) if owner.shape else 0
        rows = self.values.rows(values, depth, owner.shape[:-1], tree.where(name))
        result = bytearray(raw)
        for index, elements in rows:
            part = slice(index * size, index * size + size)
            result[part] = self.values.put(kind, bytes(result[part]), elements, tree.where(name))
        return bytes(result), kind

    def memory(self, address: int, size: int, tree: YamlMap) -> np.ndarray:
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

    def flags(self, name: str, value: int | None = None) -> int:
        """Flags that the machine keeps besides the CSR: read, or set."""
        bench = self.bench
        kept = int(bench.x[5])
        bench.x[5] = value or 0
        bench.execute(f"csrrs t0, {name}, zero" if value is None else f"csrrw zero, {name}, t0")
        found = int(bench.x[5])
        bench.x[5] = kept
        return found

    def snapshot(self) -> dict[str, Any]:
        """All state: integer registers, CSRs, bytes of registers and memories."""
        bench = self.bench
        result: dict[str, Any] = {"x": bench.x[:32].copy(), "csr": bench.csr.copy()}
        for name, state in self.isa.state.items():
            if state.kind == "register_file" and name != "X":
                result[name] = bench.registers(name).reshape(state.count, -1).view(np.uint8).copy()
        result["memory"], result["scratchpad"] = bench.memory.bytes.copy(), bench.scratchpad.view(np.uint8).copy()
        return result


def signed(value: int, width: int = 64) -> int:
    """Bits as the integer of a register."""
    value &= (1 << width) - 1
    return value - (1 << width) if value >> width - 1 else value
