"""An out-of-order hart in time: instructions are renamed and retire in program order, and start when they can.

Per instruction, in program order: it is renamed when fetch has it and a slot, a reorder buffer entry, and an entry of
its queues are free; it starts when its operands are ready (registers are renamed: only true dependencies count) and a
port of its unit is not booked; it retires behind those before it. Ports are booked per cycle, so that a younger
instruction that is ready takes a cycle that an older one leaves.

Cycles in which nothing retires are stalls, booked to what the oldest instruction was at: not fetched yet, no room in
the window, waiting for an operand or a port, executing. Slots lost in other cycles are booked alike.
"""

from __future__ import annotations

import numpy as np

from archsim.machine.first_level import l1_access
from archsim.machine.front_end import consume, fetched
from archsim.machine.host import pointer_int64
from archsim.machine.jit import njit
from archsim.machine.layout import (
    BOOK_CYCLES,
    EVENT_VIOLATION,
    EVENTS,
    FIRST_ALONE,
    FIRST_DECOUPLED,
    H_BUSY,
    H_COMPLETE,
    H_DISPATCH,
    H_FETCH,
    H_FETCH_CAUSE,
    H_FETCHED_AT,
    H_GROUPS,
    H_LATE,
    H_PENALTY,
    H_PORTS,
    H_READY,
    H_SERIAL,
    H_TIME,
    H_USED,
    H_WIDTH,
    HELD,
    O_ADDRESS,
    O_BLOCK,
    O_BOOKS,
    O_DISPATCH,
    O_DISPATCHED,
    O_ISSUE_SLOT,
    O_LOAD_AT,
    O_LOADS,
    O_LOADS_SIZE,
    O_NUMBER,
    O_QUEUE,
    O_QUEUE_AT,
    O_QUEUE_SIZE,
    O_ROB,
    O_ROB_SIZE,
    O_SPECULATIVE,
    O_STORE_ADDRESS,
    O_STORE_AT,
    O_STORE_DRAIN,
    O_STORE_TABLE,
    O_STORES,
    O_STORES_SIZE,
    O_WAITS,
    P_COUNT,
    P_FREE,
    P_GROUP,
    P_HOLD,
    PARTIAL,
    PORT_FIELDS,
    SERVED,
    STALL_ISSUE_QUEUE,
    STALL_LOAD_QUEUE,
    STALL_ORDER,
    STALL_ROB,
    STALL_STORE_QUEUE,
    STALL_STRUCTURAL,
    STALLS,
    STORE_FIELDS,
    STORE_TABLE,
    WAIT_TABLE,
)
from archsim.machine.layout import UNIT_ID as _UNIT_ID

_LOAD, _STORE = _UNIT_ID["load"], _UNIT_ID["store"]


@njit
def begin(ctx, h, ready, cause, s, pc):
    """When the instruction with scoreboard word `s` starts. Nothing of it is kept before it retires."""
    unit = (s >> 40) & 255
    arrival = fetched(ctx, h, pc, h[O_DISPATCH])
    h[H_FETCHED_AT] = arrival
    h[O_ADDRESS] = -1
    dispatch = _rename(ctx, h, unit, arrival)
    h[H_DISPATCH] = dispatch
    time = _operands(h, ready, s, dispatch + 1)
    if unit >= FIRST_ALONE:
        # CSR accesses, fences, barriers and what is handed to other units wait until they are the oldest, and alone
        time = max(time, h[H_TIME] + (h[H_USED] > 0))
        if h[O_BLOCK] < 0 and unit < FIRST_DECOUPLED:
            h[O_BLOCK] = unit
        h[H_READY] = time
        return time
    if unit == _LOAD and h[O_SPECULATIVE] == 0 and h[O_STORE_ADDRESS] > time:
        time = h[O_STORE_ADDRESS]
        h[H_LATE] = -1 - STALL_ORDER
    h[H_READY] = time
    return _free_port(h, unit, time)


@njit
def _rename(ctx, h, unit, arrival):
    """When an instruction enters the window; O_BLOCK says what it waited for, if not for fetch."""
    time = h[O_DISPATCH]
    if h[O_DISPATCHED] >= h[H_WIDTH]:
        time += 1
    time = max(time, arrival)
    h[O_BLOCK] = -1
    if h[H_SERIAL] > time:
        time = h[H_SERIAL]
        h[O_BLOCK] = FIRST_ALONE
    entry = pointer_int64(h[O_ROB])[h[O_NUMBER] % h[O_ROB_SIZE]]
    if entry > time:
        time = entry
        h[O_BLOCK] = STALL_ROB
    if unit == _LOAD:
        entry = pointer_int64(h[O_LOADS])[h[O_LOAD_AT] % h[O_LOADS_SIZE]]
        if entry > time:
            time = entry
            h[O_BLOCK] = STALL_LOAD_QUEUE
    elif unit == _STORE:
        entry = pointer_int64(h[O_STORES])[h[O_STORE_AT] % h[O_STORES_SIZE]]
        if entry > time:
            time = entry
            h[O_BLOCK] = STALL_STORE_QUEUE
    if unit >= FIRST_ALONE:
        return time
    entry = _queue_entry(h, time)
    if entry > time:
        time = entry
        h[O_BLOCK] = STALL_ISSUE_QUEUE
    return time


