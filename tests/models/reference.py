"""Published parameter counts, from workloads/reference/models.csv."""

from __future__ import annotations

import csv

from archsim.common.resources import data_root

SHIPPED = {
    "llama-2-7b": "Llama-2-7B",
    "llama-3-8b": "Llama-3-8B",
    "llama-3-70b": "Llama-3-70B",
    "mistral-7b": "Mistral-7B-v0.1",
    "phi-3-mini": "Phi-3-mini-4k",
}
"""Shipped models and their rows."""


def published() -> dict[str, dict[str, int]]:
    """The whole numbers of each row, by model."""
    text = (data_root() / "workloads/reference/models.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return {row["model"]: {key: int(value) for key, value in row.items() if value.isdigit()} for row in rows}
