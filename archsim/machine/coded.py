"""An instruction set with numbers: which instructions the dispatch loop holds, and checked operations of all."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from archsim.isa.lower import state_layout
from archsim.isa.operation import check_operation
from archsim.isa.operation_expressions import Operation
from archsim.isa.spec import Isa

INLINE_UNITS = ("alu", "mul", "div", "branch", "load", "store")
SCALAR_FILES = ("X", "F")
"""Register files whose registers the dispatch loop's own scoreboard follows."""
INLINE_EXTENSIONS = ("I", "M")
INLINE_FLOATS = frozenset(
    f"{name}{suffix}"
    for suffixes, names in ((("w", "d"), ("fl", "fs")), ((".s", ".d"), ("fadd", "fsub", "fmul", "fmadd")))
    for name in names
    for suffix in suffixes
)
"""The floating-point operations of inner loops. All others stay outside: with every one of F and D in the loop, the
registers that it keeps spill, and integer code runs at two thirds of its speed."""


@dataclass
class Coded:
    """An instruction set with numbers for its instructions and checked operations.

    Attributes:
        isa: the instruction set.
        inline: mnemonics inside the dispatch loop, in the order of their numbers.
        others: all other mnemonics, numbered after them; the last number is the illegal instruction.
        scoreboard: register file -> first entry (X has 33: the last is where writes to x0 go).
        offsets: register file -> byte offset in a hart's state.
        floats: whether there is floating point, so that the host's flags matter.
        alignment: bytes that instructions are aligned to.
    """

    isa: Isa
    inline: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    operations: dict[str, Operation] = field(default_factory=dict)
    scoreboard: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.offsets, _ = state_layout(self.isa.state)
        self.floats = "F" in self.isa.extensions
        self.alignment = 2 if any(i.width == 16 for i in self.isa.instructions.values()) else 4
        for name, instruction in self.isa.instructions.items():
            # what has no meaning of its own is decoded as another one, or as illegal
            if instruction.operation is None:
                continue
            inline = instruction.extension in INLINE_EXTENSIONS and instruction.unit in INLINE_UNITS
            inline |= name in INLINE_FLOATS and instruction.extension in ("F", "D")
            (self.inline if inline else self.others).append(name)
        self.scoreboard["X"] = 0
        position = 33
        for name, state in self.isa.state.items():
            if state.kind == "register_file" and name != "X":
                self.scoreboard[name] = position
                position += state.count
        self.scoreboard_size = position

    def operation(self, name: str) -> Operation:
        """The checked operation of an instruction."""
        if name not in self.operations:
            instruction = self.isa.instructions[name]
            self.operations[name] = check_operation(
                instruction, self.isa.state_of(instruction), self.isa.parameters_of(instruction)
            )
        return self.operations[name]

    @cached_property
    def number(self) -> dict[str, int]:
        return {name: index for index, name in enumerate([*self.inline, *self.others])}

    @property
    def illegal(self) -> int:
        return len(self.inline) + len(self.others)

    def state_bytes(self) -> int:
        return state_layout(self.isa.state)[1]


def vocabulary() -> str:
    """Import lines for every public name that lowered text may use."""
    from archsim.machine import arithmetic, csr, elements, estimates, fixedpoint, host, hostfloat, softfloat, vector

    tables = ", ".join(sorted(name for name, value in vars(elements).items() if isinstance(value, np.ndarray)))
    lines = ["import numpy as np", f"from archsim.machine.elements import {tables}"]
    for module in (arithmetic, csr, elements, estimates, fixedpoint, host, hostfloat, softfloat, vector):
        own = sorted(
            name for name, value in vars(module).items() if callable(value) and name.islower() and name[0] != "_"
        )
        lines.append(f"from {module.__name__} import ({', '.join(own)})")
    return "\n".join(lines) + "\n"
