"""Figures of the accuracy ladder: loss against bits, of weights and of the KV cache."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from archsim.report.page import page_of, table_of

Row = Mapping[str, Any]


def ladder_page(ladder: Mapping[str, Any]) -> str:
    """A whole page of a ladder (a dictionary as --json prints it)."""
    measurements = ladder["measurements"]
    drawn = [
        loss_by_bits(
            "Loss against bits per weight",
            [r for r in measurements if r["subject"] == "weights"],
            "weights",
            "bits_per_weight",
        ),
        loss_by_bits(
            "Loss against bits per cached number",
            [r for r in measurements if r["subject"] == "KV cache"],
            "kv",
            "bits_per_cached_number",
        ),
    ]
    claims = table_of(["what is published", "difference, nats", "on this model"], [
        (c["claim"], f"{c['difference_nats']:+.4f} ± {c['difference_standard_error']:.4f}", c["outcome"])
        for c in ladder["claims"]
    ])  # fmt: skip
    rows = [
        (
            r["subject"],
            r["weights"],
            r["activations"],
            r["kv"],
            r["method"],
            f"{r['bits_per_weight']:.3f}",
            f"{r['bits_per_cached_number']:.3f}",
            f"{r['loss_nats']:.4f}",
            f"{r['difference_nats']:+.4f} ± {r['difference_standard_error']:.4f}",
        )
        for r in measurements
    ]
    columns = ["", "weights", "activations", "KV cache", "method", "bits per weight", "bits per cached number", "loss",
               "difference, ± standard error"]  # fmt: skip
    what = f"Nats per token on {measurements[0]['windows']} windows of held-out text; differences are paired."
    return page_of(f"Accuracy ladder of {ladder['model']}", what, claims, drawn, table_of(columns, rows))


def loss_by_bits(title: str, rows: Sequence[Row], label: str, bits: str) -> go.Figure:
    """Loss above full precision, on a logarithmic scale, with 95 % confidence, one trace per kind of format.

    Args:
        label: field that names the format.
        bits: field of the bits.
    """
    figure = go.Figure()
    kinds: dict[str, list[Row]] = {}
    for row in rows:
        kinds.setdefault(_kind(row, label), []).append(row)
    for kind, own in kinds.items():
        own = sorted(own, key=lambda row: row[bits])
        figure.add_scatter(
            name=kind,
            x=[row[bits] for row in own],
            # a logarithm has no place for what is not above 0
            y=[max(row["difference_nats"], 1e-5) for row in own],
            error_y={"array": [1.96 * row["difference_standard_error"] for row in own]},
            text=[f"{row[label]} {row['method']}" for row in own],
            mode="lines+markers" if len(own) > 1 else "markers",
        )
    figure.update_xaxes(title="bits, scales included")
    figure.update_yaxes(title="nats per token above full precision", type="log", dtick=1, exponentformat="power")
    figure.update_layout(
        title=title, template="plotly_white", height=460 + 12 * len(kinds), margin={"l": 70, "r": 30, "t": 50, "b": 50},
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom"},
    )  # fmt: skip
    return figure


def _kind(row: Row, label: str) -> str:
    """A format's name without its bits, which come first, and the method if it is not plain rounding."""
    name = re.sub(r"-?[0-9.]+", "", str(row[label]), count=1)
    return name if row["method"] == "rtn" else f"{name} {row['method']}"
