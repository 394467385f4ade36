"""Loads and stores of vector registers in time: where their rows lie, beats on the memory port, DRAM, order.

Unit-stride accesses pass `memory_width` bytes per cycle, aligned words of that size; strided, segment and indexed ones
an element per cycle. Rows in the scratchpad take its banks' bandwidth; rows in DRAM are requested as their beats pass,
over the interconnect, and are there when DRAM has served them.
"""

from __future__ import annotations

from archsim.isa.program import SCRATCHPAD_BASE
from archsim.machine.host import pointer_int64
from archsim.machine.jit import njit
from archsim.machine.layout import (
    ACCESS_ADDRESS,
    ACCESS_BYTES,
    ACCESS_DRAM,
    ACCESS_INDEX,
    ACCESS_ROWS,
    ACCESS_STRIDE,
    ACCESS_WRITE,
    ANY_SPACE,
    CSR,
    EVENT_SPAD_READ,
    EVENT_SPAD_WRITE,
    EVENTS,
    MEMORY_FIELDS,
    RAM_SIZE,
    SPAD_SIZE,
    STATE,
    WORK,
    WORK_ACCESSES,
    WORK_BITS,
    WORK_ELEMENTS,
    WORK_MEMORY,
    X,
)
from archsim.machine.layout import UNIT_ID as _UNIT_ID
from archsim.machine.memory_calls import rows_through_memory
from archsim.machine.scratchpad import earliest, mark, take, transfer
from archsim.machine.vector import VLENB_CSR
from archsim.machine.vector_layout import (
    INDEXED,
    INFO_ACCESS,
    INFO_BASE,
    INFO_FIELDS,
    INFO_FILE,
    INFO_INDEX,
    INFO_INDEX_BITS,
    INFO_PIPE,
    STORE_PIPE,
    STRIDED,
    V_ADDRESSES,
    V_MEMORY_WIDTH,
)

_VECTOR = _UNIT_ID["vector"]


@njit
def access_of(work, index):
    """The numbers of an access of WORK or of a copy of it."""
    return pointer_int64(work + (WORK_MEMORY + index * MEMORY_FIELDS) * 8)


@njit
def locate(ctx, access):
    """Settle where rows are that may be anywhere: all in the scratchpad, all in DRAM, or nowhere that takes time."""
    if access[ACCESS_DRAM] != ANY_SPACE:
        return
    rows, size = access[ACCESS_ROWS], access[ACCESS_BYTES]
    first = access[ACCESS_ADDRESS]
    last = first + (rows - 1) * access[ACCESS_STRIDE]
    low, high = min(first, last), max(first, last) + size
    access[ACCESS_DRAM] = 0
    if rows <= 0 or size <= 0:
        access[ACCESS_ROWS] = 0
    elif low >= SCRATCHPAD_BASE and high <= SCRATCHPAD_BASE + ctx[SPAD_SIZE]:
        return
    elif low >= 4096 and high <= ctx[RAM_SIZE]:
        access[ACCESS_DRAM] = 1
    else:
        access[ACCESS_ROWS] = 0


