"""More of a resource never makes a program slower, beyond anomalies that are named here with their bounds.

In order: what a change moves in time may meet a refresh of the DRAM that it missed before, or another open row; one
refresh (tRFC) and a handful of row misses bound it in programs as short as these. Out of order there are true anomalies
besides (Graham, SIAM J. Appl. Math. 17, 1969): an instruction that is ready earlier takes a port from an older one, and
the critical chain starts later; and branches that resolve earlier train the predictor in another order of lookups only
if lookups overlap, which they do not here, since it learns in program order.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.machine.timed_programs import CORES, design_of, random_program, timed

REFRESH = 280
"""tRFC of the design's LPDDR5 in cycles of 1 ns."""
OUT_OF_ORDER = 0.02
"""Of the cycles of a program: Graham's anomaly as these programs show it at most."""
BETTER = {
    "core.hart.latency.alu": ("2 cycles", "1 cycles"),
    "core.hart.latency.mul": ("9 cycles", "4 cycles", "1 cycles"),
    "core.hart.latency.div": ("40 cycles", "12 cycles", "3 cycles"),
    "core.hart.latency.load": ("6 cycles", "3 cycles", "1 cycles"),
    "core.hart.branch_penalty": ("12 cycles", "5 cycles", "0 cycles"),
    "core.hart.interval.div": ("30 cycles", "9 cycles", "1 cycles"),
    "core.hart.store_buffer": ("1", "4", "32"),
    "core.l1d.mshrs": ("1", "2", "8"),
    "interconnect.latency": ("60 ns", "20 ns", "1 ns"),
    "memory.channels": ("4", "8"),
}
UNITS = {
    "core.dma.outstanding": ("1", "4", "64"),
    "core.dma.queue": ("1", "4", "16"),
    "core.dma.startup": ("100 cycles", "16 cycles", "0 cycles"),
    "core.tile_lsu.width": ("16 B", "64 B", "512 B"),
    "core.tile_lsu.queue": ("1", "4", "16"),
    "core.tile_lsu.latency": ("20 cycles", "4 cycles", "0 cycles"),
    "core.matrix.queue": ("1", "4", "16"),
    "core.matrix.latency": ("30 cycles", "6 cycles", "0 cycles"),
    "core.matrix.columns": ("1", "4", "16"),
    "core.matrix.depth": ("2", "8", "16"),
    "core.scratchpad.banks": ("1", "4", "16"),
    "interconnect.width": ("16 B", "64 B"),
}


def cycles(seed: int, core: str, field: str, value: str) -> int:
    with TemporaryDirectory() as folder:
        design = design_of(Path(folder), CORES[core], {field: value})
        return timed(random_program(seed, rounds=15, units=field in UNITS), design).cycles


@pytest.mark.parametrize("core", CORES)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1 << 30), data=st.data())
def test_more_of_a_resource_is_never_slower(core: str, seed: int, data: Any) -> None:
    field, values = data.draw(st.sampled_from(sorted({**BETTER, **UNITS}.items())))
    worse, better = sorted(
        data.draw(st.lists(st.sampled_from(range(len(values))), min_size=2, max_size=2, unique=True))
    )
    slow, fast = (cycles(seed, core, field, values[index]) for index in (worse, better))
    bound = REFRESH + (OUT_OF_ORDER * slow if core == "window" else 0)
    assert fast <= slow + bound, (field, values[worse], slow, values[better], fast)


@pytest.mark.parametrize("window", ["rob", "issue_queue", "load_queue", "store_queue"])
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_a_larger_window_is_never_slower(window: str, seed: int) -> None:
    sizes = (2, 8, 64)
    slow, middle, fast = (cycles(seed, "window", f"core.hart.out_of_order.{window}", str(size)) for size in sizes)
    assert fast <= middle * (1 + OUT_OF_ORDER) + REFRESH
    assert middle <= slow * (1 + OUT_OF_ORDER) + REFRESH


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_no_hart_is_faster_than_its_width_and_its_longest_chain_allows(seed: int) -> None:
    for core in CORES:
        with TemporaryDirectory() as folder:
            design = design_of(Path(folder), CORES[core])
            result = timed(random_program(seed, rounds=15), design)
        assert result.cycles >= result.instructions / design.core.hart.width
        ports = design.core.hart.ports
        for unit in ("mul", "branch", "load", "store"):
            assert result.cycles >= result.events[f"instructions.{unit}"] / getattr(ports, unit)
