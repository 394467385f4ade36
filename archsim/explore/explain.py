"""What would make a program faster: one run per resource of a design, with twice as much of it and without limit.

A resource whose limit costs nothing when it is lifted is no bottleneck, however busy it is; the one that saves most is.
Savings of several resources do not add up: behind each bottleneck stands the next.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from archsim.common.errors import InputError, SimulationError
from archsim.design.spec import Design
from archsim.explore.resources import Change, changes

Run = Callable[[Design], int]
"""Cycles of the program on a design."""


@dataclass(frozen=True)
class Explanation:
    """A program on a design, and what lifting each limit saves.

    Attributes:
        cycles: on the design as it is.
        rows: changes with the cycles they take, best first.
        skipped: changes that cannot be, with the reason.
    """

    cycles: int
    rows: list[tuple[Change, int]]
    skipped: list[Change]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form; names carry units."""
        return {
            "cycles": self.cycles,
            "changes": [
                {
                    **_facts(change),
                    "after": change.after,
                    "cycles": cycles,
                    "saved_cycles": self.cycles - cycles,
                    "saved": (self.cycles - cycles) / max(1, self.cycles),
                }
                for change, cycles in self.rows
            ],
            "skipped": [{**_facts(change), "reason": change.reason} for change in self.skipped],
        }


def _facts(change: Change) -> dict[str, Any]:
    resource = change.resource
    return {
        "resource": resource.name, "step": change.step, "fields": list(resource.fields), "before": change.before,
    }  # fmt: skip


def explain(
    design: Design, run: Run, *, progress: Callable[[int, int, str], None] = lambda done, total, what: None
) -> Explanation:
    """Run a program on a design and on the designs of changes().

    Args:
        design: as it is.
        run: gives the program's cycles on a design.
        progress: called with (runs done, of how many, what is next).

    Raises:
        InputError, SimulationError: the program does not run on the design as it is.
    """
    possible = changes(design)
    tries = [change for change in possible if change.design is not None]
    skipped = [change for change in possible if change.design is None]
    total = 1 + len(tries)
    progress(0, total, "as it is")
    cycles = run(design)
    rows: list[tuple[Change, int]] = []
    for index, change in enumerate(tries):
        progress(1 + index, total, f"{change.resource.name}, {change.step}")
        assert change.design is not None
        try:
            rows.append((change, run(change.design)))
        except (InputError, SimulationError) as error:
            reason = error.message if isinstance(error, InputError) else str(error)
            skipped.append(Change(change.resource, change.step, change.before, reason=reason))
    progress(total, total, "")
    # of equal savings the smaller step is the better news
    rows.sort(key=lambda row: (row[1], row[0].step != "twice"))
    return Explanation(cycles, rows, skipped)
