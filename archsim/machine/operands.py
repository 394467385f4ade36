"""What instructions outside the dispatch loop name: registers of the scoreboard, barriers; and stalls they cause."""

from __future__ import annotations

from archsim.machine.host import pointer_int64
from archsim.machine.jit import njit
from archsim.machine.layout import (
    INFO_BARRIER,
    STALLS,
)


@njit
def stall(ctx, cause, cycles):
    if cycles > 0:
        pointer_int64(ctx[STALLS])[cause] += cycles


@njit
def operand(info, field, index, word):
    """Scoreboard entry of an operand register."""
    return ((word >> (16 + 8 * info[field + 2 * index])) & 255) + info[field + 2 * index + 1]


@njit
def barrier_of(info, word):
    """The barrier that an instruction writes."""
    return (word >> (16 + 8 * (info[INFO_BARRIER] - 1))) & 255
