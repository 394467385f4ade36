"""An annotated listing: what each instruction of a program cost, from the view logs of its harts.

Cycles of an instruction are those in which its hart waited before it, by cause, and the one it issued in if it was the
first of that cycle. Sums over the listing are those of the run; what belongs to no instruction (waiting for the units'
last work, a hart that is done before others; leakage, DRAM) stands in a line of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from archsim.common.units import show
from archsim.machine import layout as at
from archsim.traces.listing import Line, Listing
from archsim.traces.view_records import STALL_FIELDS

_BUSY = len(at.STALLS_NAMES)
"""Stands where a cause does, for cycles in which an instruction issued."""


@dataclass
class Cost:
    """What an instruction, a source line or a function cost.

    Attributes:
        executions: instructions retired.
        busy: cycles in which the first instruction was one of these.
        stalls: cause -> cycles.
        energy_j: dynamic energy without DRAM, in joules.
    """

    executions: int = 0
    busy: int = 0
    stalls: dict[str, int] = field(default_factory=dict)
    energy_j: float = 0.0

    @property
    def cycles(self) -> int:
        """Cycles of harts."""
        return self.busy + sum(self.stalls.values())

    def add(self, other: Cost) -> None:
        self.executions += other.executions
        self.busy += other.busy
        self.energy_j += other.energy_j
        for cause, cycles in other.stalls.items():
            self.stalls[cause] = self.stalls.get(cause, 0) + cycles

    def to_dict(self) -> dict[str, Any]:
        return {
            "executions": self.executions,
            "cycles": self.cycles,
            "busy_cycles": self.busy,
            "stalls": dict(sorted(self.stalls.items(), key=lambda item: -item[1])),
            "energy_j": self.energy_j,
        }


class Costs:
    """Sums up view logs by instruction while their chunks arrive."""

    def __init__(self) -> None:
        self._executions: dict[int, int] = {}
        self._femtojoules: dict[int, int] = {}
        self._cycles: dict[tuple[int, int], int] = {}

    def chunk(self, hart: int, records: np.ndarray, transfers: np.ndarray) -> None:
        """Take in the next part of a hart's view log (see machine.viewing.View)."""
        slots, index, counts = np.unique(records[:, at.V_SLOT], return_inverse=True, return_counts=True)
        energy = np.zeros(len(slots), np.int64)
        np.add.at(energy, index, records[:, at.V_ENERGY_FJ])
        for slot, count, femtojoules in zip(slots.tolist(), counts.tolist(), energy.tolist(), strict=True):
            self._executions[slot] = self._executions.get(slot, 0) + count
            self._femtojoules[slot] = self._femtojoules.get(slot, 0) + femtojoules
        busy = np.full(len(records), _BUSY)
        self._add(records[:, at.V_SLOT], busy, records[:, at.V_BUSY])
        for cause, cycles in STALL_FIELDS:
            there = records[:, cause] >= 0
            self._add(records[there, at.V_SLOT], records[there, cause], records[there, cycles])

    def _add(self, slots: np.ndarray, causes: np.ndarray, cycles: np.ndarray) -> None:
        keys, index = np.unique(slots * (_BUSY + 1) + causes, return_inverse=True)
        sums = np.zeros(len(keys), np.int64)
        np.add.at(sums, index, cycles)
        for key, total in zip(keys.tolist(), sums.tolist(), strict=True):
            if total:
                place = divmod(key, _BUSY + 1)
                self._cycles[place] = self._cycles.get(place, 0) + total

    def by_slot(self) -> dict[int, Cost]:
        """Slot -> its cost, in the order of the addresses."""
        costs = {
            slot: Cost(count, energy_j=self._femtojoules[slot] * 1e-15)
            for slot, count in sorted(self._executions.items())
        }
        for (slot, cause), cycles in self._cycles.items():
            if cause == _BUSY:
                costs[slot].busy = cycles
            else:
                costs[slot].stalls[at.STALLS_NAMES[cause]] = cycles
        return costs


