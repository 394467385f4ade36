"""Queues of a memory channel: reads and writes that wait, listed per bank in the order in which they came.

Each bank knows its first request that hits the open row and its first that does not, so that who looks for the next
command looks at banks, not at requests.
"""

from __future__ import annotations

from archsim.machine.dram_layout import (
    BANK_FIELDS,
    H_BANK,
    H_BANKS,
    H_HIGH,
    H_LISTS,
    H_READS,
    H_SLOT,
    K_COALESCED,
    K_FLOOR,
    K_FORWARDED,
    K_FREE,
    K_LATENCY,
    K_LIST_FIRST,
    K_LIST_LAST,
    K_MODE,
    K_READS,
    K_SEQUENCE,
    K_STALE,
    K_WRITES,
    L_CLOSE,
    L_COLUMN,
    L_NEXT,
    L_OPEN,
    L_PREVIOUS,
    L_SEQUENCE,
    L_SLOT,
    LINK_FIELDS,
    MODE_FIELDS,
    MODE_LISTS,
    Q_ACTIVE,
    Q_HEAD,
    Q_HIT,
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
from archsim.machine.jit import njit, njit_inline

FULL, QUEUED, FORWARDED, COALESCED = range(4)


@njit_inline
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
    k[K_FLOOR] = max(k[K_FLOOR], arrival + 1)
    first = Q_HIT if k[q + Q_ROW] == row else Q_MISS
    if k[m + first] < 0:
        k[m + first] = s
        list_mode(h, k, bank, write)
        k[K_STALE] |= write == k[K_MODE]
    # reads and writes may take turns
    k[K_STALE] |= k[K_MODE] != write and (write == 0 or k[K_WRITES] > h[H_HIGH])
    return QUEUED


@njit_inline
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
        k[m + Q_HIT] = _next_of(k, slots, after, k[q + Q_ROW], True)
        enlist(h, k, write * MODE_LISTS + L_COLUMN, bank, k[m + Q_HIT])
    elif k[m + Q_MISS] == s:
        k[m + Q_MISS] = _next_of(k, slots, after, k[q + Q_ROW], False)
        list_mode(h, k, bank, write)
    if before >= 0:
        k[slots + before * SLOT_FIELDS + S_NEXT] = after
    else:
        k[m + Q_HEAD] = after
    if after >= 0:
        k[slots + after * SLOT_FIELDS + S_PREVIOUS] = before
    else:
        k[m + Q_TAIL] = before


@njit_inline
def _next_of(k, slots, s, row, hit):
    """The first request from `s` on that hits a row (or, unless `hit`, does not); -1 if there is none."""
    while s >= 0 and (k[slots + s * SLOT_FIELDS + S_ROW] == row) != hit:
        s = k[slots + s * SLOT_FIELDS + S_NEXT]
    return s


@njit
def set_row(h, k, bank, row):
    """A bank's open row changes (-1: closed): find anew which requests hit it."""
    q = h[H_BANK] + bank * BANK_FIELDS
    k[q + Q_ROW] = row
    for m in range(q, q + 2 * MODE_FIELDS, MODE_FIELDS):
        head = k[m + Q_HEAD]
        k[m + Q_HIT] = _next_of(k, h[H_SLOT], head, row, True)
        k[m + Q_MISS] = _next_of(k, h[H_SLOT], head, row, False)
    list_bank(h, k, bank)


# -- lists of banks by what they wait for


@njit
def list_bank(h, k, bank):
    """Put a bank in the lists where it belongs now, and in no others."""
    list_mode(h, k, bank, 0)
    list_mode(h, k, bank, 1)


@njit_inline
def list_mode(h, k, bank, mode):
    """As list_bank, for reads (0) or writes (1)."""
    q = h[H_BANK] + bank * BANK_FIELDS
    m = q + mode * MODE_FIELDS
    lists = mode * MODE_LISTS
    closed, miss = k[q + Q_ROW] < 0, k[m + Q_MISS]
    enlist(h, k, lists + L_OPEN, bank, miss if closed else -1)
    enlist(h, k, lists + L_CLOSE, bank, miss if not closed and k[q + Q_ACTIVE] < 0 else -1)
    enlist(h, k, lists + L_COLUMN, bank, k[m + Q_HIT])


@njit_inline
def enlist(h, k, kind, bank, s):
    """Have a bank wait in a list for request `s`; negative: not any more."""
    links = h[H_LISTS] + kind * h[H_BANKS] * LINK_FIELDS
    at = links + bank * LINK_FIELDS
    held = k[at + L_SLOT]
    if held == s:
        return
    k[at + L_SLOT] = s
    sequence = k[h[H_SLOT] + s * SLOT_FIELDS + S_SEQUENCE] if s >= 0 else -1
    if held >= 0 and k[at + L_NEXT] < 0 and k[at + L_SEQUENCE] < sequence:
        # it stays the last one
        k[at + L_SEQUENCE] = sequence
        return
    if held >= 0:
        before, after = k[at + L_PREVIOUS], k[at + L_NEXT]
        k[links + before * LINK_FIELDS + L_NEXT if before >= 0 else K_LIST_FIRST + kind] = after
        k[links + after * LINK_FIELDS + L_PREVIOUS if after >= 0 else K_LIST_LAST + kind] = before
    if s >= 0:
        # most often it is among the last
        before, after = k[K_LIST_LAST + kind], -1
        while before >= 0 and k[links + before * LINK_FIELDS + L_SEQUENCE] > sequence:
            before, after = k[links + before * LINK_FIELDS + L_PREVIOUS], before
        k[at + L_SEQUENCE], k[at + L_NEXT], k[at + L_PREVIOUS] = sequence, after, before
        k[links + before * LINK_FIELDS + L_NEXT if before >= 0 else K_LIST_FIRST + kind] = bank
        k[links + after * LINK_FIELDS + L_PREVIOUS if after >= 0 else K_LIST_LAST + kind] = bank