@njit
def note_indexed(ctx, v, info, word):
    """Keep the addresses of an indexed access before it is executed: it may write over its index register. They stand
    in the block; the access of WORK has a row per element."""
    work = pointer_int64(ctx[WORK])
    vlenb = pointer_int64(ctx[CSR])[VLENB_CSR]
    base = pointer_int64(ctx[X])[(word >> (16 + 8 * info[INFO_BASE])) & 255 & 31]
    register = (word >> (16 + 8 * info[INFO_INDEX])) & 255
    size = info[INFO_INDEX_BITS] >> 3
    count = min(work[WORK_ELEMENTS], (32 - register) * vlenb // size)
    start = ctx[STATE] + info[INFO_FILE] + register * vlenb
    low = high = base
    for i in range(count):
        # the bytes of element i, in the low end of a word read at its address
        at = start + i * size
        value = pointer_int64(at & ~7)[0] >> (8 * (at & 7))
        if size < 8:
            value &= (1 << (8 * size)) - 1
        address = base + value
        v[V_ADDRESSES + i] = address
        low = address if i == 0 else min(low, address)
        high = address if i == 0 else max(high, address)
    work[WORK_ACCESSES] = 1
    access = access_of(ctx[WORK], 0)
    access[ACCESS_WRITE] = info[INFO_PIPE] == STORE_PIPE
    access[ACCESS_ROWS], access[ACCESS_BYTES] = count, info[INFO_FIELDS] * work[WORK_BITS] // 8
    access[ACCESS_STRIDE], access[ACCESS_INDEX], access[ACCESS_DRAM] = 0, 1, 0
    access[ACCESS_ADDRESS] = low
    if low >= 4096 and high + access[ACCESS_BYTES] <= ctx[RAM_SIZE]:
        access[ACCESS_DRAM] = 1
    elif low < SCRATCHPAD_BASE or high + access[ACCESS_BYTES] > SCRATCHPAD_BASE + ctx[SPAD_SIZE]:
        access[ACCESS_ROWS] = 0


@njit
def in_dram(work):
    """Whether any access of an instruction goes to DRAM."""
    counts = pointer_int64(work)
    for index in range(counts[WORK_ACCESSES]):
        access = access_of(work, index)
        if access[ACCESS_DRAM] and access[ACCESS_ROWS] > 0:
            return True
    return False


@njit
def memory_free(ctx, v, work):
    """When the scratchpad bytes of an instruction may be touched."""
    counts, time = pointer_int64(work), 0
    for index in range(counts[WORK_ACCESSES]):
        access = access_of(work, index)
        if access[ACCESS_DRAM]:
            continue
        if access[ACCESS_INDEX] == 0:
            time = max(time, earliest(ctx, access, access[ACCESS_WRITE]))
            continue
        rows, access[ACCESS_INDEX] = access[ACCESS_ROWS], 0
        access[ACCESS_ROWS] = min(rows, 1)
        for row in range(rows):
            access[ACCESS_ADDRESS] = v[V_ADDRESSES + row]
            time = max(time, earliest(ctx, access, access[ACCESS_WRITE]))
        access[ACCESS_ROWS], access[ACCESS_INDEX] = rows, 1
    return time


@njit
def memory_mark(ctx, v, work, read, done):
    """Note when the scratchpad bytes of an instruction are touched."""
    counts = pointer_int64(work)
    for index in range(counts[WORK_ACCESSES]):
        access = access_of(work, index)
        time = done if access[ACCESS_WRITE] else read
        if access[ACCESS_DRAM]:
            continue
        if access[ACCESS_INDEX] == 0:
            mark(ctx, access, access[ACCESS_WRITE], time)
            continue
        rows = access[ACCESS_ROWS]
        access[ACCESS_ROWS] = min(rows, 1)
        for row in range(rows):
            access[ACCESS_ADDRESS] = v[V_ADDRESSES + row]
            mark(ctx, access, access[ACCESS_WRITE], time)
        access[ACCESS_ROWS] = rows


@njit
def beats(v, info, work):
    """Cycles of the memory port that a load or store takes: aligned words of a unit-stride row, or elements."""
    counts = pointer_int64(work)
    if info[INFO_ACCESS] in (STRIDED, INDEXED):
        return max(1, counts[WORK_ELEMENTS] * info[INFO_FIELDS])
    width, cycles = v[V_MEMORY_WIDTH], 0
    for index in range(counts[WORK_ACCESSES]):
        access = access_of(work, index)
        size = access[ACCESS_BYTES]
        if size > 0:
            cycles += (access[ACCESS_ADDRESS] % width + size + width - 1) // width
    return max(1, cycles)


@njit
def move(ctx, v, work, begin, cycles):
    """Pass an instruction's rows through the scratchpad or DRAM from `begin` on, evenly over `cycles`.

    Returns:
        (extra cycles that the scratchpad's banks hold it up by, when the first data of DRAM are there, when all are);
        the last two are 0 where nothing goes to DRAM.
    """
    counts, events = pointer_int64(work), pointer_int64(ctx[EVENTS])
    extra, first, last = 0, 0, 0
    for index in range(counts[WORK_ACCESSES]):
        access = access_of(work, index)
        size = access[ACCESS_ROWS] * access[ACCESS_BYTES]
        if size <= 0:
            continue
        if access[ACCESS_DRAM]:
            one, all_ = rows_through_memory(ctx, work + (WORK_MEMORY + index * MEMORY_FIELDS) * 8, begin, cycles)
            first, last = max(first, one), max(last, all_)
            continue
        events[EVENT_SPAD_WRITE if access[ACCESS_WRITE] else EVENT_SPAD_READ] += size
        if access[ACCESS_INDEX]:
            # elements wherever they lie: a word of a bank each
            extra = max(extra, take(ctx, _VECTOR, max(size, 8 * access[ACCESS_ROWS]), begin, cycles))
        else:
            extra = max(extra, transfer(ctx, _VECTOR, access, begin, cycles))
    return extra, first, last
