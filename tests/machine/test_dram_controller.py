"""Memory controllers against bounds that hold for any controller: the testable properties of DRAM."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.common.errors import InputError
from archsim.design.memory import load_device
from archsim.machine.dram_channels import Controllers, Policy
from tests.machine.dram_runs import Run, conflicts, scattered, sequential

DEVICES = ("ddr4-3200", "ddr5-4800", "lpddr5-6400-x16", "hbm2-2000", "hbm3-6400", "gddr6-14", "hbm4-8000")


@pytest.mark.parametrize("device", DEVICES)
def test_no_stream_beats_peak_less_refresh(device: str) -> None:
    """Property 5: sequential bandwidth is at most peak x (1 - tRFC / tREFI), and rises by that without refresh."""
    run = Run(device, sequential(device, 40_000))
    available = 1 - run.device.tRFC / run.device.tREFI
    assert 0.6 * available < run.fraction <= available
    without = Run(device, sequential(device, 40_000), refresh="none")
    assert without.fraction <= 1
    # banks are closed and opened around each refresh, which costs more than tRFC alone
    assert 1.0 < without.fraction / run.fraction * available < 1.12


@pytest.mark.parametrize("device", DEVICES)
def test_a_new_row_of_one_bank_each_time_takes_a_row_cycle(device: str) -> None:
    """Property 4, within 2 %."""
    run = Run(device, conflicts(device, 3000))
    d = run.device
    bound = d.tBL / max(d.tRC, d.tRAS + d.tRP) * (1 - d.tRFC / d.tREFI) / d.pseudo_channels
    assert run.fraction == pytest.approx(bound, rel=0.02)


@pytest.mark.parametrize("device", DEVICES)
def test_latency_of_an_idle_memory(device: str) -> None:
    """Property 3: a hit takes CL + BL and at most two clocks more, a closed row tRCD more, a conflict a row cycle."""
    d = load_device(device)
    hits = Run(device, np.zeros(200, np.int64), window=1, refresh="none")
    base = d.tCL + d.tBL
    first = (d.tRCD + base + 2) / 200
    assert base < hits.latency <= base + 2 + first
    clashes = Run(device, conflicts(device, 200), window=1, refresh="none")
    assert clashes.latency <= max(d.tRP + d.tRCD + base, d.tRC) + 4
    assert clashes.latency >= min(d.tRP + d.tRCD + base, d.tRC) - 1


@pytest.mark.parametrize("device", DEVICES)
def test_random_reads_stay_below_the_activation_bound(device: str) -> None:
    """Property 6: of activates, at most four per tFAW, one per tRRD_S, and one per tRC and bank."""
    run = Run(device, scattered(device, 20_000), window=128, reads=64)
    d = run.device
    rate = min(4 / d.tFAW, 1 / d.tRRD_S, d.banks / d.tRC)
    bound = d.tBL * rate * (1 - d.tRFC / d.tREFI)
    assert 0.5 * bound < run.fraction <= bound * 1.01


@given(
    window=st.integers(1, 128),
    kind=st.sampled_from(["sequential", "random", "conflict"]),
    device=st.sampled_from(DEVICES),
)
@settings(max_examples=25, deadline=None)
def test_littles_law(window: int, kind: str, device: str) -> None:
    """Property 2: bandwidth x latency is what is on its way, at most the window; exact but for the ends."""
    count = 4000
    make = {"sequential": sequential, "random": scattered, "conflict": conflicts}[kind]
    run = Run(device, make(device, count), window=window)
    outstanding = count / run.clocks * run.latency
    assert outstanding <= window * (1 + 1e-9)


@pytest.mark.parametrize("device", ("ddr4-3200", "hbm2-2000"))
def test_one_bank_group_gets_the_long_spacing(device: str) -> None:
    """Property 7."""
    d = load_device(device)
    # columns lowest: one bank after the other, and its group alone within a row
    one_row = np.arange(20_000, dtype=np.int64) % (d.row_bytes // d.tx_bytes) * d.tx_bytes
    run = Run(device, one_row, mapping="RoBaRaCoCh", refresh="none")
    assert run.fraction <= d.tBL / d.tCCD_L / d.pseudo_channels * 1.001
    assert run.fraction == pytest.approx(d.tBL / d.tCCD_L / d.pseudo_channels, rel=0.01)


@pytest.mark.parametrize("device", ("ddr4-3200", "lpddr5-6400-x16", "hbm3-6400"))
def test_turning_the_bus_costs_and_larger_batches_cost_less(device: str) -> None:
    """Property 8."""
    addresses = sequential(device, 20_000)
    mixed = np.arange(20_000) & 1
    reads = Run(device, addresses)
    small = Run(device, addresses, mixed, writes=8)
    middle = Run(device, addresses, mixed)
    large = Run(device, addresses, mixed, writes=64, reads=64, window=128)
    assert small.fraction < middle.fraction < large.fraction < reads.fraction
    assert middle.latency > 1.5 * reads.latency


def test_monotonic_in_window_and_channels() -> None:
    """Properties 9 and 11: more on its way is not slower, N channels are N times as fast at the same latency."""
    device = "lpddr5-6400-x16"
    by_window = [Run(device, sequential(device, 8000), window=w).fraction for w in (1, 2, 4, 8, 16, 32, 64)]
    assert by_window == sorted(by_window)
    one = Run(device, sequential(device, 20_000))
    four = Run(device, sequential(device, 80_000), window=256, channels=4)
    assert four.fraction == pytest.approx(one.fraction, rel=0.01)
    assert four.latency == pytest.approx(one.latency, rel=0.02)
    aligned = []
    for streams in (1, 2, 4, 8):
        i = np.arange(16_000)
        capacity = one.device.capacity_bytes
        aligned.append(Run(device, i % streams * (capacity // streams) + i // streams * 32).fraction)
    assert aligned == sorted(aligned, reverse=True)


@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_everything_is_served_once(data: st.DataObject) -> None:
    """Property 10: requests, bursts, forwarded and coalesced ones add up, so do hits, misses and conflicts, whatever
    the policy; activates are what the rows of requests needed."""
    device = data.draw(st.sampled_from(DEVICES))
    refresh = "per_bank" if load_device(device).tREFI_PB and data.draw(st.booleans()) else "all_banks"
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    count = 3000
    near = rng.integers(0, 2000, count) * load_device(device).tx_bytes
    writes = (rng.random(count) < data.draw(st.sampled_from([0.0, 0.3, 1.0]))).astype(np.int64)
    run = Run(
        device, np.where(rng.random(count) < 0.5, near, scattered(device, count)), writes, window=96,
        page=data.draw(st.sampled_from(["open", "closed"])), refresh=refresh,
        mapping=data.draw(st.sampled_from(["MOP4CLXOR", "RoBaRaCoCh", "RoBaCoBg"])),
    )  # fmt: skip
    c = run.counts
    assert c["reads"] + c["forwarded"] == count - writes.sum()
    assert c["writes"] + c["coalesced"] == writes.sum()
    assert c["row_hits"] + c["row_misses"] + c["row_conflicts"] == c["reads"] + c["writes"]
    assert c["activates"] >= c["row_misses"] * 0.5
    interval = run.device.tREFI_PB if refresh == "per_bank" else run.device.tREFI
    due = run.clocks // interval * (1 if refresh == "per_bank" else run.controllers.ranks)
    assert abs(c["refreshes"] + c["bank_refreshes"] - due) <= 2


def test_closed_pages_suit_random_reads_and_open_ones_streams() -> None:
    random = scattered("ddr4-3200", 4000)
    assert Run("ddr4-3200", random, page="closed", window=1).latency < Run("ddr4-3200", random, window=1).latency
    stream = sequential("ddr4-3200", 4000)
    assert Run("ddr4-3200", stream, page="closed", window=1).ticks > Run("ddr4-3200", stream, window=1).ticks


def test_a_queued_write_answers_a_read_and_swallows_a_write() -> None:
    run = Run("ddr4-3200", [0] * 40, [1] * 20 + [0] * 20, window=64)
    assert run.counts["coalesced"] > 0
    assert run.counts["forwarded"] + run.counts["reads"] == 20


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (Policy(refresh="per_bank"),
         "ddr4-3200 has no refresh of single banks; refresh all banks, or give tRFC_PB and tREFI_PB"),
        (Policy(interleave=96), "interleave is 96 B; use a power of two, at least 64 B"),
        (Policy(interleave=32), "interleave is 32 B; use a power of two, at least 64 B"),
        (Policy(writes=0), "queues of 32 reads and 0 writes; use 1 to 256"),
        (Policy(high=0.2, low=0.8), "writes drain from 0.2 to 0.8 of the queue; use 0 <= low <= high < 1"),
        (Policy(refresh="never"), "refresh is 'never'; use all_banks, per_bank, none"),
        (Policy(page="ajar"), "page is 'ajar'; use open, closed"),
        (Policy(scheduler="fcfs"), "scheduler is 'fcfs'; use queues, bank_queues"),
    ],
)  # fmt: skip
def test_what_controllers_cannot_be(policy: Policy, message: str) -> None:
    with pytest.raises(InputError) as caught:
        Controllers(load_device("ddr4-3200"), 1, policy)
    assert str(caught.value) == message
