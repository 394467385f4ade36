"""What instructions outside the dispatch loop name: registers of the scoreboard, barriers."""

from __future__ import annotations

from archsim.machine.jit import njit
from archsim.machine.layout import (
    INFO_BARRIER,
)


@njit
def operand(info, field, index, word):
    """Scoreboard entry of an operand register."""
    return ((word >> (16 + 8 * info[field + 2 * index])) & 255) + info[field + 2 * index + 1]


@njit
def barrier_of(info, word):
    """The barrier that an instruction writes."""
    return (word >> (16 + 8 * (info[INFO_BARRIER] - 1))) & 255
