"""Decoupled units in time: queues, order by registers and scratchpad bytes, what each instruction occupies.

A hart hands an instruction to its unit's queue and goes on; the unit executes in order, each instruction when its
registers and scratchpad bytes are ready. All times are cycles, known at issue.
"""

from __future__ import annotations

from archsim.machine.host import pointer_int64
from archsim.machine.jit import njit
from archsim.machine.layout import (
    ACCESS_BYTES,
    ACCESS_ROWS,
    ACCESS_STRIDE,
    ACCESS_WRITE,
    BARRIER_DONE,
    EVENT_SPAD_READ,
    EVENT_SPAD_WRITE,
    EVENT_TILE_READ,
    EVENT_TILE_WRITE,
    EVENTS,
    FIRST_DECOUPLED,
    INFO_BARRIER,
    INFO_READ0,
    INFO_READS,
    INFO_WRITE0,
    INFO_WRITES,
    MEMORY_FIELDS,
    NOW,
    QUEUE_SLOTS,
    QUEUES,
    READ_DONE,
    READY,
    STALL_QUEUE,
    TRAP,
    U_LATENCY,
    U_QUEUE,
    U_WIDTH,
    UNIT,
    UNIT_BUSY,
    UNIT_FIELDS,
    UNIT_FREE,
    WORK,
    WORK_ACCESSES,
    WORK_MEMORY,
)
from archsim.machine.layout import UNIT_ID as _UNIT_ID
from archsim.machine.matrix_unit import matrix_interval, matrix_latency
from archsim.machine.operands import barrier_of, operand, stall
from archsim.machine.scratchpad import check_access, earliest, mark, transfer

_MATRIX = _UNIT_ID["matrix"]


@njit
def dispatch(ctx, info, unit, word, start):
    """Hand an instruction to a unit's queue and time it there."""
    parameters = pointer_int64(ctx[UNIT] + (unit - FIRST_DECOUPLED) * UNIT_FIELDS * 8)
    queue = pointer_int64(ctx[QUEUES] + (unit - FIRST_DECOUPLED) * (QUEUE_SLOTS + 1) * 8)
    number = queue[QUEUE_SLOTS]
    depth = parameters[U_QUEUE]
    dispatched = start
    if number >= depth:
        dispatched = max(start, queue[(number - depth) % QUEUE_SLOTS])
        stall(ctx, STALL_QUEUE + unit - FIRST_DECOUPLED, dispatched - start)
    ctx[NOW] = dispatched + 1
    unit_free = pointer_int64(ctx[UNIT_FREE])
    begin = max(dispatched + 1, unit_free[unit])
    begin = max(begin, _registers_ready(ctx, info, unit, word))
    begin = max(begin, _memory_ready(ctx))
    if ctx[TRAP] != 0:
        return
    interval = _interval(ctx, parameters, unit)
    if ctx[TRAP] != 0:
        return
    interval += _take_memory(ctx, begin, interval)
    done = begin + interval + _latency(ctx, parameters, unit)
    unit_free[unit] = begin + interval
    pointer_int64(ctx[UNIT_BUSY])[unit] += interval
    queue[number % QUEUE_SLOTS] = begin
    queue[QUEUE_SLOTS] = number + 1
    _finish(ctx, info, unit, word, begin + interval, done)


@njit
def _registers_ready(ctx, info, unit, word):
    """When an instruction's registers are free: sources written, targets written and read by those before it.

    An accumulator goes from one instruction of the matrix unit to the next without waiting for the pipeline's end:
    each of its elements comes by again only after a whole pass.
    """
    ready, read_done = pointer_int64(ctx[READY]), pointer_int64(ctx[READ_DONE])
    time = 0
    for index in range(info[INFO_READS]):
        entry = operand(info, INFO_READ0, index, word)
        own = unit == _MATRIX and _is_target(info, entry, word) and read_done[entry] < 0
        if not own:
            time = max(time, ready[entry])
    for index in range(info[INFO_WRITES]):
        entry = operand(info, INFO_WRITE0, index, word)
        if unit == _MATRIX and read_done[entry] < 0:
            continue
        time = max(time, max(ready[entry], abs(read_done[entry])))
    return time


