"""The L1 data cache of a hart: tags in recency order per set (way 0 is the most recent), write-back, write-allocate.

A tag entry is ``line << 1 | dirty``. The dispatch loop looks at way 0 itself and calls here for the rest.
"""

from __future__ import annotations

from archsim.isa.program import SCRATCHPAD_BASE
from archsim.machine.dma import advance_engines
from archsim.machine.dram import dram_access
from archsim.machine.host import pointer_int64
from archsim.machine.jit import njit
from archsim.machine.layout import (
    CHIP,
    CHIP_DRAM,
    CHIP_LINK_LATENCY,
    CHIP_PERIOD_FS,
    EVENT_L1_MISS,
    EVENT_LINK,
    EVENT_SPAD_READ,
    EVENT_WRITEBACK,
    EVENTS,
    LINE_SHIFT,
    TAG_SETS,
    TAG_WAYS,
    TAGS,
    U_LATENCY,
    UNIT,
)


@njit
def l1_access(ctx, address, time, write):
    """Cycles beyond a hit that an access at `time` takes; updates tags, DRAM and events."""
    if address >= SCRATCHPAD_BASE:
        pointer_int64(ctx[EVENTS])[EVENT_SPAD_READ] += 8
        return pointer_int64(ctx[UNIT])[U_LATENCY]
    line = address >> ctx[LINE_SHIFT]
    ways = ctx[TAG_WAYS]
    tags = pointer_int64(ctx[TAGS] + (line & (ctx[TAG_SETS] - 1)) * ways * 8)
    for way in range(ways):
        if tags[way] >> 1 == line:
            entry = tags[way] | write
            for other in range(way, 0, -1):
                tags[other] = tags[other - 1]
            tags[0] = entry
            return 0
    victim = tags[ways - 1]
    for other in range(ways - 1, 0, -1):
        tags[other] = tags[other - 1]
    tags[0] = line << 1 | write
    return _miss(ctx, line, victim, time)


@njit
def _miss(ctx, line, victim, time):
    """Fetch a line from DRAM, and write the victim back after it."""
    chip = pointer_int64(ctx[CHIP])
    events = pointer_int64(ctx[EVENTS])
    d = pointer_int64(chip[CHIP_DRAM])
    period, latency = chip[CHIP_PERIOD_FS], chip[CHIP_LINK_LATENCY]
    size = 1 << ctx[LINE_SHIFT]
    advance_engines(chip, time)
    asked = (time + latency) * period
    done = (dram_access(d, asked, line << ctx[LINE_SHIFT], size, 0) + period - 1) // period + latency
    events[EVENT_L1_MISS] += 1
    events[EVENT_LINK] += size
    if victim & 1 and victim >= 0:
        dram_access(d, asked, (victim >> 1) << ctx[LINE_SHIFT], size, 1)
        events[EVENT_WRITEBACK] += 1
        events[EVENT_LINK] += size
    return done - time
