"""A channel of a chip's main memory: requests on their way to its controller, and its events in time.

Requests wait in order of arrival where a queue of the controller is full. Channels are independent of each other, so
each one goes on by itself until somebody wants to know what became of a request; who asks later in time may come first
here, and then arrives when the channel has got to.
"""

from __future__ import annotations

import numpy as np

from archsim.machine.dram_controller import advance, decide
from archsim.machine.dram_layout import (
    A_BANK,
    A_COLUMN,
    A_ROW,
    DONE_SLOTS,
    H_AHEAD_FIRST,
    H_AHEAD_LAST,
    H_AHEAD_LEFT,
    H_COPY,
    H_DONE,
    H_ENDS,
    H_ENDS_MASK,
    H_ENDS_TAIL,
    H_HALF,
    H_NEXT,
    H_PERIOD,
    H_POOL,
    H_POOL_FREE,
    H_RUN,
    H_SERIAL,
    H_TCK,
    H_TOUCHED_READS,
    K_ACT2,
    K_ACTIVE,
    K_AHEAD,
    K_BLOCKED,
    K_CLOCK,
    K_DONE_HEAD,
    K_DONE_TAIL,
    K_IN_ASKS,
    K_IN_HEAD,
    K_IN_TAIL,
    K_LATENCY,
    K_PICK_TIME,
    K_READS,
    K_STALE,
    K_WRITES,
    TAG_SHIFT,
)
from archsim.machine.dram_queues import FORWARDED, FULL, put
from archsim.machine.dram_source import block_of
from archsim.machine.host import call_at, pointer_int64
from archsim.machine.jit import njit
from archsim.machine.layout import INFINITY

AHEAD, FLUSH, ONE_EVENT = -1, -2, -3
NODE_FIELDS = 8
(N_NEXT, N_ARRIVAL, N_BANK, N_ROW, N_COLUMN, N_TAG, N_WRITE) = range(7)
"""A request on its way. Its tag: whom it belongs to (see dma); negative: it was asked for by memory_ask; 0: nobody.

Free ones hold the distance to the next free one from the one that lies behind them, so that memory of zeros is a list.
"""


@njit
def tick_of(h, cycle):
    """The first tick of the memory that is not before a cycle of the chip."""
    return (cycle * h[H_PERIOD] * h[H_HALF] + h[H_TCK] - 1) // h[H_TCK]


@njit
def cycle_of(h, tick):
    """The first cycle of the chip that is not before a tick of the memory."""
    return (tick * h[H_TCK] + h[H_PERIOD] * h[H_HALF] - 1) // (h[H_PERIOD] * h[H_HALF])


@njit
def enter(h, k, channel, place, tick, tag, write):
    """Send a request to a channel, where it arrives at `tick`; `place` is what locate() found."""
    pool = pointer_int64(h[H_POOL])
    n = h[H_POOL_FREE]
    h[H_POOL_FREE] = n + NODE_FIELDS + pool[n + N_NEXT]
    tick = max(tick, k[K_CLOCK])
    pool[n + N_ARRIVAL], pool[n + N_TAG], pool[n + N_WRITE] = tick, tag, write
    pool[n + N_BANK], pool[n + N_ROW], pool[n + N_COLUMN] = place[A_BANK], place[A_ROW], place[A_COLUMN]
    if tag <= 0:
        k[K_IN_ASKS] += 1
    before = k[K_IN_TAIL]
    if before >= 0 and pool[before + N_ARRIVAL] > tick:
        # a later one is on its way already
        before, after = -1, k[K_IN_HEAD]
        while pool[after + N_ARRIVAL] <= tick:
            before, after = after, pool[after + N_NEXT]
        pool[n + N_NEXT] = after
    else:
        pool[n + N_NEXT] = -1
        k[K_IN_TAIL] = n
    if before >= 0:
        pool[before + N_NEXT] = n
    else:
        k[K_IN_HEAD] = n
        k[K_BLOCKED] = 0
    following = pointer_int64(h[H_NEXT])
    following[channel] = min(following[channel], tick)


@njit
def next_event(h, k):
    """Tick of a channel's next command, refresh or arrival."""
    if k[K_STALE]:
        decide(h, k)
    tick = k[K_PICK_TIME]
    n = k[K_IN_HEAD]
    if n >= 0 and k[K_BLOCKED] == 0:
        tick = min(tick, max(pointer_int64(h[H_POOL])[n + N_ARRIVAL], k[K_CLOCK]))
    return tick


