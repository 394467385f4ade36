"""Long streams through memory controllers, without serving every request of them.

A stream comes back to the same banks and columns after a period, some rows further. Whenever the whole state of the
controllers (queues, open rows, times until commands are allowed, refresh) is, but for the rows and the time, what it
was at an earlier period, all that follows repeats: rounds of it are added up at once. So cycles and counts are exactly
those of request by request. How soon a state repeats depends on how refresh and stream fall together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from archsim.common.errors import InputError
from archsim.machine import dram_layout as at
from archsim.machine.dram_channels import Controllers
from archsim.machine.dram_source import Z_CLOCK, Z_ENDED, Z_FIELDS, Z_FLYING, Z_FORWARDED, Z_SENT, Z_TOTAL, serve
from archsim.machine.layout import NEVER

COUNTERS = slice(at.K_N_ACT, at.K_LATENCY + 1)
TIMES = (at.K_FLOOR, at.K_BUS_ROW, at.K_BUS_COLUMN, at.K_WCK)
"""Times that matter only while they lie ahead."""
STATES_KEPT = 1 << 15


@dataclass(frozen=True)
class Stream:
    """`bursts` bursts one after the other from an address on, read or written."""

    base: int
    bursts: int
    write: bool = False


def run_streams(
    controllers: Controllers, streams: Sequence[Stream], window: int = 64, sends: int = 2, *, fast: bool = True
) -> int:
    """Serve streams in turn, a burst of each, until all have ended.

    Args:
        controllers: fresh ones; they keep the counts.
        streams: what is left of the others goes on when one ends.
        window: requests on their way at most.
        sends: requests per tick at most.
        fast: whether repetition may be used; the result is the same.

    Returns:
        The tick at which the last one ended.
    """
    tx = controllers.device.tx_bytes
    for stream in streams:
        if stream.base % tx:
            raise InputError(f"a stream begins at {stream.base}, not at a burst of {tx} B", remedy="align it")
    source = np.zeros(Z_FIELDS, np.int64)
    source[Z_TOTAL] = sum(stream.bursts for stream in streams)
    done, ticks = 0, 0
    while live := [stream for stream in streams if stream.bursts > done]:
        length = min(stream.bursts for stream in live) - done
        last = length + done == max(stream.bursts for stream in live)
        ticks = _together(controllers, live, done, length, last, window, sends, source, fast)
        done += length
        source[Z_SENT] = 0
    return ticks


def _together(
    controllers: Controllers,
    live: list[Stream],
    done: int,
    length: int,
    last: bool,
    window: int,
    sends: int,
    source: np.ndarray,
    fast: bool,
) -> int:
    """Serve `length` bursts of each stream."""
    tx, count = controllers.device.tx_bytes, length * len(live)
    bursts, rows = period_of(controllers)
    known = fast and 0 < bursts < length
    bursts = bursts if known else length
    i = np.arange(bursts, dtype=np.int64)[:, None]
    bases = np.array([stream.base + done * tx for stream in live], np.int64)
    where = np.ascontiguousarray((bases + i * tx).reshape(-1))
    write = np.ascontiguousarray(
        np.broadcast_to([int(s.write) for s in live], (bursts, len(live))).reshape(-1), np.int64
    )
    period = len(where)

    def go(until: int) -> int:
        return int(
            serve(
                controllers.address, where.ctypes.data, write.ctypes.data, period, bursts * tx, count, until, window,
                sends, source.ctypes.data,
            )
        )  # fmt: skip

    seen: dict[bytes, tuple[int, int, int, np.ndarray]] = {}
    here = 1
    while known and here * period < count:
        go(here * period)
        if len(seen) >= STATES_KEPT:
            break
        key = _key(controllers, source, here * rows, here * period)
        now = here, int(source[Z_CLOCK]), int(source[Z_ENDED]), controllers.blocks[:, COUNTERS].copy()
        if key in seen:
            before = seen[key]
            cycle = here - before[0]
            rounds = (count // period - here) // cycle
            if rounds > 0:
                _skip(controllers, source, rounds, now, before, rows, period)
            break
        seen[key] = now
        here += 1
    return go(count + 1 if last else count)


def period_of(controllers: Controllers) -> tuple[int, int]:
    """Bursts of a stream, over all channels, after which only the row has changed, and by how many rows; (0, 0) where
    the mapping has no such period, because the row is not its highest part."""
    mapping, device = controllers.mapping, controllers.device
    highest = max(mapping.segments)
    row_bits = device.rows.bit_length() - 1
    if highest[2] != at.A_ROW or highest[1] != (1 << row_bits) - 1:
        return 0, 0
    touched = 0
    for field, other, shift, mask, _ in mapping.hashes:
        if field == at.A_ROW:
            touched = max(touched, mask.bit_length())
        elif other == at.A_ROW:
            touched = max(touched, shift + mask.bit_length())
    channels = controllers.channels if mapping.interleave else 1
    return channels << (highest[0] + touched), 1 << touched


def _key(controllers: Controllers, source: np.ndarray, rows: int, sent: int) -> bytes:
    """The state, but for rows opened since the start and for the time."""
    clock = int(source[Z_CLOCK])
    head = controllers.head
    parts: list[int] = [int(source[Z_SENT]) - sent, int(source[Z_FLYING]), int(source[Z_FORWARDED])]
    arrays = []
    for block in controllers.blocks:
        parts += [max(int(block[field]) - clock, 0) for field in TIMES]
        parts += [int(block[field]) for field in (at.K_MODE, at.K_REF_LEFT, at.K_REF_BANK, at.K_ACT2)]
        parts += [int(block[at.K_REF_DUE]) - clock, int(block[at.K_DEADLINE]) - clock if block[at.K_ACT2] >= 0 else 0]
        arrays.append(np.maximum(block[head[at.H_READY] : head[at.H_HISTORY]] - clock, 0))
        for ring in block[head[at.H_HISTORY] : head[at.H_LISTS]].reshape(-1, at.COMMAND_SLOTS):
            # what lies further back than any window says nothing
            arrays.append(np.maximum(np.roll(ring[:4], -int(ring[4])) - clock, -(1 << 20)))
        ends = np.arange(block[at.K_DONE_HEAD], block[at.K_DONE_TAIL]) & at.DONE_SLOTS - 1
        arrays.append(block[head[at.H_DONE] + ends] - clock)
        parts += [len(ends), *_requests(controllers, block, rows, clock)]
    return np.concatenate([np.array(parts, np.int64), *arrays]).tobytes()


def _requests(controllers: Controllers, block: np.ndarray, rows: int, clock: int) -> list[int]:
    """Open rows and waiting requests of a channel, bank by bank, each with its rank in order of arrival."""
    head = controllers.head
    banks = block[head[at.H_BANK] : head[at.H_SLOT]].reshape(-1, at.BANK_FIELDS).tolist()
    slots = block[head[at.H_SLOT] : head[at.H_DONE]].reshape(-1, at.SLOT_FIELDS).tolist()
    result, order = [], []
    for bank in banks:
        result.append(bank[at.Q_ROW] - rows if bank[at.Q_ROW] >= 0 else NEVER)
        for kind, first in enumerate((bank[at.Q_ACTIVE], bank[at.Q_HEAD], bank[at.Q_HEAD_W])):
            slot = first
            while slot >= 0:
                one = slots[slot]
                order.append(one[at.S_SEQUENCE])
                result += [
                    kind, one[at.S_ROW] - rows, one[at.S_COLUMN], one[at.S_ARRIVAL] - clock, one[at.S_WRITE],
                    one[at.S_COUNTED],
                ]  # fmt: skip
                slot = -1 if kind == 0 else one[at.S_NEXT]
    return result + np.argsort(np.argsort(order)).tolist()


def _skip(
    controllers: Controllers,
    source: np.ndarray,
    rounds: int,
    now: tuple[int, int, int, np.ndarray],
    before: tuple[int, int, int, np.ndarray],
    rows: int,
    period: int,
) -> None:
    """Add up `rounds` repetitions of what happened between two equal states."""
    head = controllers.head
    time = rounds * (now[1] - before[1])
    further = rounds * (now[0] - before[0])
    source[Z_CLOCK] += time
    source[Z_SENT] += further * period
    source[Z_ENDED] += rounds * (now[2] - before[2])
    blocks = controllers.blocks
    blocks[:, COUNTERS] += rounds * (now[3] - before[3])
    for field in (*TIMES, at.K_REF_DUE, at.K_DEADLINE, at.K_LAST):
        blocks[:, field] += time
    blocks[:, at.K_STALE] = 1
    blocks[:, head[at.H_READY] : head[at.H_HISTORY]] += time
    for block in blocks:
        history = block[head[at.H_HISTORY] : head[at.H_LISTS]].reshape(-1, at.COMMAND_SLOTS)
        history[:, :4][history[:, :4] > NEVER] += time
        banks = block[head[at.H_BANK] : head[at.H_SLOT]].reshape(-1, at.BANK_FIELDS)
        banks[banks[:, at.Q_ROW] >= 0, at.Q_ROW] += further * rows
        slots = block[head[at.H_SLOT] : head[at.H_DONE]].reshape(-1, at.SLOT_FIELDS)
        slots[:, at.S_ROW] += further * rows
        slots[:, at.S_ARRIVAL] += time
        block[head[at.H_DONE] : head[at.H_DONE] + at.DONE_SLOTS] += time
