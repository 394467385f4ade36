"""The DRAM model against bounds that hold for any controller, and against other simulators' figures."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

import archsim
from archsim.machine import layout as at
from archsim.machine.chip import dram_array
from archsim.machine.dram import dram_access
from archsim.machine.host import pointer_int64
from archsim.machine.jit import njit

REFERENCE = Path(__file__).parents[2] / "workloads" / "reference" / "dram_patterns.csv"


@njit
def _inject(dram, addresses, count, size, write, window, done):
    """Requests in order, at most `window` on their way; the time at which the last has passed (fs)."""
    d, a, finished = pointer_int64(dram), pointer_int64(addresses), pointer_int64(done)
    last = 0
    for i in range(count):
        arrival = finished[i % window]
        finished[i % window] = dram_access(d, arrival, a[i], size, write)
        last = max(last, finished[i % window])
    return last


def served(device: str, addresses: np.ndarray, *, write: int = 0, window: int = 64, channels: int = 1):
    """Fraction of peak bandwidth, and the counters, of one-burst requests at these addresses."""
    design = archsim.load_design(
        "edge-npu", {"memory.device": device, "memory.channels": channels, "memory.size": "128 MiB"}
    )
    keep: list[np.ndarray] = []

    def array(size: int) -> np.ndarray:
        keep.append(np.zeros(size, np.int64))
        return keep[-1]

    d = dram_array(design.memory, array)
    flat = np.ascontiguousarray(addresses, np.int64)
    done = array(window)
    size = design.memory.device.tx_bytes
    last = _inject(d.ctypes.data, flat.ctypes.data, len(flat), size, write, window, done.ctypes.data)
    seconds = last * 1e-15
    return len(flat) * size / seconds / design.memory.peak_bytes_per_s, d, design.memory.device


def sequential(count: int, size: int = 32) -> np.ndarray:
    return np.arange(count, dtype=np.int64) * size


@pytest.mark.parametrize("device", ["lpddr5-6400-x16", "hbm3-6400", "ddr4-3200"])
def test_no_pattern_beats_peak_and_refresh_costs_its_share(device: str) -> None:
    size = archsim.load_design("edge-npu", {"memory.device": device, "memory.size": "128 MiB"}).memory.device.tx_bytes
    fraction, d, facts = served(device, sequential(200_000, size))
    available = 1 - facts.tRFC / facts.tREFI
    assert 0.9 * available <= fraction <= available + 0.001
    assert int(d[at.D_REFRESHES]) > 0


def test_every_request_is_counted_once() -> None:
    rng = np.random.default_rng(1)
    addresses = rng.integers(0, 1 << 25, 20_000) * 32
    _, d, _ = served("lpddr5-6400-x16", addresses)
    assert int(d[at.D_READS]) == 20_000
    assert int(d[at.D_ACTIVATES]) + int(d[at.D_HITS]) == 20_000


def test_one_bank_with_a_new_row_each_time_is_bound_by_the_row_cycle() -> None:
    """Property 4 of the reference: tx / max(tRC, dependent latency) x refresh availability, within 2 %."""
    device = archsim.load_design("edge-npu").memory.device
    # the next row of the same bank and group: banks are XORed with the row's low bits, so step by all banks
    step = device.row_bytes * device.bank_groups * device.banks_per_group * device.banks_per_group
    fraction, _, _ = served("lpddr5-6400-x16", np.arange(5_000, dtype=np.int64) * step)
    bound = device.tBL / device.tRC * (1 - device.tRFC / device.tREFI)
    assert fraction == pytest.approx(bound, rel=0.02)


def test_random_reads_stay_below_the_activation_window() -> None:
    rng = np.random.default_rng(2)
    fraction, _, device = served("lpddr5-6400-x16", rng.integers(0, 1 << 27, 50_000) * 32)
    assert fraction <= 4 * device.tBL / device.tFAW * 1.001
    # served in order, a channel cannot do what FR-FCFS does: Ramulator 2.1 reaches 0.436 here
    assert 0.1 < fraction < 0.436


def test_one_bank_group_gets_the_long_column_spacing() -> None:
    device = archsim.load_design("edge-npu").memory.device
    addresses = sequential(50_000, 32 * device.bank_groups)
    fraction, _, _ = served("lpddr5-6400-x16", addresses)
    assert fraction <= device.tBL / device.tCCD_L


def test_channels_scale_and_windows_do_not_hurt() -> None:
    one, _, _ = served("lpddr5-6400-x16", sequential(50_000))
    four, _, _ = served("lpddr5-6400-x16", sequential(200_000), channels=4, window=256)
    assert four == pytest.approx(one, rel=0.02)
    by_window = [served("lpddr5-6400-x16", sequential(20_000), window=w)[0] for w in (1, 2, 4, 8, 16, 32, 64)]
    assert by_window == sorted(by_window)


@pytest.mark.parametrize(
    ("pattern", "tolerance"),
    [("seq_rd", 0.05), ("seq_wr", 0.12), ("row_conflict", 0.05)],
)
def test_against_ramulator(pattern: str, tolerance: float) -> None:
    lines = [line for line in REFERENCE.read_text().splitlines() if not line.startswith("#")]
    row = next(
        r
        for r in csv.DictReader(lines)
        if r["pattern"] == pattern
        and (r["config"], r["channels"], r["mapping"], r["window"]) == ("LPDDR5_6400_16Gbx16", "1", "MOP4CLXOR", "64")
    )
    device = archsim.load_design("edge-npu").memory.device
    rng = np.random.default_rng(3)
    step = device.row_bytes * device.bank_groups * device.banks_per_group * device.banks_per_group
    addresses = {
        "seq_rd": sequential(50_000),
        "seq_wr": sequential(50_000),
        "row_conflict": np.arange(10_000, dtype=np.int64) * step,
        "rand_rd": rng.integers(0, 1 << 26, 50_000) * 32,
    }[pattern]
    fraction, _, _ = served("lpddr5-6400-x16", addresses, write=int(pattern == "seq_wr"))
    assert fraction == pytest.approx(float(row["bw_frac"]), rel=tolerance)
