"""Instructions outside the dispatch loop in time: decoupled units, DMA, barriers.

A hart hands an instruction to its unit's queue and goes on; the unit executes in order, each instruction when its
registers and scratchpad bytes are ready. All times are cycles, known at issue.
"""

from __future__ import annotations

import numpy as np

from archsim.machine.dma import enqueue, slot_free_at
from archsim.machine.host import call_at, pointer_int64
from archsim.machine.jit import njit
from archsim.machine.layout import (
    ACCESS_ADDRESS,
    ACCESS_BYTES,
    ACCESS_DRAM,
    ACCESS_INDEX,
    ACCESS_ROWS,
    ACCESS_STRIDE,
    ACCESS_WRITE,
    BARRIER_COUNT,
    BARRIER_DONE,
    BLOCKED,
    BLOCKED_ON,
    BUILTIN_LOAD,
    BUILTIN_SCALAR,
    BUILTIN_STORE,
    BUILTIN_SYNC,
    BUILTIN_WAIT,
    COLUMN,
    COLUMNS,
    EVENT_MACS,
    EVENT_SCALES,
    EVENT_SPAD_READ,
    EVENT_SPAD_WRITE,
    EVENT_TILE_READ,
    EVENT_TILE_WRITE,
    EVENT_VECTOR,
    EVENTS,
    FIRST_DECOUPLED,
    FUNCTIONS,
    INFINITY,
    INFO,
    INFO_ALWAYS,
    INFO_BARRIER,
    INFO_BUILTIN,
    INFO_HAS_PATTERN,
    INFO_READ0,
    INFO_READS,
    INFO_SIZE,
    INFO_UNIT,
    INFO_WRITE0,
    INFO_WRITES,
    KIND_SYSTOLIC_WS,
    LAST_WEIGHTS,
    LAST_WEIGHTS_READY,
    MEMORY_FIELDS,
    NO_FORMAT,
    NOW,
    PATTERNS,
    QUEUE_SLOTS,
    QUEUES,
    RATE_SCALE,
    READ_DONE,
    READY,
    RUNNING,
    STALL_DMA_WAIT,
    STALL_QUEUE,
    STALL_SYNC,
    STALLS,
    SYNC_WAITING,
    TRAP,
    TRAPPED,
    U_COLUMNS,
    U_DEPTH,
    U_DOUBLE_BUFFERED,
    U_KIND,
    U_LATENCY,
    U_QUEUE,
    U_RATES,
    U_ROWS,
    U_WIDTH,
    UNIT,
    UNIT_BUSY,
    UNIT_FIELDS,
    UNIT_FREE,
    VALUES,
    WORK,
    WORK_ACCESSES,
    WORK_ACTIVATIONS,
    WORK_BITS,
    WORK_CLASS,
    WORK_COLUMNS,
    WORK_DEPTH,
    WORK_ELEMENTS,
    WORK_FORMAT,
    WORK_LATENCY,
    WORK_MACS,
    WORK_MEMORY,
    WORK_ROWS,
    WORK_SCALES,
    WORK_WEIGHTS,
)
from archsim.machine.layout import FORMAT_BITS as _FORMAT_BITS
from archsim.machine.layout import UNIT_ID as _UNIT_ID
from archsim.machine.scratchpad import check_access, check_gather, earliest, find_space, mark, transfer

_TENTHS_OF_BITS = np.array([round(10 * bits) for bits in _FORMAT_BITS.values()], np.int64)
_TILE, _MATRIX, _VECTOR, _DMA = (_UNIT_ID[name] for name in ("tile_lsu", "matrix", "vector", "dma"))


@njit
def issue(ctx, op, word, immediate, start):
    """Execute and time one instruction that the hart issues at `start`; sets NOW to its next issue slot.

    Returns:
        RUNNING, TRAPPED (see TRAP), or BLOCKED: nothing happened, ask again when time has moved on.
    """
    info = pointer_int64(ctx[INFO] + op * INFO_SIZE * 8)
    builtin, unit = info[INFO_BUILTIN], info[INFO_UNIT]
    ctx[NOW] = start + 1
    if info[INFO_HAS_PATTERN]:
        call_at(pointer_int64(ctx[PATTERNS])[op], ctx, word, immediate)
    if builtin == BUILTIN_WAIT:
        return _wait(ctx, info, word, start)
    if builtin == BUILTIN_SYNC:
        return _sync(ctx, start)
    if builtin in (BUILTIN_LOAD, BUILTIN_STORE):
        return _dma(ctx, op, info, word, immediate, start, builtin == BUILTIN_STORE)
    # vector registers are held at every fidelity: they are small, and scalars come out of them
    if ctx[VALUES] or unit < FIRST_DECOUPLED or info[INFO_ALWAYS]:
        ctx[NOW] = start
        call_at(_function(ctx, op), ctx, word, immediate)
        ctx[NOW] = start + 1
    if unit >= FIRST_DECOUPLED and ctx[TRAP] == 0:
        _decoupled(ctx, info, unit, word, start)
    elif builtin == BUILTIN_SCALAR:
        _scalar(ctx, info, word, start)
    return RUNNING if ctx[TRAP] == 0 else TRAPPED


