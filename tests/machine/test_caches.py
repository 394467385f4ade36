"""Caches of cores in whole runs: writes, prefetchers, inclusion, sharing, miss registers, TLBs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import archsim
from archsim.common.errors import InputError
from archsim.machine import layout as at
from archsim.machine import run as running
from archsim.machine.chip import Chip
from tests.machine.cache_oracle import Cache
from tests.machine.timed_programs import BUFFER, CORES, EXIT, design_of, random_program, timed

SMALL = {"size": "1 KiB", "line": "64 B", "ways": 4}
WINDOW = {"rob": 64, "issue_queue": 32, "load_queue": 32, "store_queue": 16}
WIDE = {"kind": "out_of_order", "out_of_order": WINDOW}
TX = 32
"""Bytes that edge-npu's memory moves at once."""


def fetched_bytes(result: archsim.RunResult) -> int:
    """Bytes read from memory, those included that a queued write answers before they get to the banks."""
    return result.dram_read_bytes + int(result.dram["forwarded"]) * TX


def written(result: archsim.RunResult) -> int:
    """Bytes written to memory, those included that are written over while they wait in its queue."""
    return result.dram_write_bytes + int(result.dram["coalesced"]) * TX


def run(source: str, overrides: dict[str, Any], **options: Any) -> archsim.RunResult:
    return timed(source, archsim.load_design("edge-npu", overrides), **options)


def accesses(trace: list[tuple[int, bool]]) -> str:
    """A program of loads and stores of words of a buffer, as (offset, whether it is a store)."""
    body = "".join(f"li t0, {BUFFER + place}\n{'sw' if write else 'lw'} t1, 0(t0)\n" for place, write in trace)
    return body + EXIT