@njit
def _is_target(info, entry, word):
    found = False
    for index in range(info[INFO_WRITES]):
        found = found or operand(info, INFO_WRITE0, index, word) == entry
    return found


@njit
def _finish(ctx, info, unit, word, read, done):
    """Note when registers are written and read, and when scratchpad bytes are.

    READ_DONE is negative while the last to touch a register was the matrix unit itself.
    """
    ready, read_done = pointer_int64(ctx[READY]), pointer_int64(ctx[READ_DONE])
    for index in range(info[INFO_READS]):
        entry = operand(info, INFO_READ0, index, word)
        read_done[entry] = max(abs(read_done[entry]), read)
    for index in range(info[INFO_WRITES]):
        entry = operand(info, INFO_WRITE0, index, word)
        ready[entry] = done
        read_done[entry] = -read if unit == _MATRIX else read
    if info[INFO_BARRIER]:
        ends = pointer_int64(ctx[BARRIER_DONE])
        ends[barrier_of(info, word)] = max(ends[barrier_of(info, word)], done)
    work = pointer_int64(ctx[WORK])
    for index in range(work[WORK_ACCESSES]):
        access = pointer_int64(ctx[WORK] + (WORK_MEMORY + index * MEMORY_FIELDS) * 8)
        mark(ctx, access, access[ACCESS_WRITE], done if access[ACCESS_WRITE] else read)


@njit
def _memory_ready(ctx):
    work = pointer_int64(ctx[WORK])
    time = 0
    for index in range(work[WORK_ACCESSES]):
        access = pointer_int64(ctx[WORK] + (WORK_MEMORY + index * MEMORY_FIELDS) * 8)
        check_access(ctx, access)
        if ctx[TRAP] != 0:
            return 0
        time = max(time, earliest(ctx, access, access[ACCESS_WRITE]))
    return time


@njit
def _take_memory(ctx, begin, interval):
    """Charge the scratchpad for an instruction's accesses; cycles it is held up by other units."""
    work, events = pointer_int64(ctx[WORK]), pointer_int64(ctx[EVENTS])
    extra = 0
    for index in range(work[WORK_ACCESSES]):
        access = pointer_int64(ctx[WORK] + (WORK_MEMORY + index * MEMORY_FIELDS) * 8)
        size = access[ACCESS_ROWS] * access[ACCESS_BYTES]
        if size <= 0:
            continue
        events[EVENT_SPAD_WRITE if access[ACCESS_WRITE] else EVENT_SPAD_READ] += size
        extra = max(extra, transfer(ctx, access, begin, interval))
    return extra


@njit
def _interval(ctx, parameters, unit):
    """Cycles until the unit can take its next instruction."""
    if unit == _MATRIX:
        return matrix_interval(ctx, parameters)
    return _tile_interval(ctx, parameters)


@njit
def _tile_interval(ctx, parameters):
    """Cycles in which a tile's rows pass, each as so many words of the unit."""
    work, events = pointer_int64(ctx[WORK]), pointer_int64(ctx[EVENTS])
    cycles = 0
    for index in range(work[WORK_ACCESSES]):
        access = pointer_int64(ctx[WORK] + (WORK_MEMORY + index * MEMORY_FIELDS) * 8)
        rows, size = access[ACCESS_ROWS], access[ACCESS_BYTES]
        events[EVENT_TILE_READ if access[ACCESS_WRITE] else EVENT_TILE_WRITE] += rows * size
        if access[ACCESS_STRIDE] == size:
            size, rows = rows * size, 1
        cycles += rows * ((size + parameters[U_WIDTH] - 1) // parameters[U_WIDTH])
    return max(1, cycles)


@njit
def _latency(ctx, parameters, unit):
    """Cycles from the last input to the last result."""
    if unit == _MATRIX:
        return matrix_latency(ctx, parameters)
    return parameters[U_LATENCY]
