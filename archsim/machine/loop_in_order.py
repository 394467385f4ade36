"""Lines of the dispatch loop that time an in-order hart: instructions issue in program order, up to a width per cycle.

An instruction issues when fetch has it, its operands are ready (scoreboard), and a port of its unit is free. Cycles in
which none issues are stalls, each booked to what the next instruction waited for; slots that stay empty in a cycle in
which some do are booked alike (`partial`), so that instructions and lost slots add up to width x cycles.

`now` is the cycle in which the next instruction may issue, `used` the slots of it that are taken, `counts` by whom:
four bits per class and group of ports, that overflow into the highest where a port too many is asked for. `fetch` is
the cycle from which fetch has the next instruction (see front_end).

With late ALUs (`slack`) integer operations, branches and stores issue up to so many cycles before their operands are
there; the result then, or the verdict on the branch, comes as much later (`deferred`).
"""

from __future__ import annotations


def _advance(time: str, cause: str) -> list[str]:
    """Let the clock go on: empty slots of the cycle begun, and cycles in which nothing issues."""
    return [
        f"stalls[{cause}] += {time} - now - (used > 0)",
        "if used > 0:",
        f"    partial[{cause}] += width - used",
        "    used = 0",
        "    counts = np.int64(0)",
        f"now = {time}",
    ]


def _indented(lines: list[str]) -> list[str]:
    return ["    " + line for line in lines]


SETUP = [
    "stalls = pointer_int64(ctx[STALLS])",
    "partial = pointer_int64(ctx[PARTIAL])",
    "now, used, busy, counts = h[H_TIME], h[H_USED], h[H_BUSY], h[H_COUNTS]",
    "fetch, fetched, fetch_cause = h[H_FETCH], h[H_FETCHED], h[H_FETCH_CAUSE]",
    "fetch_line, fetch_shift, fetch_width, lead = h[H_LINE], h[H_LINE_SHIFT], h[H_FETCH_WIDTH], h[H_LEAD]",
    "width, room, blocking, slack = h[H_WIDTH], h[H_ROOM], h[H_BLOCKING], h[H_SLACK]",
    "port, free = np.int64(0), np.int64(0)",
    "late = np.int64(-1)",
]
BEGIN = [
    "if fetch < now - lead:",
    "    fetch = now - lead",
    "if pc >> fetch_shift != fetch_line:",
    "    fetch_line = pc >> fetch_shift",
    "    arrival = instruction_line(ctxp, fetch_line, fetch)",
    "    if arrival > fetch:",
    "        fetch = arrival",
    "        fetch_cause = np.int64(STALL_ICACHE)",
    "if fetch > now:",
    *_indented(_advance("fetch", "fetch_cause")),
    "late = (s >> 8) & 255",
    "needed = ready[late]",
    "start = needed - slack * ((s >> 56) & 1)",
    "other = ready[(s >> 16) & 255]",
    "if other > needed:",
    "    needed = other",
    "other -= slack * ((s >> 57) & 1)",
    "if other > start:",
    "    late = (s >> 16) & 255",
    "    start = other",
    "if ready[(s >> 48) & 255] > start:",
    "    late = (s >> 48) & 255",
    "    start = ready[late]",
    "if start > now:",
    *_indented(_advance("start", "cause[late]")),
    "else:",
    "    late = np.int64(-1)",
    "unit = (s >> 40) & 255",
    "if unit < FIRST_ALONE:",
    "    port = H_PORTS + PORT_FIELDS * unit",
    "    free = h[port + P_FREE]",
    "    if free > now:",
    *_indented(_indented(_advance("free", "STALL_STRUCTURAL + unit"))),
    "    if (counts + h[port + P_COUNTS] + room) & PORTS_OVER:",
    *_indented(_indented(_advance("now + 1", "STALL_STRUCTURAL + unit"))),
    # CSR accesses, fences, barriers and what is handed to other units open a new group of instructions
    "elif used > 0:",
    *_indented(_advance("now + 1", "STALL_STRUCTURAL + unit")),
    "start = now",
    "behind = start + 1",
    "deferred = slack * ((s >> 58) & 1) if needed > start else np.int64(0)",
]
COMMIT = [
    "if unit < FIRST_ALONE:",
    # most ports take an instruction per cycle: nothing is to be noted
    "    free = h[port + P_HOLD]",
    "    if free > 0:",
    "        free += start",
    "        h[port + P_FREE] = free",
    "    counts += h[port + P_COUNTS]",
    "if behind > start + 1:",
    *_indented(_advance("behind - 1", "ctx[HELD]")),
    "start = behind - 1 + ((s >> 24) & 0xFFFF) + extra + deferred",
    # a unit of its own may have said already when its result comes
    "ready[d] = start if unit < FIRST_DECOUPLED else max(start, ready[d])",
    "cause[d] = ctx[SERVED] if extra > 0 else unit",
    "events[unit] += 1",
    "busy += used == 0",
    "used += 1",
    "fetched += 1",
    "if fetched >= fetch_width:",
    "    fetched = 0",
    "    fetch += 1",
    "if outcome != NOT_TAKEN:",
    "    if fetched > 0:",
    "        fetched = 0",
    "        fetch += 1",
    "    if outcome == WRONG:",
    "        fetch = behind + h[H_PENALTY] + deferred",
    "        fetch_cause = np.int64(STALL_BRANCH)",
    "    else:",
    "        fetch += h[H_BUBBLE] if outcome == TAKEN else h[H_DECODED]",
    "        fetch_cause = np.int64(STALL_FETCH)",
    "if used >= width:",
    "    now += 1",
    "    used = 0",
    "    counts = np.int64(0)",
    "if blocking > 0 and unit < FIRST_ALONE and free > now:",
    *_indented(_advance("free", "STALL_STRUCTURAL + unit")),
]
KEEP = [
    "h[H_TIME], h[H_USED], h[H_BUSY], h[H_COUNTS] = now, used, busy, counts",
    "h[H_FETCH], h[H_FETCHED], h[H_FETCH_CAUSE], h[H_LINE] = fetch, fetched, fetch_cause, fetch_line",
]
END = [*KEEP, "ctx[NOW] = now + (used > 0)"]
VIEW = [*KEEP, "h[H_LATE], h[H_FETCHED_AT] = late, fetch"]
