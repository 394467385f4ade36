"""A stream of requests through memory controllers, request by request, in time order.

The source offers its requests in order: up to `sends` per tick, at most `window` on their way, and it waits where a
queue is full (head-of-line blocking). A read is on its way until its data has come, a write until its command is given.
"""

from __future__ import annotations

import numpy as np

from archsim.machine.arithmetic import trailing_zeros
from archsim.machine.dram_controller import advance, decide
from archsim.machine.dram_layout import (
    A_BANK,
    A_CHANNEL,
    A_COLUMN,
    A_ROW,
    DONE_SLOTS,
    H_ALTERNATE,
    H_BLOCKS,
    H_CHANNELS,
    H_DONE,
    H_HASH_COUNT,
    H_HASHES,
    H_INTERLEAVE_SHIFT,
    H_READS,
    H_SEGMENT_COUNT,
    H_SEGMENTS,
    H_STRIDE,
    H_TX_SHIFT,
    HASH_FIELDS,
    K_DONE_HEAD,
    K_DONE_TAIL,
    K_LAST,
    K_PICK_TIME,
    K_READS,
    K_STALE,
    SEGMENT_FIELDS,
)
from archsim.machine.dram_queues import COALESCED, FORWARDED, FULL, put
from archsim.machine.host import pointer_int64
from archsim.machine.jit import njit, njit_inline
from archsim.machine.layout import INFINITY


@njit_inline
def block_of(h, channel):
    """A channel's block."""
    return pointer_int64(h[H_BLOCKS] + channel * h[H_STRIDE] * 8)


@njit_inline
def locate(h, address, place):
    """Where a burst lies: `place` gets channel, bank of the channel, row and column."""
    channel, bank, row, column, index = 0, 0, 0, 0, address >> h[H_TX_SHIFT]
    channels = h[H_CHANNELS]
    if channels > 1 and h[H_ALTERNATE]:
        # channels alternate: divisions only where they are not a power of two
        block, inside = index >> h[H_INTERLEAVE_SHIFT], index & (1 << h[H_INTERLEAVE_SHIFT]) - 1
        if channels & (channels - 1) == 0:
            channel, block = block & (channels - 1), block >> trailing_zeros(np.int64(channels))
        else:
            channel, block = block % channels, block // channels
        index = block << h[H_INTERLEAVE_SHIFT] | inside
    segments = pointer_int64(h[H_SEGMENTS])
    for i in range(0, h[H_SEGMENT_COUNT] * SEGMENT_FIELDS, SEGMENT_FIELDS):
        part = ((index >> segments[i]) & segments[i + 1]) << segments[i + 3]
        field = segments[i + 2]
        if field == A_BANK:
            bank |= part
        elif field == A_COLUMN:
            column |= part
        elif field == A_ROW:
            row |= part
        else:
            channel |= part
    place[A_CHANNEL], place[A_BANK], place[A_ROW], place[A_COLUMN] = channel, bank, row, column
    hashes = pointer_int64(h[H_HASHES])
    for i in range(0, h[H_HASH_COUNT] * HASH_FIELDS, HASH_FIELDS):
        place[hashes[i]] ^= ((place[hashes[i + 1]] >> hashes[i + 2]) & hashes[i + 3]) << hashes[i + 4]


Z_FIELDS = 16
(Z_CLOCK, Z_SENT, Z_ENDED, Z_TOTAL, Z_FLYING, Z_FORWARDED, Z_LAST) = range(7)
"""A source between calls of serve: the tick it has come to, requests sent (of those it is serving) and ended (of all),
how many there will have been, how many are on their way, how many of them a write answered, the last end."""
Z_PLACE = 8


@njit
def serve(head, addresses, writes, period, step, count, until, window, sends, source):
    """Serve requests from where `source` stands; the tick that it comes to.

    Request i is burst `addresses[i % period] + i // period * step`.

    Args:
        head: address of the controllers' head.
        addresses, writes: addresses of int64 arrays of `period` entries: where, and 1 for a write.
        count: requests to send.
        until: stop as soon as so many are sent; more than `count`: when all have ended.
        source: address of Z_FIELDS int64.
    """
    h, where, write, z = pointer_int64(head), pointer_int64(addresses), pointer_int64(writes), pointer_int64(source)
    place = pointer_int64(source + Z_PLACE * 8)
    channels = h[H_CHANNELS]
    clock, sent, ended, flying, forwarded, last = (
        z[Z_CLOCK], z[Z_SENT], z[Z_ENDED], z[Z_FLYING], z[Z_FORWARDED], z[Z_LAST],
    )  # fmt: skip
    rounds, inside, located = sent // period, sent % period, False
    blocked = False
    while sent < until:
        more = sends
        full = False
        while sent < count and flying < window and more > 0:
            if not located:
                locate(h, where[inside] + rounds * step, place)
                located = True
            k = block_of(h, place[A_CHANNEL])
            if blocked and k[K_READS + write[inside]] == h[H_READS + write[inside]]:
                # nothing has left the queue since
                full = True
                break
            outcome = put(h, k, place[A_BANK], place[A_ROW], place[A_COLUMN], write[inside], clock)
            blocked = outcome == FULL
            if blocked:
                full = True
                break
            located = False
            more -= 1
            sent += 1
            inside += 1
            if inside == period:
                inside, rounds = 0, rounds + 1
            if outcome == COALESCED:
                ended += 1
                last = max(last, clock)
                continue
            flying += 1
            if outcome == FORWARDED:
                forwarded += 1
        if ended == z[Z_TOTAL]:
            break
        # the next tick at which something happens
        soonest = INFINITY
        if forwarded or (sent < count and flying < window and not full):
            soonest = clock + 1
        for channel in range(channels):
            k = block_of(h, channel)
            if k[K_STALE]:
                decide(h, k)
            soonest = min(soonest, k[K_PICK_TIME])
        if flying >= window or sent == count:
            for channel in range(channels):
                k = block_of(h, channel)
                if k[K_DONE_HEAD] < k[K_DONE_TAIL]:
                    soonest = min(soonest, k[h[H_DONE] + (k[K_DONE_HEAD] & DONE_SLOTS - 1)])
        clock = soonest
        if forwarded:
            flying -= forwarded
            ended += forwarded
            last = max(last, clock)
            forwarded = 0
        for channel in range(channels):
            k = block_of(h, channel)
            while k[K_DONE_HEAD] < k[K_DONE_TAIL] and k[h[H_DONE] + (k[K_DONE_HEAD] & DONE_SLOTS - 1)] <= clock:
                k[K_DONE_HEAD] += 1
                flying -= 1
                ended += 1
            if k[K_PICK_TIME] <= clock:
                done = advance(h, k, channel, clock)
                flying -= done
                ended += done
    for channel in range(channels):
        last = max(last, block_of(h, channel)[K_LAST])
    z[Z_CLOCK], z[Z_SENT], z[Z_ENDED], z[Z_FLYING], z[Z_FORWARDED], z[Z_LAST] = (
        clock, sent, ended, flying, forwarded, last,
    )  # fmt: skip
    return last
