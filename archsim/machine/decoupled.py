"""Decoupled units in time: queues, order by registers and scratchpad bytes, what each instruction occupies.

A hart hands an instruction to its unit's queue and goes on; the unit executes in order, each instruction when its
registers and scratchpad bytes are ready. All times are cycles, known at issue.
"""

from __future__ import annotations

from archsim.machine.accounts import busy, note_span, wait
from archsim.machine.host import pointer_int64
from archsim.machine.jit import njit
from archsim.machine.layout import (
    ACCESS_BYTES,
    ACCESS_ROWS,
    ACCESS_STRIDE,
    ACCESS_WRITE,
    ACCOUNT_READERS,
    ACCOUNTS,
    BARRIER_DONE,
    CAUSE,
    EVENT_SPAD_READ,
    EVENT_SPAD_WRITE,
    EVENT_TILE_READ,
    EVENT_TILE_WRITE,
    EVENTS,
    FIRST_DECOUPLED,
    HELD,
    INFO_BARRIER,
    INFO_READ0,
    INFO_READS,
    INFO_WRITE0,
    INFO_WRITES,
    KIND_SYSTOLIC_OS,
    MEMORY_FIELDS,
    NOW,
    QUEUE_SLOTS,
    QUEUES,
    READ_DONE,
    READY,
    STALL_QUEUE,
    TRAP,
    U_CONFLICT,
    U_IDLE,
    U_KIND,
    U_LATENCY,
    U_OPERAND,
    U_QUEUE,
    U_SCRATCHPAD,
    U_WIDTH,
    UNIT,
    UNIT_BEGIN,
    UNIT_DONE,
    UNIT_FIELDS,
    UNIT_FREE,
    WORK,
    WORK_ACCESSES,
    WORK_MEMORY,
)
from archsim.machine.layout import UNIT_ID as _UNIT_ID
from archsim.machine.matrix_unit import matrix_interval, multiply_rate
from archsim.machine.operands import barrier_of, operand, registers_ready
from archsim.machine.scratchpad import check_access, earliest, mark, transfer
from archsim.machine.systolic import run_folds

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
        ctx[HELD] = STALL_QUEUE + unit - FIRST_DECOUPLED
    ctx[NOW] = dispatched + 1
    memory = _memory_ready(ctx)
    rate = multiply_rate(ctx) if unit == _MATRIX else 0
    if ctx[TRAP] != 0:
        return
    unit_free = pointer_int64(ctx[UNIT_FREE])
    first, taken = -1, 0
    if rate > 0 and parameters[U_KIND] >= KIND_SYSTOLIC_OS:
        begin, first, taken, end, done = run_folds(ctx, info, word, parameters, rate, dispatched + 1, memory)
    else:
        wait(ctx, unit, U_IDLE, dispatched + 1)
        registers, by = registers_ready(ctx, info, unit, word, -1, False)
        wait(ctx, unit, U_OPERAND + by, registers)
        wait(ctx, unit, U_SCRATCHPAD, memory)
        begin = unit_free[unit]
        end = begin + _interval(ctx, info, word, parameters, unit, rate)
        busy(ctx, unit, end)
        done = end + parameters[U_LATENCY]
    extra = _take_memory(ctx, unit, begin, end - begin)
    if extra > 0:
        end, done = end + extra, done + extra
        wait(ctx, unit, U_CONFLICT, end)
    note_span(ctx, unit, begin, done)
    ctx[UNIT_BEGIN], ctx[UNIT_DONE] = begin, done
    queue[number % QUEUE_SLOTS] = begin
    queue[QUEUE_SLOTS] = number + 1
    _finish(ctx, info, unit, word, first, taken, end, done)


@njit
def _finish(ctx, info, unit, word, first, taken, read, done):
    """Note when registers are written and read, and when scratchpad bytes are.

    READ_DONE is negative while the last to touch a register was the matrix unit itself.

    Args:
        first, taken: a source that is read before the others (-1: none), and until when.
    """
    ready, read_done, cause = pointer_int64(ctx[READY]), pointer_int64(ctx[READ_DONE]), pointer_int64(ctx[CAUSE])
    readers = pointer_int64(ctx[ACCOUNTS] + ACCOUNT_READERS * 8)
    for index in range(info[INFO_READS]):
        entry = operand(info, INFO_READ0, index, word)
        read_done[entry] = max(abs(read_done[entry]), taken if entry == first else read)
        readers[entry] = unit
    for index in range(info[INFO_WRITES]):
        entry = operand(info, INFO_WRITE0, index, word)
        ready[entry] = done
        cause[entry] = unit
        read_done[entry] = -read if unit == _MATRIX else read
        readers[entry] = unit
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
def _take_memory(ctx, unit, begin, interval):
    """Charge the scratchpad for an instruction's accesses; cycles it is held up by other units."""
    work, events = pointer_int64(ctx[WORK]), pointer_int64(ctx[EVENTS])
    extra = 0
    for index in range(work[WORK_ACCESSES]):
        access = pointer_int64(ctx[WORK] + (WORK_MEMORY + index * MEMORY_FIELDS) * 8)
        size = access[ACCESS_ROWS] * access[ACCESS_BYTES]
        if size <= 0:
            continue
        events[EVENT_SPAD_WRITE if access[ACCESS_WRITE] else EVENT_SPAD_READ] += size
        extra = max(extra, transfer(ctx, unit, access, begin, interval))
    return extra


@njit
def _interval(ctx, info, word, parameters, unit, rate):
    """Cycles until the unit can take its next instruction."""
    if unit == _MATRIX:
        return matrix_interval(ctx, info, word, parameters, rate)
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
