"""The scratchpad in time: who last touched which bytes, and how many bytes the banks still have to give.

Order between units is kept by address, in granules: a reader waits for the last writer, a writer for the last readers
and writer. A transfer of the DMA whose end is not known yet marks its granules with INFINITY; touching them is a race
of the program. Bandwidth is banks x width per cycle, shared by the units in buckets of cycles.
"""

from __future__ import annotations

from archsim.isa.program import SCRATCHPAD_BASE
from archsim.machine.host import get_u32, pointer_int64, translate
from archsim.machine.jit import njit
from archsim.machine.layout import (
    ACCESS_ADDRESS,
    ACCESS_BYTES,
    ACCESS_DRAM,
    ACCESS_INDEX,
    ACCESS_ROWS,
    ACCESS_STRIDE,
    BANDWIDTH,
    BUCKET_SHIFT,
    BUCKETS,
    CHIP,
    CONFLICT_BUCKETS,
    CONFLICT_CYCLES,
    CONFLICT_FIELDS,
    CONFLICTS,
    FIRST_DECOUPLED,
    GRANULE_READ,
    GRANULE_SHIFT,
    GRANULE_WRITE,
    INFINITY,
    LEVEL_SCRATCHPAD,
    RACE,
    RAM_SIZE,
    RANGE_FAULT,
    SPAD_SIZE,
    TRAP,
    TRAP_VALUE,
    USERS,
    W_BANKS,
    W_CAPACITY,
    W_FIRST,
    W_WIDTH,
)
from archsim.machine.traffic import note_traffic


@njit
def check_access(ctx, access):
    """Trap unless every row of a bulk access lies in its memory."""
    rows, size = access[ACCESS_ROWS], access[ACCESS_BYTES]
    if rows <= 0 or size <= 0 or access[ACCESS_INDEX] != 0:
        return
    first = access[ACCESS_ADDRESS]
    last = first + (rows - 1) * access[ACCESS_STRIDE]
    low, high = min(first, last), max(first, last) + size
    if access[ACCESS_DRAM]:
        good = low >= 4096 and high <= ctx[RAM_SIZE]
    else:
        good = low >= SCRATCHPAD_BASE and high <= SCRATCHPAD_BASE + ctx[SPAD_SIZE]
    if not good:
        ctx[TRAP] = RANGE_FAULT
        ctx[TRAP_VALUE] = low


@njit
def check_gather(ctx, access):
    """Trap unless every row that a table of 32-bit numbers selects lies in DRAM, and the table in memory."""
    if access[ACCESS_INDEX] == 0:
        return
    for row in range(access[ACCESS_ROWS]):
        number = get_u32(translate(ctx, access[ACCESS_INDEX] + 4 * row, 4))
        if ctx[TRAP] != 0:
            return
        first = access[ACCESS_ADDRESS] + number * access[ACCESS_STRIDE]
        if first < 4096 or first + access[ACCESS_BYTES] > ctx[RAM_SIZE]:
            ctx[TRAP] = RANGE_FAULT
            ctx[TRAP_VALUE] = first
            return


@njit
def earliest(ctx, access, write):
    """When the rows of an access may be touched: after their writer, and before a write also their readers."""
    written, read, shift = pointer_int64(ctx[GRANULE_WRITE]), pointer_int64(ctx[GRANULE_READ]), ctx[GRANULE_SHIFT]
    time = 0
    rows, size, stride = _rows(access)
    for row in range(rows):
        first = access[ACCESS_ADDRESS] - SCRATCHPAD_BASE + row * stride
        for granule in range(first >> shift, ((first + size - 1) >> shift) + 1):
            if written[granule] > time:
                time = written[granule]
            if write and read[granule] > time:
                time = read[granule]
    if time >= INFINITY:
        ctx[TRAP] = RACE
        ctx[TRAP_VALUE] = access[ACCESS_ADDRESS]
    return time


@njit
def mark(ctx, access, write, time):
    """Note that the rows are touched until `time`."""
    table = pointer_int64(ctx[GRANULE_WRITE] if write else ctx[GRANULE_READ])
    shift = ctx[GRANULE_SHIFT]
    rows, size, stride = _rows(access)
    for row in range(rows):
        first = access[ACCESS_ADDRESS] - SCRATCHPAD_BASE + row * stride
        for granule in range(first >> shift, ((first + size - 1) >> shift) + 1):
            if time > table[granule]:
                table[granule] = time


