"""Main memory for who needs its answer at once: cache lines, and the rows of vector loads.

A request takes its place in its channel as all others do. When its data will be there is found by letting a copy of
the channel run ahead, with what is known to come; the copy is then thrown away. Whoever asks a little later may still
go first in the end (an open row), which the answer does not know.
"""

from __future__ import annotations

from archsim.machine.dram_layout import (
    A_CHANNEL,
    H_AHEAD_FIRST,
    H_AHEAD_LAST,
    H_AHEAD_LEFT,
    H_ASKED_CHANNEL,
    H_CHANNELS,
    H_FIXED,
    H_PLACE,
    H_SERIAL,
    H_TOUCHED,
    H_TOUCHED_COUNT,
    H_TOUCHED_READS,
    K_IN_ASKS,
)
from archsim.machine.dram_source import block_of, locate
from archsim.machine.host import pointer_int64
from archsim.machine.interconnect import from_memory, to_memory
from archsim.machine.jit import njit
from archsim.machine.layout import CHIP_DRAM, CHIP_LINK_LATENCY, CHIP_TX, INFINITY
from archsim.machine.memory_channel import AHEAD, FLUSH, ONE_EVENT, cycle_of, enter, go_on, tick_of
from archsim.machine.memory_fixed import fixed_access

MAXIMUM_ASKS = 64
"""Requests of this kind on their way to a channel; who sends more waits."""
SLACK = 128
"""Cycles that a channel stays behind who asks: out of order, an earlier one may still come."""


@njit
def begin_asking(h):
    """Begin a set of requests that are answered together."""
    h[H_SERIAL] += 1
    h[H_TOUCHED_COUNT] = 0
    h[H_AHEAD_FIRST], h[H_AHEAD_LAST] = INFINITY, 0


@njit
def ask(chip, hart, time, address, write):
    """One burst that a core sends at `time`; writes are posted."""
    h = pointer_int64(chip[CHIP_DRAM])
    place = pointer_int64(h[H_PLACE])
    locate(h, address, place)
    channel = place[A_CHANNEL]
    cycle = to_memory(chip, hart, channel, time, chip[CHIP_TX], write)
    tick = tick_of(h, cycle)
    h[H_ASKED_CHANNEL] = channel
    if h[H_FIXED]:
        end = fixed_access(h, channel, tick, write)
        h[H_AHEAD_FIRST], h[H_AHEAD_LAST] = min(h[H_AHEAD_FIRST], end), max(h[H_AHEAD_LAST], end)
        return
    k = block_of(h, channel)
    go_on(h, channel, tick_of(h, max(0, cycle - SLACK)))
    while k[K_IN_ASKS] >= MAXIMUM_ASKS:
        go_on(h, channel, ONE_EVENT)
    enter(h, k, channel, place, tick, -(h[H_SERIAL] << 1 | write), write)
    if write:
        return
    reads = pointer_int64(h[H_TOUCHED_READS])
    if reads[channel] == 0:
        # one more than there are: reads may end while others of the set are still being asked for
        reads[channel] = 1
        pointer_int64(h[H_TOUCHED])[h[H_TOUCHED_COUNT]] = channel
        h[H_TOUCHED_COUNT] += 1
    reads[channel] += 1


@njit
def answers(chip, hart, size):
    """Cycles at which the first and the last data of the set's reads, `size` bytes in all, are at their core (of a
    memory without queues, writes, too, at their controller); 0 where there are none."""
    h = pointer_int64(chip[CHIP_DRAM])
    touched, reads = pointer_int64(h[H_TOUCHED]), pointer_int64(h[H_TOUCHED_READS])
    for i in range(h[H_TOUCHED_COUNT]):
        channel = touched[i]
        h[H_AHEAD_LEFT] = reads[channel] - 1
        reads[channel] = 0
        go_on(h, channel, AHEAD)
    if h[H_AHEAD_LAST] == 0:
        return 0, 0
    first, last = cycle_of(h, h[H_AHEAD_FIRST]), cycle_of(h, h[H_AHEAD_LAST])
    if size == 0:
        return first, last
    arrival = from_memory(chip, hart, h[H_ASKED_CHANNEL], last, size, 0)
    return min(first + chip[CHIP_LINK_LATENCY], arrival), arrival


@njit
def finish_writes(head, cycle):
    """At the end of a run: channels get to where it ended, and then write what is still queued."""
    h = pointer_int64(head)
    if h[H_FIXED]:
        return
    for channel in range(h[H_CHANNELS]):
        go_on(h, channel, tick_of(h, cycle))
        go_on(h, channel, FLUSH)
