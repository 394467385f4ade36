"""Timelines: a view log as JSON in the Trace Event Format, which ui.perfetto.dev and chrome://tracing open.

A core is a process. Its tracks: the hart (when it issued, and what it waited for), marked regions, each unit (its
instructions from begin to result), each DMA engine (transfers); counters: utilisation of units, DRAM traffic.
What overlaps on a unit stands on several tracks, so that on each track slices follow one another.

Timestamps are simulated time in microseconds, as the format asks, rounded down to nanoseconds; exact cycles stand in
the arguments.
"""

from __future__ import annotations

import json
from typing import Any, TextIO

import numpy as np

from archsim.machine import layout as at
from archsim.traces.listing import Listing
from archsim.traces.utilisation import Utilisation
from archsim.traces.view_records import STALL_FIELDS, cycles_of, stall_name
from archsim.traces.window import Window

_HART, _REGIONS = 1, 2
_UNIT, _ENGINE, _LANES = 1000, 100_000, 100
"""First track of units and of DMA engines, and how many each may have."""


class PerfettoWriter:
    """Writes a timeline while chunks of view logs arrive.

    Args:
        stream: where to.
        listing: the program.
        window: which instructions are written; counters cover all of them.
        design: the design it runs on.
    """

    def __init__(self, stream: TextIO, listing: Listing, window: Window, design: Any) -> None:
        self.stream, self.listing, self.window, self.design = stream, listing, window, design
        harts = len(window.seen)
        self.utilisation = Utilisation(harts)
        self._clock = [0] * harts
        self._issuing: list[tuple[int, int] | None] = [None] * harts
        self._lanes: dict[tuple[int, int], list[int]] = {}
        self._tracks: set[tuple[int, int]] = set()
        self._slots: list[dict[int, int]] = [{} for _ in range(harts)]
        self._first = True
        stream.write('{"displayTimeUnit": "ns", "traceEvents": [\n')
        for hart in range(harts):
            self._event("M", hart, 0, name="process_name", args={"name": f"core {hart}"})
            self._event("M", hart, 0, name="process_sort_index", args={"sort_index": hart})

    def chunk(self, hart: int, records: np.ndarray, transfers: np.ndarray) -> None:
        """Take in the next part of a hart's view log (see machine.viewing.View)."""
        self.utilisation.chunk(hart, records, transfers)
        clocks = self._clock[hart] + np.concatenate([[0], np.cumsum(cycles_of(records))])
        self._clock[hart] = int(clocks[-1])
        number = self.window.seen[hart]
        first, shown = self.window.take(hart, records)
        offset = first - number
        for index, (record, clock) in enumerate(zip(shown.tolist(), clocks[offset:].tolist(), strict=False)):
            self._hart(hart, record, clock)
            if record[at.V_DONE] >= 0:
                self._unit(hart, first + index, record)
            else:
                self._slots[hart][first + index] = record[at.V_SLOT]
        for record in transfers.tolist():
            slot = self._slots[hart].pop(record[at.X_NUMBER], None)
            if slot is not None:
                self._transfer(hart, record, slot)

    def finish(self, result: Any) -> None:
        """Write regions, counters and metadata; the stream stays open.

        Args:
            result: the RunResult; None where the program failed.
        """
        for hart in range(len(self._issuing)):
            self._end_issuing(hart)
        for region in result.regions if result is not None else ():
            self._slice(0, _REGIONS, "regions", f"region {region.region}", region.start, region.end, {})
        if result is not None:
            self._counters(result)
        facts = {
            "program": self.listing.program.name,
            "design": self.design.name,
            "clock_hz": self.design.clock,
            "cycles": result.cycles if result is not None else max(self._clock),
            "time": "simulated time; ts and dur in microseconds, rounded down to nanoseconds",
            "shown": self.window.note() or "all instructions",
        }
        self.stream.write(f'\n], "otherData": {json.dumps(facts)}}}\n')

    def _hart(self, hart: int, record: list[int], clock: int) -> None:
        """Stalls of an instruction on the hart's track; cycles in which it issued are joined."""
        for cause, cycles in STALL_FIELDS:
            if record[cause] >= 0 and record[cycles] > 0:
                self._end_issuing(hart)
                name = stall_name(record[cause])
                line = self.listing[record[at.V_SLOT]]
                details = {"before": f"{line.address:x}: {line.text}"}
                self._slice(hart, _HART, "hart", name, clock, clock + record[cycles], details)
                clock += record[cycles]
        if record[at.V_BUSY]:
            begin, end = self._issuing[hart] or (clock, clock)
            if end != clock:
                self._end_issuing(hart)
                begin = clock
            self._issuing[hart] = (begin, clock + 1)

    def _end_issuing(self, hart: int) -> None:
        span = self._issuing[hart]
        if span is not None:
            self._slice(hart, _HART, "hart", "issue", *span, {})
        self._issuing[hart] = None

    def _unit(self, hart: int, number: int, record: list[int]) -> None:
        unit, begin = record[at.V_UNIT], record[at.V_BEGIN]
        end = max(record[at.V_DONE], begin + 1)
        lane = self._lane(hart, unit, begin, end)
        line = self.listing[record[at.V_SLOT]]
        name = at.UNITS[unit] + (f" {lane + 1}" if lane else "")
        details = {"instruction": f"{line.address:x}: {line.text}", "number": number, "issued": record[at.V_ISSUE]}
        self._slice(hart, _UNIT + _LANES * unit + lane, name, line.mnemonic, begin, end, details)

    def _transfer(self, hart: int, record: list[int], slot: int) -> None:
        engine, begin = record[at.X_ENGINE], record[at.X_BEGIN]
        end = max(record[at.X_DONE], begin + 1)
        lane = self._lane(hart, _ENGINE + engine, begin, end)
        line = self.listing[slot]
        name = f"DMA {engine}" + (f".{lane + 1}" if lane else "")
        details = {
            "instruction": f"{line.address:x}: {line.text}", "number": record[at.X_NUMBER],
            "bytes": record[at.X_BYTES], "queued": record[at.X_QUEUED],
        }  # fmt: skip
        way = "to DRAM" if record[at.X_WRITE] else "from DRAM"
        self._slice(hart, _ENGINE + _LANES * engine + lane, name, way, begin, end, details)

    def _lane(self, hart: int, unit: int, begin: int, end: int) -> int:
        """The first of a unit's tracks on which nothing ends after `begin`."""
        lanes = self._lanes.setdefault((hart, unit), [])
        for lane, free in enumerate(lanes):
            if free <= begin:
                lanes[lane] = end
                return lane
        lanes.append(end)
        return len(lanes) - 1

    def _counters(self, result: Any) -> None:
        for hart in range(len(self._clock)):
            for unit, (moments, shares) in self.utilisation.shares(result.cycles, hart).items():
                for moment, share in zip(moments, shares, strict=True):
                    self._counter(hart, f"{unit} utilisation (%)", moment, round(100 * share, 2))
        rate = self.design.clock / result.bandwidth_stretch / 1e9
        for level, bytes_ in result.bandwidth.items():
            name = f"{level.replace('_', ' ').replace('dram', 'DRAM')}, all cores (GB/s)"
            for index, moved in enumerate(bytes_):
                self._counter(0, name, index * result.bandwidth_stretch, round(moved * rate, 3))

    def _counter(self, hart: int, name: str, cycle: int, value: float) -> None:
        self._event("C", hart, 0, name=name, ts=self._time(cycle) / 1000, args={"value": value})

    def _slice(
        self, hart: int, track: int, track_name: str, name: str, begin: int, end: int, details: dict[str, Any]
    ) -> None:
        if (hart, track) not in self._tracks:
            self._tracks.add((hart, track))
            self._event("M", hart, track, name="thread_name", args={"name": track_name})
            self._event("M", hart, track, name="thread_sort_index", args={"sort_index": track})
        start = self._time(begin)
        arguments = {"cycle": begin, "cycles": end - begin, **details}
        self._event("X", hart, track, name=name, ts=start / 1000, dur=(self._time(end) - start) / 1000, args=arguments)

    def _time(self, cycle: int) -> int:
        """Nanoseconds of a cycle, rounded down."""
        return cycle * self.design.period_fs // 1_000_000

    def _event(self, phase: str, hart: int, track: int, **fields: Any) -> None:
        separator = "" if self._first else ",\n"
        self._first = False
        self.stream.write(separator + json.dumps({"ph": phase, "pid": hart + 1, "tid": track, **fields}))
