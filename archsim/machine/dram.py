"""DRAM: channels of bank groups of banks with open rows, served first come, first served per channel.

Rules (one line each, JEDEC names): a column command needs its row open and tRCD past its ACT; column commands are
tCCD_S apart, tCCD_L within a bank group; a read after a write waits CWL + BL + tWTR_S/L, a write after a read tRTW;
ACTs of a channel are tRRD_S apart, tRRD_L within a group, any five span more than tFAW, and tRC within a bank; PRE
waits tRAS after ACT, tRTP after a read, CWL + BL + tWR after a write; ACT waits tRP after PRE. Every tREFI all banks
close and rest for tRFC. Pages stay open. The next row of another bank is opened as soon as its request arrives, so
long streams hide it.

Address bits, low to high: transaction, interleave over channels, bank group, column, bank (XORed with the row), row.
Times inside are device clocks; the interface is femtoseconds.
"""

from __future__ import annotations

import numpy as np

from archsim.machine.arithmetic import trailing_zeros
from archsim.machine.host import pointer_int64
from archsim.machine.jit import njit
from archsim.machine.layout import (
    B_ACT_OK,
    B_COLUMN_OK,
    B_PRE_OK,
    B_ROW,
    BANK_FIELDS,
    C_ACT,
    C_COLUMN,
    C_READ,
    C_REFRESH,
    C_RING,
    C_RING_AT,
    C_WRITE,
    C_WRITE_GROUP,
    CHANNEL_FIELDS,
    D_ACTIVATES,
    D_BANK_STATE,
    D_BANKS,
    D_BL,
    D_CCD_L,
    D_CCD_S,
    D_CHANNEL_STATE,
    D_CHANNELS,
    D_CL,
    D_COLUMNS,
    D_CWL,
    D_FAW,
    D_GROUP_STATE,
    D_GROUPS,
    D_HITS,
    D_INTERLEAVE,
    D_RAS,
    D_RC,
    D_RCD,
    D_READS,
    D_REFI,
    D_REFRESHES,
    D_RFC,
    D_ROWS,
    D_RP,
    D_RRD_L,
    D_RRD_S,
    D_RTP,
    D_RTW,
    D_TCK_FS,
    D_TX,
    D_WR,
    D_WRITES,
    D_WTR_L,
    D_WTR_S,
    G_ACT,
    G_COLUMN,
    GROUP_FIELDS,
)


@njit
def dram_access(d, time_fs, address, size, write):
    """Serve `size` bytes at `address` arriving at `time_fs`; the time at which the last of them is transferred."""
    tck, tx, channels, interleave = d[D_TCK_FS], d[D_TX], d[D_CHANNELS], d[D_INTERLEAVE]
    arrival = (time_fs + tck - 1) // tck
    last = arrival
    position = address - _rest(address, tx)
    end = address + size
    while position < end:
        block = _quotient(position, interleave)
        inside = position - block * interleave
        row = _quotient(block, channels)
        local = _quotient(row * interleave + inside, tx)
        done = _transaction(d, block - row * channels, local, arrival, write)
        if done > last:
            last = done
        position += tx
    return last * tck


@njit
def _quotient(value, divisor):
    """value // divisor of numbers that are not negative: divisors are nearly always powers of two, and a division
    takes longer than all the rest of a transaction."""
    if divisor & (divisor - 1) == 0:
        return value >> _log2(divisor)
    return value // divisor


@njit
def _rest(value, divisor):
    if divisor & (divisor - 1) == 0:
        return value & (divisor - 1)
    return value % divisor


@njit
def _log2(value):
    return trailing_zeros(np.int64(value))


@njit
def _transaction(d, channel, index, arrival, write):
    """One burst on a channel; the clock at which its data has passed."""
    groups, banks, columns = d[D_GROUPS], d[D_BANKS], d[D_COLUMNS]
    group = _rest(index, groups)
    rest = _quotient(_quotient(index, groups), columns)
    row = _rest(_quotient(rest, banks), d[D_ROWS])
    bank = _rest(rest, banks) ^ (row & (banks - 1))
    c = pointer_int64(d[D_CHANNEL_STATE] + channel * CHANNEL_FIELDS * 8)
    g = pointer_int64(d[D_GROUP_STATE] + (channel * groups + group) * GROUP_FIELDS * 8)
    b = pointer_int64(d[D_BANK_STATE] + ((channel * groups + group) * banks + bank) * BANK_FIELDS * 8)
    if max(arrival, c[C_COLUMN]) >= c[C_REFRESH]:
        _refresh(d, c, channel, max(arrival, c[C_COLUMN]))
    if b[B_ROW] != row:
        _activate(d, c, g, b, row, arrival)
    else:
        d[D_HITS] += 1
    time = max(max(arrival, b[B_COLUMN_OK]), max(c[C_COLUMN] + d[D_CCD_S], g[G_COLUMN] + d[D_CCD_L]))
    if write:
        time = max(time, c[C_READ] + d[D_RTW])
        done = time + d[D_CWL] + d[D_BL]
        c[C_WRITE] = time
        c[C_WRITE_GROUP] = group
        b[B_PRE_OK] = max(b[B_PRE_OK], done + d[D_WR])
        d[D_WRITES] += 1
    else:
        turn = d[D_WTR_L] if c[C_WRITE_GROUP] == group else d[D_WTR_S]
        time = max(time, c[C_WRITE] + d[D_CWL] + d[D_BL] + turn)
        done = time + d[D_CL] + d[D_BL]
        c[C_READ] = time
        b[B_PRE_OK] = max(b[B_PRE_OK], time + d[D_RTP])
        d[D_READS] += 1
    c[C_COLUMN] = time
    g[G_COLUMN] = time
    return done


@njit
def _activate(d, c, g, b, row, arrival):
    """Close what is open in a bank and open a row."""
    time = max(arrival, b[B_PRE_OK]) + d[D_RP] if b[B_ROW] >= 0 else arrival
    oldest = C_RING + c[C_RING_AT]
    time = max(max(time, b[B_ACT_OK]), max(c[C_ACT] + d[D_RRD_S], g[G_ACT] + d[D_RRD_L]))
    time = max(time, c[oldest] + d[D_FAW])
    c[oldest] = time
    c[C_RING_AT] = (c[C_RING_AT] + 1) & 3
    c[C_ACT] = time
    g[G_ACT] = time
    b[B_ROW] = row
    b[B_ACT_OK] = time + d[D_RC]
    b[B_COLUMN_OK] = time + d[D_RCD]
    b[B_PRE_OK] = time + d[D_RAS]
    d[D_ACTIVATES] += 1


@njit
def _refresh(d, c, channel, now):
    """All refreshes that were due by `now`; only the last can still hold anything up."""
    due = (now - c[C_REFRESH]) // d[D_REFI]
    start = c[C_REFRESH] + due * d[D_REFI]
    c[C_REFRESH] = start + d[D_REFI]
    d[D_REFRESHES] += due + 1
    for index in range(d[D_GROUPS] * d[D_BANKS]):
        b = pointer_int64(d[D_BANK_STATE] + (channel * d[D_GROUPS] * d[D_BANKS] + index) * BANK_FIELDS * 8)
        ready = start + d[D_RFC]
        if b[B_ROW] >= 0:
            ready = max(ready, b[B_PRE_OK] + d[D_RP] + d[D_RFC])
        b[B_ROW] = -1
        b[B_ACT_OK] = max(b[B_ACT_OK], ready)
