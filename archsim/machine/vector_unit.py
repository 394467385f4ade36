"""The vector unit in time: how long an instruction occupies its pipe, when it may begin, when its results are there.

Instructions leave in order for their pipes, and each pipe works in order. With chaining an instruction takes up the
elements of its sources as they come: it begins when the first are there and ends after the last. All times are cycles.
"""

from __future__ import annotations

from archsim.machine.host import pointer_int64
from archsim.machine.jit import njit
from archsim.machine.layout import (
    ACCOUNT_READERS,
    ACCOUNTS,
    CAUSE,
    EVENT_VECTOR,
    EVENTS,
    INFO_READ0,
    INFO_READS,
    INFO_WRITE0,
    INFO_WRITES,
    QUEUE_SLOTS,
    RATE_SCALE,
    READ_DONE,
    READY,
    U_RATES,
    U_WIDTH,
    WORK_BITS,
    WORK_CLASS,
    WORK_ELEMENTS,
)
from archsim.machine.layout import UNIT_ID as _UNIT_ID
from archsim.machine.operands import operand
from archsim.machine.vector_layout import (
    COUNT,
    INFO_KIND,
    INFO_LATE,
    INFO_PIPE,
    INFO_READ_SHAPE,
    INFO_WHOLE,
    INFO_WIDE,
    INFO_WRITE_SHAPE,
    K_FLOAT_REDUCE,
    K_GATHER,
    K_ORDERED,
    K_REDUCE,
    K_SLIDE,
    K_SLIDE_ONE,
    Q_LMUL,
    Q_MASKED,
    Q_PASSES,
    Q_SEW,
    Q_TIME,
    Q_WORD,
    Q_WORK,
    SCALED,
    V_BANKS,
    V_CHAINING,
    V_DEPTH,
    V_ENDS,
    V_FIRST,
    V_HELD,
    V_HOLD,
    V_IN_FLIGHT,
    V_INTERVAL,
    V_LANE_BITS,
    V_LANES_LOG2,
    V_LATENCY,
    V_OWN,
    V_PIPE_COUNT,
    V_PIPE_ENDS,
    V_PIPE_FREE,
    V_RATE,
    V_READING,
    V_SEPARATE,
    V_SEQUENCED,
    V_SLIDE_POWERS,
    V_STARTUP,
    V_STEP,
    V_TOUCHED,
    V_WIDE,
)

_VECTOR = _UNIT_ID["vector"]


@njit
def registers_of_shape(shape, lmul, sew):
    """Registers of an operand's group; `sew` is log2 of the bytes of an element."""
    if shape == 0:
        return 1
    how, value = (shape >> 8) & 255, shape & 255
    if how == COUNT:
        return value * (shape >> 16)
    log = lmul + value - 8 if how == SCALED else lmul + value - sew - 3
    return (1 << log if log > 0 else 1) * (shape >> 16)


@njit
def pipe_of(v, info):
    """The pipe of an instruction: the first one for all where they share one."""
    return info[INFO_PIPE] if v[V_SEPARATE] else 0


