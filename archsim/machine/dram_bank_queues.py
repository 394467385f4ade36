"""Another controller: a command queue per bank behind queues of transactions, as DRAMsim3 has it.

For comparison with that simulator's figures. Each tick: refresh of one rank after the other, or the first command that
is ready, banks in turn; a row closes for the oldest request of its bank when none in the queue hits it, or after four
hits. Then one transaction moves from the transaction queues to its bank's queue: reads, or a batch of writes when their
queue is full or there are no reads. Writes end a tick after they came (posted).
"""

from __future__ import annotations

from archsim.machine.dram_commands import note
from archsim.machine.dram_layout import (
    A_BANK,
    A_CHANNEL,
    A_ROW,
    ACT,
    BANK_FIELDS,
    H_BANK,
    H_BANKS,
    H_BANKS_PER_RANK,
    H_CHANNELS,
    H_PATH,
    H_RANKS,
    H_READ_LATENCY,
    H_READS,
    H_REFI,
    H_SPLIT,
    H_TRACE,
    H_WRITES,
    K_CONFLICTS,
    K_HITS,
    K_LATENCY,
    K_MISSES,
    K_N_ACT,
    PRE,
    Q_ROW,
    RD,
    REF,
    WR,
)
from archsim.machine.dram_source import block_of, locate
from archsim.machine.dram_times import bind, ready
from archsim.machine.host import pointer_int64
from archsim.machine.jit import njit
from archsim.machine.layout import INFINITY

DEPTH = 8
"""Commands that wait for a bank."""
HITS_IN_A_ROW = 4
WRITES_WITHOUT_READS = 16
"""Writes that must have gathered before they are served for lack of reads."""

# -- a channel's queues: fields, ends of reads, transactions; per bank hits since it was opened, how many wait, and them
(N_TURN, N_DRAINING, N_READS, N_WRITES, N_DUE, N_NEXT_RANK, N_PENDING, N_REFRESHING, N_CAPACITY, N_ENDS, N_ENDED) = (
    range(11)
)
N_END_RING = 16
ENDS = 256
N_QUEUE = N_END_RING + ENDS
LONGEST = 256
"""Entries of a transaction queue at most."""
N_BANKS = N_QUEUE + 2 * LONGEST
N_BANK_FIELDS = 2 + DEPTH

# -- a request
REQUEST_FIELDS = 4
(P_BANK, P_ROW, P_WRITE, P_ARRIVAL) = range(REQUEST_FIELDS)


@njit
def serve_bank_queues(head, addresses, writes, count, window, sends, scratch, requests, queues, queue_size):
    """As dram_source.serve, with this controller.

    Args:
        requests: address of `count` x REQUEST_FIELDS int64.
        queues: address of a block of `queue_size` int64 per channel, zeroed.
    """
    h, where, write, place = (
        pointer_int64(head),
        pointer_int64(addresses),
        pointer_int64(writes),
        pointer_int64(scratch),
    )
    r = pointer_int64(requests)
    channels = h[H_CHANNELS]
    for channel in range(channels):
        n = pointer_int64(queues + channel * queue_size * 8)
        n[N_DUE], n[N_CAPACITY] = h[H_REFI] // h[H_RANKS], h[H_WRITES]
    clock, sent, ended, flying, posted = 0, 0, 0, 0, 0
    while True:
        flying -= posted
        ended += posted
        posted = 0
        more = sends
        while sent < count and flying < window and more > 0:
            locate(h, where[sent], place)
            n = pointer_int64(queues + place[A_CHANNEL] * queue_size * 8)
            if n[N_READS + write[sent]] >= h[H_READS + write[sent]]:
                break
            p = sent * REQUEST_FIELDS
            r[p + P_BANK], r[p + P_ROW], r[p + P_WRITE], r[p + P_ARRIVAL] = (
                place[A_BANK], place[A_ROW], write[sent], clock,
            )  # fmt: skip
            n[N_QUEUE + write[sent] * LONGEST + n[N_READS + write[sent]]] = sent
            n[N_READS + write[sent]] += 1
            posted += write[sent]
            flying += 1
            sent += 1
            more -= 1
        busy = False
        soonest = INFINITY
        for channel in range(channels):
            n = pointer_int64(queues + channel * queue_size * 8)
            while n[N_ENDED] < n[N_ENDS] and n[N_END_RING + n[N_ENDED] % ENDS] <= clock:
                n[N_ENDED] += 1
                flying -= 1
                ended += 1
                busy = True
            if _tick(h, block_of(h, channel), n, r, channel, clock):
                busy = True
        if ended + posted >= count:
            return clock + 1
        clock += 1
        if not busy and posted == 0 and (flying >= window or sent == count or more == sends):
            for channel in range(channels):
                n = pointer_int64(queues + channel * queue_size * 8)
                soonest = min(soonest, _soonest(h, block_of(h, channel), n, r))
            clock = max(clock, soonest)