@njit
def do_event(h, k, channel, tick):
    """What happens in a channel at the tick of its next event: commands first, then arrivals."""
    k[K_CLOCK] = max(k[K_CLOCK], tick)
    if k[K_PICK_TIME] <= tick:
        advance(h, k, channel, tick)
        k[K_BLOCKED] = 0
        while k[K_DONE_HEAD] < k[K_DONE_TAIL]:
            place = h[H_DONE] + (k[K_DONE_HEAD] & DONE_SLOTS - 1)
            k[K_DONE_HEAD] += 1
            _ended(h, k, channel, k[place + DONE_SLOTS], k[place])
    if k[K_BLOCKED] == 0 and k[K_IN_HEAD] >= 0:
        _admit(h, k, channel)


@njit
def go_on(h, channel, until):
    """Have a channel go on up to a tick (or AHEAD, FLUSH, ONE_EVENT, see run())."""
    call_at(h[H_RUN], h, np.int64(channel), np.int64(until))


def run(h, channel, until):
    """All events of a channel up to a tick; compiled by itself, and called by address (H_RUN).

    AHEAD: until the reads that memory_ask asked for are served, then back to where it was. FLUSH: until it holds no
    requests, writes neither. ONE_EVENT: the next one.
    """
    k = block_of(h, channel)
    copy, size = pointer_int64(h[H_COPY]), h[H_DONE] if until == AHEAD else 0
    for i in range(size):
        copy[i] = k[i]
    if until == AHEAD:
        k[K_AHEAD] = h[H_SERIAL] << 1
    tick = next_event(h, k)
    count = 0
    while (
        (until >= 0 and tick <= until)
        or (until == AHEAD and h[H_AHEAD_LEFT] > 0)
        or (until == FLUSH and (waiting(k) or k[K_WRITES] > 0))
        or (until == ONE_EVENT and count == 0)
    ):
        do_event(h, k, channel, tick)
        tick = next_event(h, k)
        count += 1
    for i in range(size):
        k[i] = copy[i]
    if until != AHEAD:
        # nobody waits for queued writes and refreshes: they are done when the channel is looked at again
        pointer_int64(h[H_NEXT])[channel] = tick if waiting(k) else INFINITY
    return 0


@njit
def waiting(k):
    """Whether a channel holds requests that somebody waits for."""
    return k[K_IN_HEAD] >= 0 or k[K_READS] > 0 or k[K_ACTIVE] > 0 or k[K_ACT2] >= 0


@njit
def _admit(h, k, channel):
    """Hand over to the controller's queues what has arrived, in order, until one is full."""
    pool = pointer_int64(h[H_POOL])
    clock = k[K_CLOCK]
    while k[K_IN_HEAD] >= 0:
        n = k[K_IN_HEAD]
        if pool[n + N_ARRIVAL] > clock:
            return
        tag, write = pool[n + N_TAG], pool[n + N_WRITE]
        outcome = put(h, k, pool[n + N_BANK], pool[n + N_ROW], pool[n + N_COLUMN] | tag << TAG_SHIFT, write, clock)
        if outcome == FULL:
            k[K_BLOCKED] = 1
            return
        k[K_IN_HEAD] = pool[n + N_NEXT]
        if k[K_IN_HEAD] < 0:
            k[K_IN_TAIL] = -1
        if tag <= 0:
            k[K_IN_ASKS] -= 1
        if write:
            # posted: who wrote need not wait for the bank
            _ended(h, k, channel, tag, clock)
        else:
            k[K_LATENCY] += clock - pool[n + N_ARRIVAL]
            if outcome == FORWARDED:
                _ended(h, k, channel, tag, clock + 1)
        if k[K_AHEAD] == 0:
            pool[n + N_NEXT] = h[H_POOL_FREE] - n - NODE_FIELDS
            h[H_POOL_FREE] = n


@njit
def _ended(h, k, channel, tag, tick):
    """A request's data is there at `tick`, or has been taken: tell who waits for it."""
    if k[K_AHEAD]:
        if tag == -k[K_AHEAD]:
            h[H_AHEAD_LEFT] -= 1
            _note_answer(h, tick)
    elif tag < 0:
        reads = pointer_int64(h[H_TOUCHED_READS])
        if tag == -(h[H_SERIAL] << 1) and reads[channel] > 1:
            # of a set that is still being asked for
            reads[channel] -= 1
            _note_answer(h, tick)
    elif tag > 0:
        ends = pointer_int64(h[H_ENDS])
        place = 2 * (h[H_ENDS_TAIL] & h[H_ENDS_MASK])
        ends[place], ends[place + 1] = tag, tick
        h[H_ENDS_TAIL] += 1


@njit
def _note_answer(h, tick):
    """A read of the set that is asked for has ended."""
    h[H_AHEAD_FIRST] = min(h[H_AHEAD_FIRST], tick)
    h[H_AHEAD_LAST] = max(h[H_AHEAD_LAST], tick)
