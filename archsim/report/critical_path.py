"""The critical path of a run: what would have to be faster.

From the last event of a run it is walked back to what determined its time: the instruction whose result was waited
for, the one before in the hart, the one before on the unit, the transfer, the hart that came last to a barrier. Every
cycle of the run belongs to one stretch between two such events, and so to one resource; they add up to the run's
cycles. To make a resource faster helps as far as it is on the path, until another path is longer.

Where the log does not say what a decoupled unit waited for (scratchpad bytes, a register still being read), it is
taken from the times: the instruction that ended, or was being executed, at that moment.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from archsim.machine import layout as at
from archsim.traces.listing import Listing
from archsim.traces.view_store import (
    BEGIN,
    DONE,
    FETCH,
    FIRST_STALL,
    ISSUE,
    LAST_MATRIX,
    LAST_SERIAL,
    LAST_TILE,
    LAST_VECTOR,
    PREVIOUS,
    PRODUCER,
    RETIRE,
    SLOT,
    UNIT,
    ViewStore,
)

_LOOK_BACK = 24
"""Instructions of another unit that are looked at for what ended at some moment."""
_OPERAND, _PORT, _HELD = 1, 2, 3
_EXECUTED = frozenset((*at.UNITS, "branch"))
_BEHIND_L1 = frozenset(("memory_tlb", "memory_l2", "memory_dram"))


class Event(NamedTuple):
    """A moment in the life of an instruction: kind is "fetch", "issue", "begin", "done", "retire" or "transfer"."""

    kind: str
    hart: int
    number: int


Step = tuple[str, int, Event | None]
"""Resource, time of the event that determined this one, and that event (None: the start of the run)."""


@dataclass(frozen=True)
class CriticalPath:
    """Cycles on the path.

    Attributes:
        cycles: of the run.
        resources: resource -> cycles, most first; they add up to `cycles`.
        instructions: (slot, resource) -> cycles, most first; slot -1 for what belongs to no instruction.
        steps: events on the path.
    """

    cycles: int
    resources: dict[str, int]
    instructions: dict[tuple[int, str], int]
    steps: int

    def to_dict(self, listing: Listing) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "cycles": self.cycles,
            "steps": self.steps,
            "resources": self.resources,
            "instructions": [
                {
                    "address": listing[slot].address if slot >= 0 else None,
                    "instruction": listing[slot].text if slot >= 0 else "",
                    "resource": resource,
                    "cycles": cycles,
                }
                for (slot, resource), cycles in self.instructions.items()
            ],
        }

    def lines(self, listing: Listing, most: int = 12) -> list[str]:
        """The path for people: resources, then the instructions that are longest on it."""
        lines = [f"critical path: {self.cycles:,} cycles in {self.steps:,} steps"]
        for resource, cycles in self.resources.items():
            lines.append(f"{resource:<28}{cycles:>14,}{100 * cycles / max(1, self.cycles):>8.1f} %")
        lines.append("longest on it")
        for (slot, resource), cycles in list(self.instructions.items())[:most]:
            what = f"{listing[slot].address:x}: {listing[slot].text}" if slot >= 0 else ""
            share = 100 * cycles / max(1, self.cycles)
            lines.append(f"{resource:<28}{cycles:>14,}{share:>8.1f} %  {what}".rstrip())
        return lines


class Walk:
    """Walks back through a run.

    Args:
        store: the view logs of all harts.
        design: what it ran on.
        barriers: slots of instructions at which harts wait for one another.
    """

    def __init__(self, store: ViewStore, design: Any, barriers: Callable[[int], bool]) -> None:
        self.store, self.barriers = store, barriers
        hart = design.core.hart
        self.out_of_order = hart.kind == "out_of_order"
        self.window = hart.out_of_order.rob if self.out_of_order else 0
        self.startup, self.hit = design.core.dma.startup, hart.latency.load
        self._begins = [[move[at.X_BEGIN] for move in sorted(moves, key=_begin)] for moves in store.moves]
        self._moves = [sorted(moves, key=_begin) for moves in store.moves]
        self._meetings: list[list[int]] | None = None

    def path(self, cycles: int) -> CriticalPath:
        """The critical path of a run of so many cycles."""
        resources: Counter[str] = Counter()
        instructions: Counter[tuple[int, str]] = Counter()
        time, event, steps = self._last(cycles)
        if time < cycles:
            resources["end"] += cycles - time
            instructions[-1, "end"] += cycles - time
        while event is not None:
            resource, before, previous = self._step(event, time)
            before = min(max(before, 0), time)
            if previous is None:
                before = 0
            if before < time:
                resources[resource] += time - before
                blamed = previous if previous is not None and _of_the_earlier(resource) else event
                instructions[self._slot(blamed), resource] += time - before
            time, event, steps = before, previous, steps + 1
        if time:
            resources["start"] += time
        return CriticalPath(cycles, dict(resources.most_common()), dict(instructions.most_common()), steps)

    def _slot(self, event: Event) -> int:
        if event.kind == "transfer":
            number = self._moves[event.hart][event.number][at.X_NUMBER]
            return self.store.row(event.hart, number)[SLOT] if number < self.store.counts[event.hart] else -1
        return self.store.row(event.hart, event.number)[SLOT]

    def _last(self, cycles: int) -> tuple[int, Event | None, int]:
        """The last event of the run that is not after its end, and its time."""
        best: tuple[int, Event | None] = (0, None)
        for hart, count in enumerate(self.store.counts):
            if not count:
                continue
            number, row = count - 1, self.store.row(hart, count - 1)
            ends = [
                (
                    row[RETIRE] if self.out_of_order else row[ISSUE],
                    Event("retire" if self.out_of_order else "issue", hart, number),
                )
            ]
            for column in (LAST_TILE, LAST_MATRIX, LAST_VECTOR):
                if row[column] >= 0:
                    ends.append((self.store.row(hart, row[column])[DONE], Event("done", hart, row[column])))
            ends += [(move[at.X_DONE], Event("transfer", hart, index)) for index, move in enumerate(self._moves[hart])]
            best = max([best, *(end for end in ends if end[0] <= cycles)], key=lambda end: end[0])
        return best[0], best[1], 0

    def _step(self, event: Event, time: int) -> Step:
        """What determined the time of an event."""
        if event.kind == "transfer":
            return self._transfer(event, time)
        row = self.store.row(event.hart, event.number)
        if event.kind == "done":
            return self._executed(row), row[BEGIN], Event("begin", event.hart, event.number)
        if event.kind == "begin" and row[UNIT] >= at.FIRST_DECOUPLED:
            return self._begun(event, row)
        if self.out_of_order:
            return self._out_of_order(event, row, time)
        return self._issued(event, row, time)

    def _executed(self, row: list[int]) -> str:
        """What an instruction was executed by: its unit, or of a load behind the first level, what served it."""
        if self.out_of_order and row[UNIT] == at.UNIT_ID["load"] and row[DONE] - row[BEGIN] > self.hit:
            return next(
                (cause for cause in _causes(row) if cause in ("memory_tlb", "memory_l2", "memory_dram")), "load"
            )
        return at.UNITS[row[UNIT]]

    # -- decoupled units

    def _begun(self, event: Event, row: list[int]) -> Step:
        """What an instruction of a decoupled unit waited for before it began."""
        hart, number, begin = event.hart, event.number, row[BEGIN]
        if begin <= row[ISSUE] + 1:
            return "issue", row[ISSUE], Event("issue", hart, number)
        ended = self._ended_at(hart, row, begin)
        if ended is not None:
            return "order", begin, Event("done", hart, ended)
        before = row[PREVIOUS]
        if before >= 0 and self.store.row(hart, before)[DONE] > begin:
            unit = at.UNITS[row[UNIT]]
            return unit, self.store.row(hart, before)[BEGIN], Event("begin", hart, before)
        other = self._executing_at(hart, row, begin)
        if other is not None:
            found = self.store.row(hart, other)
            return at.UNITS[found[UNIT]], found[BEGIN], Event("begin", hart, other)
        return "order", row[ISSUE], Event("issue", hart, number)

    def _others(self, hart: int, row: list[int]) -> list[int]:
        """Recent instructions of other decoupled units, latest first by unit."""
        found = []
        for column in (LAST_TILE, LAST_MATRIX, LAST_VECTOR):
            number = row[column]
            if number >= 0 and self.store.row(hart, number)[UNIT] == row[UNIT]:
                continue
            for _ in range(_LOOK_BACK):
                if number < 0:
                    break
                found.append(number)
                number = self.store.row(hart, number)[PREVIOUS]
        return found

    def _ended_at(self, hart: int, row: list[int], time: int) -> int | None:
        """The instruction whose result came at some time: of its own unit, or another decoupled one."""
        before = row[PREVIOUS]
        candidates = ([before] if before >= 0 else []) + self._others(hart, row)
        return next((one for one in candidates if self.store.row(hart, one)[DONE] == time), None)

    def _executing_at(self, hart: int, row: list[int], time: int) -> int | None:
        """The latest instruction of another unit that was being executed at some time."""
        best, best_begin = None, -1
        for one in self._others(hart, row):
            found = self.store.row(hart, one)
            if best_begin < found[BEGIN] < time < found[DONE]:
                best, best_begin = one, found[BEGIN]
        return best

    # -- the hart in order

    def _issued(self, event: Event, row: list[int], time: int) -> Step:
        """What held the hart up before it issued an instruction."""
        hart, number = event.hart, event.number
        if row[FIRST_STALL] < 0:
            return "issue", self._issue_before(hart, number), _before("issue", hart, number)
        stalls = [
            (row[FIRST_STALL + 2 * index], row[FIRST_STALL + 2 * index + 1])
            for index in range(4)
            if row[FIRST_STALL + 2 * index] >= 0
        ]
        cause, cycles = max(stalls, key=lambda stall: _RANKS[stall[0]])
        name = at.STALLS_NAMES[cause]
        found = self._behind(event, row, name)
        if found is not None:
            return found
        if len(stalls) == 1:
            return name, min(time - cycles, self._issue_before(hart, number) + 1), _before("issue", hart, number)
        # several waits in a row of which the last leads nowhere: the longest is taken for all
        longest = at.STALLS_NAMES[max(stalls, key=lambda stall: stall[1])[0]]
        return longest, self._issue_before(hart, number), _before("issue", hart, number)

    def _issue_before(self, hart: int, number: int) -> int:
        return self.store.row(hart, number - 1)[ISSUE] if number else 0

    def _behind(self, event: Event, row: list[int], cause: str) -> Step | None:
        """The event that a stall ended with, where it can be told."""
        hart, time = event.hart, row[ISSUE]
        if cause.startswith(("dependency_", "memory_")) and row[PRODUCER] >= 0:
            producer = self.store.row(hart, row[PRODUCER])
            if producer[DONE] <= time:
                # what served a load is known to who waits for it
                executed = cause if cause.startswith("memory_") else at.UNITS[producer[UNIT]]
                return executed, producer[BEGIN], Event("begin", hart, row[PRODUCER])
        if cause.startswith("structural_") and row[PREVIOUS] >= 0:
            return cause, self.store.row(hart, row[PREVIOUS])[ISSUE], Event("issue", hart, row[PREVIOUS])
        if cause in ("queue_tile_lsu", "queue_matrix", "queue_vector"):
            ahead = row[PREVIOUS]
            while ahead >= 0:
                begin = self.store.row(hart, ahead)[BEGIN]
                if begin <= time:
                    return cause, begin, Event("begin", hart, ahead)
                ahead = self.store.row(hart, ahead)[PREVIOUS]
        if cause in ("dma_wait", "queue_dma"):
            return self._waited_for_transfer(hart, cause, time)
        if cause == "sync":
            return self._met(event, time)
        return None

    def _met(self, event: Event, time: int) -> Step | None:
        """The hart that came last to the barrier that an instruction waited at."""
        meetings = self._all_meetings()
        turn = bisect_right(meetings[event.hart], event.number) - 1
        arrivals = []
        for hart, numbers in enumerate(meetings):
            if turn < len(numbers) and hart != event.hart:
                number = numbers[turn]
                arrivals.append((self._issue_before(hart, number), hart, number - 1))
        latest = max((one for one in arrivals if one[0] < time and one[2] >= 0), default=None)
        if latest is None or latest[0] <= self._issue_before(event.hart, event.number):
            return None
        return "sync", latest[0], Event("issue", latest[1], latest[2])

    def _all_meetings(self) -> list[list[int]]:
        """Numbers of the instructions of each hart at which it waited for the others."""
        if self._meetings is None:
            self._meetings = [
                [
                    number
                    for number in range(count)
                    if (row := self.store.row(hart, number))[UNIT] == at.UNIT_ID["sync"] and self.barriers(row[SLOT])
                ]
                for hart, count in enumerate(self.store.counts)
            ]
        return self._meetings

    # -- transfers

    def _waited_for_transfer(self, hart: int, cause: str, time: int) -> Step | None:
        """The transfer that ended when a wait did, or was being sent."""
        moves = self._moves[hart]
        index = bisect_right(self._begins[hart], time) - 1
        while index >= 0 and cause == "dma_wait" and moves[index][at.X_DONE] != time:
            index -= 1
        return (cause, time, Event("transfer", hart, index)) if index >= 0 else None

    def _transfer(self, event: Event, time: int) -> Step:
        """What a transfer waited for before its first burst: its engine, or to be queued."""
        hart = event.hart
        moves = self._moves[hart]
        move = moves[event.number]
        begin = min(move[at.X_BEGIN], time)
        if begin < time:
            return "dma", begin, Event("transfer", hart, event.number)
        number, queued = move[at.X_NUMBER], move[at.X_QUEUED]
        ready = begin - self.startup
        if ready <= queued:
            return "dma startup", queued, Event("issue", hart, number)
        before = event.number - 1
        while before >= 0 and moves[before][at.X_ENGINE] != move[at.X_ENGINE]:
            before -= 1
        if before >= 0 and moves[before][at.X_BEGIN] < begin < moves[before][at.X_DONE]:
            return "dma", moves[before][at.X_BEGIN], Event("transfer", hart, before)
        # its bytes of the scratchpad were still being written or read
        row = self.store.row(hart, number)
        ended = self._ended_at(hart, row, ready)
        if ended is not None:
            return "dma startup", ready, Event("done", hart, ended)
        other = self._executing_at(hart, row, ready)
        if other is not None:
            found = self.store.row(hart, other)
            return at.UNITS[found[UNIT]], found[BEGIN], Event("begin", hart, other)
        return "dma startup", queued, Event("issue", hart, number)

    # -- the hart out of order

    def _out_of_order(self, event: Event, row: list[int], time: int) -> Step:
        hart, number = event.hart, event.number
        if event.kind == "retire":
            before = self.store.row(hart, number - 1)[RETIRE] if number else 0
            if row[UNIT] < at.FIRST_DECOUPLED and row[DONE] >= before:
                return "retire", row[DONE], Event("done", hart, number)
            return "retire", before, _before("retire", hart, number)
        if event.kind == "fetch":
            return self._fetched(event, row)
        if row[UNIT] >= at.UNIT_ID["csr"]:
            # it waited until it was the oldest, and then for what it asks for
            for cause in _causes(row):
                found = self._behind(event, row, cause) if _rank_name(cause) == _HELD else None
                if found is not None:
                    return found
            before = self.store.row(hart, number - 1)[RETIRE] if number else 0
            return "serial", min(before, time), _before("retire", hart, number)
        if row[PRODUCER] >= 0 and self.store.row(hart, row[PRODUCER])[DONE] <= row[BEGIN]:
            return "issue", self.store.row(hart, row[PRODUCER])[DONE], Event("done", hart, row[PRODUCER])
        held = self._room(hart, number, row[FETCH], row[BEGIN] - 1)
        return held or ("front end", row[FETCH], Event("fetch", hart, number))

    def _room(self, hart: int, number: int, after: int, until: int) -> Step | None:
        """What kept an instruction out of the window: an older one that had to be alone, or a full reorder buffer."""
        row = self.store.row(hart, number)
        older = [("serial", row[LAST_SERIAL]), ("rob", number - self.window)]
        retired = [(self.store.row(hart, one)[RETIRE], name, one) for name, one in older if one >= 0]
        time, name, one = max(retired, default=(-1, "", -1))
        return (name, time, Event("retire", hart, one)) if after < time <= until else None

    def _fetched(self, event: Event, row: list[int]) -> Step:
        """What fetch waited for: a branch predicted wrong, a hart that took no more, or the instructions before."""
        hart, number = event.hart, event.number
        if not number:
            return "fetch", 0, None
        before = self.store.row(hart, number - 1)
        causes = _causes(row)
        if before[UNIT] == at.UNIT_ID["branch"] and {"branch", "memory_order"} & set(causes):
            return "branch", before[DONE], Event("done", hart, number - 1)
        if row[FETCH] > before[FETCH] + 1 and not {"fetch", "icache"} & set(causes):
            held = self._room(hart, number - 1, before[FETCH], before[BEGIN])
            if held is not None:
                return held
        return "icache" if "icache" in causes else "fetch", before[FETCH], Event("fetch", hart, number - 1)


def _of_the_earlier(resource: str) -> bool:
    """Whether a stretch belongs to the instruction at its start, which was executed or in the way."""
    return resource in _EXECUTED or resource.startswith(("memory_", "structural_", "queue_"))


def _begin(move: list[int]) -> int:
    return move[at.X_BEGIN]


def _before(kind: str, hart: int, number: int) -> Event | None:
    return Event(kind, hart, number - 1) if number else None


def _causes(row: list[int]) -> list[str]:
    """Names of the stalls before an instruction."""
    causes = (row[FIRST_STALL + 2 * index] for index in range(4))
    return [at.STALLS_NAMES[cause] for cause in causes if cause >= 0]


def _rank_name(cause: str) -> int:
    """When a wait comes, among those of one instruction: for fetch, operands, a port, what else holds the hart."""
    if cause.startswith(("dependency_", "memory_")) and cause != "memory_order":
        return _OPERAND
    if cause.startswith("structural_"):
        return _PORT
    return _HELD if cause.startswith("queue_") or cause in ("dma_wait", "sync", "store_buffer") else 0


_RANKS = [_rank_name(cause) for cause in at.STALLS_NAMES]