@njit
def _tick(h, k, n, r, channel, clock):
    """A tick of a channel; whether anything happened."""
    if h[H_REFI] and clock >= n[N_DUE]:
        n[N_DUE] += h[H_REFI] // h[H_RANKS]
        n[N_PENDING] += 1
    command, bank, slot = -1, 0, -1
    if n[N_PENDING]:
        command, bank = _refresh(h, k, n, clock)
    if command < 0:
        command, bank, slot = _first_ready(h, k, n, r, clock)
    done = command >= 0
    if done:
        _issue(h, k, n, r, channel, command, bank, slot, clock)
        if h[H_SPLIT]:
            other, bank, slot = _first_ready(h, k, n, r, clock)
            if other >= 0 and (other in (RD, WR)) != (command in (RD, WR)):
                _issue(h, k, n, r, channel, other, bank, slot, clock)
    return _move_on(n, r) or done


@njit
def _refresh(h, k, n, clock):
    """The next command of the refresh of a rank that is due, if it may be given."""
    n[N_REFRESHING] = 1
    path = pointer_int64(h[H_PATH])
    first = n[N_NEXT_RANK] * h[H_BANKS_PER_RANK]
    closed = True
    for bank in range(first, first + h[H_BANKS_PER_RANK]):
        if k[h[H_BANK] + bank * BANK_FIELDS + Q_ROW] >= 0:
            closed = False
            if ready(k, path, bank, PRE) <= clock:
                return PRE, bank
    if closed and k[path[first * 4] + REF] <= clock:
        return REF, first
    return -1, 0


@njit
def _first_ready(h, k, n, r, clock):
    """The first command that is ready, banks in turn, as (command, bank, place in the bank's queue)."""
    banks = h[H_BANKS]
    for _ in range(banks):
        bank = n[N_TURN] + 1
        bank = 0 if bank == banks else bank
        n[N_TURN] = bank
        if n[N_REFRESHING] and bank // h[H_BANKS_PER_RANK] == n[N_NEXT_RANK]:
            continue
        command, slot = _of_bank(h, k, n, r, bank, clock)
        if command >= 0:
            return command, bank, slot
    return -1, 0, -1


@njit
def _of_bank(h, k, n, r, bank, clock):
    """A bank's first command that is ready, and for which of its requests; -1 if there is none."""
    b = N_BANKS + bank * N_BANK_FIELDS
    waiting = n[b + 1]
    path = pointer_int64(h[H_PATH])
    row = k[h[H_BANK] + bank * BANK_FIELDS + Q_ROW]
    if waiting and row < 0:
        return (ACT, 0) if ready(k, path, bank, ACT) <= clock else (-1, -1)
    for slot in range(waiting):
        p = n[b + 2 + slot] * REQUEST_FIELDS
        if r[p + P_ROW] == row:
            command = RD + r[p + P_WRITE]
            if ready(k, path, bank, command) <= clock:
                return command, slot
        elif slot == 0 and ready(k, path, bank, PRE) <= clock and _may_close(n, r, b, waiting, row):
            return PRE, 0
    return -1, -1


