"""A memory controller per channel: queues, FR-FCFS, refresh; it goes from command to command, never tick by tick.

What is served next: requests whose row was opened for them, then refresh that is due, then the oldest request of the
queue in turn (reads, or writes while they drain) whose next command may be given soonest. Queued writes answer reads of
the same burst, and writes of the same burst become one. What the device asks of commands comes from dram_rules; what
they change stands in dram_commands.
"""

from __future__ import annotations

from archsim.machine.dram_commands import FALLS_DUE, perform
from archsim.machine.dram_layout import (
    ACT,
    ACT2,
    BANK_FIELDS,
    COMMAND_SLOTS,
    H_BANK,
    H_BANKS,
    H_BANKS_PER_RANK,
    H_HALF,
    H_HIGH,
    H_LISTS,
    H_LOW,
    H_PATH,
    H_PER_BANK,
    H_RANKS,
    H_READY,
    H_REFI,
    H_SLOT,
    H_SPLIT,
    K_ACT2,
    K_BUS_COLUMN,
    K_BUS_ROW,
    K_DEADLINE,
    K_FLOOR,
    K_LIST_FIRST,
    K_MODE,
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
    K_WRITES,
    L_ACTIVE,
    L_CLOSE,
    L_COLUMN,
    L_NEXT,
    L_OPEN,
    L_SEQUENCE,
    L_SLOT,
    LINK_FIELDS,
    MODE_LISTS,
    PRE,
    PREA,
    Q_ACTIVE,
    Q_ROW,
    RD,
    REF,
    REFB,
    S_SEQUENCE,
    S_WRITE,
    SLOT_FIELDS,
    WR,
)
from archsim.machine.dram_times import ready
from archsim.machine.host import pointer_int64
from archsim.machine.jit import njit, njit_inline
from archsim.machine.layout import INFINITY

ORDER_BITS = 38
"""What may go first is found as the least of one number each: ticks to come, class, order of arrival."""
TIME_SHIFT = ORDER_BITS + 2
REFRESH_CLASS, COLUMN_CLASS = 1, 2
NOTHING = (1 << 63) - 1


# -- what comes next


