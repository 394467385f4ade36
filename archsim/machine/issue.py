"""Instructions outside the dispatch loop in time: custom scalar ones, decoupled units, DMA, barriers."""

from __future__ import annotations

from archsim.machine.decoupled import dispatch
from archsim.machine.dma import enqueue, slot_free_at
from archsim.machine.host import call_at, pointer_int64
from archsim.machine.jit import njit
from archsim.machine.layout import (
    ACCESS_ADDRESS,
    ACCESS_BLOCK_STRIDE,
    ACCESS_BLOCKS,
    ACCESS_BYTES,
    ACCESS_DRAM,
    ACCESS_INDEX,
    ACCESS_PLANE_STRIDE,
    ACCESS_PLANES,
    ACCESS_ROWS,
    ACCESS_STRIDE,
    BARRIER_COUNT,
    BARRIER_DONE,
    BLOCKED,
    BLOCKED_ON,
    BUILTIN_LOAD,
    BUILTIN_SCALAR,
    BUILTIN_STORE,
    BUILTIN_SYNC,
    BUILTIN_WAIT,
    CAUSE,
    COLUMN,
    COLUMNS,
    EVENT_MACS,
    EVENTS,
    FIRST_DECOUPLED,
    FUNCTIONS,
    HELD,
    INFINITY,
    INFO,
    INFO_ALWAYS,
    INFO_BUILTIN,
    INFO_HAS_PATTERN,
    INFO_READ0,
    INFO_READS,
    INFO_SIZE,
    INFO_UNIT,
    INFO_WRITE0,
    INFO_WRITES,
    MEMORY_FIELDS,
    NOW,
    PATTERNS,
    RANGE_FAULT,
    READY,
    RUNNING,
    STALL_DMA_WAIT,
    STALL_QUEUE,
    STALL_SYNC,
    SYNC_WAITING,
    TRAP,
    TRAP_VALUE,
    TRAPPED,
    VALUES,
    WORK,
    WORK_ACCESSES,
    WORK_FORMAT,
    WORK_LATENCY,
    WORK_MACS,
    WORK_MEMORY,
)
from archsim.machine.layout import UNIT_ID as _UNIT_ID
from archsim.machine.operands import barrier_of, operand
from archsim.machine.scratchpad import check_access, check_gather, earliest, mark
from archsim.machine.vector_issue import dispatch_vector, settle_all
from archsim.machine.vector_layout import INDEXED, INFO_ACCESS
from archsim.machine.vector_memory import note_indexed
from archsim.machine.vector_queue import vector_block

MAXIMUM_PLANES = 1 << 20
"""Planes of a transfer, of all blocks."""
_DMA, _VECTOR = _UNIT_ID["dma"], _UNIT_ID["vector"]


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
    if info[INFO_ACCESS] == INDEXED:
        note_indexed(ctx, vector_block(ctx), info, word)
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
    if unit == _VECTOR and ctx[TRAP] == 0:
        dispatch_vector(ctx, info, ctx[INFO] + op * INFO_SIZE * 8, word, immediate, start)
    elif unit >= FIRST_DECOUPLED and ctx[TRAP] == 0:
        settle_all(ctx)
        dispatch(ctx, info, unit, word, start)
    elif builtin == BUILTIN_SCALAR:
        _scalar(ctx, info, word, start)
    return RUNNING if ctx[TRAP] == 0 else TRAPPED


@njit
def _function(ctx, op):
    return pointer_int64(ctx[FUNCTIONS])[op * COLUMNS + ctx[COLUMN]]


@njit
def _scalar(ctx, info, word, start):
    """A custom instruction in the hart's own pipeline that works on declared registers."""
    ready, work = pointer_int64(ctx[READY]), pointer_int64(ctx[WORK])
    described = info[INFO_HAS_PATTERN]
    time = start
    for index in range(info[INFO_READS]):
        time = max(time, ready[operand(info, INFO_READ0, index, word)])
    ctx[HELD] = info[INFO_UNIT]
    latency = max(1, work[WORK_LATENCY]) if described else 1
    for index in range(info[INFO_WRITES]):
        ready[operand(info, INFO_WRITE0, index, word)] = time + latency
        pointer_int64(ctx[CAUSE])[operand(info, INFO_WRITE0, index, word)] = info[INFO_UNIT]
    ctx[NOW] = time + 1
    if described:
        pointer_int64(ctx[EVENTS])[EVENT_MACS + work[WORK_FORMAT]] += work[WORK_MACS]


