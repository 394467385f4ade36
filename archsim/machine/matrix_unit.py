"""The matrix unit in time: rates by number formats, and multiplies on units that hold no operand."""

from __future__ import annotations

import numpy as np

from archsim.machine.host import pointer_int64
from archsim.machine.jit import njit
from archsim.machine.layout import (
    A_COUNTED,
    A_RATES,
    A_STATIONARY,
    ARRAY,
    EVENT_MACS,
    EVENT_SCALES,
    EVENT_TILE_READ,
    EVENTS,
    INFO_WRITE0,
    INFO_WRITES,
    KIND_OUTER_PRODUCT,
    KIND_SYSTOLIC_OS,
    NO_FORMAT,
    RATE_SCALE,
    TRAP,
    U_COLUMNS,
    U_DEPTH,
    U_KIND,
    U_ROWS,
    WORK,
    WORK_ACTIVATIONS,
    WORK_COLUMNS,
    WORK_DEPTH,
    WORK_FORMAT,
    WORK_MACS,
    WORK_ROWS,
    WORK_SCALES,
)
from archsim.machine.layout import FORMAT_BITS as _FORMAT_BITS
from archsim.machine.operands import operand

_TENTHS_OF_BITS = np.array([round(10 * bits) for bits in _FORMAT_BITS.values()], np.int64)
_FORMATS = len(_FORMAT_BITS)


@njit
def multiply_rate(ctx):
    """Rate of a multiply by its formats, times RATE_SCALE; counts its events. 0: it multiplies nothing, or traps."""
    work, events, array = pointer_int64(ctx[WORK]), pointer_int64(ctx[EVENTS]), pointer_int64(ctx[ARRAY])
    if work[WORK_MACS] <= 0:
        return 0
    weights = work[WORK_FORMAT]
    activations = work[WORK_ACTIVATIONS] if work[WORK_ACTIVATIONS] != 0 else weights
    pair = weights * _FORMATS + activations
    rate = array[A_RATES + pair]
    if rate <= 0:
        ctx[TRAP] = NO_FORMAT
        return 0
    elements = work[WORK_ROWS] * work[WORK_DEPTH], work[WORK_COLUMNS] * work[WORK_DEPTH]
    bits = elements[0] * _TENTHS_OF_BITS[activations] + elements[1] * _TENTHS_OF_BITS[weights]
    events[EVENT_MACS + array[A_COUNTED + pair]] += work[WORK_MACS]
    events[EVENT_SCALES] += work[WORK_SCALES]
    events[EVENT_TILE_READ] += (bits + 79) // 80
    return rate


@njit
def matrix_interval(ctx, info, word, parameters, rate):
    """Cycles of a multiply on a unit without folds, or of clearing a register.

    Per cycle a dot-product unit takes one activation row against `columns` weight rows, `depth` deep; an outer-product
    unit takes `rows` activation rows against `columns` weight rows, `depth` deep, into as many accumulators.
    """
    if rate == 0:
        array = pointer_int64(ctx[ARRAY])
        if parameters[U_KIND] == KIND_SYSTOLIC_OS:
            for index in range(info[INFO_WRITES]):
                if operand(info, INFO_WRITE0, index, word) == array[A_STATIONARY]:
                    array[A_STATIONARY] = -1
        return 1
    work = pointer_int64(ctx[WORK])
    rows, columns, depth = work[WORK_ROWS], work[WORK_COLUMNS], work[WORK_DEPTH]
    passes = (columns + parameters[U_COLUMNS] - 1) // parameters[U_COLUMNS]
    passes *= (depth + parameters[U_DEPTH] - 1) // parameters[U_DEPTH]
    if parameters[U_KIND] == KIND_OUTER_PRODUCT:
        rows = (rows + parameters[U_ROWS] - 1) // parameters[U_ROWS]
    return max(1, (rows * passes * RATE_SCALE + rate - 1) // rate)
