"""Reading records of a view log (int64 [n, VIEW_FIELDS], see layout.V_SLOT)."""

from __future__ import annotations

import numpy as np

from archsim.machine import layout as at

STALL_FIELDS = (
    (at.V_CAUSE, at.V_STALL), (at.V_CAUSE2, at.V_STALL2), (at.V_CAUSE3, at.V_STALL3), (at.V_CAUSE4, at.V_STALL4),
)  # fmt: skip
"""The stalls before an instruction: fields of cause (-1: none) and cycles."""


def cycles_of(records: np.ndarray) -> np.ndarray:
    """Cycles of the hart that each record stands for: stalls before it, and the cycle it issued in if it was first."""
    total = records[:, at.V_BUSY].copy()
    for cause, cycles in STALL_FIELDS:
        total += np.where(records[:, cause] >= 0, records[:, cycles], 0)
    return total


def stall_name(cause: int) -> str:
    """The name of a stall cause, as RunResult.stalls has it."""
    return at.STALLS_NAMES[cause]
