"""Values that examples of instructions list: integers, elements of registers, bytes of memory, out of YAML."""

from __future__ import annotations

from typing import Any

import numpy as np

from archsim.common.errors import InputError, unknown
from archsim.common.yamlfile import YamlMap
from archsim.isa.constants import constant
from archsim.isa.element_types import ELEMENT_TYPES
from archsim.isa.spec import Isa
from archsim.machine.element_values import NoValue, Number, put


class ExampleValues:
    """Reads values.

    Args:
        isa: whose parameters and views they may name.
        scratchpad: address of the scratchpad's first byte.
    """

    def __init__(self, isa: Isa, scratchpad: int) -> None:
        self.isa = isa
        self.known = {**isa.parameters, "scratchpad": scratchpad}

    def integer(self, value: Any, tree: YamlMap, key: str) -> int:
        """An integer, or an expression over parameters and `scratchpad`, the address of its first byte."""
        return constant(value, self.known, **tree.where(key))

    def rows(
        self, values: Any, depth: int, shape: tuple[int, ...], where: dict[str, Any]
    ) -> list[tuple[int, list[Number]]]:
        """Rows of nested lists as (number of the row, elements)."""
        values = values if isinstance(values, list) else [values]
        if depth == 0:
            return [(0, [self.number(value, where) for value in values])]
        stride = int(np.prod(shape[1:], dtype=np.int64))
        if len(values) > shape[0]:
            raise InputError(f"{len(values)} rows of {shape[0]}", **where, remedy="give fewer")
        return [
            (index * stride + row, elements)
            for index, inner in enumerate(values)
            for row, elements in self.rows(inner, depth - 1, shape[1:], where)
        ]

    def typed(self, value: Any, kind: str, where: dict[str, Any]) -> tuple[str, Any]:
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

    def number(self, value: Any, where: dict[str, Any]) -> Number:
        """An element: a number, or an expression over parameters."""
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return value
        try:
            return float(str(value))
        except ValueError:
            return constant(str(value), self.isa.parameters, **where)

    def put(self, kind: str, row: bytes, values: list[Number], where: dict[str, Any]) -> bytes:
        """A row with its first elements replaced."""
        try:
            return put(kind, row, values)
        except NoValue as error:
            raise InputError(f"an example has {error}", **where, remedy="give what fits") from None

    def blocks(self, value: Any, tree: YamlMap) -> list[tuple[int, bytes]]:
        """Memory out of YAML: (address, bytes)."""
        if not isinstance(value, YamlMap):
            raise InputError("memory is no mapping", **tree.where("memory"), remedy="write {address: [bytes]}")
        result = []
        for address, content in value.items():
            where = value.where(address)
            kind, values = self.typed(content, "uint8", where)
            numbers = [self.number(number, where) for number in (values if isinstance(values, list) else [values])]
            facts = ELEMENT_TYPES[kind]
            size = -(-len(numbers) // facts.per) * facts.bits if facts.per > 1 else len(numbers) * facts.bits
            start = int(address, 0) if address[:1].isdigit() else constant(address, self.known, **where)
            result.append((start, self.put(kind, bytes(-(-size // 8)), numbers, where)))
        return result
