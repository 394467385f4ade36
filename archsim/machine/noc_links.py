"""Links of a network on chip over time: which segments of packets they carry, and when one more has a stretch free.

See noc for the rules. Segments on a link stand in the order of time and never overlap.
"""

from __future__ import annotations

from archsim.machine.jit import njit
from archsim.machine.layout import NEVER
from archsim.machine.noc_layout import (
    L_COUNT,
    L_FIRST,
    L_FLITS,
    L_FLOOR,
    L_FREE,
    L_RECORD,
    N_BUFFER,
    N_CREDIT,
    N_HOP,
    N_RECORDS,
    N_STATE_AT,
    N_STEP_AT,
    N_STRIDE,
    R_END,
    R_FLITS,
    R_HEAD,
    R_LEAVE,
    RECORD_FIELDS,
    S_HEAD,
    S_LEAVE,
    S_LINK,
    S_PARENT,
    S_TAIL,
    STEP_FIELDS,
)


@njit
def reserve(n, time, count, flits, network):
    """Reserve every step for flits that a buffer holds, behind the packet's flits before them."""
    for index in range(count):
        step = n[N_STEP_AT] + index * STEP_FIELDS
        head, tail, parent = max(time, n[step + S_TAIL] + 1), time, n[step + S_PARENT]
        if parent >= 0:
            before = n[N_STEP_AT] + parent * STEP_FIELDS
            # the link into the first router takes no time
            delay = n[N_HOP] if parent > 0 else 0
            head, tail = max(head, n[before + S_HEAD] + delay), n[before + S_TAIL] + delay
        _find(n, step, head, tail, flits, network)
        n[step + S_LEAVE] = NEVER
    for index in range(count - 1, -1, -1):
        step = n[N_STEP_AT] + index * STEP_FIELDS
        if n[step + S_LEAVE] == NEVER:
            # an endpoint takes what arrives
            n[step + S_LEAVE] = n[step + S_TAIL] + n[N_HOP] + n[N_CREDIT]
        if index > 0:
            # a place is free when its flit has started on all links that follow
            before = n[N_STEP_AT] + n[step + S_PARENT] * STEP_FIELDS
            n[before + S_LEAVE] = max(n[before + S_LEAVE], n[step + S_TAIL] + n[N_CREDIT])
        _insert(n, step, flits, network)


@njit
def _find(n, step, ready, ready_tail, flits, network):
    """The first stretch of a link that takes a head from `ready` on, and a tail from `ready_tail` on."""
    base = n[N_STATE_AT] + n[step + S_LINK] * n[N_STRIDE]
    count = n[base + L_COUNT]
    place = count
    while place > 0 and n[_record(n, base, place - 1) + R_END] > ready:
        place -= 1
    while True:
        free = n[_record(n, base, place - 1) + R_END] if place > 0 else n[base + L_FLOOR]
        head = max(ready, free)
        tail = ready_tail
        if n[base + L_FREE + network] > head:
            head_room, tail_room = _credits(n, base, place, flits, network)
            head, tail = max(head, head_room), max(tail, tail_room)
        tail = max(tail, head + flits - 1)
        if place == count or (tail < n[_record(n, base, place) + R_HEAD] and _spares(n, base, place, tail, network)):
            break
        place += 1
    n[step + S_HEAD], n[step + S_TAIL] = head, tail


@njit
def _record(n, base, place):
    """A segment in a link's ring, by its place in time."""
    return base + L_RECORD + ((n[base + L_FIRST] + place) & (n[N_RECORDS] - 1)) * RECORD_FIELDS


@njit
def _credits(n, base, place, flits, network):
    """When the buffer has room for the head, and for the tail, of a segment that follows those before `place`.

    Flit i needs the place of the flit `buffer` before it. Flits leave the buffer at most one per cycle, so that the one
    k before a segment's last leaves k cycles sooner at least.
    """
    head, tail, between = NEVER, NEVER, 0
    while place > 0 and between < n[N_BUFFER]:
        place -= 1
        record = _record(n, base, place)
        if n[record + R_FLITS] & 1 != network:
            continue
        others, leave = n[record + R_FLITS] >> 1, n[record + R_LEAVE]
        # the record's last flit is in the way of flit `room` of the segment, its others of those before
        room = n[N_BUFFER] - 1 - between
        mine = min(flits - 1, room)
        if room - mine < others:
            tail = max(tail, leave - (room - mine) + flits - 1 - mine)
        if others > room:
            head = max(head, leave - room)
        between += others
    return head, tail


@njit
def _spares(n, base, place, tail, network):
    """Whether a segment before `place`, if nothing holds it up behind the link, leaves those that follow their places.

    A flit b flits behind its tail needs the place of the one buffer - b before the tail, or of an older one.
    """
    leave, between = tail + n[N_HOP] + n[N_CREDIT], 0
    while place < n[base + L_COUNT] and between < n[N_BUFFER]:
        record = _record(n, base, place)
        if n[record + R_FLITS] & 1 == network:
            if leave - (n[N_BUFFER] - 1 - between) > n[record + R_HEAD]:
                return False
            between += n[record + R_FLITS] >> 1
        place += 1
    return True


@njit
def _insert(n, step, flits, network):
    """Enter a segment into the ring of a step's link, and forget the oldest one where that is full."""
    base = n[N_STATE_AT] + n[step + S_LINK] * n[N_STRIDE]
    n[base + L_FLITS] += flits
    n[base + L_FREE + network] = max(n[base + L_FREE + network], n[step + S_LEAVE])
    if n[base + L_COUNT] == n[N_RECORDS]:
        n[base + L_FLOOR] = max(n[base + L_FLOOR], n[_record(n, base, 0) + R_END])
        n[base + L_FIRST] += 1
        n[base + L_COUNT] -= 1
    place = n[base + L_COUNT]
    n[base + L_COUNT] += 1
    while place > 0 and n[_record(n, base, place - 1) + R_HEAD] > n[step + S_HEAD]:
        to, of = _record(n, base, place), _record(n, base, place - 1)
        for field in range(RECORD_FIELDS):
            n[to + field] = n[of + field]
        place -= 1
    record = _record(n, base, place)
    n[record + R_HEAD], n[record + R_END] = n[step + S_HEAD], n[step + S_TAIL] + 1
    n[record + R_FLITS], n[record + R_LEAVE] = flits << 1 | network, n[step + S_LEAVE]
