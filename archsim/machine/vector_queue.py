"""The vector unit's queue: instructions that wait until time has come for their place in DRAM's order.

Times follow at once from what is known when an instruction is handed over, except what DRAM answers: other harts,
transfers and this hart's own misses may ask DRAM first. So an instruction that goes to DRAM waits here, and all behind
it, until everything before it in time has asked (memory_steps), or until the hart needs its result.
"""

from __future__ import annotations

import numpy as np

from archsim.machine.accounts import busy, note_span, wait
from archsim.machine.host import call_at, pointer_int64
from archsim.machine.jit import njit
from archsim.machine.layout import (
    BARRIER_DONE,
    CHIP,
    CHIP_VECTOR,
    COLUMN,
    FIRST_DECOUPLED,
    INFINITY,
    INFO_BARRIER,
    LMUL_LOG2,
    QUEUE_SLOTS,
    QUEUES,
    TRAP,
    U_CONFLICT,
    U_IDLE,
    U_OPERAND,
    U_SCRATCHPAD,
    U_WIDTH,
    UNIT,
    UNIT_BEGIN,
    UNIT_DONE,
    UNIT_FIELDS,
    VECTOR,
    WORK,
    WORK_ACCESSES,
    WORK_BITS,
    WORK_ELEMENTS,
    WORK_SIZE,
    X,
)
from archsim.machine.layout import UNIT_ID as _UNIT_ID
from archsim.machine.operands import barrier_of, registers_ready
from archsim.machine.scratchpad import check_access, take_from
from archsim.machine.vector_layout import (
    BY_IMMEDIATE,
    BY_REGISTER,
    INFO_BASE,
    INFO_DISTANCE,
    INFO_KIND,
    INFO_MASK,
    INFO_PIPE,
    LOAD_PIPE,
    MASK_IMMEDIATE,
    Q_FIELDS,
    Q_INFO,
    Q_LMUL,
    Q_MASKED,
    Q_NUMBER,
    Q_PASSES,
    Q_SEW,
    Q_TIME,
    Q_WORD,
    Q_WORK,
    STORE_PIPE,
    V_BANK_POOL,
    V_BANKS,
    V_CHAINING,
    V_DRAM_END,
    V_ENDS,
    V_HEAD,
    V_HOLD,
    V_LATENCY,
    V_LOADS_END,
    V_MEMORY_HOLD,
    V_MEMORY_WIDTH,
    V_NEXT,
    V_PIPE_COUNT,
    V_PIPE_ENDS,
    V_PIPE_FREE,
    V_QUEUE,
    V_SEPARATE,
    V_SEQUENCED,
    V_STORES_END,
    V_TAIL,
)
from archsim.machine.vector_memory import access_of, beats, in_dram, locate, memory_free, memory_mark, move
from archsim.machine.vector_unit import (
    bank_accesses,
    bank_latency,
    count_elements,
    element_cycles,
    held_until,
    in_flight_time,
    issue_time,
    mark_registers,
    pipe_of,
    pipe_ready,
    sources_ready,
    targets_free,
)

_VECTOR = _UNIT_ID["vector"]


@njit
def vector_block(ctx):
    return pointer_int64(ctx[VECTOR])


@njit
def hand_over(ctx, info, info_address, word, immediate, number, time):
    """Put an instruction into the queue; it is executed at once unless it, or one before it, waits for DRAM."""
    v = vector_block(ctx)
    work = pointer_int64(ctx[WORK])
    for index in range(work[WORK_ACCESSES]):
        access = access_of(ctx[WORK], index)
        locate(ctx, access)
        check_access(ctx, access)
    if ctx[TRAP] != 0:
        return
    # who touches bytes of an unfinished transfer is told so now
    memory_free(ctx, v, ctx[WORK])
    if ctx[TRAP] != 0:
        return
    at = V_QUEUE + v[V_TAIL] % QUEUE_SLOTS * Q_FIELDS
    v[at + Q_INFO], v[at + Q_WORD], v[at + Q_NUMBER], v[at + Q_TIME] = info_address, word, number, time
    v[at + Q_LMUL], v[at + Q_SEW] = ctx[LMUL_LOG2], ctx[COLUMN] & 3
    v[at + Q_PASSES] = _distance_bits(ctx, info, word, immediate)
    v[at + Q_MASKED] = _is_masked(info, word, immediate)
    for k in range(WORK_SIZE):
        v[at + Q_WORK + k] = work[k]
    v[V_TAIL] += 1
    take_turn(ctx, False)


