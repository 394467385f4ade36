"""Compile-time switches of the dispatch loop."""

from __future__ import annotations

from dataclasses import dataclass

CORES = {"in_order": "archsim.machine.in_order", "out_of_order": "archsim.machine.out_of_order"}
"""Modules that say when an instruction starts (begin) and enter that it has (commit)."""


@dataclass(frozen=True)
class Variant:
    """A dispatch loop's compile-time switches."""

    timed: bool = False
    core: str = "in_order"
    """The model of the pipeline, where time is kept: see CORES."""
    view: bool = False
    """Log what became of each instruction."""
    record: bool = False
    replay: bool = False
    step: bool = False
    """Come back after every instruction."""

    @property
    def name(self) -> str:
        words = [word for word in ("view", "record", "replay", "step") if getattr(self, word)]
        return "_".join([self.core if self.timed else "functional", *words])

    @property
    def through(self) -> bool:
        """Whether every instruction goes through to the end of a round, instead of leaving where it stops."""
        return self.timed or self.record
