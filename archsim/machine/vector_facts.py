"""What the time of a vector instruction depends on, found once from its description: the facts of vector_layout."""

from __future__ import annotations

import numpy as np

from archsim.isa.lower import operand_slots
from archsim.isa.spec import Variable
from archsim.isa.vector import VECTOR_FILE, element_bits
from archsim.machine import vector_layout as vec
from archsim.machine.coded import Coded

LATE_KINDS = ("reduce", "float_reduce", "float_reduce_ordered")
"""Results come when the last element has passed."""
_WIDTHS = (16, 32)
"""Two element widths that tell how an operand's elements depend on SEW."""


def describe_vector(coded: Coded, name: str, info: np.ndarray, reads: list[str], writes: list[str]) -> None:
    """Fill in the facts of an instruction of unit vector.

    Args:
        info: its row of facts.
        reads, writes: variables of the register operands, in the order in which INFO lists them.
    """
    instruction = coded.isa.instructions[name]
    kind = kind_of(coded, name)
    info[vec.INFO_KIND] = vec.KIND_ID[kind]
    info[vec.INFO_PIPE] = vec.PIPES.index(vec.PIPE_OF[kind])
    info[vec.INFO_LATE] = int(kind in LATE_KINDS)
    info[vec.INFO_WHOLE] = int(kind == "gather")
    info[vec.INFO_FIELDS] = 1
    facts = instruction.vector
    operation = coded.operation(name)
    scalars = [access for access in operation.writes if access.register_file in ("X", "F")]
    info[vec.INFO_SCALAR] = int(bool(scalars))
    if facts is None:
        return
    slots = operand_slots(instruction).slot
    vectors = {v.name: v for v in instruction.variables if v.register == VECTOR_FILE}
    info[vec.INFO_FILE] = coded.offsets[VECTOR_FILE]
    info[vec.INFO_ACCESS] = vec.ACCESS_ID[facts.access]
    info[vec.INFO_MASK] = slots["vm"] + 1 if "vm" in slots else -int("mask_bit" in operation.calls)
    if operand_slots(instruction).immediate == "vm":
        info[vec.INFO_MASK] = vec.MASK_IMMEDIATE
    for first, operands in ((vec.INFO_READ_SHAPE, reads), (vec.INFO_WRITE_SHAPE, writes)):
        for index, operand in enumerate(operands):
            info[first + index] = _shape(vectors[operand]) if operand in vectors else 0
    widths = [element_bits(variable, 16) for variable in vectors.values()]
    info[vec.INFO_WIDE] = int(any(element_bits(v, 8) == 16 for v in vectors.values()) and 32 in widths)
    info[vec.INFO_FIELDS] = max((variable.fields for variable in vectors.values()), default=1)
    if "xs1" in slots:
        info[vec.INFO_BASE] = slots["xs1"]
    if kind == "slide":
        info[vec.INFO_DISTANCE] = vec.BY_REGISTER if "xs1" in slots else vec.BY_IMMEDIATE
    if facts.access == "indexed":
        info[vec.INFO_INDEX], info[vec.INFO_INDEX_BITS] = slots["vs2"], element_bits(vectors["vs2"], 8)


def kind_of(coded: Coded, name: str) -> str:
    """What an instruction does with elements."""
    instruction = coded.isa.instructions[name]
    if instruction.vector is None:
        return "alu"
    calls = coded.operation(name).calls
    if instruction.vector.kind:
        return instruction.vector.kind
    if {"load", "load_row"} & calls:
        return "load"
    return "store" if {"store", "store_row"} & calls else "alu"


def _shape(variable: Variable) -> int:
    """How many registers an operand's group has, as INFO_READ_SHAPE says it."""
    if variable.group:
        return variable.fields << 16 | vec.COUNT << 8 | int(variable.group)
    narrow, wide = (element_bits(variable, sew) for sew in _WIDTHS)
    if narrow == wide:
        if narrow == 1:
            return variable.fields << 16 | vec.COUNT << 8 | 1
        return variable.fields << 16 | vec.FIXED << 8 | narrow.bit_length() - 1
    return variable.fields << 16 | vec.SCALED << 8 | narrow.bit_length() - _WIDTHS[0].bit_length() + 8