@njit
def settle(ctx, address, size, write, time):
    """The DMA's end on these bytes is known now: replace the INFINITY mark, or extend a known end."""
    table = pointer_int64(ctx[GRANULE_WRITE] if write else ctx[GRANULE_READ])
    shift = ctx[GRANULE_SHIFT]
    first = address - SCRATCHPAD_BASE
    for granule in range(first >> shift, ((first + size - 1) >> shift) + 1):
        if table[granule] >= INFINITY or time > table[granule]:
            table[granule] = time


@njit
def _rows(access):
    """Rows, bytes and stride, with adjoining rows taken as one."""
    rows, size, stride = access[ACCESS_ROWS], access[ACCESS_BYTES], access[ACCESS_STRIDE]
    if size <= 0:
        return 0, 0, 0
    if stride == size:
        return min(rows, 1), rows * size, 0
    return rows, size, stride


@njit
def transfer(ctx, user, access, start, interval):
    """Take the bytes of an access from the banks' bandwidth from `start` on; extra cycles beyond `interval`."""
    pool = pointer_int64(ctx[BANDWIDTH])
    banks, width = pool[W_BANKS], pool[W_WIDTH]
    rows, size, stride = _rows(access)
    words = rows * ((size + width - 1) // width)
    per_row = (size + width - 1) // width
    if rows > 1 and per_row < banks and stride % width == 0:
        # rows that start in the same bank queue up for it
        used = min(banks, banks // _gcd(stride // width, banks) * per_row)
        words = words * banks // used
    return take(ctx, user, words * width, start, interval)


@njit
def take(ctx, user, size, start, interval):
    """Take `size` bytes of bandwidth for a unit; extra cycles beyond `interval`."""
    end = take_from(pointer_int64(ctx[BANDWIDTH]), size, start)
    note_traffic(pointer_int64(ctx[CHIP]), LEVEL_SCRATCHPAD, start, size)
    extra = max(0, end - (start + interval))
    first, last = start >> BUCKET_SHIFT, max(start, end - 1) >> BUCKET_SHIFT
    table, own = pointer_int64(ctx[CONFLICTS]), user - FIRST_DECOUPLED
    if extra > 0:
        ctx[CONFLICT_CYCLES] += extra
        table[own * len(USERS) + _rival(table, first, last, own)] += extra
    share = size // (last - first + 1)
    for bucket in range(first, last + 1):
        at = _shares(table, bucket)
        if table[at] != bucket:
            table[at] = bucket
            for other in range(len(USERS)):
                table[at + 1 + other] = 0
        table[at + 1 + own] += share
    return extra


@njit
def _shares(table, bucket):
    """Where the bytes that each unit took of a bucket are kept."""
    return CONFLICT_BUCKETS + (bucket & (BUCKETS - 1)) * CONFLICT_FIELDS


@njit
def _rival(table, first, last, own):
    """Which other unit took most of some buckets; the unit itself where none did."""
    best, most = own, 0
    for other in range(len(USERS)):
        taken = 0
        for bucket in range(first, last + 1):
            at = _shares(table, bucket)
            if table[at] == bucket:
                taken += table[at + 1 + other]
        if other != own and taken > most:
            best, most = other, taken
    return best


@njit
def take_from(pool, size, start):
    """Take `size` from a pool of so much per cycle (W_CAPACITY per bucket); the cycle by which it is taken, `start` if
    at once."""
    capacity = pool[W_CAPACITY]
    bucket = start >> BUCKET_SHIFT
    left = size
    used_up = 0
    while left > 0:
        slot = W_FIRST + 2 * (bucket & (BUCKETS - 1))
        if pool[slot] != bucket:
            if pool[slot] > bucket:
                # older than the ring remembers: nothing else ran then that could matter
                return start
            pool[slot] = bucket
            pool[slot + 1] = 0
        free = min(capacity - pool[slot + 1], left)
        pool[slot + 1] += free
        left -= free
        used_up = pool[slot + 1]
        bucket += 1
    if bucket - 1 == start >> BUCKET_SHIFT:
        return start
    return max(start, ((bucket - 1) << BUCKET_SHIFT) + (used_up << BUCKET_SHIFT) // capacity)


@njit
def _gcd(a, b):
    while b:
        a, b = b, a % b
    return a
