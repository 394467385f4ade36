"""The first level of a core's data caches in time: hits, misses, stores that go on, lines fetched ahead, translations.

The dispatch loop looks at the first entry of a set itself and calls here for the rest (see cache_sets). Where every
access matters (stores that are written through, prefetchers, TLBs) INFLIGHT is at its end, so that it always calls.
"""

from __future__ import annotations

from archsim.isa.program import SCRATCHPAD_BASE
from archsim.machine.cache import fetch_line, free_register, pass_on, write_back
from archsim.machine.cache_sets import find, install, touch
from archsim.machine.host import pointer_int64
from archsim.machine.jit import njit
from archsim.machine.layout import (
    DTLB,
    EVENT_L1_MISS,
    EVENT_LATE,
    EVENT_PREFETCH,
    EVENT_SCALAR,
    EVENT_SPAD_READ,
    EVENT_TLB_MISS,
    EVENT_USEFUL,
    EVENT_USELESS,
    EVENT_WRITEBACK,
    EVENTS,
    H_STORE_HEAD,
    H_STORE_LAST,
    H_STORE_SLOTS,
    H_STORES,
    HELD,
    INFLIGHT,
    K_ALLOCATE,
    K_DEGREE,
    K_LATENCY,
    K_LEFT,
    K_MSHR_AT,
    K_PREFETCH,
    K_SHIFT,
    K_THROUGH,
    L1D,
    MISS_WAIT,
    RAM_SIZE,
    SERVED,
    STALL_DRAM,
    STALL_L2,
    STALL_STORE_BUFFER,
    STALL_TLB,
    U_LATENCY,
    UNIT,
)
from archsim.machine.layout import UNIT_ID as _UNIT_ID
from archsim.machine.prefetch import expected_step

_LOAD = _UNIT_ID["load"]
_NO_PAGE = 62
"""Shift with which all of memory is one page."""


@njit
def l1_access(ctx, address, time, write, pc):
    """Cycles beyond a hit that an access at `time`, of the instruction at `pc`, takes.

    Sets SERVED to the stall cause of who waits for it, and MISS_WAIT to the cycles until a miss register was free.
    """
    ctx[MISS_WAIT] = 0
    events = pointer_int64(ctx[EVENTS])
    if address >= SCRATCHPAD_BASE:
        events[EVENT_SPAD_READ] += 8
        events[EVENT_SCALAR] += 1
        ctx[SERVED] = _LOAD
        return pointer_int64(ctx[UNIT])[U_LATENCY]
    cache = pointer_int64(ctx[L1D])
    line = address >> cache[K_SHIFT]
    walk = _translation(ctx, address) if ctx[DTLB] != 0 else 0
    begin = time + walk
    found = touch(cache, line, write & ~cache[K_THROUGH])
    ahead = False
    if found >= 0:
        ahead = cache[found] < 0
        if ahead:
            _use(events, cache, found, begin)
        arrival = cache[found]
    else:
        events[EVENT_L1_MISS] += 1
        if write & ~cache[K_ALLOCATE]:
            arrival = begin << 1
        else:
            arrival = _miss(ctx, cache, line, write & ~cache[K_THROUGH], begin)
    if write and (cache[K_THROUGH] or (found < 0 and not cache[K_ALLOCATE])):
        arrival = max(arrival, pass_on(ctx, address, begin))
    if cache[K_PREFETCH] != 0:
        step = expected_step(cache, pc, address, found < 0 or ahead)
        if step != 0:
            _fetch_ahead(ctx, cache, address, step, begin)
    ctx[SERVED] = STALL_DRAM if arrival & 1 else STALL_L2
    later = max(0, (arrival >> 1) - begin)
    if walk > later:
        ctx[SERVED] = STALL_TLB
    return walk + later


@njit
def _miss(ctx, cache, line, write, time):
    """Fetch a line that the first level lacks, when a miss register is free: its time of arrival."""
    registers = pointer_int64(ctx[L1D] + 8 * cache[K_MSHR_AT])
    slot, begin = free_register(registers, time)
    ctx[MISS_WAIT] = begin - time
    arrival = _bring(ctx, cache, line, write, begin, False)
    if slot >= 0:
        registers[slot] = arrival >> 1
    ctx[INFLIGHT] = max(ctx[INFLIGHT], arrival >> 1)
    return arrival


@njit
def _bring(ctx, cache, line, write, time, ahead):
    """Ask for a line and put it into the first level, `ahead` of its use or for it; its time of arrival."""
    size = 1 << cache[K_SHIFT]
    arrival = fetch_line(ctx, line * size, size, time)
    victim = install(cache, line, write, ~arrival if ahead else arrival)
    if victim >= 0:
        events = pointer_int64(ctx[EVENTS])
        events[EVENT_USELESS] += cache[K_LEFT] < 0
        if victim & 1:
            events[EVENT_WRITEBACK] += 1
            write_back(ctx, (victim >> 1) * size, size, time)
    return arrival


@njit
def _fetch_ahead(ctx, cache, address, step, time):
    """Fetch lines `step` bytes apart while miss registers are free, within memory and with a TLB within the page."""
    registers = pointer_int64(ctx[L1D] + 8 * cache[K_MSHR_AT])
    page = pointer_int64(ctx[DTLB])[K_SHIFT] if ctx[DTLB] != 0 else _NO_PAGE
    for number in range(1, cache[K_DEGREE] + 1):
        target = address + number * step
        if target < 0 or target >= ctx[RAM_SIZE] or target >> page != address >> page:
            return
        if find(cache, target >> cache[K_SHIFT]) >= 0:
            continue
        slot, begin = free_register(registers, time)
        if begin > time:
            return
        arrival = _bring(ctx, cache, target >> cache[K_SHIFT], 0, time, True)
        if slot >= 0:
            registers[slot] = arrival >> 1
        pointer_int64(ctx[EVENTS])[EVENT_PREFETCH] += 1


@njit
def _use(events, cache, found, time):
    """A line that was fetched ahead is asked for."""
    cache[found] = ~cache[found]
    events[EVENT_USEFUL] += 1
    events[EVENT_LATE] += cache[found] >> 1 > time


@njit
def _translation(ctx, address):
    """Cycles until the TLB has an address's page: those of a walk where it lacks it."""
    tlb = pointer_int64(ctx[DTLB])
    page = address >> tlb[K_SHIFT]
    if touch(tlb, page, 0) >= 0:
        return 0
    pointer_int64(ctx[EVENTS])[EVENT_TLB_MISS] += 1
    install(tlb, page, 0, 0)
    return tlb[K_LATENCY]


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
