"""Replacement policies against plain Python, on random traces."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.machine import layout as at
from archsim.machine.cache_sets import find, invalidate, replay
from archsim.machine.hart_state import cache_block
from tests.machine.cache_oracle import Cache

POLICIES = st.sampled_from(["lru", "plru", "random"])
TRACE = st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=300)


def block(sets: int, ways: int, policy: str) -> np.ndarray:
    cache = SimpleNamespace(size=sets * ways * 64, line=64, ways=ways, replacement=policy)
    return cache_block(cache, lambda size: np.zeros(size, np.int64))


def lines_of(cache: np.ndarray) -> list[set[int]]:
    """Lines of each set."""
    tags = cache[at.K_FIRST :][: cache[at.K_SETS] * cache[at.K_WAYS]].reshape(cache[at.K_SETS], -1)
    return [{int(tag) >> 1 for tag in one if tag >= 0} for one in tags]


def feed(cache: np.ndarray, trace: list[tuple[int, bool]]) -> tuple[int, int, int]:
    lines, writes = (np.array([entry[part] for entry in trace], np.int64) for part in (0, 1))
    return replay(cache, lines, writes)


@given(TRACE, POLICIES, st.sampled_from([1, 2, 4]), st.sampled_from([1, 2, 4, 8, 16]))
@settings(max_examples=400, deadline=None)
def test_every_policy_does_as_plain_python(trace: list[tuple[int, bool]], policy: str, sets: int, ways: int) -> None:
    cache, oracle = block(sets, ways, policy), Cache(sets, ways, policy)
    for line, write in trace:
        oracle.access(line, write)
    assert feed(cache, trace) == (oracle.hits, oracle.misses, oracle.dirty)
    assert oracle.hits + oracle.misses == len(trace)
    assert lines_of(cache) == [set(one) - {None} for one in oracle.lines]


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 2)), max_size=200), POLICIES)
@settings(max_examples=200, deadline=None)
def test_lines_are_taken_out(trace: list[tuple[int, int]], policy: str) -> None:
    cache, oracle = block(1, 4, policy), Cache(1, 4, policy)
    for line, action in trace:
        if action == 2:
            there = find(cache, line) >= 0
            assert (invalidate(cache, line) >= 0) == there
            oracle.remove(line)
            assert find(cache, line) < 0
        else:
            hits, _, _ = feed(cache, [(line, action == 1)])
            assert (hits == 1) == oracle.access(line, action == 1)
    if policy != "lru":
        assert sorted(cache[cache[at.K_WAY_AT] :][:4]) == [0, 1, 2, 3]


@given(TRACE, st.integers(1, 8), st.integers(1, 32))
@settings(max_examples=200, deadline=None)
def test_a_larger_least_recently_used_cache_holds_what_a_smaller_one_does(
    trace: list[tuple[int, bool]], ways: int, more: int
) -> None:
    """Property 14: the stack property of fully associative LRU (Mattson et al., IBM Systems Journal 9(2), 1970)."""
    small, large = block(1, ways, "lru"), block(1, ways + more, "lru")
    assert feed(small, trace)[1] >= feed(large, trace)[1]
    assert lines_of(small)[0] <= lines_of(large)[0]


@pytest.mark.parametrize("policy", ["plru", "random"])
def test_policies_lie_near_lru_on_random_traces(policy: str) -> None:
    lines = np.random.default_rng(1).zipf(1.3, 20_000) % 512
    none = np.zeros(len(lines), np.int64)
    _, exact, _ = replay(block(8, 8, "lru"), lines, none)
    _, other, _ = replay(block(8, 8, policy), lines, none)
    assert exact * 0.97 < other < exact * 1.2


def test_random_replacement_is_the_same_every_time_and_uses_all_ways() -> None:
    lines = np.arange(1000)
    one, two = block(1, 8, "random"), block(1, 8, "random")
    assert replay(one, lines, lines & 1) == replay(two, lines, lines & 1)
    assert (one == two).all()
    assert len(lines_of(one)[0]) == 8
