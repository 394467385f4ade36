"""Figures of cores that share main memory: rate and fairness against interleave, rate of each core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from archsim.common.units import show

Row = Mapping[str, Any]


def by_interleave(rows: Sequence[Row]) -> go.Figure:
    """Total rate of all cores, its peak, and Jain's fairness index, against interleave granularity."""
    figure = go.Figure()
    for pattern in dict.fromkeys(row["pattern"] for row in rows):
        own = [row for row in rows if row["pattern"] == pattern]
        x = [row["interleave_bytes"] for row in own]
        figure.add_scatter(name=f"{pattern}: all cores", x=x, y=[row["total_bytes_per_s"] / 1e9 for row in own])
        figure.add_scatter(
            name=f"{pattern}: fairness", x=x, y=[row["fairness"] for row in own], yaxis="y2", line={"dash": "dot"}
        )
    peak = rows[0]["peak_bytes_per_s"] / 1e9
    ends = [min(row["interleave_bytes"] for row in rows), max(row["interleave_bytes"] for row in rows)]
    figure.add_scatter(name="peak", x=ends, y=[peak, peak], mode="lines", line={"dash": "dash", "color": "#777"})
    sizes = sorted({row["interleave_bytes"] for row in rows})
    figure.update_xaxes(type="log", title="interleave", tickvals=sizes, ticktext=[show(size, "B") for size in sizes])
    # the peak well below a fairness of 1, so that the lines lie apart
    figure.update_yaxes(title="GB / s", range=[0, 1.25 * peak])
    ticks = {"tickmode": "array", "tickvals": [0, 0.25, 0.5, 0.75, 1], "showgrid": False}
    figure.update_layout(yaxis2={"overlaying": "y", "side": "right", "range": [0, 1.05], "title": "fairness", **ticks})
    return _finish(figure, "Bandwidth of all cores by interleave")


def by_core(rows: Sequence[Row]) -> go.Figure:
    """What each core gets, a group of bars per interleave granularity."""
    figure = go.Figure()
    for row in rows:
        figure.add_bar(
            name=f"{row['pattern']}, {row['interleave_bytes']} B",
            x=[f"core {core}" for core in range(len(row["cores"]))],
            y=[rate / 1e9 for rate in row["cores"]],
        )
    figure.update_yaxes(title="GB / s")
    return _finish(figure, "Bandwidth of each core")


def _finish(figure: go.Figure, title: str) -> go.Figure:
    figure.update_layout(
        title=title, template="plotly_white", height=440, margin={"l": 70, "r": 70, "t": 50, "b": 50},
        legend={"orientation": "h", "y": -0.2},
    )  # fmt: skip
    return figure
