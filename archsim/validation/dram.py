"""DRAM: access patterns against Ramulator 2.1 and DRAMsim3, and how a reference row is run."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from archsim.common.errors import InputError, nearest
from archsim.common.resources import shipped
from archsim.common.yamlfile import load_yaml
from archsim.design.memory import MemoryDevice, load_device
from archsim.machine.dram_channels import Controllers, Policy
from archsim.machine.dram_run import run_requests
from archsim.validation.dram_patterns import PATTERNS, Space, requests
from archsim.validation.suite import Progress, Row, Suite, number

DEVICE_FOLDERS = ("configs/memory", "workloads/reference/dram_devices")
REFRESHES = {"AllBank": "all_banks", "PerBank": "per_bank", "NoRefresh": "none", "RANK_LEVEL_STAGGERED": "all_banks"}
SENDS = 2
"""Requests per tick and channel that a reference run may offer."""
UNLOADED = 1
"""Window of the runs that measure latency alone."""


@cache
def devices_by_preset() -> dict[str, str]:
    """Names of devices in the reference simulators -> device file."""
    found = {}
    for folder in DEVICE_FOLDERS:
        for name, path in shipped(folder, ".yaml").items():
            tree = load_yaml(path)
            found[name] = str(path)
            for preset in tree.get("presets", []):
                found[str(preset)] = str(path)
    return found


def find_device(row: dict[str, str]) -> MemoryDevice:
    """The device of a reference row, by its name there or by its own.

    Raises:
        InputError: no device has the name.
    """
    name, known = row["config"], devices_by_preset()
    if name not in known:
        near = nearest(name, known)
        raise InputError(
            f"no memory device is called {name!r}",
            line=int(row["line"]),
            remedy=f"did you mean {near!r}?" if near else "add the name to 'presets' of a file in configs/memory",
        )
    return load_device(known[name])


def _whole(row: dict[str, str], column: str) -> int:
    value = number(row, column)
    if value < 1 or value != int(value):
        raise InputError(
            f"{column} is {row[column]!r}, not a whole number above 0", line=int(row["line"]), remedy="mend the row"
        )
    return int(value)


def run_row(row: dict[str, str]) -> tuple[str, Controllers, dict[str, Any]]:
    """Run a reference row: its class, the controllers afterwards, and bandwidth and latency.

    Raises:
        InputError: the row names a device, pattern, mapping or refresh that there is not.
    """
    line, channels = int(row["line"]), _whole(row, "channels")
    device = find_device(row)
    if row["refresh"] not in REFRESHES:
        raise InputError(f"refresh is {row['refresh']!r}", line=line, remedy=f"use {', '.join(REFRESHES)}")
    capacity = device.capacity_bytes * device.ranks * channels
    space = Space(capacity, device.tx_bytes, device.row_bytes * channels, device.rows)
    made = requests(row["pattern"], space, _whole(row, "n_req"))
    if made is None:
        known = ", ".join(name.replace(r"(\d+)", "N") for name, _, _ in PATTERNS)
        raise InputError(f"pattern is {row['pattern']!r}", line=line, remedy=f"use {known}")
    kind, (addresses, writes) = made
    window = _whole(row, "window")
    scheduler = "bank_queues" if "per-bank" in row.get("scheduler", "") else "queues"
    policy = Policy(mapping=row["mapping"], refresh=REFRESHES[row["refresh"]], scheduler=scheduler)
    try:
        controllers = Controllers(device, channels, policy)
    except InputError as error:
        raise InputError(error.message, line=line, remedy=error.remedy) from None
    ticks = run_requests(controllers, addresses, writes, window, SENDS * channels)
    counts = controllers.counts()
    reads = int(np.count_nonzero(writes == 0))
    peak = device.tx_bytes / (max(device.tBL, device.tCCD_S) * device.ticks_per_clock)
    bandwidth = len(addresses) * device.tx_bytes / ticks / (peak * device.pseudo_channels * channels)
    figures = {
        "fraction_of_peak": bandwidth,
        "read_latency_ns": counts["read_latency_ticks"] * controllers.tick_fs * 1e-6 / reads if reads else 0.0,
        "ticks": ticks,
        **counts,
    }
    return _class(kind, window, row["refresh"]), controllers, figures


def _class(kind: str, window: int, refresh: str) -> str:
    if refresh == "NoRefresh":
        return "unloaded latency" if window == UNLOADED else "refresh"
    if kind == "row conflict" and window == UNLOADED:
        return "unloaded latency"
    return "random" if kind == "random blocks" else kind


def _simulate(rows: list[dict[str, str]], progress: Progress) -> list[Row]:
    """Bandwidth of every row, and latency where the reference has one."""
    result = []
    for done, row in enumerate(rows):
        name = f"{row['config']} x{row['channels']} {row['mapping']} {row['pattern']} w{row['window']}"
        progress(done, len(rows), name)
        kind, _, figures = run_row(row)
        note = row.get("sim", "") + (", no refresh" if row["refresh"] == "NoRefresh" else "")
        result.append(
            Row(
                name,
                kind,
                "fraction of peak bandwidth",
                figures["fraction_of_peak"],
                number(row, "bw_frac"),
                note,
                figures,
            )
        )
        latency = number(row, "lat_avg_ns")
        if latency > 0:
            kind = kind if kind == "unloaded latency" else "loaded latency"
            result.append(Row(name, kind, "read latency ns", figures["read_latency_ns"], latency, note))
    return result


SUITE = Suite(
    name="dram",
    about="memory controllers on access patterns, against Ramulator 2.1 and DRAMsim3",
    reference="dram_patterns",
    columns=("config", "channels", "mapping", "refresh", "pattern", "n_req", "window", "bw_frac", "lat_avg_ns"),
    simulate=_simulate,
)
