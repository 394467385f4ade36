"""Behind the first level of a core's caches, in time: the second level, and DRAM.

A line is in its cache at once, with the time at which its data will have come: who asks before that waits for it, and
takes no other miss register.
"""

from __future__ import annotations

from archsim.machine.cache_sets import install, invalidate, touch
from archsim.machine.host import pointer_int64
from archsim.machine.jit import njit
from archsim.machine.layout import (
    CHIP,
    CHIP_CONTEXTS,
    CHIP_HARTS,
    EVENT_BACK,
    EVENT_L2_HIT,
    EVENT_L2_MISS,
    EVENT_L2_WRITEBACK,
    EVENT_PASSED_ON,
    EVENT_USELESS,
    EVENTS,
    K_INCLUSIVE,
    K_LATENCY,
    K_LEFT,
    K_MSHR_AT,
    K_SHARED,
    K_SHIFT,
    L1D,
    L1I,
    L2,
)
from archsim.machine.memory_calls import line_of_memory


@njit
def free_register(registers, time):
    """The miss register that is free first, and when the miss can begin; -1 where there is no bound."""
    best = 1
    for slot in range(1, registers[0] + 1):
        if registers[slot] < registers[best]:
            best = slot
    return (best, max(time, registers[best])) if registers[0] else (-1, time)


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
    registers = pointer_int64(ctx[L2] + 8 * cache[K_MSHR_AT])
    slot, begin = free_register(registers, time + cache[K_LATENCY])
    cycle = line_of_memory(ctx, line * own, own, begin, 0)
    if slot >= 0:
        registers[slot] = cycle
    victim = install(cache, line, 0, cycle << 1 | 1)
    if victim >= 0:
        if cache[K_INCLUSIVE]:
            victim |= _back_invalidate(ctx, cache, (victim >> 1) * own, own)
        if victim & 1:
            events[EVENT_L2_WRITEBACK] += 1
            line_of_memory(ctx, (victim >> 1) * own, own, time, 1)
    return cycle << 1 | 1


@njit
def _back_invalidate(ctx, cache, address, size):
    """Take out of the first level what leaves an inclusive second one; 1 if any of it was modified."""
    if cache[K_SHARED] == 0:
        return _take_out(ctx, address, size)
    chip = pointer_int64(ctx[CHIP])
    contexts = pointer_int64(chip[CHIP_CONTEXTS])
    dirty = 0
    for hart in range(chip[CHIP_HARTS]):
        dirty |= _take_out(pointer_int64(contexts[hart]), address, size)
    return dirty


@njit
def _take_out(ctx, address, size):
    """Take an address range out of a hart's first level; 1 if any of it was modified."""
    events = pointer_int64(ctx[EVENTS])
    dirty = 0
    for first in (ctx[L1D], ctx[L1I]):
        if first == 0:
            continue
        cache = pointer_int64(first)
        for line in range(address >> cache[K_SHIFT], (address + size - 1 >> cache[K_SHIFT]) + 1):
            entry = invalidate(cache, line)
            if entry >= 0:
                events[EVENT_BACK] += 1
                events[EVENT_USELESS] += cache[K_LEFT] < 0
                dirty |= entry & 1
    return dirty


@njit
def write_back(ctx, address, size, time):
    """A modified line leaves the first level: to the second one if it holds the line, else to DRAM."""
    if ctx[L2] != 0:
        cache = pointer_int64(ctx[L2])
        if touch(cache, address >> cache[K_SHIFT], 1) >= 0:
            return
    line_of_memory(ctx, address, size, time, 1)


@njit
def pass_on(ctx, address, time):
    """A store goes on to the next level by itself, eight bytes: cycle << 1 | 1 if to DRAM, at which it is there.

    A second level that lacks the line fetches it.
    """
    pointer_int64(ctx[EVENTS])[EVENT_PASSED_ON] += 1
    word = address & ~7
    if ctx[L2] == 0:
        return line_of_memory(ctx, word, 8, time, 1) << 1 | 1
    arrival = fetch_line(ctx, word, 8, time)
    cache = pointer_int64(ctx[L2])
    touch(cache, word >> cache[K_SHIFT], 1)
    return arrival
