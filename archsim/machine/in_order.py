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
    FIRST_DECOUPLED,
    H_BUSY,
    H_COMPLETE,
    H_FETCH_CAUSE,
    H_FETCHED_AT,
    H_LATE,
    H_TIME,
    H_USED,
    H_WIDTH,
    HELD,
    PARTIAL,
    SERVED,
    STALL_STRUCTURAL,
    STALLS,
)
from archsim.machine.layout import UNIT_ID as _UNIT_ID
from archsim.machine.ports import port_time, take_port

_ALONE = _UNIT_ID["csr"]


@njit
def begin(ctx, h, ready, cause, s, pc):
    """When the instruction with scoreboard word `s` issues; the hart's clock has moved there.

    Calling it again, for an instruction that could not go on, changes nothing more.
    """
    now = h[H_TIME]
    arrival = fetched(ctx, h, pc, now)
    if arrival > now:
        wait_until(ctx, h, arrival, h[H_FETCH_CAUSE])
        now = arrival
    h[H_FETCHED_AT] = arrival
    first, second, third = (s >> 8) & 255, (s >> 16) & 255, (s >> 48) & 255
    time, late = ready[first], first
    if ready[second] > time:
        time, late = ready[second], second
    if ready[third] > time:
        time, late = ready[third], third
    if time > now:
        wait_until(ctx, h, time, cause[late])
        now = time
        h[H_LATE] = late
    else:
        h[H_LATE] = -1
    unit = (s >> 40) & 255
    if unit < _ALONE:
        time = port_time(h, unit, now)
    else:
        # CSR accesses, fences, barriers and what is handed to other units open a new group of instructions
        time = now + (h[H_USED] > 0)
    if time > now:
        wait_until(ctx, h, time, STALL_STRUCTURAL + unit)
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
def commit(ctx, h, ready, cause, events, s, start, after, extra):
    """The instruction has issued.

    Args:
        start: when, as begin() said.
        after: the cycle behind it, later than the next one if it held the hart up.
        extra: cycles that its result comes later than its unit's latency says.
    """
    unit = (s >> 40) & 255
    if unit < _ALONE:
        take_port(h, unit, start)
    if after > start + 1:
        wait_until(ctx, h, after - 1, ctx[HELD])
    consume(h)
    events[unit] += 1
    result(ctx, ready, cause, s, after - 1, extra)
    h[H_COMPLETE] = after
    used = h[H_USED]
    h[H_BUSY] += used == 0
    if used + 1 >= h[H_WIDTH]:
        h[H_TIME] = after
        h[H_USED] = 0
    else:
        h[H_USED] = used + 1


@njit
def result(ctx, ready, cause, s, start, extra):
    """Note when the result of an instruction that started at `start` is ready, and what who waits for it waits for."""
    target, unit = s & 255, (s >> 40) & 255
    time = start + ((s >> 24) & 0xFFFF) + extra
    if unit >= FIRST_DECOUPLED:
        # its unit may have said already
        time = max(time, ready[target])
    ready[target] = time
    cause[target] = ctx[SERVED] if extra > 0 else unit
    return time
