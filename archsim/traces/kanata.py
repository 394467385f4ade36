"""Pipeline diagrams: a view log as a Kanata log 0004, which Konata opens.

Format: "Kanata Log Format" of https://github.com/shioyadan/Konata. Stages of lane 0:

====  ===================================================================================
F     fetched
Ds    waits in the hart to be issued
Is    waits in the queue of its unit
X     executes, until its result is there
Cm    waits to retire
====  ===================================================================================

Lane 1 shows what held up the issue, by the name of the stall that took longest. A decoupled unit's instruction leaves
the hart when it is handed over; its line ends where its result is there, that of a DMA transfer where its last byte is.
Harts are threads.
"""

from __future__ import annotations

from typing import Any, TextIO

import numpy as np

from archsim.machine import layout as at
from archsim.traces.listing import Listing
from archsim.traces.view_records import STALL_FIELDS, stall_name
from archsim.traces.window import Window

# kinds of events, in the order in which those of one instruction and cycle are written
(
    _APPEAR, _START_F, _END_F, _START_DS, _END_DS, _START_STALL, _END_STALL, _START_IS, _END_IS, _WAKE, _START_X,
    _END_X, _START_CM, _END_CM, _LEAVE,
) = range(15)  # fmt: skip
_STAGES = {_START_F: "F", _START_DS: "Ds", _START_IS: "Is", _START_X: "X", _START_CM: "Cm"}
_LINES = {start: f"S\t{{}}\t0\t{name}" for start, name in _STAGES.items()} | {
    start + 1: f"E\t{{}}\t0\t{name}" for start, name in _STAGES.items()
}
_TIME, _HART, _NUMBER, _KIND, _ARGUMENT = range(5)


class KanataWriter:
    """Writes a Kanata log while chunks of view logs arrive.

    Args:
        stream: where to.
        listing: the program.
        window: which instructions are written.
        design: what the program runs on.
    """

    def __init__(self, stream: TextIO, listing: Listing, window: Window, design: Any) -> None:
        self.stream, self.listing, self.window = stream, listing, window
        harts = len(window.seen)
        self._pending = np.zeros((0, 5), np.int64)
        self._reached = [0] * harts
        self._ids: list[dict[int, int]] = [{} for _ in range(harts)]
        self._moving: list[set[int]] = [set() for _ in range(harts)]
        self._next_id = self._retired = 0
        self._now: int | None = None
        stream.write("Kanata\t0004\n")

    def chunk(self, hart: int, records: np.ndarray, transfers: np.ndarray) -> None:
        """Take in the next part of a hart's view log (see machine.viewing.View)."""
        first, shown = self.window.take(hart, records)
        if len(shown):
            self._moving[hart] |= {first + int(index) for index in np.flatnonzero(shown[:, at.V_DONE] < 0)}
            self._pending = np.concatenate([self._pending, _events(hart, first, shown)])
            # nothing later in a hart's log happens before the fetch of what is there
            self._reached[hart] = int(shown[-1, at.V_FETCH])
        known = [record for record in transfers.tolist() if record[at.X_NUMBER] in self._moving[hart]]
        if known:
            self._moving[hart] -= {record[at.X_NUMBER] for record in known}
            self._pending = np.concatenate([self._pending, _transfer_events(hart, known)])
        if self.window.is_past(hart):
            self._reached[hart] = at.INFINITY
        self._write_until(min(self._reached))

    def finish(self, result: Any = None) -> None:
        """Write what is left; the stream stays open."""
        self._write_until(at.INFINITY)
        # transfers of no bytes, and those that a program did not wait for
        for hart, numbers in enumerate(self._moving):
            for number in sorted(numbers):
                self._write(hart, number, _END_IS, 0)
                self._write(hart, number, _LEAVE, 0)

    def _write_until(self, time: int) -> None:
        """Write the events before a time, from which on more may come."""
        due = self._pending[:, _TIME] < time
        events = self._pending[due]
        self._pending = self._pending[~due]
        order = np.lexsort((events[:, _KIND], events[:, _NUMBER], events[:, _HART], events[:, _TIME]))
        for moment, hart, number, kind, argument in events[order].tolist():
            self._pass_to(moment)
            self._write(hart, number, kind, argument)

    def _pass_to(self, moment: int) -> None:
        if self._now is None:
            self.stream.write(f"C=\t{moment}\n")
        elif moment > self._now:
            self.stream.write(f"C\t{moment - self._now}\n")
        self._now = moment

    def _write(self, hart: int, number: int, kind: int, argument: int) -> None:
        ids = self._ids[hart]
        if kind == _APPEAR:
            ids[number] = self._next_id
            self._next_id += 1
            self._describe(hart, number, argument)
        elif kind in _LINES:
            self.stream.write(_LINES[kind].format(ids[number]) + "\n")
        elif kind in (_START_STALL, _END_STALL):
            letter = "S" if kind == _START_STALL else "E"
            self.stream.write(f"{letter}\t{ids[number]}\t1\t{stall_name(argument)}\n")
        elif kind == _WAKE:
            # what was cut off has no line to draw an arrow from
            if argument in ids:
                self.stream.write(f"W\t{ids[number]}\t{ids[argument]}\t0\n")
        else:
            self.stream.write(f"R\t{ids[number]}\t{self._retired}\t0\n")
            self._retired += 1

    def _describe(self, hart: int, number: int, slot: int) -> None:
        line, own = self.listing[slot], self._ids[hart][number]
        self.stream.write(f"I\t{own}\t{number}\t{hart}\nL\t{own}\t0\t{line.address:x}: {line.text}\n")
        place = f"{line.function} " if line.function else ""
        if line.source is not None:
            place += f"{line.source[0]}:{line.source[1]}"
        self.stream.write(f"L\t{own}\t1\thart {hart}, instruction {number} {place}".rstrip() + "\\n\n")


