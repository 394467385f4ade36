"""Plotly figures of simulation results, given as the dictionaries that --json prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

Result = dict[str, Any]
_MARGIN = {"l": 70, "r": 20, "t": 50, "b": 50}


def throughput(results: Sequence[Result]) -> go.Figure:
    """Tokens per second of each design."""
    figure = go.Figure(
        go.Bar(
            x=[r["design"] for r in results],
            y=[r["tokens_per_s"] for r in results],
            text=[f"{r['tokens_per_s']:.4g}" for r in results],
            textposition="auto",
        )
    )
    return _finish(figure, "Throughput", "tokens / s")


def energy(results: Sequence[Result]) -> go.Figure:
    """Energy per token by component, stacked."""
    figure = go.Figure()
    for name in _keys(results, "energy"):
        tokens = [r["energy_j"] / r["energy_per_token_j"] for r in results]
        values = [1e3 * r["energy"].get(name, 0.0) / t for r, t in zip(results, tokens, strict=True)]
        figure.add_bar(name=name.replace("_", " "), x=[r["design"] for r in results], y=values)
    figure.update_layout(barmode="stack")
    return _finish(figure, "Energy per token", "mJ")


def stalls(results: Sequence[Result]) -> go.Figure:
    """Where the harts' cycles went, as shares that add up to 100 %."""
    figure = go.Figure()
    names = [r["design"] for r in results]
    figure.add_bar(name="issuing", x=names, y=[100 * r["busy_cycles"] / r["hart_cycles"] for r in results])
    for cause in _keys(results, "stalls"):
        values = [100 * r["stalls"].get(cause, 0) / r["hart_cycles"] for r in results]
        if max(values) >= 0.05:
            figure.add_bar(name=cause.replace("_", " "), x=names, y=values)
    figure.update_layout(barmode="stack")
    return _finish(figure, "Hart cycles by cause", "%")


def operations(results: Sequence[Result]) -> go.Figure:
    """Time per op over the whole model, stacked."""
    figure = go.Figure()
    for name in dict.fromkeys(op["op"] for r in results for op in r["ops"]):
        values = []
        for r in results:
            cycles = sum(op["cycles"] * op["times"] for op in r["ops"] if op["op"] == name)
            values.append(1e3 * r["time_s"] * cycles / r["cycles"])
        figure.add_bar(name=name, x=[r["design"] for r in results], y=values)
    figure.update_layout(barmode="stack")
    return _finish(figure, "Time by op", "ms")


def occupancy(results: Sequence[Result]) -> go.Figure:
    """Scratchpad bytes in use over one decoder layer, as a share of the core's scratchpad, of designs that have one."""
    figure = go.Figure()
    for r in [result for result in results if result["sram_size_bytes"]]:
        points = r["sram_timeline"]
        figure.add_scatter(
            name=f"{r['design']} ({r['sram_size_bytes'] / 2**20:.3g} MiB)",
            x=[1e6 * p["time_s"] for p in points],
            y=[100 * p["bytes"] / r["sram_size_bytes"] for p in points],
            line={"shape": "hv"},
            hovertext=[p["op"] for p in points],
        )
    figure.update_xaxes(title="µs from the start of the layer")
    figure.update_yaxes(range=[0, 105])
    return _finish(figure, "SRAM occupancy over one layer", "% of a core's scratchpad")


def traffic(results: Sequence[Result]) -> go.Figure:
    """DRAM bytes of a pass by tensor, the largest first."""
    figure = go.Figure()
    for r in results:
        moved = {name: sum(ways.values()) for name, ways in r["traffic"].items()}
        largest = sorted(moved, key=lambda name: -moved[name])[:_TENSORS]
        figure.add_bar(name=r["design"], x=largest, y=[moved[name] / 1e6 for name in largest])
    return _finish(figure, "DRAM bytes by tensor", "MB")


def roofline(results: Sequence[Result]) -> go.Figure:
    """Each design's bounds (DRAM, and matrix peak where there is a matrix unit) and the point its workload reaches."""
    figure = go.Figure()
    for index, r in enumerate(results):
        peak, bandwidth = r["peak_macs_per_s"], r["dram_peak_bytes_per_s"]
        intensity = r["macs_total"] / max(1, r["dram_read_bytes"] + r["dram_write_bytes"])
        ridge = peak / bandwidth or intensity
        low, high = min(intensity, ridge) / 8, max(intensity, ridge) * 8
        most = peak if peak else high * bandwidth
        color = _COLORS[index % len(_COLORS)]
        figure.add_scatter(
            name=r["design"],
            x=[low, ridge, high],
            y=[low * bandwidth / 1e9, ridge * bandwidth / 1e9, most / 1e9],
            mode="lines",
            line={"color": color},
        )
        figure.add_scatter(
            name=f"{r['design']}: reached",
            x=[intensity],
            y=[r["macs_total"] / r["time_s"] / 1e9],
            mode="markers",
            marker={"size": 12, "color": color},
        )
    figure.update_xaxes(type="log", title="MACs per DRAM byte")
    figure.update_yaxes(type="log")
    return _finish(figure, "Roofline", "GMAC / s")


_TENSORS = 24
"""Tensors that a figure names at most."""
_COLORS = ("#636efa", "#ef553b", "#00a37a", "#ab63fa", "#ff8c1a", "#0aa2c0")


def _keys(results: Sequence[Result], field: str) -> list[str]:
    return list(dict.fromkeys(name for r in results for name in r[field]))


def _finish(figure: go.Figure, title: str, axis: str) -> go.Figure:
    figure.update_layout(title=title, template="plotly_white", margin=_MARGIN, height=420)
    figure.update_yaxes(title=axis)
    return figure
