"""Caches of a core in time: L1 data, a private second level, and what is behind them.

Write-back, write-allocate, least recently used: ways stand in recency order, way 0 is the most recent. A line is in its
cache at once, with the time at which its data will have come: who asks before that waits for it. The dispatch loop
looks at way 0 itself and calls here for the rest.
"""

from __future__ import annotations

from archsim.isa.program import SCRATCHPAD_BASE
from archsim.machine.host import pointer_int64
from archsim.machine.jit import njit
from archsim.machine.layout import (
    EVENT_L1_MISS,
    EVENT_L2_HIT,
    EVENT_L2_MISS,
    EVENT_SPAD_READ,
    EVENT_WRITEBACK,
    EVENTS,
    H_STORE_HEAD,
    H_STORE_LAST,
    H_STORE_SLOTS,
    H_STORES,
    HELD,
    INFLIGHT,
    K_FIRST,
    K_LATENCY,
    K_SETS,
    K_SHIFT,
    K_WAYS,
    L1D,
    L2,
    MISS_WAIT,
    MSHRS,
    SERVED,
    STALL_DRAM,
    STALL_L2,
    STALL_STORE_BUFFER,
    U_LATENCY,
    UNIT,
)
from archsim.machine.layout import UNIT_ID as _UNIT_ID
from archsim.machine.memory_calls import line_of_memory

_LOAD = _UNIT_ID["load"]


@njit
def l1_access(ctx, address, time, write):
    """Cycles beyond a hit that an access at `time` takes.

    Sets SERVED to the stall cause of who waits for it, and MISS_WAIT to the cycles until a miss register was free.
    """
    ctx[MISS_WAIT] = 0
    if address >= SCRATCHPAD_BASE:
        pointer_int64(ctx[EVENTS])[EVENT_SPAD_READ] += 8
        ctx[SERVED] = _LOAD
        return pointer_int64(ctx[UNIT])[U_LATENCY]
    cache = pointer_int64(ctx[L1D])
    line = address >> cache[K_SHIFT]
    found = touch(cache, line, write)
    if found >= 0:
        arrival = cache[found]
    else:
        pointer_int64(ctx[EVENTS])[EVENT_L1_MISS] += 1
        slot, begin = _free_mshr(ctx, time)
        ctx[MISS_WAIT] = begin - time
        size = 1 << cache[K_SHIFT]
        arrival = fetch_line(ctx, line * size, size, begin)
        if slot >= 0:
            pointer_int64(ctx[MSHRS])[slot] = arrival >> 1
        ctx[INFLIGHT] = max(ctx[INFLIGHT], arrival >> 1)
        victim = install(cache, line, write, arrival)
        if victim >= 0 and victim & 1:
            pointer_int64(ctx[EVENTS])[EVENT_WRITEBACK] += 1
            _write_back(ctx, (victim >> 1) * size, size, begin)
    ctx[SERVED] = STALL_DRAM if arrival & 1 else STALL_L2
    return max(0, (arrival >> 1) - time)


@njit
def touch(cache, line, write):
    """Make a line the most recent of its set; the place of its time of arrival, or -1 if the cache lacks it."""
    ways = cache[K_WAYS]
    first = K_FIRST + (line & (cache[K_SETS] - 1)) * ways
    times = cache[K_SETS] * ways
    for way in range(ways):
        if cache[first + way] >> 1 == line:
            entry, arrival = cache[first + way] | write, cache[first + way + times]
            for other in range(first + way, first, -1):
                cache[other] = cache[other - 1]
                cache[other + times] = cache[other + times - 1]
            cache[first], cache[first + times] = entry, arrival
            return first + times
    return -1


@njit
def install(cache, line, write, arrival):
    """Put a line in front of its set; the entry that leaves (negative: none)."""
    ways = cache[K_WAYS]
    first = K_FIRST + (line & (cache[K_SETS] - 1)) * ways
    times = cache[K_SETS] * ways
    victim = cache[first + ways - 1]
    for other in range(first + ways - 1, first, -1):
        cache[other] = cache[other - 1]
        cache[other + times] = cache[other + times - 1]
    cache[first], cache[first + times] = line << 1 | write, arrival
    return victim


@njit
def _free_mshr(ctx, time):
    """The miss register that is free first, and when the miss can begin; -1 where there is no bound."""
    mshrs = pointer_int64(ctx[MSHRS])
    best = 1
    for slot in range(1, mshrs[0] + 1):
        if mshrs[slot] < mshrs[best]:
            best = slot
    return (best, max(time, mshrs[best])) if mshrs[0] else (-1, time)


@njit
def fetch_line(ctx, address, size, time):
    """When a line that the first level lacks at `time` arrives: cycle << 1 | 1 if it comes from DRAM."""
    if ctx[L2] == 0:
        return line_of_memory(ctx, address, size, time, 0) << 1 | 1
    cache = pointer_int64(ctx[L2])
    events = pointer_int64(ctx[EVENTS])
    line = address >> cache[K_SHIFT]
    found = touch(cache, line, 0)
    if found >= 0:
        events[EVENT_L2_HIT] += 1
        arrival = max(time + cache[K_LATENCY], cache[found] >> 1)
        return arrival << 1 | (cache[found] & 1 if arrival > time + cache[K_LATENCY] else 0)
    events[EVENT_L2_MISS] += 1
    own = 1 << cache[K_SHIFT]
    arrival = line_of_memory(ctx, line * own, own, time + cache[K_LATENCY], 0) << 1 | 1
    victim = install(cache, line, 0, arrival)
    if victim >= 0 and victim & 1:
        line_of_memory(ctx, (victim >> 1) * own, own, time, 1)
    return arrival


@njit
def _write_back(ctx, address, size, time):
    """A modified line leaves the first level: to the second one if it holds the line, else to DRAM."""
    if ctx[L2] != 0:
        cache = pointer_int64(ctx[L2])
        if touch(cache, address >> cache[K_SHIFT], 1) >= 0:
            return
    line_of_memory(ctx, address, size, time, 1)


@njit
def store_wait(ctx, h, time, extra):
    """Cycles that a store waits for an entry of the store buffer; entries are written in order, one per cycle.

    Args:
        extra: cycles until the store's line has come.
    """
    entries = pointer_int64(h[H_STORES])
    slot = h[H_STORE_HEAD] % h[H_STORE_SLOTS]
    wait = max(0, entries[slot] - time)
    h[H_STORE_LAST] = max(h[H_STORE_LAST], time + wait + extra) + 1
    entries[slot] = h[H_STORE_LAST]
    h[H_STORE_HEAD] += 1
    ctx[HELD] = STALL_STORE_BUFFER
    return wait
