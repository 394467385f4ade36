"""Commands of a memory controller: what giving one changes in its channel, and the trace of them."""

from __future__ import annotations

from archsim.machine.dram_layout import (
    ACT,
    ACT2,
    BANK_FIELDS,
    CAS,
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
    H_PATH,
    H_PER_BANK,
    H_RANKS,
    H_READ_LATENCY,
    H_REFI,
    H_SLOT,
    H_SPLIT,
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
    K_MISSES,
    K_N_ACT,
    K_N_ACT2,
    K_N_CAS,
    K_N_PRE,
    K_PICK,
    K_PICK_BANK,
    K_PICK_SLOT,
    K_PICK_TIME,
    K_REF_BANK,
    K_REF_DUE,
    K_REF_LEFT,
    K_STALE,
    K_WCK,
    L_ACTIVE,
    MODE_FIELDS,
    PRE,
    PREA,
    Q_ACTIVE,
    Q_HIT,
    Q_ROW,
    RD,
    REFB,
    S_ARRIVAL,
    S_COLUMN,
    S_COUNTED,
    S_NEXT,
    S_ROW,
    SLOT_FIELDS,
    TAG_SHIFT,
    TRACE_FIELDS,
    WR,
)
from archsim.machine.dram_queues import enlist, list_bank, set_row, take_out
from archsim.machine.dram_times import bind, ready
from archsim.machine.host import pointer_int64
from archsim.machine.jit import njit, njit_inline

BY_ITSELF = -2
"""In a trace, the row of a precharge that took no command."""
FALLS_DUE = 16
"""No command: the time at which a refresh falls due, and has to be thought of."""


@njit_inline
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
        k[q + Q_ACTIVE] = s
        set_row(h, k, bank, row)
        if h[H_AAD]:
            k[K_ACT2], k[K_DEADLINE] = bank, tick + h[H_AAD]
        else:
            _wait_for_data(h, k, bank)
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
def _wait_for_data(h, k, bank):
    """A row is open: its request waits for its column command before all others."""
    k[K_ACTIVE] += 1
    enlist(h, k, L_ACTIVE, bank, k[h[H_BANK] + bank * BANK_FIELDS + Q_ACTIVE])


@njit
def _second_half(h, k, channel, tick):
    bank = k[K_ACT2]
    k[K_ACT2] = -1
    k[K_N_ACT2] += 1
    _wait_for_data(h, k, bank)
    k[K_BUS_ROW] = k[K_BUS_COLUMN] = k[K_FLOOR] = tick + 1
    if h[H_TRACE]:
        note(h, channel, ACT2, bank, tick, 0)
    return 0


@njit_inline
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
        k[K_ACTIVE] -= 1
        enlist(h, k, L_ACTIVE, bank, -1)
        list_bank(h, k, bank)
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


@njit_inline
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
def note(h, channel, command, bank, tick, row):
    """Add a command to the trace, while there is room."""
    count = h[H_TRACE_COUNT]
    if count < h[H_TRACE_LIMIT]:
        record = pointer_int64(h[H_TRACE] + count * TRACE_FIELDS * 8)
        record[0], record[1], record[2], record[3], record[4] = tick, channel, command, bank, row
        h[H_TRACE_COUNT] = count + 1
