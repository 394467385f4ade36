"""How large registers are as an operation sees them: through views, in groups, by the types of their elements."""

from __future__ import annotations

from archsim.isa.element_types import ELEMENT_TYPES
from archsim.isa.spec import Instruction, State, Variable


def types_of(state: State) -> tuple[str | None, ...]:
    """Element types that a register file or view may have: one, or those that a CSR selects."""
    return state.types or (state.type,)


def row_bytes(owner: State) -> int:
    """Bytes of the last dimension of a register (of the register, if it has none)."""
    last = owner.shape[-1] if owner.shape else 1
    return last * ELEMENT_TYPES[owner.type].bits // 8


def view_shape(state: State, owner: State) -> tuple[int, ...]:
    """Shape of one register seen through a view: the last dimension scales with the width of the (widest) element."""
    if state is owner or not owner.shape:
        return owner.shape
    counts = [ELEMENT_TYPES[kind].count(row_bytes(owner)) for kind in types_of(state) if kind is not None]
    return (*owner.shape[:-1], min(counts))


def group_size(instruction: Instruction, variable: Variable) -> int:
    """Registers that an operand spans, outside vector instructions (there vtype says it)."""
    return int(variable.group) if variable.group and instruction.vector is None else 1


def operand_shape(state: State, owner: State, instruction: Instruction, variable: Variable) -> tuple[int, ...]:
    """Shape of an operand: that of a register, and of a whole group where registers have one dimension."""
    shape = view_shape(state, owner)
    return (shape[0] * group_size(instruction, variable),) if len(shape) == 1 else shape
