"""A memory controller per channel: queues, FR-FCFS, refresh; it goes from command to command, never tick by tick.

What is served next: requests whose row was opened for them, then refresh that is due, then the oldest request of the
queue in turn (reads, or writes while they drain) whose next command may be given soonest. Queued writes answer reads of
the same burst, and writes of the same burst become one. What the device asks of commands comes from dram_rules.
"""

from __future__ import annotations

from archsim.machine.dram_layout import (
    ACT,
    ACT2,
    BANK_FIELDS,
    CAS,
    COMMAND_SLOTS,
    DONE_SLOTS,
    H_AAD,
    H_BANK,
    H_BANKS_PER_RANK,
    H_BL,
    H_BUS,
    H_CL,
    H_CLOSED,
    H_CWL,
    H_DONE,
    H_HALF,
    H_HIGH,
    H_HISTORY,
    H_LOW,
    H_PATH,
    H_PER_BANK,
    H_RANKS,
    H_RANKS_PER_HALF,
    H_READ_LATENCY,
    H_READY,
    H_REFI,
    H_RULE_START,
    H_SLOT,
    H_SPLIT,
    H_STACKS_PER_RANK,
    H_TRACE,
    H_TRACE_COUNT,
    H_TRACE_LIMIT,
    H_WCK,
    K_ACT2,
    K_ACTIVE,
    K_BUS_COLUMN,
    K_BUS_ROW,
    K_CONFLICTS,
    K_DEADLINE,
    K_DONE_TAIL,
    K_FLOOR,
    K_FREE,
    K_HITS,
    K_LAST,
    K_LATENCY,
    K_LIVE_READ,
    K_MISSES,
    K_MODE,
    K_N_ACT,
    K_N_ACT2,
    K_N_CAS,
    K_N_PRE,
    K_PICK,
    K_PICK_BANK,
    K_PICK_SLOT,
    K_PICK_TIME,
    K_READS,
    K_REF_BANK,
    K_REF_DUE,
    K_REF_LEFT,
    K_ROW_TIME,
    K_STALE,
    K_WCK,
    K_WRITES,
    MODE_FIELDS,
    OWN,
    PRE,
    PREA,
    Q_ACTIVE,
    Q_ACTIVE_AT,
    Q_ACTIVES,
    Q_HEAD,
    Q_HIT,
    Q_LIVE,
    Q_MISS,
    Q_ROW,
    R_FOLLOWING,
    R_LATENCY,
    R_LEVEL,
    RD,
    REF,
    REFB,
    RULE_FIELDS,
    S_ARRIVAL,
    S_COLUMN,
    S_COUNTED,
    S_NEXT,
    S_ROW,
    S_SEQUENCE,
    S_WRITE,
    SLOT_FIELDS,
    TAG_SHIFT,
    TRACE_FIELDS,
    WINDOW,
    WR,
)
from archsim.machine.dram_queues import set_row, take_out
from archsim.machine.host import pointer_int64
from archsim.machine.jit import njit
from archsim.machine.layout import INFINITY, NEVER

BY_ITSELF = -2
"""In a trace, the row of a precharge that took no command."""
ORDER_BITS = 38
"""What may go first is found as the least of one number each: ticks to come, class, order of arrival."""
TIME_SHIFT = ORDER_BITS + 2
REFRESH_CLASS, COLUMN_CLASS = 1, 2
NOTHING = (1 << 63) - 1
FALLS_DUE = 16
"""No command: the time at which a refresh falls due, and has to be thought of."""


# -- what comes next


@njit
def ready(k, path, bank, command):
    """First tick at which the device's rules allow a command to a bank."""
    p = bank * 4
    return max(
        max(k[path[p] + command], k[path[p + 1] + command]), max(k[path[p + 2] + command], k[path[p + 3] + command])
    )


