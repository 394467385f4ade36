"""The matrix unit in time: how long a multiply takes on each kind of array."""

from __future__ import annotations

import numpy as np

from archsim.machine.host import pointer_int64
from archsim.machine.jit import njit
from archsim.machine.layout import (
    EVENT_MACS,
    EVENT_SCALES,
    EVENT_TILE_READ,
    EVENTS,
    KIND_SYSTOLIC_WS,
    LAST_WEIGHTS,
    LAST_WEIGHTS_READY,
    NO_FORMAT,
    RATE_SCALE,
    READY,
    TRAP,
    U_COLUMNS,
    U_DEPTH,
    U_DOUBLE_BUFFERED,
    U_KIND,
    U_LATENCY,
    U_RATES,
    U_ROWS,
    WORK,
    WORK_ACTIVATIONS,
    WORK_COLUMNS,
    WORK_DEPTH,
    WORK_FORMAT,
    WORK_MACS,
    WORK_ROWS,
    WORK_SCALES,
    WORK_WEIGHTS,
)
from archsim.machine.layout import FORMAT_BITS as _FORMAT_BITS

_TENTHS_OF_BITS = np.array([round(10 * bits) for bits in _FORMAT_BITS.values()], np.int64)


@njit
def matrix_interval(ctx, parameters):
    """Cycles of a multiply: see Design (matrix kinds).

    A dot-product unit takes one activation row against `columns` weight rows, `depth` deep, per cycle. A
    weight-stationary array shifts new weights in, one of `rows` rows per cycle, behind the multiply before when
    double-buffered; activation rows then stream through at one per cycle.
    """
    work, events = pointer_int64(ctx[WORK]), pointer_int64(ctx[EVENTS])
    if work[WORK_MACS] <= 0:
        return 1
    number_format = work[WORK_FORMAT]
    activations = work[WORK_ACTIVATIONS] if work[WORK_ACTIVATIONS] != 0 else number_format
    rate = parameters[U_RATES + number_format]
    other = parameters[U_RATES + activations]
    if rate <= 0 or other <= 0:
        ctx[TRAP] = NO_FORMAT
        return 1
    elements = work[WORK_ROWS] * work[WORK_DEPTH], work[WORK_COLUMNS] * work[WORK_DEPTH]
    bits = elements[0] * _TENTHS_OF_BITS[activations] + elements[1] * _TENTHS_OF_BITS[number_format]
    if _TENTHS_OF_BITS[activations] > _TENTHS_OF_BITS[number_format] and other < rate:
        # the wider format's multipliers do it
        number_format, rate = activations, other
    events[EVENT_MACS + number_format] += work[WORK_MACS]
    events[EVENT_SCALES] += work[WORK_SCALES]
    events[EVENT_TILE_READ] += (bits + 79) // 80
    rows, columns, depth = work[WORK_ROWS], work[WORK_COLUMNS], work[WORK_DEPTH]
    passes = (columns + parameters[U_COLUMNS] - 1) // parameters[U_COLUMNS]
    if parameters[U_KIND] == KIND_SYSTOLIC_WS:
        passes *= (depth + parameters[U_ROWS] - 1) // parameters[U_ROWS]
        weights = work[WORK_WEIGHTS]
        version = pointer_int64(ctx[READY])[weights]
        load = min(depth, parameters[U_ROWS])
        if ctx[LAST_WEIGHTS] == weights and ctx[LAST_WEIGHTS_READY] == version and passes == 1:
            load = 0
        ctx[LAST_WEIGHTS] = weights
        ctx[LAST_WEIGHTS_READY] = version
        stream = max(1, (rows * RATE_SCALE + rate - 1) // rate)
        return passes * (max(stream, load) if parameters[U_DOUBLE_BUFFERED] else stream + load)
    passes *= (depth + parameters[U_DEPTH] - 1) // parameters[U_DEPTH]
    return max(1, (rows * passes * RATE_SCALE + rate - 1) // rate)


@njit
def matrix_latency(ctx, parameters):
    """Cycles from the last input of a multiply to its last result: through the array, and the pipeline."""
    if parameters[U_KIND] == KIND_SYSTOLIC_WS and pointer_int64(ctx[WORK])[WORK_MACS] > 0:
        return parameters[U_ROWS] + parameters[U_COLUMNS] - 2 + parameters[U_LATENCY]
    return parameters[U_LATENCY]