def _events(hart: int, first: int, records: np.ndarray) -> np.ndarray:
    """Events of records: int64 [m, 5] of time, hart, number, kind, argument."""
    numbers = first + np.arange(len(records))
    fetch = records[:, at.V_FETCH]
    issue = np.maximum(fetch, records[:, at.V_ISSUE])
    fetched = np.minimum(fetch + 1, issue)
    begin = np.maximum(issue, records[:, at.V_BEGIN])
    done = np.maximum(begin + 1, records[:, at.V_DONE])
    leave = np.maximum(done, records[:, at.V_RETIRE])
    cause, stall = _longest_stall(records)
    producer = records[:, at.V_PRODUCER]
    blocked = np.maximum(fetch, issue - stall)
    nothing, moving = np.zeros_like(fetch), records[:, at.V_DONE] < 0
    spans = (
        (_START_F, fetch, fetched, nothing, fetched > fetch),
        (_START_DS, fetched, issue, nothing, issue > fetched),
        (_START_STALL, blocked, issue, cause, (cause >= 0) & (issue > blocked)),
        (_START_IS, issue, begin, nothing, (begin > issue) & ~moving),
        (_START_X, begin, done, nothing, (done > begin) & ~moving),
        (_START_CM, done, leave, nothing, (leave > done) & ~moving),
    )
    marks = (
        (_APPEAR, fetch, records[:, at.V_SLOT], fetch >= 0),
        (_WAKE, begin, producer, producer >= 0),
        (_LEAVE, leave, nothing, ~moving),
        # where a transfer begins and ends is known later
        (_START_IS, issue, nothing, moving),
    )
    rows = [
        *((kind, start, argument, there) for kind, start, _, argument, there in spans),
        *((kind + 1, end, argument, there) for kind, _, end, argument, there in spans),
        *marks,
    ]
    parts = [
        np.stack(
            [time[there], np.full(there.sum(), hart), numbers[there], np.full(there.sum(), kind), argument[there]],
            axis=1,
        )
        for kind, time, argument, there in rows
    ]
    return np.concatenate(parts)


def _longest_stall(records: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cause (-1: none) and cycles of the longest stall of each record."""
    causes = np.stack([records[:, cause] for cause, _ in STALL_FIELDS], axis=1)
    cycles = np.stack([np.where(records[:, cause] >= 0, records[:, stall], 0) for cause, stall in STALL_FIELDS], axis=1)
    longest = cycles.argmax(axis=1)
    rows = np.arange(len(records))
    return causes[rows, longest], cycles[rows, longest]


def _transfer_events(hart: int, transfers: list[list[int]]) -> np.ndarray:
    """Events of transfers whose end is known: int64 [m, 5] as of _events()."""
    rows = []
    for record in transfers:
        number, begin = record[at.X_NUMBER], record[at.X_BEGIN]
        done = max(record[at.X_DONE], begin + 1)
        for kind, time in ((_END_IS, begin), (_START_X, begin), (_END_X, done), (_LEAVE, done)):
            rows.append((time, hart, number, kind, 0))
    return np.array(rows, np.int64)