@njit
def element_cycles(v, parameters, info, entry):
    """Cycles in which an instruction's elements pass: bytes over the width at the rate of its class and kind, rounded
    up; reductions go on with a tree over lanes and within a lane's word, ordered ones take elements one by one."""
    kind, elements = info[INFO_KIND], entry[Q_WORK + WORK_ELEMENTS]
    size = elements * entry[Q_WORK + WORK_BITS] // 8
    if v[V_WIDE]:
        size <<= info[INFO_WIDE]
    rate = parameters[U_WIDTH] * parameters[U_RATES + entry[Q_WORK + WORK_CLASS]]
    if v[V_RATE + kind] != RATE_SCALE:
        rate = max(1, rate * v[V_RATE + kind] // RATE_SCALE)
    cycles = max(1, (size * RATE_SCALE + rate - 1) // rate)
    if v[V_STEP] > 0:
        if kind == K_ORDERED:
            return max(cycles, elements * v[V_LATENCY + kind])
        if kind in (K_REDUCE, K_FLOAT_REDUCE):
            cycles += _tree_steps(v, entry) * (v[V_STEP] + v[V_LATENCY + kind])
    if kind == K_SLIDE and v[V_SLIDE_POWERS]:
        cycles *= max(1, entry[Q_PASSES])
    return cycles


@njit
def _tree_steps(v, entry):
    """Levels of a reduction's tree: over lanes, then over the elements of a lane's word."""
    steps, bits = v[V_LANES_LOG2], max(1, entry[Q_WORK + WORK_BITS])
    while bits < v[V_LANE_BITS]:
        bits *= 2
        steps += 1
    return steps


@njit
def count_elements(ctx, entry):
    """Energy follows from elements by class of work."""
    pointer_int64(ctx[EVENTS])[EVENT_VECTOR + entry[Q_WORK + WORK_CLASS]] += entry[Q_WORK + WORK_ELEMENTS]


@njit
def issue_time(v, info, entry):
    """When an instruction leaves for its pipe: in order, into a free place of the pipe's queue."""
    time = entry[Q_TIME]
    if v[V_SEPARATE] == 0:
        return time
    time = max(time, max(v[V_SEQUENCED] + v[V_INTERVAL], v[V_HOLD]))
    pipe = info[INFO_PIPE]
    depth, count = v[V_DEPTH + pipe], v[V_PIPE_COUNT + pipe]
    if depth > 0 and count >= depth:
        time = max(time, v[V_PIPE_ENDS + pipe * QUEUE_SLOTS + (count - depth) % QUEUE_SLOTS])
    return time


@njit
def in_flight_time(v, number):
    """When the instruction `in_flight` places before has ended."""
    depth = v[V_IN_FLIGHT]
    if depth > 0 and number >= depth:
        return v[V_ENDS + (number - depth) % QUEUE_SLOTS]
    return 0


@njit
def pipe_ready(v, info, issued):
    """When its pipe can begin an instruction."""
    pipe = pipe_of(v, info)
    return max(issued + v[V_STARTUP + pipe], v[V_PIPE_FREE + pipe])


@njit
def chains(v, ready, register):
    """Whether a register's elements may be taken up before the last is there: this unit wrote it last."""
    return v[V_CHAINING] != 0 and ready[register] == v[V_OWN + register]


@njit
def sources_ready(ctx, v, info, entry, cycles):
    """When an instruction may begin to read: (begin, earliest end), `cycles` long if nothing slows it."""
    ready = pointer_int64(ctx[READY])
    word, begin, end = entry[Q_WORD], 0, 0
    for index in range(info[INFO_READS] + 1):
        if index == info[INFO_READS]:
            register, count = mask_register(info, entry), 1
            if register < 0:
                break
        else:
            register = operand(info, INFO_READ0, index, word)
            count = registers_of_shape(info[INFO_READ_SHAPE + index], entry[Q_LMUL], entry[Q_SEW])
        for k in range(count):
            if chains(v, ready, register + k) and info[INFO_WHOLE] == 0:
                # register k of a group is read from k / count of the time on
                begin = max(begin, v[V_FIRST + register + k] - k * cycles // count)
                end = max(end, ready[register + k] + 1 + (count - 1 - k) * cycles // count)
            else:
                begin = max(begin, ready[register + k])
    return begin, end


@njit
def mask_register(info, entry):
    """Scoreboard entry of v0 where it masks an instruction, -1 elsewhere. Vector operands are based on V's entry."""
    if entry[Q_MASKED] == 0:
        return -1
    if info[INFO_WRITES] > 0 and info[INFO_WRITE_SHAPE] != 0:
        return info[INFO_WRITE0 + 1]
    return info[INFO_READ0 + 1] if info[INFO_READS] > 0 else -1


@njit
def targets_free(ctx, v, info, entry, cycles, latency):
    """When an instruction may begin, and end at the earliest, for what it overwrites: read and written by those before
    it. With chaining its elements follow theirs."""
    ready, read_done = pointer_int64(ctx[READY]), pointer_int64(ctx[READ_DONE])
    word, begin, end = entry[Q_WORD], 0, 0
    for index in range(info[INFO_WRITES]):
        register = operand(info, INFO_WRITE0, index, word)
        count = registers_of_shape(info[INFO_WRITE_SHAPE + index], entry[Q_LMUL], entry[Q_SEW])
        for k in range(count):
            if chains(v, ready, register + k):
                first = max(v[V_READING + register + k], v[V_FIRST + register + k] - latency)
                begin = max(begin, first - k * cycles // count)
                after = max(abs(read_done[register + k]), ready[register + k] + 1) - latency
                end = max(end, after + (count - 1 - k) * cycles // count)
            else:
                begin = max(begin, max(ready[register + k], abs(read_done[register + k])))
    return begin, end


@njit
def held_until(ctx, v, info, entry):
    """Until when an instruction whose kind is held may not leave for its pipe: those that read or write its target have
    ended, and so have those that write the sources of a permutation."""
    ready = pointer_int64(ctx[READY])
    kind, word, time = info[INFO_KIND], entry[Q_WORD], 0
    if v[V_HELD + kind] == 0:
        return 0
    for index in range(info[INFO_WRITES]):
        register = operand(info, INFO_WRITE0, index, word)
        for k in range(registers_of_shape(info[INFO_WRITE_SHAPE + index], entry[Q_LMUL], entry[Q_SEW])):
            time = max(time, max(ready[register + k], v[V_TOUCHED + register + k]))
    if kind in (K_SLIDE, K_SLIDE_ONE, K_GATHER):
        for index in range(info[INFO_READS]):
            register = operand(info, INFO_READ0, index, word)
            for k in range(registers_of_shape(info[INFO_READ_SHAPE + index], entry[Q_LMUL], entry[Q_SEW])):
                time = max(time, ready[register + k])
    return time


@njit
def bank_latency(v, info):
    """Cycles that the first operands take from each other: registers begin in the same bank, which has one port."""
    if v[V_BANKS] == 0:
        return 0
    return max(0, _vector_reads(info) - 1)


@njit
def _vector_reads(info):
    reads = 0
    for index in range(info[INFO_READS]):
        reads += info[INFO_READ_SHAPE + index] != 0
    return reads


@njit
def bank_accesses(info):
    """Words of a lane's register file that an instruction reads and writes per word of its elements."""
    accesses = _vector_reads(info)
    for index in range(info[INFO_WRITES]):
        accesses += info[INFO_WRITE_SHAPE + index] != 0
    return accesses


@njit
def mark_registers(ctx, v, info, entry, begin, end, first, done):
    """Note when an instruction's registers are read and written: reads from begin to end, results from first to
    done."""
    ready, read_done, cause = pointer_int64(ctx[READY]), pointer_int64(ctx[READ_DONE]), pointer_int64(ctx[CAUSE])
    readers = pointer_int64(ctx[ACCOUNTS] + ACCOUNT_READERS * 8)
    word = entry[Q_WORD]
    for index in range(info[INFO_READS] + 1):
        if index == info[INFO_READS]:
            register, count = mask_register(info, entry), 1
            if register < 0:
                break
        else:
            register = operand(info, INFO_READ0, index, word)
            count = registers_of_shape(info[INFO_READ_SHAPE + index], entry[Q_LMUL], entry[Q_SEW])
        for k in range(count):
            read_done[register + k] = max(abs(read_done[register + k]), end)
            readers[register + k] = _VECTOR
            v[V_READING + register + k] = max(v[V_READING + register + k], begin)
            v[V_TOUCHED + register + k] = max(v[V_TOUCHED + register + k], done)
    for index in range(info[INFO_WRITES]):
        register = operand(info, INFO_WRITE0, index, word)
        count = registers_of_shape(info[INFO_WRITE_SHAPE + index], entry[Q_LMUL], entry[Q_SEW])
        late = info[INFO_LATE] != 0 or v[V_CHAINING] == 0
        span = done - first + 1
        for k in range(count):
            ready[register + k] = done if late else done - (count - 1 - k) * span // count
            read_done[register + k] = end
            cause[register + k], readers[register + k] = _VECTOR, _VECTOR
            v[V_READING + register + k] = begin
            v[V_TOUCHED + register + k] = done
            v[V_FIRST + register + k] = done if late else first + k * span // count
            # what is no vector register is complete or not
            v[V_OWN + register + k] = ready[register + k] if info[INFO_WRITE_SHAPE + index] != 0 else -1
