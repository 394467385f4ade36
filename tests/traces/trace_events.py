"""A checker of trace-event JSON, written from the Trace Event Format: what a viewer needs to show it truthfully."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

_REQUIRED = {"X": {"name", "ts", "dur"}, "C": {"name", "ts", "args"}, "M": {"name", "args"}}
_METADATA = {
    "process_name": "name", "process_sort_index": "sort_index",
    "thread_name": "name", "thread_sort_index": "sort_index",
}  # fmt: skip


def check_trace(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of a trace.

    Raises:
        AssertionError: an event lacks what its phase needs, slices of a track overlap without nesting, a counter goes
            back in time, or a track has no name.
    """
    assert set(document) <= {"traceEvents", "displayTimeUnit", "otherData", "metadata"}
    assert document["displayTimeUnit"] in ("ms", "ns")
    events = document["traceEvents"]
    tracks: dict[tuple[int, int], list[tuple[float, float]]] = defaultdict(list)
    counters: dict[tuple[int, str], float] = {}
    named = set()
    for event in events:
        assert {"ph", "pid", "tid"} <= set(event) and event["ph"] in _REQUIRED, event
        assert _REQUIRED[event["ph"]] <= set(event), event
        assert isinstance(event["pid"], int) and isinstance(event["tid"], int)
        if event["ph"] == "M":
            assert set(event["args"]) == {_METADATA[event["name"]]}
            if event["name"].endswith("_name"):
                named.add((event["pid"], event["tid"], event["name"]))
        elif event["ph"] == "X":
            assert event["ts"] >= 0 and event["dur"] >= 0
            tracks[event["pid"], event["tid"]].append((event["ts"], event["dur"]))
        else:
            assert all(isinstance(value, (int, float)) for value in event["args"].values())
            key = (event["pid"], event["name"])
            assert event["ts"] > counters.get(key, -1), "a counter goes back"
            counters[key] = event["ts"]
    for (process, thread), slices in tracks.items():
        assert (process, thread, "thread_name") in named and (process, 0, "process_name") in named
        _nest(slices)
    return list(events)


def _nest(slices: list[tuple[float, float]]) -> None:
    """Slices of a track, in nanoseconds, follow or contain one another."""
    stack: list[int] = []
    for start, duration in sorted(
        ((round(ts * 1000), round(dur * 1000)) for ts, dur in slices), key=lambda s: (s[0], -s[1])
    ):
        end = start + duration
        while stack and stack[-1] <= start:
            stack.pop()
        assert not stack or end <= stack[-1], f"a slice from {start} to {end} ns reaches out of the one around it"
        stack.append(end)