@njit
def decide(h, k):
    """Choose a channel's next command and note it in K_PICK...; its tick.

    The choice holds until another request comes.
    """
    path = pointer_int64(h[H_PATH])
    banks, slots = h[H_BANK], h[H_SLOT]
    _turn(h, k)
    # all commands but precharges begin at odd ticks where ticks are half clocks
    edge = h[H_HALF] - 1
    column_floor = max(k[K_FLOOR], k[K_BUS_COLUMN]) | edge
    row_floor = max(k[K_FLOOR], k[K_BUS_ROW])
    first = min(column_floor, row_floor)
    row_class = (COLUMN_CLASS + h[H_SPLIT]) << ORDER_BITS
    soonest_row, key, pick, pick_bank, pick_slot = INFINITY, NOTHING, -1, -1, -1
    # requests whose row was opened for them
    for i in range(k[K_ACTIVE]):
        bank = k[banks + i * BANK_FIELDS + Q_ACTIVES]
        s = k[banks + bank * BANK_FIELDS + Q_ACTIVE]
        at = slots + s * SLOT_FIELDS
        command = RD + k[at + S_WRITE]
        time = max(ready(k, path, bank, command), column_floor) | edge
        own = (time - first) << TIME_SHIFT | k[at + S_SEQUENCE]
        if own < key:
            key, pick, pick_bank, pick_slot = own, command, bank, s
    reserved = -1
    if k[K_REF_LEFT] > 0:
        soonest_row, command, bank = _refresh_command(h, k, row_floor)
        if soonest_row < INFINITY:
            own = (soonest_row - first) << TIME_SHIFT | REFRESH_CLASS << ORDER_BITS
            if own < key:
                key, pick, pick_bank, pick_slot = own, command, bank, -1
        reserved = k[K_REF_BANK]
    if k[K_REF_LEFT] == 0 or h[H_PER_BANK]:
        mode = k[K_MODE]
        column = RD + mode
        lists = banks + Q_LIVE + mode
        halves = k[K_ACT2]
        for i in range(k[K_LIVE_READ + mode]):
            bank = k[lists + i * BANK_FIELDS]
            q = banks + bank * BANK_FIELDS
            m = q + mode * MODE_FIELDS
            if k[q + Q_ROW] < 0:
                if halves >= 0 or bank == reserved:
                    continue
                s = k[m + Q_HEAD]
                time = max(ready(k, path, bank, ACT), row_floor) | edge
                soonest_row = min(soonest_row, time)
                own = (time - first) << TIME_SHIFT | row_class | k[slots + s * SLOT_FIELDS + S_SEQUENCE]
                if own < key:
                    key, pick, pick_bank, pick_slot = own, ACT, bank, s
                continue
            if bank == halves:
                continue
            s = k[m + Q_HIT]
            if s >= 0:
                time = max(ready(k, path, bank, column), column_floor) | edge
                own = (time - first) << TIME_SHIFT | COLUMN_CLASS << ORDER_BITS
                own |= k[slots + s * SLOT_FIELDS + S_SEQUENCE]
                if own < key:
                    key, pick, pick_bank, pick_slot = own, column, bank, s
            s = k[m + Q_MISS]
            if s >= 0 and k[q + Q_ACTIVE] < 0:
                time = max(ready(k, path, bank, PRE), row_floor)
                soonest_row = min(soonest_row, time)
                own = (time - first) << TIME_SHIFT | row_class | k[slots + s * SLOT_FIELDS + S_SEQUENCE]
                if own < key:
                    key, pick, pick_bank, pick_slot = own, PRE, bank, s
    best = first + (key >> TIME_SHIFT) if pick >= 0 else INFINITY
    if k[K_ACT2] >= 0 and (best > row_floor or row_floor >= k[K_DEADLINE]):
        # an activate's second half goes where nothing else does, or when it must
        best, pick, pick_bank, pick_slot = row_floor, ACT2, k[K_ACT2], -1
    if h[H_REFI] and best >= k[K_REF_DUE]:
        best, pick, pick_bank, pick_slot = k[K_REF_DUE], FALLS_DUE, 0, -1
    k[K_PICK_TIME], k[K_PICK], k[K_PICK_BANK], k[K_PICK_SLOT] = best, pick, pick_bank, pick_slot
    k[K_STALE], k[K_ROW_TIME] = 0, soonest_row
    return best


@njit
def _turn(h, k):
    """Whether reads or writes are served: writes from a full queue down to a low one, or while there are no reads."""
    if k[K_MODE] == 0:
        if k[K_WRITES] > h[H_HIGH] or k[K_READS] == 0:
            k[K_MODE] = 1
    elif k[K_WRITES] < h[H_LOW] and k[K_READS] != 0:
        k[K_MODE] = 0


@njit
def _refresh_command(h, k, floor):
    """The next command of a refresh that is due, as (tick, command, bank); INFINITY while an open row is needed."""
    path = pointer_int64(h[H_PATH])
    banks = h[H_BANK]
    edge = h[H_HALF] - 1
    if h[H_PER_BANK]:
        bank = k[K_REF_BANK]
        q = banks + bank * BANK_FIELDS
        if k[q + Q_ROW] < 0:
            return max(ready(k, path, bank, REFB), floor) | edge, REFB, bank
        if k[q + Q_ACTIVE] >= 0:
            return INFINITY, PRE, bank
        return max(ready(k, path, bank, PRE), floor), PRE, bank
    first = (h[H_RANKS] - 1 - (k[K_REF_LEFT] - 1) % h[H_RANKS]) * h[H_BANKS_PER_RANK]
    command = REF
    for bank in range(first, first + h[H_BANKS_PER_RANK]):
        q = banks + bank * BANK_FIELDS
        if k[q + Q_ACTIVE] >= 0:
            return INFINITY, PREA, first
        if k[q + Q_ROW] >= 0:
            command = PREA
    time = max(k[path[first * 4] + command], floor)
    return time if command == PREA else time | edge, command, first


