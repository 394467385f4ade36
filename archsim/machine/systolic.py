"""Systolic arrays in time: folds, which begin when the operand that the array holds changes.

An output-stationary array (systolic_os) holds an accumulator, a weight-stationary one (systolic_ws) a weight tile, an
input-stationary one (systolic_is) an activation tile; the other operands stream through, one row or column per cycle.
Multiplies with the same held operand stream on without a gap. An array of R x C takes, from the first number in to the
last result out of a fold,

    systolic_os   K + (R - 1) + (C - 1)        the depth streams
    systolic_ws   R + M + (R - 1) + (C - 1)    weights are shifted in by rows, activation rows stream
    systolic_is   R + N + (R - 1) + (C - 1)    activations are shifted in by rows, weight rows stream

and the pipeline's latency. `folds: serial`: a fold streams when the one before has drained, and is charged the whole
array whatever of it is in use, as SCALE-Sim does. `folds: overlapped`: it streams behind the stream before it, and
shifts in only rows in use. Double-buffered, the next operand is shifted in while the one before is still used.
"""

from __future__ import annotations

from archsim.machine.accounts import busy, wait
from archsim.machine.host import pointer_int64
from archsim.machine.jit import njit
from archsim.machine.layout import (
    A_DRAINED,
    A_STATIONARY,
    A_SWAPPED,
    A_VERSION,
    ARRAY,
    INFO_READ0,
    INFO_READS,
    INFO_WRITE0,
    KIND_SYSTOLIC_IS,
    KIND_SYSTOLIC_OS,
    KIND_SYSTOLIC_WS,
    RATE_SCALE,
    READ_DONE,
    READY,
    U_COLUMNS,
    U_DOUBLE_BUFFERED,
    U_FOLD,
    U_IDLE,
    U_KIND,
    U_LATENCY,
    U_OPERAND,
    U_ROWS,
    U_SCRATCHPAD,
    U_SERIAL,
    UNIT_FREE,
    WORK,
    WORK_COLUMNS,
    WORK_DEPTH,
    WORK_ROWS,
    WORK_WEIGHTS,
)
from archsim.machine.layout import UNIT_ID as _UNIT_ID
from archsim.machine.operands import operand, registers_ready

_MATRIX = _UNIT_ID["matrix"]


@njit
def held_register(info, word, weights, kind):
    """Scoreboard entry of the register that an array holds in a multiply; -1 if it names none."""
    if kind == KIND_SYSTOLIC_WS:
        return weights
    target = operand(info, INFO_WRITE0, 0, word)
    if kind == KIND_SYSTOLIC_OS:
        return target
    for index in range(info[INFO_READS]):
        entry = operand(info, INFO_READ0, index, word)
        if entry != weights and entry != target:
            return entry
    return weights


@njit
def fold_shape(ctx, parameters, rate):
    """A multiply on the array: folds that it takes, cycles to shift each one's operand in, cycles of its stream.

    Of a tile larger than the array all folds are taken as long as the first.
    """
    work = pointer_int64(ctx[WORK])
    rows, columns, depth = work[WORK_ROWS], work[WORK_COLUMNS], work[WORK_DEPTH]
    kind, height, width = parameters[U_KIND], parameters[U_ROWS], parameters[U_COLUMNS]
    if kind == KIND_SYSTOLIC_OS:
        down, across, stream = rows, columns, depth
    elif kind == KIND_SYSTOLIC_IS:
        down, across, stream = depth, rows, columns
    else:
        down, across, stream = depth, columns, rows
    folds = ((down + height - 1) // height) * ((across + width - 1) // width)
    load = height if parameters[U_SERIAL] else min(down, height)
    if kind == KIND_SYSTOLIC_OS:
        load = 0
    return folds, load, max(1, (stream * RATE_SCALE + rate - 1) // rate)


@njit
def run_folds(ctx, info, word, parameters, rate, issued, memory):
    """Time a multiply that reaches the unit at `issued` and whose scratchpad bytes are ready at `memory`.

    Returns:
        When it begins; the register whose contents go into the array first (-1: none) and when they are in it; when the
        last number has gone in; when the last result is out.
    """
    array, ready = pointer_int64(ctx[ARRAY]), pointer_int64(ctx[READY])
    free = pointer_int64(ctx[UNIT_FREE])
    kind, serial, latency = parameters[U_KIND], parameters[U_SERIAL], parameters[U_LATENCY]
    folds, load, stream = fold_shape(ctx, parameters, rate)
    drain = parameters[U_ROWS] + parameters[U_COLUMNS] - 2 + latency
    register = held_register(info, word, pointer_int64(ctx[WORK])[WORK_WEIGHTS], kind)
    fresh = folds > 1 or register < 0 or array[A_STATIONARY] != register
    if kind == KIND_SYSTOLIC_OS:
        # what another unit wrote or read has left the array
        fresh = fresh or pointer_int64(ctx[READ_DONE])[register] >= 0
        loaded_register = -1
    else:
        loaded_register = register
        version = ready[register] if register >= 0 else 0
        fresh = fresh or array[A_VERSION] != version
        array[A_VERSION] = version
    array[A_STATIONARY] = register
    gap = drain if serial else 0
    if fresh and serial:
        wait(ctx, _MATRIX, U_FOLD, array[A_DRAINED])
    wait(ctx, _MATRIX, U_IDLE, issued)
    begin = free[_MATRIX]
    loaded = 0
    if fresh and load > 0:
        time, by = registers_ready(ctx, info, _MATRIX, word, loaded_register, True)
        wait(ctx, _MATRIX, U_OPERAND + by, time)
        begin = free[_MATRIX]
        if parameters[U_DOUBLE_BUFFERED]:
            # into the registers behind those in use, as soon as these were taken into use
            begin = max(max(issued, time), array[A_SWAPPED])
        loaded = begin + load
        busy(ctx, _MATRIX, loaded)
    time, by = registers_ready(ctx, info, _MATRIX, word, loaded_register, False)
    wait(ctx, _MATRIX, U_OPERAND + by, time)
    wait(ctx, _MATRIX, U_SCRATCHPAD, memory)
    start = free[_MATRIX]
    if loaded == 0:
        begin = start
    busy(ctx, _MATRIX, start + stream)
    if folds > 1:
        exposed = max(0, load - stream - gap) if parameters[U_DOUBLE_BUFFERED] else load
        more = folds - 1
        wait(ctx, _MATRIX, U_FOLD, free[_MATRIX] + more * gap)
        busy(ctx, _MATRIX, free[_MATRIX] + more * (stream + exposed))
        start += more * (gap + stream + exposed)
        loaded = start
    end = free[_MATRIX]
    if fresh:
        array[A_SWAPPED] = start
    array[A_DRAINED] = end + drain
    return begin, loaded_register, loaded, end, end + drain