@njit
def _may_close(n, r, b, waiting, row):
    pending = False
    for slot in range(waiting):
        pending = pending or r[n[b + 2 + slot] * REQUEST_FIELDS + P_ROW] == row
    return n[b] >= HITS_IN_A_ROW or not pending


@njit
def _issue(h, k, n, r, channel, command, bank, slot, clock):
    b = N_BANKS + bank * N_BANK_FIELDS
    q = h[H_BANK] + bank * BANK_FIELDS
    k[K_N_ACT + command] += 1
    if command == ACT:
        p = n[b + 2] * REQUEST_FIELDS
        k[q + Q_ROW] = r[p + P_ROW]
        n[b] = 0
        k[K_MISSES] += 1
    elif command == PRE:
        k[q + Q_ROW] = -1
        k[K_CONFLICTS] += 1
    elif command == REF:
        n[N_PENDING] -= 1
        n[N_REFRESHING] = 0
        n[N_NEXT_RANK] = (n[N_NEXT_RANK] + 1) % h[H_RANKS]
    else:
        k[K_HITS] += n[b] > 0
        n[b] += 1
        p = n[b + 2 + slot] * REQUEST_FIELDS
        n[b + 1] -= 1
        for other in range(slot, n[b + 1]):
            n[b + 2 + other] = n[b + 3 + other]
        if command == RD:
            end = clock + h[H_READ_LATENCY]
            n[N_END_RING + n[N_ENDS] % ENDS] = end
            n[N_ENDS] += 1
            # whoever waits sees the answer after the tick
            k[K_LATENCY] += end + 1 - r[p + P_ARRIVAL]
    bind(h, k, command, bank, clock)
    if h[H_TRACE]:
        note(h, channel, command, bank, clock, k[q + Q_ROW])


@njit
def _move_on(n, r):
    """Move one transaction to its bank's queue; whether one moved."""
    if n[N_DRAINING] == 0 and (
        n[N_WRITES] >= n[N_CAPACITY] or (n[N_READS] == 0 and n[N_WRITES] >= WRITES_WITHOUT_READS)
    ):
        n[N_DRAINING] = n[N_WRITES]
    kind = 1 if n[N_DRAINING] > 0 else 0
    queue = N_QUEUE + kind * LONGEST
    for i in range(n[N_READS + kind]):
        b = N_BANKS + r[n[queue + i] * REQUEST_FIELDS + P_BANK] * N_BANK_FIELDS
        if n[b + 1] < DEPTH:
            n[b + 2 + n[b + 1]] = n[queue + i]
            n[b + 1] += 1
            n[N_DRAINING] -= kind
            n[N_READS + kind] -= 1
            for other in range(i, n[N_READS + kind]):
                n[queue + other] = n[queue + other + 1]
            return True
    return False


@njit
def _soonest(h, k, n, r):
    """A tick before which nothing happens on a channel that did nothing now."""
    time = n[N_END_RING + n[N_ENDED] % ENDS] if n[N_ENDED] < n[N_ENDS] else INFINITY
    if h[H_REFI]:
        time = min(time, n[N_DUE])
    path = pointer_int64(h[H_PATH])
    for bank in range(h[H_BANKS]):
        b = N_BANKS + bank * N_BANK_FIELDS
        row = k[h[H_BANK] + bank * BANK_FIELDS + Q_ROW]
        if n[N_PENDING] and bank // h[H_BANKS_PER_RANK] == n[N_NEXT_RANK]:
            time = min(time, ready(k, path, bank, PRE) if row >= 0 else k[path[bank * 4] + REF])
            continue
        for slot in range(n[b + 1]):
            p = n[b + 2 + slot] * REQUEST_FIELDS
            command = ACT if row < 0 else (RD + r[p + P_WRITE] if r[p + P_ROW] == row else PRE)
            time = min(time, ready(k, path, bank, command))
    return time