# -- commands go


@njit
def advance(h, k, channel, clock):
    """Give all commands of a channel up to a tick, of which there is at least one; how many writes ended with them.

    Who calls goes from tick to tick, and hands over what comes in between.
    """
    ended = 0
    while True:
        command, mode = k[K_PICK], k[K_MODE]
        ended += perform(h, k, channel)
        if command != FALLS_DUE:
            if h[H_SPLIT] == 0 or command not in (RD, WR):
                # one command a tick on a bus: the next one is chosen when it is known what else comes
                return ended
            if k[K_ROW_TIME] > clock:
                _turn(h, k)
                if k[K_MODE] == mode:
                    return ended
        if decide(h, k) > clock:
            return ended


@njit
def perform(h, k, channel):
    """Give the command that decide() chose; how many writes ended with it."""
    command, bank, s, tick = k[K_PICK], k[K_PICK_BANK], k[K_PICK_SLOT], k[K_PICK_TIME]
    k[K_STALE] = 1
    if command == FALLS_DUE:
        k[K_FLOOR] = max(k[K_FLOOR], tick)
        k[K_REF_LEFT] += 1 if h[H_PER_BANK] else h[H_RANKS]
        k[K_REF_DUE] += h[H_REFI]
        return 0
    q = h[H_BANK] + bank * BANK_FIELDS
    if command in (RD, WR):
        return _transfer(h, k, channel, command, bank, s, tick)
    if command == ACT2:
        return _second_half(h, k, channel, tick)
    at = h[H_SLOT] + s * SLOT_FIELDS
    if s >= 0 and k[at + S_COUNTED] == 0:
        k[at + S_COUNTED] = 1
        k[K_MISSES if command == ACT else K_CONFLICTS] += 1
    if command == ACT:
        row = k[at + S_ROW]
        take_out(h, k, bank, s)
        set_row(h, k, bank, row)
        k[q + Q_ACTIVE] = s
        if h[H_AAD]:
            k[K_ACT2], k[K_DEADLINE] = bank, tick + h[H_AAD]
        else:
            _activated(h, k, bank)
    elif command == PRE:
        set_row(h, k, bank, -1)
    elif command == PREA:
        for other in range(bank, bank + h[H_BANKS_PER_RANK]):
            if k[h[H_BANK] + other * BANK_FIELDS + Q_ROW] >= 0:
                set_row(h, k, other, -1)
    else:
        k[K_REF_LEFT] -= 1
        if command == REFB:
            k[K_REF_BANK] = (bank + 1) % (h[H_RANKS] * h[H_BANKS_PER_RANK])
    _give(h, k, channel, command, bank, tick)
    return 0


@njit
def _activated(h, k, bank):
    """A row is open: its request waits for its column command before all others."""
    place = k[K_ACTIVE]
    k[h[H_BANK] + place * BANK_FIELDS + Q_ACTIVES] = bank
    k[h[H_BANK] + bank * BANK_FIELDS + Q_ACTIVE_AT] = place
    k[K_ACTIVE] = place + 1


@njit
def _second_half(h, k, channel, tick):
    bank = k[K_ACT2]
    k[K_ACT2] = -1
    k[K_N_ACT2] += 1
    _activated(h, k, bank)
    k[K_BUS_ROW] = k[K_BUS_COLUMN] = k[K_FLOOR] = tick + 1
    if h[H_TRACE]:
        note(h, channel, ACT2, bank, tick, 0)
    return 0