@njit
def _function(ctx, op):
    return pointer_int64(ctx[FUNCTIONS])[op * COLUMNS + ctx[COLUMN]]


@njit
def _stall(ctx, cause, cycles):
    if cycles > 0:
        pointer_int64(ctx[STALLS])[cause] += cycles


@njit
def _operand(info, field, index, word):
    """Scoreboard entry of an operand register."""
    return ((word >> (16 + 8 * info[field + 2 * index])) & 255) + info[field + 2 * index + 1]


@njit
def _scalar(ctx, info, word, start):
    """A custom instruction in the hart's own pipeline that works on declared registers."""
    ready, work = pointer_int64(ctx[READY]), pointer_int64(ctx[WORK])
    described = info[INFO_HAS_PATTERN]
    time = start
    for index in range(info[INFO_READS]):
        time = max(time, ready[_operand(info, INFO_READ0, index, word)])
    _stall(ctx, info[INFO_UNIT], time - start)
    latency = max(1, work[WORK_LATENCY]) if described else 1
    for index in range(info[INFO_WRITES]):
        ready[_operand(info, INFO_WRITE0, index, word)] = time + latency
    ctx[NOW] = time + 1
    if described:
        pointer_int64(ctx[EVENTS])[EVENT_MACS + work[WORK_FORMAT]] += work[WORK_MACS]


@njit
def _wait(ctx, info, word, start):
    """Stall until a barrier's transfers have ended."""
    barrier = _barrier(info, word)
    if pointer_int64(ctx[BARRIER_COUNT])[barrier] > 0:
        ctx[BLOCKED_ON] = 1
        return BLOCKED
    time = max(start, pointer_int64(ctx[BARRIER_DONE])[barrier])
    _stall(ctx, STALL_DMA_WAIT, time - start)
    ctx[NOW] = time + 1
    return RUNNING


@njit
def _barrier(info, word):
    """The barrier that an instruction writes."""
    return (word >> (16 + 8 * (info[INFO_BARRIER] - 1))) & 255


@njit
def _sync(ctx, start):
    """Arrive at the chip-wide barrier, or leave it when the scheduler has set the time (SYNC_WAITING = -time)."""
    if ctx[SYNC_WAITING] < 0:
        time = max(start, -ctx[SYNC_WAITING])
        ctx[SYNC_WAITING] = 0
        _stall(ctx, STALL_SYNC, time - start)
        ctx[NOW] = time + 1
        return RUNNING
    ctx[SYNC_WAITING] = 1
    return BLOCKED


@njit
def _dma(ctx, op, info, word, immediate, start, write):
    """Queue a transfer; its values move now, its bursts in time order."""
    free = slot_free_at(ctx)
    if free >= INFINITY:
        ctx[BLOCKED_ON] = 2
        return BLOCKED
    work = pointer_int64(ctx[WORK])
    dram = pointer_int64(ctx[WORK] + WORK_MEMORY * 8)
    spad = pointer_int64(ctx[WORK] + (WORK_MEMORY + MEMORY_FIELDS) * 8)
    check_access(ctx, dram)
    check_access(ctx, spad)
    check_gather(ctx, dram)
    if ctx[TRAP] != 0 or work[WORK_ACCESSES] != 2 or dram[ACCESS_DRAM] == 0:
        return TRAPPED
    time = max(start, free)
    _stall(ctx, STALL_QUEUE + _DMA - FIRST_DECOUPLED, time - start)
    ctx[NOW] = time + 1
    rows, size = dram[ACCESS_ROWS], dram[ACCESS_BYTES]
    if rows <= 0 or size <= 0:
        return RUNNING
    ready = earliest(ctx, spad, not write)
    if ctx[TRAP] != 0:
        return TRAPPED
    if ctx[VALUES]:
        call_at(_function(ctx, op), ctx, word, immediate)
        if ctx[TRAP] != 0:
            return TRAPPED
    mark(ctx, spad, not write, INFINITY)
    barrier = _barrier(info, word)
    pointer_int64(ctx[BARRIER_COUNT])[barrier] += 1
    strides = dram[ACCESS_STRIDE], spad[ACCESS_STRIDE]
    if strides[0] == size and strides[1] == size and dram[ACCESS_INDEX] == 0:
        # adjoining rows are one long row
        size, rows = rows * size, 1
    enqueue(
        ctx, write, dram[ACCESS_ADDRESS], spad[ACCESS_ADDRESS], rows, size, strides[0], strides[1], barrier,
        max(time, ready), dram[ACCESS_INDEX],
    )  # fmt: skip
    return RUNNING


