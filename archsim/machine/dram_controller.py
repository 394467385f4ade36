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
    K_ACTIVE,
    K_BUS_COLUMN,
    K_BUS_ROW,
    K_DEADLINE,
    K_FLOOR,
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
    L_CLOSE,
    L_COLUMN,
    L_OPEN,
    MODE_FIELDS,
    MODE_LISTS,
    PRE,
    PREA,
    Q_ACTIVE,
    Q_HIT,
    Q_MISS,
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
from archsim.machine.jit import njit
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
    key, bank = _first_active(h, k, path, column_floor, edge, first)
    if bank >= 0:
        pick_bank, pick_slot = bank, k[banks + bank * BANK_FIELDS + Q_ACTIVE]
        pick = RD + k[h[H_SLOT] + pick_slot * SLOT_FIELDS + S_WRITE]
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
        miss = Q_MISS + mode * MODE_FIELDS
        row_class = (COLUMN_CLASS + h[H_SPLIT]) << ORDER_BITS
        if k[K_ACTIVE + lists + L_COLUMN]:
            hit = Q_HIT + mode * MODE_FIELDS
            offset = (COLUMN_CLASS << ORDER_BITS) - (first << TIME_SHIFT)
            own, bank = _first_of(h, k, path, lists + L_COLUMN, RD + mode, hit, column_floor, edge, halves, offset)
            if own < key:
                key, pick, pick_bank, pick_slot = own, RD + mode, bank, k[banks + bank * BANK_FIELDS + hit]
        offset = row_class - (first << TIME_SHIFT)
        if k[K_ACTIVE + lists + L_CLOSE] and not _later(h, k, PRE, row_floor, first, key):
            own, bank = _first_of(h, k, path, lists + L_CLOSE, PRE, miss, row_floor, 0, halves, offset)
            soonest_row = min(soonest_row, first + (own >> TIME_SHIFT))
            if own < key:
                key, pick, pick_bank, pick_slot = own, PRE, bank, k[banks + bank * BANK_FIELDS + miss]
        if k[K_ACTIVE + lists + L_OPEN] and halves < 0 and not _later(h, k, ACT, row_floor, first, key):
            own, bank = _first_of(h, k, path, lists + L_OPEN, ACT, miss, row_floor, edge, reserved, offset)
            soonest_row = min(soonest_row, first + (own >> TIME_SHIFT))
            if own < key:
                key, pick, pick_bank, pick_slot = own, ACT, bank, k[banks + bank * BANK_FIELDS + miss]
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
def _first_active(h, k, path, floor, edge, first):
    """Of requests whose row was opened for them, the one that goes first: its key and its bank."""
    slots = h[H_SLOT]
    key, chosen = NOTHING, -1
    for i in range(h[H_LISTS], h[H_LISTS] + k[K_ACTIVE]):
        bank = k[i]
        at = slots + k[h[H_BANK] + bank * BANK_FIELDS + Q_ACTIVE] * SLOT_FIELDS
        time = max(ready(k, path, bank, RD + k[at + S_WRITE]), floor) | edge
        own = (time - first) << TIME_SHIFT | k[at + S_SEQUENCE]
        if own < key:
            key, chosen = own, bank
    return key, chosen


@njit
def _first_of(h, k, path, kind, command, field, floor, edge, without, offset):
    """Of a list of banks, but for one, the one whose command goes first: its key and the bank.

    Args:
        field: of the bank, where the request stands that wants the command.
        offset: class of the command, less the first tick.
    """
    slots, fields = h[H_SLOT], h[H_BANK] + field
    key, chosen = NOTHING, -1
    begin = h[H_LISTS] + kind * h[H_BANKS]
    for i in range(begin, begin + k[K_ACTIVE + kind]):
        bank = k[i]
        time = max(ready(k, path, bank, command), floor) | edge
        own = (time << TIME_SHIFT) + offset + k[slots + k[fields + bank * BANK_FIELDS] * SLOT_FIELDS + S_SEQUENCE]
        if own < key and bank != without:
            key, chosen = own, bank
    return key, chosen


@njit
def _later(h, k, command, floor, first, key):
    """Whether all ranks allow a command only after the tick of the choice so far."""
    time = INFINITY
    for at in range(h[H_READY] + command, h[H_READY] + h[H_RANKS] * COMMAND_SLOTS, COMMAND_SLOTS):
        time = min(time, k[at])
    return max(time, floor) - first > key >> TIME_SHIFT


@njit
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
                turn(h, k)
                if k[K_MODE] == mode:
                    return ended
        if decide(h, k) > clock:
            return ended
