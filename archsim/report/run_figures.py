"""Plotly figures of one run: slots, waits, units and DRAM over time, marked regions, the critical path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from archsim.report.critical_path import CriticalPath
from archsim.report.topdown import Node
from archsim.traces.utilisation import Utilisation

_MARGIN = {"l": 70, "r": 20, "t": 50, "b": 50}
_CLASSES = {
    "retiring": "#00a37a", "front end": "#ffb000", "bad speculation": "#ef553b", "back end": "#636efa",
    "core": "#636efa", "memory": "#ab63fa", "other": "#9aa5b1",
}  # fmt: skip
_COLUMNS = 256
"""Stretches of time that a figure shows at most."""
_LONGEST = 40
"""Regions that a figure names at most; more of them become one row."""


def slots(root: Node) -> go.Figure:
    """The top-down tree as nested areas."""
    rows: list[tuple[str, str, int, str, str]] = []

    def add(node: Node, parent: str, color: str) -> None:
        own = f"{parent}/{node.name}" if parent else node.name
        color = _CLASSES.get(node.name, color)
        rows.append((node.name, parent, node.slots, own, color))
        for part in node.parts:
            if part.slots:
                add(part, own, color)

    add(root, "", "#e5e9f0")
    names, parents, values, ids, colors = zip(*rows, strict=True)
    figure = go.Figure(
        go.Icicle(
            labels=names,
            parents=parents,
            values=values,
            ids=ids,
            branchvalues="total",
            marker={"colors": colors},
            textinfo="label+percent root",
            hovertemplate="%{label}<br>%{value:,} slots (%{percentRoot:.1%})<extra></extra>",
            tiling={"orientation": "h"},
        )
    )
    return _finish(figure, "Issue slots, top-down")


def waits(harts: Sequence[Mapping[str, Any]]) -> go.Figure:
    """Cycles of each hart: issuing, and by stall cause."""
    figure = go.Figure()
    names = [f"hart {hart['hart']}" for hart in harts]
    figure.add_bar(name="issuing", y=names, x=[hart["busy_cycles"] for hart in harts], orientation="h")
    for cause in dict.fromkeys(cause for hart in harts for cause in hart["stalls"]):
        values = [hart["stalls"].get(cause, 0) for hart in harts]
        figure.add_bar(name=cause, y=names, x=values, orientation="h")
    figure.update_layout(barmode="stack")
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(title="cycles")
    return _finish(figure, "Cycles of harts by cause")


def unit_waits(result: Any) -> go.Figure:
    """Cycles of each decoupled unit over all cores: at work, and by what it waited for."""
    figure = go.Figure()
    names = [unit for unit in result.unit_stalls if result.units[unit]]
    figure.add_bar(name="at work", y=names, x=[result.units[unit] for unit in names], orientation="h")
    for cause in dict.fromkeys(cause for unit in names for cause in result.unit_stalls[unit]):
        values = [result.unit_stalls[unit].get(cause, 0) for unit in names]
        figure.add_bar(name=cause, y=names, x=values, orientation="h")
    figure.update_layout(barmode="stack")
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(title="cycles")
    return _finish(figure, "Cycles of units by cause")


def units(utilisation: Utilisation, cycles: int, clock: float) -> go.Figure:
    """Utilisation of every unit over time, as the mean over cores: one row per unit."""
    shares = utilisation.shares(cycles)
    longest = max((len(starts) for starts, _ in shares.values()), default=1)
    step = -(-longest // _COLUMNS)
    rows, times = [], []
    for starts, values in shares.values():
        times = [1e6 * start / clock for start in starts[::step]]
        rows.append(
            [100 * sum(values[at : at + step]) / len(values[at : at + step]) for at in range(0, len(values), step)]
        )
    figure = go.Figure(
        go.Heatmap(
            x=times, y=list(shares), z=rows, zmin=0, zmax=100, colorscale="Blues", ygap=2,
            colorbar={"title": "%"}, hovertemplate="%{y}<br>%{x:.4g} µs: %{z:.1f} %<extra></extra>",
        )
    )  # fmt: skip
    figure.update_xaxes(title="µs")
    figure.update_yaxes(autorange="reversed")
    return _finish(figure, "Units at work over time, mean over cores")


def bandwidth(result: Any, design: Any) -> go.Figure:
    """Bytes per second that DRAM and scratchpads move, over time, and their peaks."""
    scale = design.clock / result.bandwidth_stretch / 1e9
    end = 1e6 * result.time_s
    pad = design.core.scratchpad
    peaks = {
        "DRAM": design.memory.peak_bytes_per_s / 1e9,
        "scratchpads": design.cores * pad.banks * pad.ports * pad.width * design.clock / 1e9,
    }
    figure = go.Figure()
    for level, moved in result.bandwidth.items():
        times = [1e6 * index * result.bandwidth_stretch / design.clock for index in range(len(moved))]
        rates = [each * scale for each in moved]
        label = level.replace("_", " ").replace("dram", "DRAM")
        figure.add_scatter(name=label, x=[*times, end], y=[*rates, *rates[-1:]], line={"shape": "hv"})
    for name, peak in peaks.items():
        if peak:
            figure.add_scatter(name=f"peak of {name}", x=[0, end], y=[peak, peak], mode="lines", line={"dash": "dash"})
    figure.update_xaxes(title="µs", range=[0, end])
    figure.update_yaxes(title="GB / s", rangemode="tozero")
    return _finish(figure, "Bandwidth over time")


def traffic(moved: Mapping[str, Mapping[str, int]], title: str) -> go.Figure:
    """DRAM bytes by tensor, or by region, reads and writes."""
    rows = sorted(moved.items(), key=lambda row: -sum(row[1].values()))[:_LONGEST]
    figure = go.Figure()
    for way in ("read", "write"):
        figure.add_bar(
            name=way, y=[str(name) for name, _ in rows], x=[each[f"{way}_bytes"] / 1e6 for _, each in rows],
            orientation="h",
        )  # fmt: skip
    figure.update_layout(barmode="stack")
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(title="MB")
    return _finish(figure, title)


def roofline(point: Mapping[str, float]) -> go.Figure:
    """The bounds of peak and DRAM, and the point that the run reached."""
    peak, memory, intensity = point["peak_macs_per_s"], point["dram_peak_bytes_per_s"], point["macs_per_dram_byte"]
    ridge = peak / memory
    low, high = min(intensity, ridge) / 8, max(intensity, ridge) * 8
    figure = go.Figure(
        go.Scatter(name="bound", x=[low, ridge, high], y=[low * memory / 1e9, peak / 1e9, peak / 1e9], mode="lines")
    )
    figure.add_scatter(
        name=f"reached: {100 * point['achieved_share']:.1f} %", x=[intensity], y=[point["achieved_macs_per_s"] / 1e9],
        mode="markers", marker={"size": 12},
    )  # fmt: skip
    figure.update_xaxes(type="log", title="MACs per DRAM byte")
    figure.update_yaxes(type="log", title="GMAC / s")
    return _finish(figure, "Roofline")


def regions(stretches: Sequence[Any], clock: float) -> go.Figure:
    """Stretches between marks of the program (qmark), one row per number."""
    figure = go.Figure()
    numbers = list(dict.fromkeys(stretch.region for stretch in stretches))
    for number in numbers[:_LONGEST]:
        own = [stretch for stretch in stretches if stretch.region == number]
        figure.add_bar(
            y=[f"region {number}"] * len(own),
            base=[1e6 * stretch.start / clock for stretch in own],
            x=[1e6 * (stretch.end - stretch.start) / clock for stretch in own],
            orientation="h",
            name=f"region {number}",
            hovertext=[f"cycles {stretch.start:,} to {stretch.end:,}" for stretch in own],
        )
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(title="µs")
    figure.update_layout(showlegend=False, barmode="overlay")
    more = f" (the first {_LONGEST} of {len(numbers)})" if len(numbers) > _LONGEST else ""
    return _finish(figure, f"Regions of the program{more}")


def critical(path: CriticalPath) -> go.Figure:
    """Cycles on the critical path by resource."""
    names = list(path.resources)
    shares = [100 * cycles / max(1, path.cycles) for cycles in path.resources.values()]
    figure = go.Figure(
        go.Bar(x=shares, y=names, orientation="h", text=[f"{share:.1f} %" for share in shares], textposition="auto")
    )
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(title="% of the run")
    return _finish(figure, "Critical path by resource")


def energy(components: Mapping[str, float]) -> go.Figure:
    """Joules by component."""
    parts = sorted(((name, joules) for name, joules in components.items() if joules), key=lambda part: -part[1])
    figure = go.Figure(
        go.Bar(
            x=[1e6 * joules for _, joules in parts], y=[name.replace("_", " ") for name, _ in parts], orientation="h"
        )
    )
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(title="µJ")
    return _finish(figure, "Energy by component")


def _finish(figure: go.Figure, title: str) -> go.Figure:
    figure.update_layout(title=title, template="plotly_white", margin=_MARGIN, height=420)
    figure.update_yaxes(automargin=True)
    return figure
