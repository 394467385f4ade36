"""Compile-time switches of the dispatch loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archsim.design.hart import FrontEnd


@dataclass(frozen=True)
class Variant:
    """A dispatch loop's compile-time switches."""

    timed: bool = False
    core: str = "in_order"
    """The model of the pipeline, where time is kept: single, in_order or out_of_order (see loop_timing)."""
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


def core_of(design: Any, *, view: bool = False) -> str:
    """The model that times a design's harts: the quickest that has all that they have.

    Args:
        design: a Design.
        view: whether instructions are logged, which the quickest cannot.
    """
    hart = design.core.hart
    predicts = hart.predictor.kind != "none" or hart.predictor.return_stack or hart.predictor.btb
    fetches = design.core.l1i is not None or hart.front_end != FrontEnd(stages=hart.front_end.stages)
    plain = hart.kind == "in_order" and hart.width == 1 and not (predicts or fetches or hart.late_alu)
    return "single" if plain and not view else str(hart.kind)
