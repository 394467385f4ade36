"""Timelines, checked against the Trace Event Format and against the run they show."""

from __future__ import annotations

import io
import json
from collections import Counter

import pytest

import archsim
from archsim.traces.perfetto import PerfettoWriter
from archsim.traces.window import Window
from tests.traces.trace_events import check_trace
from tests.traces.viewed import KINDS, MIXED, view


def timeline(source: str, name: str = "edge-npu", overrides: dict | None = None, limit: int = 10**6):
    stream = io.StringIO()

    def make(listing, design):
        return PerfettoWriter(stream, listing, Window(design.cores, 0, limit), design)

    result, _, (writer,) = view(source, name, overrides or {}, make)
    writer.finish(result)
    document = json.loads(stream.getvalue())
    return result, check_trace(document), document


@pytest.mark.parametrize(("name", "overrides"), KINDS)
def test_a_timeline_is_valid_and_agrees_with_the_run(name: str, overrides: dict) -> None:
    result, events, document = timeline(MIXED, name, overrides)
    slices = [event for event in events if event["ph"] == "X"]
    tracks = {
        (event["pid"], event["tid"]): event["args"]["name"] for event in events if event.get("name") == "thread_name"
    }
    for hart in result.harts:
        own = [one for one in slices if one["pid"] == hart["hart"] + 1]
        waits: Counter[str] = Counter()
        for one in own:
            if tracks[one["pid"], one["tid"]] == "hart":
                waits[one["name"]] += one["args"]["cycles"]
        assert waits.pop("issue") == hart["busy_cycles"]
        # at the end a hart waits for its units and for others, before no instruction
        rest = {cause: cycles - waits.pop(cause, 0) for cause, cycles in hart["stalls"].items()}
        assert not waits and {cause for cause, cycles in rest.items() if cycles} <= {"drain", "idle"}
        on_units = [one for one in own if "number" in one["args"]]
        assert sorted(one["args"]["number"] for one in on_units) == list(range(hart["instructions"]))
    assert document["otherData"]["cycles"] == result.cycles
    last = max(one["args"]["cycle"] + one["args"]["cycles"] for one in slices)
    assert last <= result.cycles + 64


def test_units_and_transfers_have_tracks_and_counters() -> None:
    _result, events, _ = timeline(MIXED)
    tracks = {event["args"]["name"] for event in events if event.get("name") == "thread_name"}
    assert {"hart", "alu", "mul", "div", "load", "store", "matrix", "tile_lsu", "vector", "DMA 0"} <= tracks
    counters = {event["name"] for event in events if event["ph"] == "C"}
    assert {"matrix utilisation (%)", "DRAM read, all cores (GB/s)", "scratchpad, all cores (GB/s)"} <= counters
    shares = [event["args"]["value"] for event in events if event["ph"] == "C" and "utilisation" in event["name"]]
    assert shares and min(shares) >= 0 and max(shares) <= 100
    moved = sum(one["args"]["bytes"] for one in events if one["ph"] == "X" and "bytes" in one["args"])
    assert moved == 12 * 2048


def test_times_are_nanoseconds_of_the_designs_clock() -> None:
    _, events, _ = timeline("li a0, 0\nli a7, 93\necall\n", overrides={"clock": "500 MHz"})
    issue = next(event for event in events if event["ph"] == "X" and event["name"] == "issue")
    assert (issue["ts"], issue["dur"], issue["args"]["cycles"]) == (0, 0.006, 3)


def test_what_is_left_out_is_said() -> None:
    result, events, document = timeline(MIXED, limit=50)
    assert document["otherData"]["shown"] == (f"50 of {result.instructions:,} instructions are shown: numbers 0 to 49")
    assert max(one["args"].get("number", 0) for one in events if one["ph"] == "X") == 49


def test_regions_of_qmark_are_a_track() -> None:
    design = archsim.load_design("edge-npu")
    if "qmark" not in archsim.load_isa(*design.isa, parameters=design.parameters).state:
        pytest.skip("no qmark")
    _, events, _ = timeline("csrwi qmark, 3\nnop\nnop\ncsrwi qmark, 4\nli a0, 0\nli a7, 93\necall\n")
    regions = [event["name"] for event in events if event["ph"] == "X" and event["name"].startswith("region")]
    assert regions == ["region 3", "region 4"]