@njit
def decide(h, k):
    """Choose a channel's next command and note it in K_PICK...; its tick.

    The choice holds until a request comes that may go before it (see put).
    """
    path = pointer_int64(h[H_PATH])
    banks = h[H_BANK]
    turn(h, k)
    # all commands but precharges begin at odd ticks where ticks are half clocks
    edge = h[H_HALF] - 1
    column_floor = max(k[K_FLOOR], k[K_BUS_COLUMN]) | edge
    row_floor = max(k[K_FLOOR], k[K_BUS_ROW])
    first = min(column_floor, row_floor)
    soonest_row, pick, pick_bank, pick_slot = INFINITY, -1, -1, -1
    key, slots = NOTHING, h[H_SLOT]
    # a request whose row was opened for it
    time, bank = _first_active(h, k, path, column_floor, edge)
    if bank >= 0:
        pick_bank, pick_slot = bank, k[banks + bank * BANK_FIELDS + Q_ACTIVE]
        at = slots + pick_slot * SLOT_FIELDS
        key, pick = (time - first) << TIME_SHIFT | k[at + S_SEQUENCE], RD + k[at + S_WRITE]
    reserved = -1
    if k[K_REF_LEFT] > 0:
        soonest_row, command, bank = _refresh_command(h, k, row_floor)
        if soonest_row < INFINITY:
            own = (soonest_row - first) << TIME_SHIFT | REFRESH_CLASS << ORDER_BITS
            if own < key:
                key, pick, pick_bank, pick_slot = own, command, bank, -1
        reserved = k[K_REF_BANK]
    if k[K_REF_LEFT] == 0 or h[H_PER_BANK]:
        mode, halves = k[K_MODE], k[K_ACT2]
        lists = mode * MODE_LISTS
        kind, limit = lists + L_COLUMN, first + (key >> TIME_SHIFT)
        if k[K_LIST_FIRST + kind] >= 0:
            time, bank = _first_of(h, k, path, kind, RD + mode, column_floor, edge, halves, limit)
            if bank >= 0:
                own = (time - first) << TIME_SHIFT | COLUMN_CLASS << ORDER_BITS | _link(h, k, kind, bank, L_SEQUENCE)
                if own < key:
                    key, pick, pick_bank, pick_slot = own, RD + mode, bank, _link(h, k, kind, bank, L_SLOT)
        row_class = (COLUMN_CLASS + h[H_SPLIT]) << ORDER_BITS
        if k[K_LIST_FIRST + lists + L_CLOSE] >= 0:
            kind, limit = lists + L_CLOSE, first + (key >> TIME_SHIFT)
            time, bank = _first_of(h, k, path, kind, PRE, row_floor, 0, halves, limit)
            if bank >= 0:
                soonest_row = min(soonest_row, time)
                own = (time - first) << TIME_SHIFT | row_class | _link(h, k, kind, bank, L_SEQUENCE)
                if own < key:
                    key, pick, pick_bank, pick_slot = own, PRE, bank, _link(h, k, kind, bank, L_SLOT)
        if k[K_LIST_FIRST + lists + L_OPEN] >= 0 and halves < 0:
            kind, limit = lists + L_OPEN, first + (key >> TIME_SHIFT)
            time, bank = _first_of(h, k, path, kind, ACT, row_floor, edge, reserved, limit)
            if bank >= 0:
                soonest_row = min(soonest_row, time)
                own = (time - first) << TIME_SHIFT | row_class | _link(h, k, kind, bank, L_SEQUENCE)
                if own < key:
                    key, pick, pick_bank, pick_slot = own, ACT, bank, _link(h, k, kind, bank, L_SLOT)
    best = first + (key >> TIME_SHIFT) if pick >= 0 else INFINITY
    if k[K_ACT2] >= 0 and (best > row_floor or row_floor >= k[K_DEADLINE]):
        # an activate's second half goes where nothing else does, or when it must
        best, pick, pick_bank, pick_slot = row_floor, ACT2, k[K_ACT2], -1
    if h[H_REFI] and best >= k[K_REF_DUE]:
        best, pick, pick_bank, pick_slot = k[K_REF_DUE], FALLS_DUE, 0, -1
    k[K_PICK_TIME], k[K_PICK], k[K_PICK_BANK], k[K_PICK_SLOT] = best, pick, pick_bank, pick_slot
    # advance() only asks whether a row command may go at the tick of the pick: later ones may have been left out
    k[K_STALE], k[K_ROW_TIME] = 0, soonest_row
    return best


@njit_inline
def _first_active(h, k, path, floor, edge):
    """Of requests whose row was opened for them, the one that goes first: its tick and its bank (-1: none)."""
    best, chosen = INFINITY, -1
    bank = k[K_LIST_FIRST + L_ACTIVE]
    while bank >= 0 and best > floor:
        write = k[h[H_SLOT] + _link(h, k, L_ACTIVE, bank, L_SLOT) * SLOT_FIELDS + S_WRITE]
        time = max(ready(k, path, bank, RD + write), floor) | edge
        if time < best:
            best, chosen = time, bank
        bank = _link(h, k, L_ACTIVE, bank, L_NEXT)
    return best, chosen


@njit_inline
def _first_of(h, k, path, kind, command, floor, edge, without, limit):
    """Of a list of banks, but for one, whose command goes first, if not after a tick: when, and its bank (-1: none)."""
    # the list is in order of age: who can go as soon as any rank allows goes before all that follow
    soonest = k[h[H_READY] + command]
    for at in range(1, h[H_RANKS]):
        soonest = min(soonest, k[h[H_READY] + at * COMMAND_SLOTS + command])
    soonest = max(soonest, floor) | edge
    best, chosen = limit + 1, -1
    bank = k[K_LIST_FIRST + kind]
    while bank >= 0 and best > soonest:
        if bank != without:
            time = max(ready(k, path, bank, command), floor) | edge
            if time < best:
                best, chosen = time, bank
        bank = _link(h, k, kind, bank, L_NEXT)
    return best, chosen


@njit_inline
def _link(h, k, kind, bank, field):
    """A field of a bank in a list."""
    return k[h[H_LISTS] + (kind * h[H_BANKS] + bank) * LINK_FIELDS + field]


@njit_inline
def turn(h, k):
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


@njit_inline
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
                turn(h, k)
                if k[K_MODE] == mode:
                    return ended
        if decide(h, k) > clock:
            return ended