@njit
def _wait(ctx, info, word, start):
    """Stall until a barrier's transfers have ended."""
    barrier = barrier_of(info, word)
    if pointer_int64(ctx[BARRIER_COUNT])[barrier] > 0:
        ctx[BLOCKED_ON] = 1
        return BLOCKED
    time = max(start, pointer_int64(ctx[BARRIER_DONE])[barrier])
    ctx[HELD] = STALL_DMA_WAIT
    ctx[NOW] = time + 1
    return RUNNING


@njit
def _sync(ctx, start):
    """Arrive at the chip-wide barrier, or leave it when the scheduler has set the time (SYNC_WAITING = -time)."""
    if ctx[SYNC_WAITING] < 0:
        time = max(start, -ctx[SYNC_WAITING])
        ctx[SYNC_WAITING] = 0
        ctx[HELD] = STALL_SYNC
        ctx[NOW] = time + 1
        return RUNNING
    ctx[SYNC_WAITING] = 1
    return BLOCKED


@njit
def _dma(ctx, op, info, word, immediate, start, write):
    """Queue a transfer; its values move now, its bursts in time order."""
    settle_all(ctx)
    free = slot_free_at(ctx)
    if free >= INFINITY:
        ctx[BLOCKED_ON] = 2
        return BLOCKED
    work = pointer_int64(ctx[WORK])
    dram = pointer_int64(ctx[WORK] + WORK_MEMORY * 8)
    spad = pointer_int64(ctx[WORK] + (WORK_MEMORY + MEMORY_FIELDS) * 8)
    if work[WORK_ACCESSES] != 2 or dram[ACCESS_DRAM] == 0:
        return TRAPPED
    planes, blocks = dram[ACCESS_PLANES], dram[ACCESS_BLOCKS]
    if planes > MAXIMUM_PLANES or blocks > MAXIMUM_PLANES or max(planes, 1) * max(blocks, 1) > MAXIMUM_PLANES:
        ctx[TRAP], ctx[TRAP_VALUE] = RANGE_FAULT, dram[ACCESS_ADDRESS]
        return TRAPPED
    ready = _planes(ctx, dram, spad, write, False)
    if ctx[TRAP] != 0:
        return TRAPPED
    time = max(start, free)
    ctx[HELD] = STALL_QUEUE + _DMA - FIRST_DECOUPLED
    ctx[NOW] = time + 1
    rows, size = dram[ACCESS_ROWS], dram[ACCESS_BYTES]
    if rows <= 0 or size <= 0 or dram[ACCESS_PLANES] <= 0 or dram[ACCESS_BLOCKS] <= 0:
        return RUNNING
    if ctx[VALUES]:
        call_at(_function(ctx, op), ctx, word, immediate)
        if ctx[TRAP] != 0:
            return TRAPPED
    _planes(ctx, dram, spad, write, True)
    barrier = barrier_of(info, word)
    pointer_int64(ctx[BARRIER_COUNT])[barrier] += 1
    if dram[ACCESS_STRIDE] == size and spad[ACCESS_STRIDE] == size and dram[ACCESS_INDEX] == 0:
        # adjoining rows are one long row
        size, rows = rows * size, 1
    enqueue(ctx, dram, spad, rows, size, barrier, time, max(time, ready))
    return RUNNING


@njit
def _planes(ctx, dram, spad, write, noted):
    """Go over the planes of a transfer: check them, and give the time from which the scratchpad's bytes may be touched;
    or note (`noted`) that its end on them is not known."""
    time = 0
    first = dram[ACCESS_ADDRESS], spad[ACCESS_ADDRESS]
    for block in range(dram[ACCESS_BLOCKS]):
        for plane in range(dram[ACCESS_PLANES]):
            dram[ACCESS_ADDRESS] = first[0] + block * dram[ACCESS_BLOCK_STRIDE] + plane * dram[ACCESS_PLANE_STRIDE]
            spad[ACCESS_ADDRESS] = first[1] + block * spad[ACCESS_BLOCK_STRIDE] + plane * spad[ACCESS_PLANE_STRIDE]
            if noted:
                mark(ctx, spad, not write, INFINITY)
                continue
            check_access(ctx, dram)
            check_access(ctx, spad)
            check_gather(ctx, dram)
            if ctx[TRAP] != 0:
                return 0
            time = max(time, earliest(ctx, spad, not write))
    dram[ACCESS_ADDRESS], spad[ACCESS_ADDRESS] = first
    return time
