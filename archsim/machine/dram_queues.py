"""Queues of a memory channel: reads and writes that wait, listed per bank in the order in which they came.

Each bank knows its first request that hits the open row and its first that does not, so that who looks for the next
command looks at banks, not at requests.
"""

from __future__ import annotations

from archsim.machine.dram_layout import (
    BANK_FIELDS,
    H_BANK,
    H_READS,
    H_SLOT,
    K_COALESCED,
    K_FLOOR,
    K_FORWARDED,
    K_FREE,
    K_LATENCY,
    K_LIVE_READ,
    K_READS,
    K_SEQUENCE,
    K_STALE,
    K_WRITES,
    MODE_FIELDS,
    Q_HEAD,
    Q_HIT,
    Q_LIVE,
    Q_LIVE_AT,
    Q_MISS,
    Q_ROW,
    Q_TAIL,
    S_ARRIVAL,
    S_COLUMN,
    S_COUNTED,
    S_NEXT,
    S_PREVIOUS,
    S_ROW,
    S_SEQUENCE,
    S_WRITE,
    SLOT_FIELDS,
    TAG_SHIFT,
)
from archsim.machine.jit import njit

FULL, QUEUED, FORWARDED, COALESCED = range(4)


@njit
def put(h, k, bank, row, column, write, arrival):
    """Hand a request to a channel at tick `arrival`; it can be served from the next tick on.

    Args:
        column: with a tag, shifted by TAG_SHIFT, where who asks wants to know when its data is there.

    Returns:
        FULL: it has to come again; QUEUED; FORWARDED: a queued write answers it at the next tick; COALESCED: it became
        one with a queued write.
    """
    q = h[H_BANK] + bank * BANK_FIELDS
    slots = h[H_SLOT]
    if k[K_WRITES] > 0:
        s = k[q + Q_HEAD + MODE_FIELDS]
        while s >= 0:
            other = slots + s * SLOT_FIELDS
            if k[other + S_ROW] == row and (k[other + S_COLUMN] ^ column) & (1 << TAG_SHIFT) - 1 == 0:
                k[K_COALESCED if write else K_FORWARDED] += 1
                # the answer comes a tick later
                k[K_LATENCY] += 1 - write
                return COALESCED if write else FORWARDED
            s = k[slots + s * SLOT_FIELDS + S_NEXT]
    if k[K_READS + write] >= h[H_READS + write]:
        return FULL
    k[K_READS + write] += 1
    s = k[K_FREE]
    at = slots + s * SLOT_FIELDS
    k[K_FREE] = k[at + S_NEXT]
    k[at + S_ROW], k[at + S_COLUMN], k[at + S_WRITE], k[at + S_ARRIVAL] = row, column, write, arrival
    k[at + S_SEQUENCE] = k[K_SEQUENCE]
    k[K_SEQUENCE] += 1
    k[at + S_COUNTED] = 0
    k[at + S_NEXT] = -1
    m = q + write * MODE_FIELDS
    last = k[m + Q_TAIL]
    k[at + S_PREVIOUS] = last
    k[m + Q_TAIL] = s
    if last >= 0:
        k[slots + last * SLOT_FIELDS + S_NEXT] = s
    else:
        k[m + Q_HEAD] = s
        place = k[K_LIVE_READ + write]
        k[h[H_BANK] + place * BANK_FIELDS + Q_LIVE + write] = bank
        k[m + Q_LIVE_AT] = place
        k[K_LIVE_READ + write] = place + 1
    if k[q + Q_ROW] == row:
        if k[m + Q_HIT] < 0:
            k[m + Q_HIT] = s
    elif k[m + Q_MISS] < 0:
        k[m + Q_MISS] = s
    k[K_FLOOR] = max(k[K_FLOOR], arrival + 1)
    k[K_STALE] = 1
    return QUEUED


@njit
def take_out(h, k, bank, s):
    """Remove a request from its queue; its slot stays its own."""
    slots = h[H_SLOT]
    at = slots + s * SLOT_FIELDS
    write = k[at + S_WRITE]
    k[K_READS + write] -= 1
    q = h[H_BANK] + bank * BANK_FIELDS
    m = q + write * MODE_FIELDS
    before, after = k[at + S_PREVIOUS], k[at + S_NEXT]
    if k[m + Q_HIT] == s:
        k[m + Q_HIT] = _next_of(k, slots, after, k[q + Q_ROW], 1)
    elif k[m + Q_MISS] == s:
        k[m + Q_MISS] = _next_of(k, slots, after, k[q + Q_ROW], 0)
    if before >= 0:
        k[slots + before * SLOT_FIELDS + S_NEXT] = after
    else:
        k[m + Q_HEAD] = after
    if after >= 0:
        k[slots + after * SLOT_FIELDS + S_PREVIOUS] = before
    else:
        k[m + Q_TAIL] = before
    if k[m + Q_HEAD] < 0:
        # the last of the banks with requests takes this one's place
        count = k[K_LIVE_READ + write] - 1
        k[K_LIVE_READ + write] = count
        lists = h[H_BANK] + Q_LIVE + write
        moved, place = k[lists + count * BANK_FIELDS], k[m + Q_LIVE_AT]
        k[lists + place * BANK_FIELDS] = moved
        k[h[H_BANK] + moved * BANK_FIELDS + write * MODE_FIELDS + Q_LIVE_AT] = place


@njit
def _next_of(k, slots, s, row, hit):
    """The first request from `s` on that hits a row (or, where `hit` is 0, does not); -1 if there is none."""
    while s >= 0 and (k[slots + s * SLOT_FIELDS + S_ROW] == row) != (hit == 1):
        s = k[slots + s * SLOT_FIELDS + S_NEXT]
    return s


@njit
def set_row(h, k, bank, row):
    """A bank's open row changes (-1: closed): find anew which requests hit it."""
    q = h[H_BANK] + bank * BANK_FIELDS
    k[q + Q_ROW] = row
    for m in range(q, q + 2 * MODE_FIELDS, MODE_FIELDS):
        head = k[m + Q_HEAD]
        k[m + Q_HIT] = _next_of(k, h[H_SLOT], head, row, 1)
        k[m + Q_MISS] = _next_of(k, h[H_SLOT], head, row, 0)
