"""Runs of memory controllers for tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from archsim.design.memory import load_device
from archsim.machine.dram_channels import Controllers, Policy
from archsim.machine.dram_run import run_requests


class Run:
    """One run: ticks, fraction of peak bandwidth, counts, mean read latency in ticks."""

    def __init__(
        self, device: str, addresses: Any, written: Any = 0, *, window: int = 64, channels: int = 1, trace: int = 0,
        **policy: Any,
    ) -> None:  # fmt: skip
        self.device = load_device(device)
        where = np.asarray(addresses, np.int64)
        write = np.ascontiguousarray(np.broadcast_to(np.asarray(written, np.int64), where.shape))
        self.controllers = Controllers(self.device, channels, Policy(**policy), trace)
        self.ticks = run_requests(self.controllers, where, write, window, 2 * channels)
        self.counts = self.controllers.counts()
        self.clocks = self.ticks / self.device.ticks_per_clock
        peak = self.device.pseudo_channels * channels / self.device.tBL
        self.fraction = len(where) / self.clocks / peak
        reads = max(int((write == 0).sum()), 1)
        self.latency = self.counts["read_latency_ticks"] / reads / self.device.ticks_per_clock


def sequential(device: str, count: int) -> np.ndarray:
    """Addresses of one burst after the other."""
    return np.arange(count, dtype=np.int64) * load_device(device).tx_bytes


def scattered(device: str, count: int, seed: int = 1, channels: int = 1) -> np.ndarray:
    """Addresses of random bursts of the whole capacity."""
    one = load_device(device)
    bursts = one.capacity_bytes * channels // one.tx_bytes
    return np.random.default_rng(seed).integers(0, bursts, count) * one.tx_bytes


def conflicts(device: str, count: int) -> np.ndarray:
    """Addresses of the same bank, a new row each."""
    one = load_device(device)
    return np.arange(count, dtype=np.int64) * (one.capacity_bytes // one.rows)
