"""Amounts over time, compared with counting cycle by cycle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.traces.utilisation import Buckets, Utilisation
from tests.traces.viewed import MIXED, view

intervals = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 90)), min_size=1, max_size=20)


@given(st.lists(intervals, min_size=1, max_size=4))
def test_buckets_hold_what_counting_finds(parts: list[list[tuple[int, int]]]) -> None:
    buckets, plain = Buckets(count=8), np.zeros(1024)
    for part in parts:
        begin = np.array([start for start, _ in part])
        end = begin + np.array([length for _, length in part])
        buckets.add(begin, end, 2.0)
        for start, length in part:
            plain[start : start + length] += 2
    starts, lengths, amounts = buckets.series(512)
    assert len(amounts) == len(starts) <= 8
    for start, length, amount in zip(starts, lengths, amounts, strict=False):
        assert amount == pytest.approx(plain[start : start + length].sum())
    assert amounts.sum() == pytest.approx(plain.sum())


def test_a_unit_is_busy_while_any_of_its_instructions_executes() -> None:
    """The matrix unit's share of the run lies between what it was occupied for and that with all pipelines drained."""
    result, _, (seen,) = view(MIXED, "edge-npu", {}, lambda listing, design: Utilisation(design.cores))
    shares = seen.shares(result.cycles)
    for unit in ("matrix", "tile_lsu", "vector"):
        starts, values = shares[unit]
        size = starts[1] - starts[0]
        lengths = np.minimum(size, result.cycles - np.array(starts))
        cycles = float((np.array(values) * lengths).sum())
        assert result.units[unit] <= cycles <= result.units[unit] + 16 * 24
        assert max(values) <= 1