@njit
def _queue_entry(h, time):
    """When an entry of the issue queue is free from `time` on; O_ISSUE_SLOT is the entry."""
    leaves, size = pointer_int64(h[O_QUEUE]), h[O_QUEUE_SIZE]
    slot = h[O_QUEUE_AT]
    best = slot
    for _ in range(size):
        if leaves[slot] <= time:
            best = slot
            break
        if leaves[slot] < leaves[best]:
            best = slot
        slot = slot + 1 if slot + 1 < size else 0
    h[O_ISSUE_SLOT] = best
    return leaves[best]


@njit
def _operands(h, ready, s, time):
    """When the operands are ready, not before `time`; H_LATE is the register that comes last."""
    h[H_LATE] = -1
    for shift in (8, 16, 48):
        register = (s >> shift) & 255
        if ready[register] > time:
            time = ready[register]
            h[H_LATE] = register
    return time


@njit
def _free_port(h, unit, time):
    """The first cycle from `time` on for which ports of the unit and of its group are not all booked."""
    port = H_PORTS + unit * PORT_FIELDS
    group = h[port + P_GROUP]
    time = max(time, h[port + P_FREE])
    cap = h[H_GROUPS + group]
    books = pointer_int64(h[O_BOOKS])
    own, shared = unit * BOOK_CYCLES, (FIRST_DECOUPLED + group) * BOOK_CYCLES
    while True:
        place = time & (BOOK_CYCLES - 1)
        if _booked(books[own + place], time) < h[port + P_COUNT] and _booked(books[shared + place], time) < cap:
            return time
        time += 1


@njit
def _booked(entry, time):
    return entry & 255 if entry >> 8 == time else 0


@njit
def _book(h, unit, time):
    port = H_PORTS + unit * PORT_FIELDS
    books = pointer_int64(h[O_BOOKS])
    for row in (unit, FIRST_DECOUPLED + h[port + P_GROUP]):
        place = row * BOOK_CYCLES + (time & (BOOK_CYCLES - 1))
        books[place] = time << 8 | _booked(books[place], time) + 1
    h[port + P_FREE] = time + h[port + P_HOLD]


@njit
def load_access(ctx, h, pc, address, start):
    """Cycles that a load's data comes later than a hit: from an older store that is still on its way, or the caches."""
    store = pointer_int64(h[O_STORE_TABLE] + ((address >> 3) & (STORE_TABLE - 1)) * STORE_FIELDS * 8)
    if store[0] != address >> 3 or store[3] <= start:
        return l1_access(ctx, address, start, np.int64(0), pc)
    data, known = store[1], store[2]
    waits = pointer_int64(h[O_WAITS])
    place = (pc >> 1) & (WAIT_TABLE - 1)
    if known > start and h[O_SPECULATIVE] and waits[place] == 0:
        # it had read what the store was about to change: everything from the load on is done again
        waits[place] = 1
        pointer_int64(ctx[EVENTS])[EVENT_VIOLATION] += 1
        h[H_FETCH] = max(h[H_FETCH], known + h[H_PENALTY])
        h[H_FETCH_CAUSE] = STALL_ORDER
    ctx[SERVED] = _STORE
    return max(0, data - start)


@njit
def store_access(ctx, h, pc, address, start):
    """Cycles that a store's line comes later than a hit; its address is remembered for loads behind it."""
    h[O_ADDRESS] = address
    return l1_access(ctx, address, start, np.int64(1), pc)