def random_trace(seed: int, count: int = 300, size: int = 4096) -> list[tuple[int, bool]]:
    rng = np.random.default_rng(seed)
    return [
        (int(place) * 4, bool(write))
        for place, write in zip(rng.integers(0, size // 4, count), rng.integers(0, 2, count), strict=True)
    ]


def loop(body: str, rounds: int, before: str = "") -> str:
    return f"li s1, {BUFFER}\n{before}\nli s0, {rounds}\n1:\n{body}\naddi s0, s0, -1\nbnez s0, 1b\n{EXIT}"


@pytest.mark.parametrize("policy", ["lru", "plru", "random"])
@pytest.mark.parametrize("core", [{}, WIDE], ids=["in order", "out of order"])
def test_misses_and_writebacks_are_those_of_plain_python(policy: str, core: dict[str, Any]) -> None:
    trace = random_trace(7)
    oracle = Cache(4, 4, policy)
    # out of order, a load may find its data in a store on its way: only the misses and what leaves must agree
    for place, write in trace:
        oracle.access(BUFFER + place >> 6, write)
    result = run(
        accesses(trace),
        {"core.l1d": {**SMALL, "replacement": policy}, **{f"core.hart.{k}": v for k, v in core.items()}},
    )
    events = result.events
    if not core:
        assert (events["l1.hits"], events["l1.misses"]) == (oracle.hits, oracle.misses)
        assert events["l1.writebacks"] == oracle.dirty
    assert events["l1.hits"] + events["l1.misses"] == len(trace)
    # modified lines that leave are all that is written
    assert written(result) == events["l1.writebacks"] * 64
    assert fetched_bytes(result) == events["l1.misses"] * 64


@pytest.mark.parametrize("allocate", [True, False])
def test_a_cache_that_writes_through_passes_every_store_on(allocate: bool) -> None:
    trace = random_trace(8)
    result = run(accesses(trace), {"core.l1d": {**SMALL, "write": "through", "allocate": allocate}})
    stores = sum(write for _, write in trace)
    assert result.events["l1.passed_on"] == stores
    assert result.events["l1.writebacks"] == 0
    oracle, fetched = Cache(4, 4, "lru"), 0
    for place, write in trace:
        line = BUFFER + place >> 6
        if allocate or not write or line in oracle.lines[line % 4]:
            fetched += not oracle.access(line, False)
    tx = archsim.load_design("edge-npu").memory.device.tx_bytes
    assert written(result) == stores * tx
    assert fetched_bytes(result) == fetched * 64


def test_a_store_that_misses_goes_around_a_cache_without_allocation() -> None:
    source = accesses([(0, True), (0, False), (0, True), (4096, True)])
    result = run(source, {"core.l1d": {**SMALL, "allocate": False}})
    # store, load and the store at 4096 miss; the second store finds the line that the load fetched
    assert (result.events["l1.misses"], result.events["l1.passed_on"]) == (3, 2)
    assert run(source, {"core.l1d": SMALL}).events["l1.misses"] == 2


def test_stores_fill_a_second_level_that_lacks_their_line() -> None:
    second = {"size": "16 KiB", "line": "64 B", "ways": 4, "latency": "10 cycles"}
    trace = [(64 * index, True) for index in range(16)] * 2
    result = run(accesses(trace), {"core.l1d": {**SMALL, "write": "through", "allocate": False}, "core.l2": second})
    assert (result.events["l2.misses"], result.events["l2.hits"]) == (16, 16)
    assert written(result) == 0


@pytest.mark.parametrize("mshrs", [1, 2, 4, 8])
@pytest.mark.parametrize("level", ["core.l1d.mshrs", "core.l2.mshrs"])
def test_miss_registers_bound_the_bandwidth_of_misses(mshrs: int, level: str) -> None:
    """Property 14: at most registers x line / latency."""
    misses = 512
    body = "".join(f"lw t0, {64 * index}(s1)\n" for index in range(16)) + "addi s1, s1, 1024\n"
    second = {"core.l2": {"size": "16 KiB", "line": "64 B", "ways": 4, "latency": "10 cycles"}} if "l2" in level else {}
    settings_ = {"core.hart.kind": "out_of_order", "core.hart.out_of_order": WINDOW, **second}
    free = run(loop(body, misses // 16), settings_)
    bound = run(loop(body, misses // 16), {**settings_, level: mshrs})
    # the way to the controllers and back, an open row's read and its burst
    design = archsim.load_design("edge-npu")
    device = design.memory.device
    latency = 2 * 20 + (device.tCL + device.tBL) * device.tck_fs / design.period_fs
    assert bound.events["l1.misses"] == misses
    assert bound.cycles >= misses * latency / mshrs
    assert bound.cycles >= free.cycles
    if mshrs == 1:
        assert bound.cycles < misses * latency * 2


def test_a_second_miss_of_a_line_takes_no_register() -> None:
    body = "lw t0, 0(s1)\nlw t1, 8(s1)\nlw t2, 16(s1)\nlw t3, 24(s1)\naddi s1, s1, 64"
    one = run(loop(body, 200), {"core.l1d.mshrs": 1})
    assert one.events["l1.misses"] == 200
    assert one.events["l1.hits"] == 600
    assert one.cycles < 1.1 * run(loop("lw t0, 0(s1)\naddi s1, s1, 64", 200), {"core.l1d.mshrs": 1}).cycles


@pytest.mark.parametrize("degree", [1, 2, 4])
@pytest.mark.parametrize("kind", ["next_line", "stride"])
def test_streams_are_fetched_ahead(kind: str, degree: int) -> None:
    body = "lw t0, 0(s1)\nadd t3, t3, t0\naddi s1, s1, 16\n" + "mul t1, t1, t1\n" * 4
    source = loop(body, 1000)
    none = run(source, {})
    ahead = run(source, {"core.l1d.prefetcher": {"kind": kind, "degree": degree}})
    events = ahead.events
    assert none.events["l1.misses"] == 250
    assert events["l1.misses"] <= 3
    assert events["l1.hits"] + events["l1.misses"] == 1000
    assert events["prefetch.useful"] == 250 - events["l1.misses"]
    assert events["prefetch.useful"] <= events["prefetch.issued"] <= events["prefetch.useful"] + degree
    assert events["prefetch.late"] <= events["prefetch.useful"]
    assert ahead.cycles < none.cycles
    if degree == 4:
        assert events["prefetch.late"] <= 10 or kind == "next_line"


def test_only_the_stride_prefetcher_follows_columns_up_and_down() -> None:
    for step in (4096, -4096, 192):
        body = f"lw t0, 0(s1)\nadd t3, t3, t0\nli t2, {step}\nadd s1, s1, t2\n" + "mul t1, t1, t1\n" * 20
        source = loop(body, 60, "li s1, 0x100000")
        stride = run(source, {"core.l1d.prefetcher": {"kind": "stride", "degree": 2}})
        following = run(source, {"core.l1d.prefetcher": {"kind": "next_line", "degree": 2}})
        assert stride.events["l1.misses"] == 3
        assert stride.events["prefetch.useful"] == 57
        assert following.events["l1.misses"] > 20
        if abs(step) == 4096:
            assert following.events["prefetch.useful"] == 0
            assert stride.cycles < following.cycles


def test_lines_fetched_ahead_in_vain_are_counted_when_they_leave() -> None:
    rng = np.random.default_rng(3)
    trace = [(int(place) * 256, False) for place in rng.integers(0, 4096, 400)]
    events = run(accesses(trace), {"core.l1d": {**SMALL, "prefetcher": {"kind": "next_line", "degree": 2}}}).events
    assert events["prefetch.issued"] > 600
    # what was neither used nor driven out is still there: 16 lines at most
    left = events["prefetch.issued"] - events["prefetch.useful"] - events["prefetch.useless"]
    assert 0 <= left <= 16


def test_a_prefetcher_takes_only_registers_that_are_free() -> None:
    body = "lw t0, 0(s1)\naddi s1, s1, 64"
    events = run(loop(body, 200), {"core.l1d": {**SMALL, "mshrs": 1, "prefetcher": {"kind": "next_line"}}}).events
    assert events["prefetch.issued"] == 0


class Captured:
    """The chip of the last run."""

    chip: Chip

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def build(*arguments: Any, **named: Any) -> Chip:
            self.chip = Chip(*arguments, **named)
            return self.chip

        monkeypatch.setattr(running, "Chip", build)

    def lines(self, hart: int, slot: int) -> set[int]:
        """Lines of a hart's cache."""
        block = self.chip.keep[int(self.chip.contexts[hart][slot])]
        tags = block[at.K_FIRST :][: block[at.K_SETS] * block[at.K_WAYS]]
        return {int(tag) >> 1 for tag in tags if tag >= 0}


@pytest.mark.parametrize("core", ["dual", "window"])
@pytest.mark.parametrize("prefetcher", ["none", "next_line", "stride"])
def test_an_inclusive_second_level_holds_all_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, core: str, prefetcher: str
) -> None:
    captured = Captured(monkeypatch)
    second = {"size": "2 KiB", "line": "64 B", "ways": 2, "latency": "10 cycles"}
    for inclusion in ("inclusive", "non_inclusive"):
        design = design_of(
            tmp_path, CORES[core],
            {"core.l1d": {**SMALL, "prefetcher": {"kind": prefetcher}}, "core.l2": {**second, "inclusion": inclusion}},
        )  # fmt: skip
        outside = 0
        for seed in range(5):
            result = timed(accesses(random_trace(seed, size=8192)), design)
            firsts = captured.lines(0, at.L1D) | set(captured.lines(0, at.L1I))
            outside += len(firsts - captured.lines(0, at.L2)) if design.core.l1i.line == 64 else 0
            assert (result.events["l2.back_invalidations"] > 0) == (inclusion == "inclusive")
            assert result.busy_cycles + sum(result.stalls.values()) == result.hart_cycles
        assert (outside == 0) == (inclusion == "inclusive")


def test_modified_lines_that_an_inclusive_level_drives_out_are_written() -> None:
    first = {"size": "4 KiB", "line": "64 B", "ways": 64}
    second = {"size": "2 KiB", "line": "64 B", "ways": 32, "latency": "10 cycles", "inclusion": "inclusive"}
    trace = [(64 * index, True) for index in range(100)]
    result = run(accesses(trace), {"core.l1d": first, "core.l2": second})
    assert result.events["l2.back_invalidations"] == 100 - 32
    assert written(result) == (100 - 32) * 64
    assert result.events["l2.writebacks"] == 100 - 32


@pytest.mark.parametrize("shared", [True, False])
def test_cores_find_what_others_brought_into_a_shared_level(shared: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    captured = Captured(monkeypatch)
    second = {"size": "64 KiB", "line": "64 B", "ways": 8, "latency": "10 cycles", "shared": shared}
    body = "".join(f"lw t0, {64 * index}(s1)\n" for index in range(16)) + "addi s1, s1, 1024\n"
    result = run(loop(body, 32), {"cores": 4, "core.l2": second})
    misses = result.events["l2.misses"]
    assert misses == (512 if shared else 4 * 512)
    assert result.events["l2.hits"] == 4 * 512 - misses
    assert fetched_bytes(result) == misses * 64
    assert len({int(context[at.L2]) for context in captured.chip.contexts}) == (1 if shared else 4)


def test_what_leaves_a_shared_inclusive_level_leaves_all_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    captured = Captured(monkeypatch)
    second = {
        "size": "2 KiB",
        "line": "64 B",
        "ways": 32,
        "latency": "10 cycles",
        "inclusion": "inclusive",
        "shared": True,
    }
    result = run(accesses(random_trace(5, size=8192)), {"cores": 2, "core.l1d": SMALL, "core.l2": second})
    assert result.events["l2.back_invalidations"] > 0
    for hart in range(2):
        assert captured.lines(hart, at.L1D) <= captured.lines(hart, at.L2)


def test_a_walk_takes_its_cycles_and_is_booked() -> None:
    """A chain of loads over eight pages, of which a TLB of four holds none: every load walks."""
    places = [BUFFER + 4096 * index + 64 * index for index in range(8)]
    pairs = zip(places, places[1:] + places[:1], strict=True)
    before = "".join(f"li t0, {place}\nli t1, {following}\nsd t1, 0(t0)\n" for place, following in pairs)
    source = loop("ld a0, 0(a0)\n" * 8, 100, f"{before}\nli a0, {BUFFER}")
    free = run(source, {})
    walks = run(source, {"core.hart.tlb": {"entries": 4, "walk": "30 cycles"}})
    fits = run(source, {"core.hart.tlb": {"entries": 8, "walk": "30 cycles"}})
    assert walks.events["tlb.misses"] == 8 + 800
    # in the first round lines come while pages are walked
    assert walks.cycles - free.cycles == pytest.approx(30 * 800, abs=500)
    assert walks.stalls["memory_tlb"] >= 29 * 800
    assert fits.events["tlb.misses"] == 8
    assert 0 <= fits.cycles - free.cycles <= 8 * 30 + 30


@pytest.mark.parametrize("ways", [0, 2])
def test_tlb_misses_are_those_of_plain_python(ways: int) -> None:
    trace = [(place * 64, write) for place, write in random_trace(11)]
    oracle = Cache(8 // (ways or 8), ways or 8, "lru")
    for place, write in trace:
        oracle.access(BUFFER + place >> 13, write)
    tlb = {"entries": 8, "ways": ways, "page": "8 KiB", "walk": "20 cycles"}
    assert run(accesses(trace), {"core.hart.tlb": tlb}).events["tlb.misses"] == oracle.misses


OPTIONS: list[dict[str, Any]] = [
    {"core.l1d.replacement": "plru"},
    {"core.l1d.replacement": "random"},
    {"core.l1d.write": "through"},
    {"core.l1d.write": "through", "core.l1d.allocate": False},
    {"core.l1d.allocate": False},
    {"core.l1d.prefetcher": {"kind": "stride", "degree": 2}},
    {"core.l1d.prefetcher": {"kind": "next_line", "degree": 2}, "core.l1d.mshrs": 2},
    {"core.hart.tlb": {"entries": 4, "walk": "17 cycles"}},
]


class Nothing:
    """A view that looks away; but only the general model can be viewed."""

    def chunk(self, hart: int, records: np.ndarray, transfers: np.ndarray) -> None:
        pass


@given(st.integers(0, 1 << 30), st.sampled_from(OPTIONS), st.sampled_from(sorted(CORES)))
@settings(max_examples=60, deadline=None)
def test_cycles_add_up_with_every_option(tmp_path_factory: Any, seed: int, option: dict[str, Any], core: str) -> None:
    design = design_of(tmp_path_factory.mktemp("design"), CORES[core], {"core.l1d.size": "1 KiB", **option})
    source = random_program(seed)
    quick = timed(source, design)
    assert quick.busy_cycles + sum(quick.stalls.values()) == quick.hart_cycles == quick.cycles
    assert quick.instructions + sum(quick.slots.values()) == quick.issue_slots
    assert timed(source, design, views=[Nothing()]).to_dict() == quick.to_dict() == timed(source, design).to_dict()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"core.l1d": {"size": "3 KiB", "line": "64 B", "ways": 6, "replacement": "plru"}},
         "core.l1d.replacement: a tree has a power of two of leaves, not 6 ways; use lru or random, or other ways"),
        ({"core.l1d.replacement": "lfu"},
         "core.l1d.replacement: unknown value 'lfu'; did you mean 'lru'?"),
        ({"core.l1d.write": "throug"}, "core.l1d.write: unknown value 'throug'; did you mean 'through'?"),
        ({"core.hart.tlb": {"entries": 12, "ways": 4, "walk": "9 cycles"}},
         "core.hart.tlb.entries: entries / ways = 3 sets is not a power of two; change entries or ways"),
        ({"core.hart.tlb": {"entries": 8, "ways": 16, "walk": "9 cycles"}},
         "core.hart.tlb.entries: entries / ways = 0.5 sets is not a power of two; change entries or ways"),
    ],
)  # fmt: skip
def test_refused(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        archsim.load_design("edge-npu", overrides)
    assert str(caught.value) == message
