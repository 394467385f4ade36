"""What instructions outside the dispatch loop name: registers of the scoreboard, barriers."""

from __future__ import annotations

from archsim.machine.host import pointer_int64
from archsim.machine.jit import njit
from archsim.machine.layout import (
    ACCOUNT_READERS,
    ACCOUNTS,
    CAUSE,
    INFO_BARRIER,
    INFO_READ0,
    INFO_READS,
    INFO_WRITE0,
    INFO_WRITES,
    READ_DONE,
    READY,
)
from archsim.machine.layout import UNIT_ID as _UNIT_ID
from archsim.machine.layout import UNITS as _UNITS

_LOAD, _MATRIX, _COUNT = _UNIT_ID["load"], _UNIT_ID["matrix"], len(_UNITS)


@njit
def operand(info, field, index, word):
    """Scoreboard entry of an operand register."""
    return ((word >> (16 + 8 * info[field + 2 * index])) & 255) + info[field + 2 * index + 1]


@njit
def barrier_of(info, word):
    """The barrier that an instruction writes."""
    return (word >> (16 + 8 * (info[INFO_BARRIER] - 1))) & 255


@njit
def registers_ready(ctx, info, unit, word, apart, only):
    """When an instruction's registers are free: sources written, targets written and read by those before it.

    An accumulator goes from one instruction of the matrix unit to the next without waiting for the pipeline's end:
    each of its elements comes by again only after a whole pass.

    Args:
        apart: a source to leave out (-1: none), or, with `only`, the one to look at.

    Returns:
        The time, and the unit that writes or still reads the last of them.
    """
    ready, read_done, cause = pointer_int64(ctx[READY]), pointer_int64(ctx[READ_DONE]), pointer_int64(ctx[CAUSE])
    readers = pointer_int64(ctx[ACCOUNTS] + ACCOUNT_READERS * 8)
    time, by = 0, 0
    for index in range(info[INFO_READS]):
        entry = operand(info, INFO_READ0, index, word)
        if (entry == apart) != only:
            continue
        own = unit == _MATRIX and is_target(info, entry, word) and read_done[entry] < 0
        if not own and ready[entry] > time:
            time, by = ready[entry], cause[entry]
    for index in range(0 if only else info[INFO_WRITES]):
        entry = operand(info, INFO_WRITE0, index, word)
        if unit == _MATRIX and read_done[entry] < 0:
            continue
        if ready[entry] > time:
            time, by = ready[entry], cause[entry]
        if abs(read_done[entry]) > time:
            time, by = abs(read_done[entry]), readers[entry]
    # a load that missed is a load
    return time, by if by < _COUNT else _LOAD


@njit
def is_target(info, entry, word):
    found = False
    for index in range(info[INFO_WRITES]):
        found = found or operand(info, INFO_WRITE0, index, word) == entry
    return found
