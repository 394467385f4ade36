"""Logits of a router that choose experts as a graph says: what a run without values finds in memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from archsim.models.graph import Op


def routing_contents(ops: Sequence[Op]) -> dict[str, np.ndarray]:
    """Contents of the logits of each router, by tensor."""
    return {op.inputs[0].name: routing_logits(op) for op in ops if op.kind == "route"}


def routing_logits(op: Op) -> np.ndarray:
    """float32 [rows, experts]: 1 for the experts of a row, 0 for the others.

    Experts take rows in turn, one after the other around all rows: none takes a row twice, since none has more rows
    than there are, and each row comes as often as the others.
    """
    a = op.attributes
    logits = np.zeros((a["rows"], a["experts"]), np.float32)
    experts = np.repeat(np.arange(a["experts"]), [a[f"rows_{expert}"] for expert in range(a["experts"])])
    logits[np.arange(len(experts)) % a["rows"], experts] = 1
    return logits
