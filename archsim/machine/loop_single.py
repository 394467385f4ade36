"""Lines of the dispatch loop that time a plain hart: one instruction per cycle, fetch without loss, no prediction.

They do what loop_in_order does for such a hart, at twice the speed: the scalar code of an accelerator runs on it.
"""

from __future__ import annotations

SETUP = ["stalls = pointer_int64(ctx[STALLS])", "now = h[H_TIME]", "blocking = h[H_BLOCKING]"]
BEGIN = [
    "start = ready[(s >> 8) & 255]",
    "late = (s >> 8) & 255",
    "if ready[(s >> 16) & 255] > start:",
    "    late = (s >> 16) & 255",
    "    start = ready[late]",
    "if ready[(s >> 48) & 255] > start:",
    "    late = (s >> 48) & 255",
    "    start = ready[late]",
    "if start > now:",
    "    stalls[cause[late]] += start - now",
    "    now = start",
    "unit = (s >> 40) & 255",
    "free = h[H_PORTS + PORT_FIELDS * unit + P_FREE] if unit < FIRST_ALONE else np.int64(0)",
    "if free > now:",
    "    stalls[STALL_STRUCTURAL + unit] += free - now",
    "    now = free",
    "start = now",
    "behind = start + 1",
]
COMMIT = [
    "if behind > start + 1:",
    "    stalls[ctx[HELD]] += behind - start - 1",
    "now = behind",
    "if unit < FIRST_ALONE:",
    "    free = h[H_PORTS + PORT_FIELDS * unit + P_HOLD]",
    # most ports take an instruction per cycle: nothing is to be noted
    "    if free > 0:",
    "        free += start",
    "        h[H_PORTS + PORT_FIELDS * unit + P_FREE] = free",
    "        if blocking > 0 and free > now:",
    "            stalls[STALL_STRUCTURAL + unit] += free - now",
    "            now = free",
    "start = behind - 1 + ((s >> 24) & 0xFFFF) + extra",
    # a unit of its own may have said already when its result comes
    "ready[d] = start if unit < FIRST_DECOUPLED else max(start, ready[d])",
    "cause[d] = ctx[SERVED] if extra > 0 else unit",
    "events[unit] += 1",
    "if outcome != NOT_TAKEN:",
    "    lost = h[H_PENALTY] if outcome == WRONG else h[H_DECODED]",
    "    stalls[STALL_BRANCH if outcome == WRONG else STALL_FETCH] += lost",
    "    now += lost",
]
END = ["ctx[NOW] = now", "h[H_TIME] = now", "h[H_BUSY] = n"]


def branch_lines(direct: bool) -> list[str]:
    """A branch or jump (`direct`: whose target decoding finds) that has been executed."""
    counted = [] if direct else ["    events[EVENT_WRONG] += 1"]
    outcome = "DECODED" if direct else "WRONG"
    return ["events[EVENT_BRANCH] += 1", "if target != -1:", f"    outcome = np.int64({outcome})", *counted]