@dataclass(frozen=True)
class Annotation:
    """A program's instructions with their costs.

    Attributes:
        lines: (instruction, cost) of all that were executed, in the order of their addresses.
        elsewhere: what belongs to none of them.
        total: the run.
    """

    lines: list[tuple[Line, Cost]]
    elsewhere: Cost
    total: Cost

    @classmethod
    def of(cls, costs: Costs, listing: Listing, result: Any) -> Annotation:
        """The annotation of a finished run, given as its RunResult."""
        lines = [(listing[slot], cost) for slot, cost in costs.by_slot().items()]
        total = Cost(result.instructions, result.busy_cycles, dict(result.stalls), result.energy.total)
        known = Cost()
        for _, cost in lines:
            known.add(cost)
        rest = {cause: cycles - known.stalls.get(cause, 0) for cause, cycles in total.stalls.items()}
        elsewhere = Cost(
            total.executions - known.executions,
            total.busy - known.busy,
            {cause: cycles for cause, cycles in rest.items() if cycles},
            total.energy_j - known.energy_j,
        )
        return cls(lines, elsewhere, total)

    def functions(self) -> dict[str, Cost]:
        """Function -> cost, most cycles first; "" for what is in none."""
        return self._sums(lambda line: line.function)

    def source_lines(self) -> dict[tuple[str, int], Cost]:
        """(file, line) -> cost, most cycles first, of what has a source."""
        sums = self._sums(lambda line: line.source)
        return {place: cost for place, cost in sums.items() if place is not None}

    def _sums(self, key: Any) -> dict[Any, Cost]:
        sums: dict[Any, Cost] = {}
        for line, cost in self.lines:
            sums.setdefault(key(line), Cost()).add(cost)
        return dict(sorted(sums.items(), key=lambda item: -item[1].cycles))

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form; names carry units."""
        return {
            "instructions": [
                {
                    "address": line.address,
                    "instruction": line.text,
                    "function": line.function,
                    "source": f"{line.source[0]}:{line.source[1]}" if line.source else None,
                    **cost.to_dict(),
                }
                for line, cost in self.lines
            ],
            "functions": [{"function": name, **cost.to_dict()} for name, cost in self.functions().items()],
            "source_lines": [
                {"file": file, "line": number, **cost.to_dict()} for (file, number), cost in self.source_lines().items()
            ],
            "elsewhere": self.elsewhere.to_dict(),
            "total": self.total.to_dict(),
        }

    def text(self) -> Iterator[str]:
        """The listing for people, line by line."""
        yield "functions"
        yield _HEAD
        for name, cost in self.functions().items():
            yield self._row(name or "(no symbol)", cost)
        yield self._row("(no instruction)", self.elsewhere)
        yield self._row("total", self.total)
        function, source, end = None, None, -1
        for line, cost in self.lines:
            if line.function != function:
                function, source = line.function, None
                yield f"\n{function or '(no symbol)'}"
                yield _HEAD
            elif line.address != end:
                yield f"{'...':>{_INDENT + 3}}"
            if line.source is not None and line.source != source:
                source = line.source
                yield f"{'':{_INDENT}}{source[0]}:{source[1]}"
            end = line.address + (4 if line.word & 3 == 3 else 2)
            yield self._row(f"{line.address:x}: {line.text}", cost)

    def _row(self, what: str, cost: Cost) -> str:
        stalls = sorted(cost.stalls.items(), key=lambda item: -item[1])
        top = ", ".join(f"{name} {cycles:,}" for name, cycles in stalls[:3])
        more = f", {len(stalls) - 3} more" if len(stalls) > 3 else ""
        share = 100 * cost.cycles / max(1, self.total.cycles)
        energy = show(cost.energy_j, "J")
        figures = f"{cost.executions:>13,}{cost.cycles:>14,}{share:>7.1f}{energy:>11}"
        return f"{figures}  {what:<40} {top}{more}".rstrip()


_HEAD = f"{'executions':>13}{'cycles':>14}{'%':>7}{'energy':>11}  {'':<40} stalls"
_INDENT = 13 + 14 + 7 + 11 + 2
