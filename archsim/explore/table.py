"""Outcomes of a sweep as a table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas

FIGURES = (
    "time_s",
    "ttft_s",
    "tokens_per_s",
    "energy_per_token_j",
    "sram_peak_bytes",
    "dram_read_bytes",
    "cycles",
)
"""What people compare first."""


def table_of(settings: Sequence[dict[str, Any]], outcomes: Sequence[dict[str, Any]]) -> pandas.DataFrame:
    """One row per point: its settings, the figures of its result, and `error` where there is none.

    Figures within a figure (``stalls``, ``energy``) are columns such as ``energy.dram``; lists are left out. The same
    outcomes give the same table, in whatever order they were evaluated.
    """
    import pandas

    rows = []
    for setting, outcome in zip(settings, outcomes, strict=True):
        # as the store gives it back, so that a resumed sweep has the same columns
        result = json.loads(json.dumps(outcome.get("result", {})))
        rows.append({**setting, **{k: v for k, v in _figures(result).items() if k not in setting}})
    frame = pandas.DataFrame(rows)
    frame["error"] = pandas.Series([outcome.get("error") for outcome in outcomes], dtype=object)
    return frame


def _figures(result: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in result.items():
        if isinstance(value, dict):
            flat.update({f"{name}.{key}": inner for key, inner in value.items() if not isinstance(inner, (dict, list))})
        elif not isinstance(value, list):
            flat[name] = value
    return flat


def headline(frame: pandas.DataFrame, varying: Sequence[str]) -> pandas.DataFrame:
    """The columns that fit a screen: the fields that vary, the figures people compare first, and errors if any."""
    names = [*varying, *(name for name in FIGURES if name in frame and name not in varying)]
    return frame[[*names, "error"] if frame["error"].notna().any() else names]
