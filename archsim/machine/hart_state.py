"""A design's hart laid out for compiled code: pipeline, ports, predictor, caches."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from archsim.machine import layout as at

Array = Callable[[int], np.ndarray]
"""Gives zeroed int64 arrays that stay where they are."""
_GROUP = {
    "alu": "integer", "mul": "integer", "div": "integer", "branch": "integer", "csr": "integer", "load": "memory",
    "store": "memory", "fpu": "floating", "fdiv": "floating",
}  # fmt: skip
_PERFECT_LINE_SHIFT = 62
"""All instructions lie in one line, where there is no instruction cache."""
_SEED = 88172645463325252
"""State of the random replacement's generator at the start (Marsaglia's own example)."""


def hart_state(core: Any, array: Array) -> np.ndarray:
    """State of a core's hart before its first instruction: int64 [HART_STATE_SIZE].

    Args:
        core: of a design.
        array: see Array.
    """
    hart = core.hart
    h = array(at.HART_STATE_SIZE)
    h[at.H_WIDTH], h[at.H_PENALTY] = hart.width, hart.branch_penalty
    front = hart.front_end
    h[at.H_BUBBLE], h[at.H_STAGES] = front.taken_bubble, front.stages
    h[at.H_DECODED] = min(front.decode or front.stages, hart.branch_penalty)
    h[at.H_BLOCKING], h[at.H_SLACK] = hart.blocking, hart.late_alu
    h[at.H_FETCH_WIDTH] = front.width or hart.width
    h[at.H_LEAD] = front.queue // hart.width
    h[at.H_FETCH_CAUSE] = at.STALL_FETCH
    h[at.H_LINE], h[at.H_LINE_SHIFT] = -1, core.l1i.line.bit_length() - 1 if core.l1i else _PERFECT_LINE_SHIFT
    _predictor(h, hart.predictor, array)
    if hart.store_buffer:
        h[at.H_STORES], h[at.H_STORE_SLOTS] = array(hart.store_buffer).ctypes.data, hart.store_buffer
    _ports(h, hart)
    if hart.kind == "out_of_order":
        _window(h, hart.out_of_order, array)
    return h


def _predictor(h: np.ndarray, predictor: Any, array: Array) -> None:
    h[at.H_KIND] = at.PREDICTORS.index(predictor.kind)
    counters = array(predictor.entries)
    # weakly not taken
    counters[:] = 1
    h[at.H_COUNTERS], h[at.H_COUNTER_MASK] = counters.ctypes.data, predictor.entries - 1
    h[at.H_HISTORY_MASK], h[at.H_FOLD] = (1 << predictor.history) - 1, predictor.entries.bit_length() - 1
    targets = array(2 * predictor.btb)
    targets[:] = -1
    h[at.H_BTB], h[at.H_BTB_SIZE] = targets.ctypes.data, predictor.btb
    h[at.H_RETURNS], h[at.H_RETURN_SIZE] = array(predictor.return_stack).ctypes.data, predictor.return_stack


def _ports(h: np.ndarray, hart: Any) -> None:
    room = 0
    caps: list[int] = []
    for unit in at.UNITS[: at.FIRST_DECOUPLED]:
        port = at.H_PORTS + at.PORT_FIELDS * at.UNIT_ID[unit]
        interval = int(getattr(hart.interval, unit, 1) or getattr(hart.latency, unit))
        group = at.GROUPS.index(_GROUP.get(unit, "integer"))
        caps.append(int(getattr(hart.ports, unit, 1)) or hart.width)
        h[port + at.P_COUNT], h[port + at.P_INTERVAL], h[port + at.P_GROUP] = caps[-1], interval, group
        h[port + at.P_HOLD] = interval if interval > 1 else at.NEVER
        h[port + at.P_COUNTS] = 1 << 4 * at.UNIT_ID[unit] | 1 << 4 * (at.FIRST_DECOUPLED + group)
    for index, name in enumerate(at.GROUPS):
        caps.append(int(getattr(hart.ports, name)) or hart.width)
        h[at.H_GROUPS + index] = caps[-1]
    for index, cap in enumerate(caps):
        room |= (at.MAXIMUM_PORTS - cap) << 4 * index
    h[at.H_ROOM] = room


def _window(h: np.ndarray, window: Any, array: Array) -> None:
    for pointer, size, entries in (
        (at.O_ROB, at.O_ROB_SIZE, window.rob),
        (at.O_QUEUE, at.O_QUEUE_SIZE, window.issue_queue),
        (at.O_LOADS, at.O_LOADS_SIZE, window.load_queue),
        (at.O_STORES, at.O_STORES_SIZE, window.store_queue),
    ):
        h[pointer], h[size] = array(entries).ctypes.data, entries
    h[at.O_BOOKS] = array((at.FIRST_DECOUPLED + len(at.GROUPS)) * at.BOOK_CYCLES).ctypes.data
    stores = array(at.STORE_TABLE * at.STORE_FIELDS)
    stores[:: at.STORE_FIELDS] = -1
    h[at.O_STORE_TABLE] = stores.ctypes.data
    h[at.O_WAITS] = array(at.WAIT_TABLE).ctypes.data
    h[at.O_SPECULATIVE] = int(window.memory_dependence == "speculative")


def cache_block(cache: Any, array: Array) -> np.ndarray:
    """An empty cache: int64, flat; see the layout's K_.

    Args:
        cache: a Cache, InstructionCache or SecondCache of a design, or what else has their size, line and ways.
        array: see Array.
    """
    sets = cache.size // (cache.line * cache.ways)
    lines, ordered = sets * cache.ways, cache.replacement == "lru"
    mshrs, prefetcher = getattr(cache, "mshrs", 0), getattr(cache, "prefetcher", None)
    streams = prefetcher.entries if prefetcher is not None and prefetcher.kind == "stride" else 0
    way_at = at.K_FIRST + 2 * lines
    tree_at = way_at + (0 if ordered else lines)
    mshr_at = tree_at + (0 if ordered else sets)
    stream_at = mshr_at + 1 + mshrs
    block = array(stream_at + streams * at.STREAM_FIELDS)
    block[at.K_SETS], block[at.K_WAYS], block[at.K_SHIFT] = sets, cache.ways, cache.line.bit_length() - 1
    block[at.K_LATENCY] = getattr(cache, "latency", 0)
    block[at.K_POLICY], block[at.K_RANDOM] = at.POLICIES.index(cache.replacement), _SEED
    block[at.K_WAY_AT], block[at.K_TREE_AT], block[at.K_MSHR_AT], block[mshr_at] = way_at, tree_at, mshr_at, mshrs
    block[at.K_THROUGH] = int(getattr(cache, "write", "back") == "through")
    block[at.K_ALLOCATE] = int(getattr(cache, "allocate", True))
    if prefetcher is not None:
        block[at.K_PREFETCH], block[at.K_DEGREE] = at.PREFETCHERS.index(prefetcher.kind), prefetcher.degree
        block[at.K_STREAM_AT], block[at.K_STREAMS] = stream_at, streams
        block[stream_at :: at.STREAM_FIELDS] = -1
    block[at.K_INCLUSIVE] = int(getattr(cache, "inclusion", "") == "inclusive")
    block[at.K_SHARED] = int(getattr(cache, "shared", False))
    block[at.K_FIRST : at.K_FIRST + lines] = -2
    if not ordered:
        block[way_at:tree_at] = np.tile(np.arange(cache.ways), sets)
    return block


def tlb_block(tlb: Any, array: Array) -> np.ndarray:
    """An empty TLB: a cache of as many bytes as its pages have, least recently used."""
    pages = SimpleNamespace(
        size=tlb.entries * tlb.page, line=tlb.page, ways=tlb.ways or tlb.entries, latency=tlb.walk, replacement="lru"
    )
    return cache_block(pages, array)


def sees_all(core: Any) -> bool:
    """Whether a core's first level must be called for every access, hits of what was touched last included."""
    return bool(core.l1d.write == "through" or core.l1d.prefetcher.kind != "none" or core.hart.tlb is not None)
