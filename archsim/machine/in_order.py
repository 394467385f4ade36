"""An in-order hart in time: instructions issue in program order, up to H_WIDTH of them per cycle.

An instruction issues when fetch has it, its operands are ready (scoreboard), and a port of its unit is free. Cycles in
which none issues are stalls, each booked to what the next instruction waited for; slots that stay empty in a cycle in
which some do are booked alike (PARTIAL), so that instructions and lost slots add up to width x cycles.
"""

from __future__ import annotations

from archsim.machine.front_end import consume, fetched
from archsim.machine.host import pointer_int64
from archsim.machine.jit import njit
from archsim.machine.layout import (
    CAUSE,
    EVENTS,
    FIRST_DECOUPLED,
    H_BUSY,
    H_COMPLETE,
    H_FETCH_CAUSE,
    H_FETCHED_AT,
    H_LATE,
    H_START,
    H_TIME,
    H_USED,
    H_WIDTH,
    HELD,
    PARTIAL,
    READY,
    SERVED,
    STALL_STRUCTURAL,
    STALLS,
)
from archsim.machine.layout import UNIT_ID as _UNIT_ID
from archsim.machine.ports import port_time, take_port

_ALONE = _UNIT_ID["csr"]


@njit
def begin(ctx, h, s, pc):
    """When the instruction with scoreboard word `s` issues; the hart's clock has moved there.

    Calling it again, for an instruction that could not go on, changes nothing more.
    """
    ready, cause = pointer_int64(ctx[READY]), pointer_int64(ctx[CAUSE])
    arrival = fetched(ctx, h, pc, h[H_TIME])
    h[H_FETCHED_AT] = arrival
    if arrival > h[H_TIME]:
        wait_until(ctx, h, arrival, h[H_FETCH_CAUSE])
    first, second, third = (s >> 8) & 255, (s >> 16) & 255, (s >> 48) & 255
    time, late = ready[first], first
    if ready[second] > time:
        time, late = ready[second], second
    if ready[third] > time:
        time, late = ready[third], third
    h[H_LATE] = -1
    if time > h[H_TIME]:
        h[H_LATE] = late
        wait_until(ctx, h, time, cause[late])
    unit = (s >> 40) & 255
    time = h[H_TIME]
    if unit >= _ALONE:
        # CSR accesses, fences, barriers and what is handed to other units open a new group of instructions
        time += h[H_USED] > 0
    else:
        time = port_time(h, unit, time)
    if time > h[H_TIME]:
        wait_until(ctx, h, time, STALL_STRUCTURAL + unit)
    h[H_START] = time
    return time


@njit
def wait_until(ctx, h, time, cause):
    """Let the clock go to `time`: empty slots of the cycle begun, and cycles in which nothing issues."""
    gap = time - h[H_TIME]
    if h[H_USED] > 0:
        pointer_int64(ctx[PARTIAL])[cause] += h[H_WIDTH] - h[H_USED]
        h[H_USED] = 0
        gap -= 1
    pointer_int64(ctx[STALLS])[cause] += gap
    h[H_TIME] = time


@njit
def commit(ctx, h, s, after, extra):
    """The instruction has issued.

    Args:
        after: the cycle behind it, later than the next one if it held the hart up.
        extra: cycles that its result comes later than its unit's latency says.
    """
    unit = (s >> 40) & 255
    start = h[H_START]
    if after > start + 1:
        wait_until(ctx, h, after - 1, ctx[HELD])
    if unit < _ALONE:
        take_port(h, unit, start)
    consume(h)
    pointer_int64(ctx[EVENTS])[unit] += 1
    result(ctx, s, after - 1, extra)
    h[H_COMPLETE] = after
    h[H_BUSY] += h[H_USED] == 0
    h[H_USED] += 1
    if h[H_USED] >= h[H_WIDTH]:
        h[H_TIME] += 1
        h[H_USED] = 0


@njit
def result(ctx, s, start, extra):
    """Note when the result of an instruction that started at `start` is ready, and what who waits for it waits for."""
    ready, cause = pointer_int64(ctx[READY]), pointer_int64(ctx[CAUSE])
    target, unit = s & 255, (s >> 40) & 255
    time = start + ((s >> 24) & 0xFFFF) + extra
    if unit >= FIRST_DECOUPLED:
        # its unit may have said already
        time = max(time, ready[target])
    ready[target] = time
    cause[target] = ctx[SERVED] if extra > 0 else unit
    return time
