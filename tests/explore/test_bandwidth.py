"""Cores that share main memory: bounds, fairness, interleave, and that the order of cores does not matter."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

import archsim
from archsim.common.errors import InputError
from archsim.design import load_design
from archsim.explore.bandwidth import fairness, measure_bandwidth, stream_addresses, sweep_interleave
from tests.cli.run_archsim import archsim as command

MIB = 1 << 20
# without a network on chip all places are alike
CROSSED = {"interconnect.noc": None}


def test_all_cores_together_stay_below_peak_and_refresh() -> None:
    design = load_design("octa-npu")
    row = measure_bandwidth(design, stream_addresses("staggered", design, MIB), MIB)
    device = design.memory.device
    assert 0.4 < row["share"] <= 1 - device.tRFC / device.tREFI
    assert 0.95 < row["fairness"] <= 1 and row["slowest_share"] > 0.8
    assert row["total_bytes_per_s"] <= sum(row["cores"]) * 1.0001
    assert row["noc"]["byte_hops"] >= 8 * MIB


def test_a_channel_at_a_time_is_slower_than_all_of_them() -> None:
    """With an interleave as long as a stream each core keeps to a channel of its own, half of them idle."""
    fine, coarse = sweep_interleave("octa-npu", ["256 B", "1 MiB"], pattern="staggered", size=MIB)
    assert coarse["share"] <= 0.5
    assert fine["total_bytes_per_s"] > coarse["total_bytes_per_s"]


@pytest.mark.parametrize("write", [False, True])
def test_the_order_of_cores_does_not_matter(write: bool) -> None:
    """The same eight streams, given to cores in other orders: every stream takes the very same time."""
    design = load_design("octa-npu", CROSSED)
    assert design.interconnect.noc is None
    places = stream_addresses("staggered", design, MIB // 2)
    # not all alike: two of them clash in their banks
    places[3] = places[2] + (1 << 26)
    alone = measure_bandwidth(design, places, MIB // 2, write=write)
    for order in itertools.islice(itertools.permutations(range(8)), 1, 20_000, 7_001):
        again = measure_bandwidth(design, [places[stream] for stream in order], MIB // 2, write=write)
        rates = [0.0] * 8
        for core, stream in enumerate(order):
            rates[stream] = again["cores"][core]
        assert rates == alone["cores"]
        assert again["cycles"] == alone["cycles"]


def test_more_channels_give_more_until_the_cores_are_the_limit() -> None:
    """Property 11: as much more as there are channels, while the channels are the limit."""
    rates = []
    for channels in (2, 4, 8):
        design = load_design("octa-npu", {"memory.channels": str(channels), "memory.size": "1 GiB", **CROSSED})
        rates.append(measure_bandwidth(design, stream_addresses("staggered", design, MIB // 2), MIB // 2)["share"])
    assert max(rates) / min(rates) < 1.2


def test_fairness_is_jains_index() -> None:
    assert fairness(np.ones(8)) == 1
    assert fairness(np.array([1.0, 0, 0, 0])) == 0.25


def test_the_command(tmp_path, capsys, monkeypatch) -> None:
    page = tmp_path / "bandwidth.html"
    outcome = command(
        "bandwidth", "--design", "octa-npu", "--size", "256 KiB", "--interleave", "256 B", "--interleave", "4 KiB",
        "--html", page, "--json", capsys=capsys, monkeypatch=monkeypatch,
    )  # fmt: skip
    assert outcome.code == 0
    rows = json.loads(outcome.out)
    assert [row["interleave_bytes"] for row in rows] == [256, 4096]
    assert all(len(row["cores"]) == 8 for row in rows)
    assert "Bandwidth of all cores by interleave" in page.read_text()


@pytest.mark.parametrize(
    ("changes", "pattern", "size", "message"),
    [
        ({}, "upwards", MIB, "unknown pattern"),
        ({"memory.size": "32 MiB"}, "apart", 16 * MIB, "do not fit"),
        ({"core.scratchpad.size": "48 KiB"}, "apart", MIB, "scratchpad"),
    ],
)
def test_refused(changes: dict[str, str], pattern: str, size: int, message: str) -> None:
    design = load_design("octa-npu", changes)
    with pytest.raises(InputError, match=message):
        measure_bandwidth(design, stream_addresses(pattern, design, size), size)


def test_a_design_without_dma_is_refused() -> None:
    design = archsim.load_design("u74")
    with pytest.raises(InputError, match="no DMA instructions"):
        measure_bandwidth(design, [0], MIB)