@njit
def commit(ctx, h, ready, cause, events, s, begun, after, extra):
    """Retire the instruction: enter its times everywhere, and book what was lost.

    Args:
        begun: when it started, as begin() said.
        after: the cycle behind its start, later than the next one if it held the hart up.
        extra: cycles that its result comes later than its unit's latency says.
    """
    unit = (s >> 40) & 255
    start = after - 1
    done = _result(ctx, ready, cause, s, start, extra)
    if unit == _STORE:
        done = start + 1
    elif unit >= FIRST_DECOUPLED:
        # it is its unit's now
        done = start
    h[H_COMPLETE] = done
    _book_stalls(ctx, h, cause, unit, begun, done, start - begun, extra)
    retired = h[H_TIME]
    number = h[O_NUMBER]
    pointer_int64(h[O_ROB])[number % h[O_ROB_SIZE]] = retired + 1
    h[O_NUMBER] = number + 1
    if unit < FIRST_ALONE:
        _book(h, unit, start)
        pointer_int64(h[O_QUEUE])[h[O_ISSUE_SLOT]] = start
        h[O_QUEUE_AT] = h[O_ISSUE_SLOT]
    elif unit < FIRST_DECOUPLED:
        h[H_SERIAL] = retired + 1
    if unit == _LOAD:
        pointer_int64(h[O_LOADS])[h[O_LOAD_AT] % h[O_LOADS_SIZE]] = retired + 1
        h[O_LOAD_AT] += 1
    elif unit == _STORE:
        _enter_store(h, start, done, retired, extra)
    if h[H_DISPATCH] > h[O_DISPATCH]:
        h[O_DISPATCH] = h[H_DISPATCH]
        h[O_DISPATCHED] = 0
    h[O_DISPATCHED] += 1
    consume(h)
    events[unit] += 1
    h[H_BUSY] += h[H_USED] == 0
    h[H_USED] += 1
    if h[H_USED] >= h[H_WIDTH]:
        h[H_TIME] += 1
        h[H_USED] = 0


@njit
def _book_stalls(ctx, h, cause, unit, begun, done, held, extra):
    """Let the clock of retirement go on to `done`: first what came late, in the order in which it happened."""
    left = done - h[H_TIME]
    if left <= 0:
        return
    running = done - begun - held
    executing = min(left, running) if running > 1 else 0
    waiting = min(left - executing, begun - h[H_READY])
    operands = min(left - executing - waiting, h[H_READY] - h[H_DISPATCH] - 1) if h[H_LATE] != -1 else 0
    blocked = min(left - executing - waiting - operands, held) if held > 0 else 0
    rest = left - executing - waiting - operands - blocked
    if rest > 0:
        _wait_until(ctx, h, h[H_TIME] + rest, h[O_BLOCK] if h[O_BLOCK] >= 0 else h[H_FETCH_CAUSE])
    if operands > 0:
        late = h[H_LATE]
        _wait_until(ctx, h, h[H_TIME] + operands, cause[late] if late >= 0 else -1 - late)
    if waiting > 0:
        _wait_until(ctx, h, h[H_TIME] + waiting, STALL_STRUCTURAL + unit)
    if executing > 0:
        _wait_until(ctx, h, h[H_TIME] + executing, ctx[SERVED] if extra > 0 else unit)
    if blocked > 0:
        _wait_until(ctx, h, h[H_TIME] + blocked, ctx[HELD])


@njit
def _enter_store(h, start, done, retired, extra):
    """A store leaves its queue when it has been written, in order, behind its retirement."""
    drained = max(max(retired + 1, start + extra), h[O_STORE_DRAIN] + 1)
    h[O_STORE_DRAIN] = drained
    pointer_int64(h[O_STORES])[h[O_STORE_AT] % h[O_STORES_SIZE]] = drained
    h[O_STORE_AT] += 1
    h[O_STORE_ADDRESS] = max(h[O_STORE_ADDRESS], start)
    word = h[O_ADDRESS] >> 3
    entry = pointer_int64(h[O_STORE_TABLE] + (word & (STORE_TABLE - 1)) * STORE_FIELDS * 8)
    entry[0], entry[1], entry[2], entry[3], entry[4] = word, done, start, drained, h[O_NUMBER]


@njit
def _wait_until(ctx, h, time, cause):
    """Let the clock go to `time`: empty slots of the cycle begun, and cycles in which nothing issues."""
    gap = time - h[H_TIME]
    if h[H_USED] > 0:
        pointer_int64(ctx[PARTIAL])[cause] += h[H_WIDTH] - h[H_USED]
        h[H_USED] = 0
        gap -= 1
    pointer_int64(ctx[STALLS])[cause] += gap
    h[H_TIME] = time


@njit
def _result(ctx, ready, cause, s, start, extra):
    """Note when the result of an instruction that started at `start` is ready, and what who waits for it waits for."""
    target, unit = s & 255, (s >> 40) & 255
    time = start + ((s >> 24) & 0xFFFF) + extra
    if unit >= FIRST_DECOUPLED:
        # its unit may have said already
        time = max(time, ready[target])
    ready[target] = time
    cause[target] = ctx[SERVED] if extra > 0 else unit
    return time
