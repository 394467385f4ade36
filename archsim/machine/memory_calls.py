"""Main memory as harts and units call it: through addresses of functions that are compiled once (memory_gates).

Dispatch loops of every kind and instruction set would otherwise each be compiled with all of it inside.
"""

from __future__ import annotations

import numpy as np

from archsim.machine.host import call_at, pointer_int64
from archsim.machine.jit import njit
from archsim.machine.layout import (
    CHIP,
    CHIP_ADDRESS,
    CHIP_BYTES,
    CHIP_DONE,
    CHIP_FIRST,
    CHIP_LINE,
    CHIP_ROWS,
    CHIP_STEP,
    CHIP_WRITE,
)

ONE, ALL, UNTIL_RELEASED = np.int64(0), np.int64(1), np.int64(2)


@njit
def memory_step(chip, limit):
    """What happens next in memory, if it does so by cycle `limit`."""
    call_at(chip[CHIP_STEP], chip, limit, ONE)


@njit
def advance_until_released(chip, limit):
    """What happens in memory up to cycle `limit`, or until a hart may go on; whether one may."""
    return call_at(chip[CHIP_STEP], chip, limit, UNTIL_RELEASED)


@njit
def line_of_memory(ctx, address, size, time, write):
    """When the data of a line that is asked for at `time` has come back from DRAM; lines written are posted."""
    chip = pointer_int64(ctx[CHIP])
    chip[CHIP_ADDRESS], chip[CHIP_BYTES], chip[CHIP_WRITE] = address, size, write
    return call_at(chip[CHIP_LINE], ctx, time, np.int64(0))


@njit
def rows_through_memory(ctx, access, begin, cycles):
    """Request the rows of a vector access (an address) from DRAM; when the first and the last data are at the unit, or,
    written, have left it."""
    chip = pointer_int64(ctx[CHIP])
    chip[CHIP_ADDRESS] = access
    call_at(chip[CHIP_ROWS], ctx, begin, cycles)
    return chip[CHIP_FIRST], chip[CHIP_DONE]