@njit
def _is_masked(info, word, immediate):
    """Whether v0 masks an instruction, or is read by it in any case."""
    mask = info[INFO_MASK]
    if mask <= 0:
        return -mask
    value = immediate if mask == MASK_IMMEDIATE else (word >> (16 + 8 * (mask - 1))) & 255
    return np.int64(value == 0)


@njit
def _distance_bits(ctx, info, word, immediate):
    """Powers of two that a slide's distance is the sum of."""
    distance = np.int64(1)
    if info[INFO_DISTANCE] == BY_REGISTER:
        distance = pointer_int64(ctx[X])[(word >> (16 + 8 * info[INFO_BASE])) & 31]
    elif info[INFO_DISTANCE] == BY_IMMEDIATE:
        distance = immediate
    bits = 0
    while distance != 0 and bits < 64:
        distance &= distance - 1
        bits += 1
    return bits


@njit
def _advance(ctx):
    """Execute what is first in the queue, up to an instruction that goes to DRAM; NEXT is that one's time."""
    v = vector_block(ctx)
    v[V_NEXT] = INFINITY
    while v[V_HEAD] < v[V_TAIL]:
        at = V_QUEUE + v[V_HEAD] % QUEUE_SLOTS * Q_FIELDS
        begin = _execute(ctx, v, at, False)
        if begin >= 0:
            v[V_NEXT] = begin
            return


@njit
def take_turn(ctx, served):
    """Have the unit go on; `served`: the turn at DRAM of what is first in its queue has come."""
    call_at(pointer_int64(ctx[CHIP])[CHIP_VECTOR], ctx, np.int64(served), np.int64(0))


def turn(ctx, served, unused):
    """Execute what is first in the queue, if its turn at DRAM has come (`served`), and what follows it; compiled by
    itself, and called by address (CHIP_VECTOR)."""
    v = vector_block(ctx)
    if served:
        _execute(ctx, v, V_QUEUE + v[V_HEAD] % QUEUE_SLOTS * Q_FIELDS, True)
    _advance(ctx)
    return 0


@njit
def _execute(ctx, v, at, served):
    """Time the first instruction of the queue, unless it goes to DRAM and has not got its turn (`served`): then its
    time there, else -1."""
    entry = pointer_int64(ctx[VECTOR] + at * 8)
    info = pointer_int64(entry[Q_INFO])
    parameters = pointer_int64(ctx[UNIT] + (_VECTOR - FIRST_DECOUPLED) * UNIT_FIELDS * 8)
    work = ctx[VECTOR] + (at + Q_WORK) * 8
    latency = v[V_LATENCY + info[INFO_KIND]] + bank_latency(v, info)
    memory = info[INFO_PIPE] in (LOAD_PIPE, STORE_PIPE)
    cycles = element_cycles(v, parameters, info, entry)
    if memory and v[V_MEMORY_WIDTH] > 0:
        cycles = beats(v, info, work)
    issued = max(issue_time(v, info, entry), in_flight_time(v, entry[Q_NUMBER]))
    issued = max(issued, held_until(ctx, v, info, entry))
    free = memory_free(ctx, v, work)
    begin = max(pipe_ready(v, info, issued), free)
    read_begin, end = sources_ready(ctx, v, info, entry, cycles)
    write_begin, write_end = targets_free(ctx, v, info, entry, cycles, latency)
    begin = max(begin, read_begin)
    end = max(end, write_end)
    if memory and v[V_SEPARATE]:
        # one direction at a time on the memory port
        begin = max(begin, v[V_STORES_END] if info[INFO_PIPE] == LOAD_PIPE else v[V_LOADS_END])
    # a chained load asks for its data before its target is free, and waits with them
    early = memory and info[INFO_PIPE] == LOAD_PIPE and v[V_CHAINING] != 0
    if not early:
        begin = max(begin, write_begin)
    if in_dram(work) and not served:
        return begin
    count_elements(ctx, entry)
    extra, first_data, last_data = move(ctx, v, work, begin, cycles)
    held_up = extra + _bank_conflicts(ctx, v, info, parameters, entry, begin, cycles)
    cycles += held_up
    there = max(begin + 1, first_data)
    delay = max(0, write_begin + 1 - there) if early else 0
    end = max(end, begin + cycles + delay)
    first = there + delay + latency
    done = max(max(end, last_data), first_data + cycles + delay - 1) + latency
    if early:
        # the port goes on to the next load while data are on their way
        end = begin + cycles + delay
    _account(ctx, info, entry, free, begin, end, held_up, max(done, last_data))
    _finish(ctx, v, info, entry, issued, begin, end, first, done)
    memory_mark(ctx, v, work, end, done)
    v[V_DRAM_END] = max(v[V_DRAM_END], last_data)
    return -1


