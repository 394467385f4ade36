"""Lines of the dispatch loop that keep time, for every model of a hart's pipeline.

A model says when an instruction starts (`begin`, which may be asked again), and is told when it has (`commit`). Between
them stand the instruction itself and what its address or target adds: cycles its data comes later (`extra`), cycles
the hart is held up (`behind`), and what became of a branch (`outcome`).
"""

from __future__ import annotations

from archsim.isa.spec import Instruction
from archsim.machine.variant import Variant

SETUP = [
    "sched = pointer_int64(ctx[SCHED])",
    "h = pointer_int64(ctx[HART_STATE])",
    "l1d = pointer_int64(ctx[L1D])",
    "line_shift = l1d[K_SHIFT]",
    "sets = l1d[K_SETS] - 1",
    "ways = l1d[K_WAYS]",
    "limit_time = ctx[LIMIT_TIME]",
]
BEGIN = ["s = sched[i]", "d = s & 255", "behind = np.int64(0)", "extra = np.int64(0)", "outcome = np.int64(NOT_TAKEN)"]
Lines = tuple[list[str], list[str], list[str], list[str]]
"""Before the loop, where an instruction begins, where it is committed, behind the loop."""
CALLED: Lines = (
    [],
    ["start = begin(ctxp, h, s, pc)", "behind = start + 1"],
    ["commit(ctxp, h, s, behind, extra)", "if outcome != NOT_TAKEN:", "    redirect(h, outcome, h[H_COMPLETE])"],
    ["ctx[NOW] = h[H_TIME] + (h[H_USED] > 0)"],
)
SINGLE: Lines = (
    [
        "ready = pointer_int64(ctx[READY])",
        "cause = pointer_int64(ctx[CAUSE])",
        "stalls = pointer_int64(ctx[STALLS])",
        "events = pointer_int64(ctx[EVENTS])",
        "now = h[H_TIME]",
    ],
    [
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
        "free = h[H_PORTS + PORT_FIELDS * unit + P_FREE] if unit < FIRST_DECOUPLED else np.int64(0)",
        "if free > now:",
        "    stalls[STALL_STRUCTURAL + unit] += free - now",
        "    now = free",
        "start = now",
        "behind = start + 1",
    ],
    [
        "if behind > start + 1:",
        "    stalls[ctx[HELD]] += behind - start - 1",
        "now = behind",
        "if unit < FIRST_DECOUPLED:",
        "    h[H_PORTS + PORT_FIELDS * unit + P_FREE] = start + h[H_PORTS + PORT_FIELDS * unit + P_INTERVAL]",
        "    ready[d] = behind - 1 + ((s >> 24) & 0xFFFF) + extra",
        "else:",
        "    ready[d] = max(ready[d], behind - 1 + ((s >> 24) & 0xFFFF) + extra)",
        "cause[d] = ctx[SERVED] if extra > 0 else unit",
        "events[unit] += 1",
        "if outcome != NOT_TAKEN:",
        "    lost = h[H_PENALTY] if outcome == WRONG else min(h[H_PENALTY], h[H_STAGES])",
        "    stalls[STALL_BRANCH if outcome == WRONG else STALL_FETCH] += lost",
        "    now += lost",
    ],
    ["ctx[NOW] = now", "h[H_TIME] = now", "h[H_BUSY] = n"],
)
"""The same as the module in_order, of a hart that issues one instruction per cycle, fetches without loss and predicts
nothing: three times as fast."""
VIEW = ["if log_view(ctxp, h, at, s, w, start, behind) and status == RUNNING:", "    status = VIEW_FULL"]


def setup_lines(variant: Variant) -> list[str]:
    """Lines before the loop."""
    return SETUP + _lines(variant)[0]


def begin_lines(variant: Variant) -> list[str]:
    """Lines that say when an instruction starts."""
    return BEGIN + _lines(variant)[1]


def commit_lines(variant: Variant) -> list[str]:
    """Lines that enter that it has."""
    return _lines(variant)[2] + (VIEW if variant.view else [])


def end_lines(variant: Variant) -> list[str]:
    """Lines behind the loop."""
    return _lines(variant)[3]


def clock(variant: Variant) -> str:
    """The hart's clock."""
    return "now" if variant.core == "single" else "h[H_TIME]"


def _lines(variant: Variant) -> Lines:
    return SINGLE if variant.core == "single" else CALLED


def timing_imports(variant: Variant) -> list[str]:
    """Import lines of a timed loop."""
    lines = ["from archsim.machine.cache import l1_access, store_wait", "from archsim.machine.issue import issue"]
    if variant.core != "single":
        lines.append("from archsim.machine.front_end import branch, redirect")
        lines.append(f"from archsim.machine.{variant.core} import begin, commit")
    if variant.core == "out_of_order":
        lines.append("from archsim.machine.out_of_order import load_access, store_access")
    if variant.view:
        lines.append("from archsim.machine.view_log import log_view")
    return lines


def cache_lines(variant: Variant, address: str, store: bool) -> list[str]:
    """What the memory hierarchy adds to a load or store."""
    if variant.core == "out_of_order":
        call = "store_access(ctxp, h" if store else "load_access(ctxp, h, pc"
        return [f"extra = {call}, {address}, start)"]
    lines = [
        f"line = {address} >> line_shift",
        "way0 = K_FIRST + (line & sets) * ways",
        "if l1d[way0] >> 1 != line or start < ctx[INFLIGHT]:",
        f"    extra = l1_access(ctxp, {address}, start, np.int64({int(store)}))",
    ]
    if not store:
        return lines
    return [
        *lines,
        "else:",
        "    l1d[way0] |= 1",
        "if h[H_STORE_SLOTS] > 0:",
        "    behind += store_wait(ctxp, h, start, extra)",
        "extra = 0",
    ]


def branch_lines(variant: Variant, instruction: Instruction) -> list[str]:
    """Ask the predictor about a branch or jump that has been executed."""
    registers = [variable.name for variable in instruction.variables if variable.register == "X"]
    kind = "JUMP_CONDITIONAL" if "xd" not in registers else "JUMP_DIRECT" if len(registers) == 1 else "JUMP_INDIRECT"
    if variant.core == "single":
        outcome = "DECODED" if kind == "JUMP_DIRECT" else "WRONG"
        return [
            "events[EVENT_BRANCH] += 1",
            "if target != -1:",
            f"    outcome = np.int64({outcome})",
            *([] if kind == "JUMP_DIRECT" else ["    events[EVENT_WRONG] += 1"]),
        ]
    return [f"outcome = branch(ctxp, h, pc, pc + 4 + 2 * (w >> 63), target, {kind}, d, (s >> 8) & 255, imm < 0)"]
