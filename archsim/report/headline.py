"""What people compare first, as text with units: for tables on a terminal and on a page."""

from __future__ import annotations

from typing import Any

from archsim.common.units import show


def headline(result: dict[str, Any]) -> list[tuple[str, str]]:
    """Names and values of a simulation's main figures.

    Args:
        result: a simulation as --json prints it.
    """
    stalls = sorted(result["stalls"].items(), key=lambda item: -item[1])[:3]
    share = result["hart_cycles"] or 1
    # a run of an ONNX file works on samples: the first dimension of its input
    unit = "sample" if result["phase"] == "run" else "token"
    rows = [
        ("time", show(result["time_s"], "s")),
        (f"{unit}s per second", f"{result['tokens_per_s']:.4g}"),
        (f"energy per {unit}", show(result["energy_per_token_j"], "J")),
        ("power", show(result["energy_j"] / result["time_s"], "W")),
        ("DRAM read", show(result["dram_read_bytes"], "B")),
        ("DRAM bandwidth used", f"{100 * result['dram_utilization']:.1f} %"),
        ("matrix unit busy", f"{100 * result['matrix_utilization']:.1f} %"),
        ("SRAM peak per core", show(result["sram_peak_bytes"], "B")),
        ("main stalls", ", ".join(f"{name} {100 * count / share:.0f} %" for name, count in stalls) or "none"),
    ]
    if result.get("ttft_s"):
        rows.insert(1, ("time to first token", show(result["ttft_s"], "s")))
    if result.get("tpot_s"):
        rows.insert(2, ("time per output token", show(result["tpot_s"], "s")))
    return rows
