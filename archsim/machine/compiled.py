"""Compiled code of an instruction set: dispatch loops per variant, and functions by address, made when needed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from archsim.isa.lower import operand_slots
from archsim.isa.operation_expressions import Access
from archsim.isa.register_shapes import group_size
from archsim.isa.spec import Isa
from archsim.machine import layout as at
from archsim.machine.coded import Coded
from archsim.machine.functions import instruction_source, pattern_source, register_operands, vector_source
from archsim.machine.jit import address_of, load_generated, module_name_of
from archsim.machine.loop import loop_source, scheduler_source
from archsim.machine.variant import Variant
from archsim.machine.vector_facts import describe_vector

BARRIER_FILE = "b"
"""Registers that count transfers outstanding."""
_ILLEGAL = """from archsim.machine.layout import ILLEGAL, TRAP


def operation(ctx, w, imm):
    ctx[TRAP] = ILLEGAL
    return 0
"""


class CodeTables:
    """Addresses of compiled functions and static facts per instruction number, filled for what a program uses.

    Attributes:
        coded: the numbered instruction set.
        functions: int64 [(instructions + 1) * COLUMNS], host addresses by element width (0 while not compiled).
        patterns: int64 [instructions + 1], host addresses.
        info: int64 [instructions + 1, INFO_SIZE].
    """

    def __init__(self, isa: Isa) -> None:
        self.coded = Coded(isa)
        count = self.coded.illegal + 1
        self.names = [*self.coded.inline, *self.coded.others]
        self.functions = np.zeros(count * at.COLUMNS, np.int64)
        self.patterns = np.zeros(count, np.int64)
        self._sources: dict[str, str] = {}
        self.info = np.zeros((count, at.INFO_SIZE), np.int64)
        self._illegal = address_of(load_generated("illegal", _ILLEGAL).operation)
        self._columns(self.coded.illegal)[:] = self._illegal
        self.info[self.coded.illegal, at.INFO_UNIT] = at.UNIT_ID["system"]

    def _columns(self, number: int) -> np.ndarray:
        return self.functions[number * at.COLUMNS : (number + 1) * at.COLUMNS]

    def compile(self, number: int, column: int, *, timed: bool) -> None:
        """Compile an instruction that a program executes for the first time.

        Args:
            number: of the instruction.
            column: element width 8 << column that vtype asks for, or VILL_COLUMN.
            timed: whether what it asks of its unit is wanted, too.
        """
        name = self.names[number]
        if timed:
            self.describe(name)
        vector = self.coded.isa.instructions[name].vector
        columns = self._columns(number)
        if vector is None:
            columns[:] = address_of(load_generated(_word(name), self.source(name)).operation)
        elif not vector.widths:
            columns[:] = address_of(load_generated(_word(name), vector_source(self.coded, name, 8)).operation)
        elif 8 << column in vector.widths:
            source = vector_source(self.coded, name, 8 << column)
            columns[column] = address_of(load_generated(f"{_word(name)}_{8 << column}", source).operation)
        else:
            columns[column] = self._illegal

    def source(self, name: str) -> str:
        """Source of an instruction's function (vector instructions: see vector_source)."""
        if name not in self._sources:
            self._sources[name] = instruction_source(self.coded, name)
        return self._sources[name]

    def module(self, name: str) -> str:
        """Name of the generated module of an instruction's function."""
        return module_name_of(_word(name), self.source(name))

    def describe(self, name: str) -> None:
        """Fill in what timing needs to know of an instruction."""
        number = self.coded.number[name]
        if self.info[number].any():
            return
        instruction = self.coded.isa.instructions[name]
        source = pattern_source(self.coded, name)
        if source is not None:
            # most vector instructions ask for the same: one compiled function serves them all
            common = instruction.vector is not None and not instruction.work
            word = "elements" if common else _word(name)
            self.patterns[number] = address_of(load_generated(f"pattern_{word}", source).pattern)
        info = self.info[number]
        info[at.INFO_UNIT] = at.UNIT_ID[instruction.unit]
        info[at.INFO_HAS_PATTERN] = int(source is not None)
        slots = operand_slots(instruction).slot
        reads, writes = (self._registers(name, accesses) for accesses in register_operands(self.coded, name))
        barriers = [slots[access.variable] for access, _ in writes if access.register_file == BARRIER_FILE]
        info[at.INFO_BARRIER] = barriers[0] + 1 if barriers else 0
        # who waits for a barrier waits for what arrives there, not for a register
        reads, writes = ([one for one in some if one[0].register_file != BARRIER_FILE] for some in (reads, writes))
        info[at.INFO_READS], info[at.INFO_WRITES] = len(reads), len(writes)
        for first, accesses in ((at.INFO_READ0, reads), (at.INFO_WRITE0, writes)):
            for index, (access, offset) in enumerate(accesses):
                info[first + 2 * index] = slots[access.variable]
                info[first + 2 * index + 1] = self.coded.scoreboard[access.register_file] + offset
        info[at.INFO_BUILTIN] = self._builtin(name)
        if instruction.unit == "vector":
            describe_vector(
                self.coded,
                name,
                info,
                [access.variable for access, _ in reads],
                [access.variable for access, _ in writes],
            )
        info[at.INFO_ALWAYS] = int(self.coded.isa.instructions[name].vector is not None)

    def _registers(self, name: str, accesses: list[Access]) -> list[tuple[Access, int]]:
        """Every register of the operands' groups, as (operand, place in its group), as many as timing follows."""
        instruction = self.coded.isa.instructions[name]
        every = [
            (access, offset)
            for access in accesses
            for offset in range(group_size(instruction, instruction.variable(access.variable)))
        ]
        return every[: at.MAXIMUM_OPERANDS]

    def _builtin(self, name: str) -> int:
        instruction = self.coded.isa.instructions[name]
        if instruction.unit == "sync":
            return at.BUILTIN_SYNC if "barrier" in self.coded.operation(name).calls else at.BUILTIN_WAIT
        if instruction.unit == "dma":
            return at.BUILTIN_LOAD if instruction.memory[0]["access"] == "read" else at.BUILTIN_STORE
        return at.BUILTIN_SCALAR if at.UNIT_ID[instruction.unit] < at.FIRST_DECOUPLED else at.BUILTIN_NONE

    def go(self, variant: Variant) -> Callable[[int], tuple[int, int]]:
        """The scheduler over dispatch loops of a variant."""
        if variant.timed:
            # what untimed runs compiled is never asked for again
            for number, columns in enumerate(self.functions.reshape(-1, at.COLUMNS)[: self.coded.illegal]):
                if columns.any():
                    self.describe(self.names[number])
        return _go(loop_source(self.coded, variant), variant)


@cache
def _go(source: str, variant: Variant) -> Callable[[int], tuple[int, int]]:
    loop = load_generated(f"loop_{variant.name}", source)
    return load_generated(f"go_{variant.name}", scheduler_source(loop.__name__, variant.timed)).go


def _word(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name)


_TABLES: dict[str, CodeTables] = {}


def tables_of(isa: Isa) -> CodeTables:
    """The tables of an instruction set, shared by runs of this process that use the very same set."""
    key = repr((isa.name, sorted(isa.parameters.items()), [(i.match, i.operation) for i in isa.instructions.values()]))
    if key not in _TABLES:
        _TABLES[key] = CodeTables(isa)
    return _TABLES[key]
