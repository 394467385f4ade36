"""The burst path gives the cycles and counts of request by request, on any mix of streams."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.common.errors import InputError
from archsim.design.memory import load_device
from archsim.machine.dram_channels import Controllers, Policy
from archsim.machine.dram_run import run_requests
from archsim.machine.dram_stream import Stream, period_of, run_streams

DEVICES = ("lpddr5-6400-x16", "hbm2-2000", "hbm3-6400", "ddr4-3200")


def both(device: str, streams: list[Stream], window: int, channels: int, **policy: object) -> None:
    """Run both paths and compare all that they leave behind."""
    results = []
    for fast in (False, True):
        controllers = Controllers(load_device(device), channels, Policy(**policy))  # type: ignore[arg-type]
        ticks = run_streams(controllers, streams, window, 2 * channels, fast=fast)
        results.append((ticks, controllers.counts()))
    assert results[0] == results[1]


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_two_paths_one_answer(data: st.DataObject) -> None:
    device = data.draw(st.sampled_from(DEVICES))
    one = load_device(device)
    channels = data.draw(st.sampled_from([1, 2, 3]))
    count = data.draw(st.integers(1, 3))
    # apart by a part of the capacity and some bursts: aligned, staggered, or anywhere
    part = one.capacity_bytes * channels // 4
    streams = [
        Stream(
            j * part
            + data.draw(st.sampled_from([0, one.row_bytes * j, 32 * 2 * j * 37])) // one.tx_bytes * one.tx_bytes,
            data.draw(st.sampled_from([100, 60_000, 100_000])) // (1 if channels == 1 else 2),
            data.draw(st.booleans()),
        )
        for j in range(count)
    ]
    both(
        device, streams, data.draw(st.sampled_from([1, 16, 64, 200])), channels,
        mapping=data.draw(st.sampled_from(["RoBaCoBg", "MOP4CLXOR", "RoBaRaCoCh" if channels != 3 else "RoBaCoBg"])),
        interleave=data.draw(st.sampled_from([64, 256])),
        refresh=data.draw(st.sampled_from(["all_banks", "none", "per_bank" if one.tREFI_PB else "none"])),
        page=data.draw(st.sampled_from(["open", "closed"])),
    )  # fmt: skip


def test_the_burst_path_skips_most_of_a_long_stream() -> None:
    """On a stream long enough to repeat, both agree, and the burst path is many times as fast."""
    seconds = []
    results = []
    for fast in (True, True, False):
        controllers = Controllers(load_device("lpddr5-6400-x16"), 1, Policy(mapping="RoBaCoBg"))
        start = time.process_time()
        ticks = run_streams(controllers, [Stream(0, 4_000_000)], fast=fast)
        seconds.append(time.process_time() - start)
        results.append((ticks, controllers.counts()))
    assert results[1] == results[2]
    assert seconds[1] < seconds[2] / 3


def test_a_stream_is_a_list_of_requests() -> None:
    device = load_device("lpddr5-6400-x16")
    listed = Controllers(device, 1, Policy())
    addresses = np.arange(10_000, dtype=np.int64) * 32
    ticks = run_requests(listed, addresses, np.zeros(10_000, np.int64))
    streamed = Controllers(device, 1, Policy())
    assert run_streams(streamed, [Stream(0, 10_000)]) == ticks
    assert streamed.counts() == listed.counts()


def test_a_row_that_is_not_on_top_has_no_period() -> None:
    assert period_of(Controllers(load_device("ddr4-3200"), 1, Policy(mapping="BaRoBgCo"))) == (0, 0)


def test_a_stream_must_begin_at_a_burst() -> None:
    with pytest.raises(InputError) as caught:
        run_streams(Controllers(load_device("ddr4-3200"), 1, Policy(mapping="RoBaCoBg")), [Stream(32, 10)])
    assert str(caught.value) == "a stream begins at 32, not at a burst of 64 B; align it"