@njit
def _account(ctx, info, entry, free, begin, end, held_up, done):
    """Where the unit's cycles go: it works while any of its pipes does, and waits as its next instruction does.

    Args:
        free: when scratchpad bytes are free.
        held_up: cycles that banks hold it up by.
    """
    wait(ctx, _VECTOR, U_IDLE, min(entry[Q_TIME], begin))
    _, by = registers_ready(ctx, info, _VECTOR, entry[Q_WORD], -1, False)
    if free == begin:
        wait(ctx, _VECTOR, U_SCRATCHPAD, begin)
    wait(ctx, _VECTOR, U_OPERAND + by, begin)
    busy(ctx, _VECTOR, end - held_up)
    wait(ctx, _VECTOR, U_CONFLICT, end)
    note_span(ctx, _VECTOR, begin, done)
    ctx[UNIT_BEGIN], ctx[UNIT_DONE] = begin, done


@njit
def _bank_conflicts(ctx, v, info, parameters, entry, begin, cycles):
    """Cycles that the register file's banks hold an instruction up by: all that run share them."""
    if v[V_BANKS] == 0:
        return 0
    size = entry[Q_WORK + WORK_ELEMENTS] * entry[Q_WORK + WORK_BITS] // 8
    words = (size + parameters[U_WIDTH] - 1) // parameters[U_WIDTH]
    taken = take_from(pointer_int64(ctx[VECTOR] + V_BANK_POOL * 8), words * bank_accesses(info), begin)
    return max(0, taken - (begin + cycles))


@njit
def _finish(ctx, v, info, entry, issued, begin, end, first, done):
    """Note what an instruction did: pipe, queues, registers, barrier."""
    pipe, number = pipe_of(v, info), entry[Q_NUMBER]
    v[V_HEAD] += 1
    v[V_SEQUENCED] = issued
    v[V_PIPE_FREE + pipe] = end
    v[V_PIPE_ENDS + pipe * QUEUE_SLOTS + v[V_PIPE_COUNT + pipe] % QUEUE_SLOTS] = done
    v[V_PIPE_COUNT + pipe] += 1
    v[V_ENDS + number % QUEUE_SLOTS] = done
    queue = pointer_int64(ctx[QUEUES] + (_VECTOR - FIRST_DECOUPLED) * (QUEUE_SLOTS + 1) * 8)
    queue[number % QUEUE_SLOTS] = issued if v[V_SEPARATE] else begin
    if info[INFO_PIPE] == LOAD_PIPE or info[INFO_PIPE] == STORE_PIPE:
        last = V_LOADS_END if info[INFO_PIPE] == LOAD_PIPE else V_STORES_END
        v[last] = max(v[last], done)
        if v[V_MEMORY_HOLD] > 0:
            v[V_HOLD] = begin + v[V_MEMORY_HOLD]
    mark_registers(ctx, v, info, entry, begin, end, first, done)
    if info[INFO_BARRIER]:
        ends = pointer_int64(ctx[BARRIER_DONE])
        barrier = barrier_of(info, entry[Q_WORD])
        ends[barrier] = max(ends[barrier], done)