@njit
def _decoupled(ctx, info, unit, word, start):
    """Hand an instruction to a unit's queue and time it there."""
    parameters = pointer_int64(ctx[UNIT] + (unit - FIRST_DECOUPLED) * UNIT_FIELDS * 8)
    queue = pointer_int64(ctx[QUEUES] + (unit - FIRST_DECOUPLED) * (QUEUE_SLOTS + 1) * 8)
    number = queue[QUEUE_SLOTS]
    depth = parameters[U_QUEUE]
    dispatched = start
    if number >= depth:
        dispatched = max(start, queue[(number - depth) % QUEUE_SLOTS])
        _stall(ctx, STALL_QUEUE + unit - FIRST_DECOUPLED, dispatched - start)
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
        entry = _operand(info, INFO_READ0, index, word)
        own = unit == _MATRIX and _is_target(info, entry, word) and read_done[entry] < 0
        if not own:
            time = max(time, ready[entry])
    for index in range(info[INFO_WRITES]):
        entry = _operand(info, INFO_WRITE0, index, word)
        if unit == _MATRIX and read_done[entry] < 0:
            continue
        time = max(time, max(ready[entry], abs(read_done[entry])))
    return time


@njit
def _is_target(info, entry, word):
    found = False
    for index in range(info[INFO_WRITES]):
        found = found or _operand(info, INFO_WRITE0, index, word) == entry
    return found


@njit
def _finish(ctx, info, unit, word, read, done):
    """Note when registers are written and read, and when scratchpad bytes are.

    READ_DONE is negative while the last to touch a register was the matrix unit itself.
    """
    ready, read_done = pointer_int64(ctx[READY]), pointer_int64(ctx[READ_DONE])
    for index in range(info[INFO_READS]):
        entry = _operand(info, INFO_READ0, index, word)
        read_done[entry] = max(abs(read_done[entry]), read)
    for index in range(info[INFO_WRITES]):
        entry = _operand(info, INFO_WRITE0, index, word)
        ready[entry] = done
        read_done[entry] = -read if unit == _MATRIX else read
    if info[INFO_BARRIER]:
        ends = pointer_int64(ctx[BARRIER_DONE])
        ends[_barrier(info, word)] = max(ends[_barrier(info, word)], done)
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
        find_space(ctx, access)
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
        return _matrix_interval(ctx, parameters)
    work, events = pointer_int64(ctx[WORK]), pointer_int64(ctx[EVENTS])
    if unit == _TILE:
        cycles = 0
        for index in range(work[WORK_ACCESSES]):
            access = pointer_int64(ctx[WORK] + (WORK_MEMORY + index * MEMORY_FIELDS) * 8)
            rows, size = access[ACCESS_ROWS], access[ACCESS_BYTES]
            events[EVENT_TILE_READ if access[ACCESS_WRITE] else EVENT_TILE_WRITE] += rows * size
            if access[ACCESS_STRIDE] == size:
                size, rows = rows * size, 1
            cycles += rows * ((size + parameters[U_WIDTH] - 1) // parameters[U_WIDTH])
        return max(1, cycles)
    kind = work[WORK_CLASS]
    events[EVENT_VECTOR + kind] += work[WORK_ELEMENTS]
    size = work[WORK_ELEMENTS] * work[WORK_BITS] // 8
    rate = parameters[U_WIDTH] * parameters[U_RATES + kind]
    return max(1, (size * RATE_SCALE + rate - 1) // rate)


@njit
def _matrix_interval(ctx, parameters):
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
def _latency(ctx, parameters, unit):
    """Cycles from the last input to the last result."""
    if unit == _MATRIX and parameters[U_KIND] == KIND_SYSTOLIC_WS and pointer_int64(ctx[WORK])[WORK_MACS] > 0:
        return parameters[U_ROWS] + parameters[U_COLUMNS] - 2 + parameters[U_LATENCY]
    return parameters[U_LATENCY]