@njit
def _transfer(h, k, channel, command, bank, s, tick):
    """A read or write; 1 if it is a write, which ends here."""
    at = h[H_SLOT] + s * SLOT_FIELDS
    q = h[H_BANK] + bank * BANK_FIELDS
    if h[H_WCK]:
        if tick >= k[K_WCK]:
            if k[K_ACT2] >= 0 and k[K_DEADLINE] <= tick + 1:
                return _second_half(h, k, channel, tick)
            k[K_N_CAS] += 1
            if h[H_TRACE]:
                note(h, channel, CAS, bank, tick, 0)
            tick += 1
        latency = h[H_CL] if command == RD else h[H_CWL]
        k[K_WCK] = max(k[K_WCK], tick + latency + h[H_BL] + h[H_WCK])
    if k[at + S_COUNTED] == 0:
        k[K_HITS] += 1
    if k[q + Q_ACTIVE] == s:
        k[q + Q_ACTIVE] = -1
        count = k[K_ACTIVE] - 1
        k[K_ACTIVE] = count
        moved, place = k[h[H_BANK] + count * BANK_FIELDS + Q_ACTIVES], k[q + Q_ACTIVE_AT]
        k[h[H_BANK] + place * BANK_FIELDS + Q_ACTIVES] = moved
        k[h[H_BANK] + moved * BANK_FIELDS + Q_ACTIVE_AT] = place
    else:
        take_out(h, k, bank, s)
    k[at + S_NEXT] = k[K_FREE]
    k[K_FREE] = s
    _give(h, k, channel, command, bank, tick)
    if h[H_CLOSED] and k[q + Q_ACTIVE] < 0 and k[q + Q_HIT] < 0 and k[q + Q_HIT + MODE_FIELDS] < 0:
        # precharges by itself as soon as it may, without a command
        closes = ready(k, pointer_int64(h[H_PATH]), bank, PRE)
        set_row(h, k, bank, -1)
        bind(h, k, PRE, bank, closes)
        k[K_N_PRE] += 1
        if h[H_TRACE]:
            note(h, channel, PRE, bank, closes, BY_ITSELF)
    if command == WR:
        k[K_LAST] = max(k[K_LAST], tick)
        return 1
    end = tick + h[H_READ_LATENCY]
    place = h[H_DONE] + (k[K_DONE_TAIL] & DONE_SLOTS - 1)
    k[place], k[place + DONE_SLOTS] = end, k[at + S_COLUMN] >> TAG_SHIFT
    k[K_DONE_TAIL] += 1
    k[K_LATENCY] += end - k[at + S_ARRIVAL]
    k[K_LAST] = max(k[K_LAST], end)
    return 0


@njit
def _give(h, k, channel, command, bank, tick):
    """Put a command on its bus and let the rules follow from it."""
    busy = tick + h[H_BUS + command]
    k[K_N_ACT + command] += 1
    if h[H_SPLIT]:
        if command in (RD, WR):
            k[K_BUS_COLUMN] = busy
            # a row command may still go in the same tick
            k[K_FLOOR] = max(k[K_FLOOR], tick)
        else:
            k[K_BUS_ROW] = busy
            k[K_FLOOR] = max(k[K_FLOOR], tick + 1)
    else:
        k[K_BUS_ROW] = k[K_BUS_COLUMN] = k[K_FLOOR] = busy
    bind(h, k, command, bank, tick)
    if h[H_TRACE]:
        note(h, channel, command, bank, tick, k[h[H_BANK] + bank * BANK_FIELDS + Q_ROW])


@njit
def bind(h, k, command, bank, tick):
    """Move the times from which other commands are allowed."""
    path = pointer_int64(h[H_PATH])
    for i in range(h[H_RULE_START + command], h[H_RULE_START + command + 1], RULE_FIELDS):
        kind, level = h[i], h[i + R_LEVEL]
        at = path[bank * 4 + level]
        time = tick + h[i + R_LATENCY]
        if kind == OWN:
            at += h[i + R_FOLLOWING]
            k[at] = max(k[at], time)
        elif kind == WINDOW:
            ring = h[H_HISTORY] + (at - h[H_READY])
            k[ring + k[ring + 4]] = tick
            k[ring + 4] = (k[ring + 4] + 1) & 3
            oldest = k[ring + k[ring + 4]]
            if oldest > NEVER:
                at += h[i + R_FOLLOWING]
                k[at] = max(k[at], oldest + h[i + R_LATENCY])
        else:
            count = h[H_STACKS_PER_RANK] if level else h[H_RANKS_PER_HALF]
            node = (at - h[H_READY]) // COMMAND_SLOTS - level * h[H_RANKS]
            first = at - node % count * COMMAND_SLOTS
            for other in range(first, first + count * COMMAND_SLOTS, COMMAND_SLOTS):
                if other != at:
                    k[other + h[i + R_FOLLOWING]] = max(k[other + h[i + R_FOLLOWING]], time)


@njit
def note(h, channel, command, bank, tick, row):
    """Add a command to the trace, while there is room."""
    count = h[H_TRACE_COUNT]
    if count < h[H_TRACE_LIMIT]:
        record = pointer_int64(h[H_TRACE] + count * TRACE_FIELDS * 8)
        record[0], record[1], record[2], record[3], record[4] = tick, channel, command, bank, row
        h[H_TRACE_COUNT] = count + 1
