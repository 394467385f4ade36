"""Lines of the dispatch loop that keep time, for every model of a hart's pipeline.

A model says when an instruction starts (`begin`, which may be asked again), and is told when it has (`commit`). Between
them stand the instruction itself and what its address or target adds: cycles its data comes later (`extra`), cycles
the hart is held up (`behind`), and what became of a branch (`outcome`).
"""

from __future__ import annotations

from archsim.isa.spec import Instruction
from archsim.machine import loop_in_order as in_order
from archsim.machine import loop_single as single
from archsim.machine.variant import Variant

SETUP = [
    "ready = pointer_int64(ctx[READY])",
    "cause = pointer_int64(ctx[CAUSE])",
    "events = pointer_int64(ctx[EVENTS])",
    "sched = pointer_int64(ctx[SCHED])",
    "h = pointer_int64(ctx[HART_STATE])",
    "l1d = pointer_int64(ctx[L1D])",
    "line_shift = l1d[K_SHIFT]",
    "sets = l1d[K_SETS] - 1",
    "ways = l1d[K_WAYS]",
    "limit_time = ctx[LIMIT_TIME]",
]
BEGIN = ["s = sched[i]", "d = s & 255", "behind = np.int64(0)", "extra = np.int64(0)", "outcome = np.int64(NOT_TAKEN)"]
OUT_OF_ORDER = {
    "setup": [],
    "begin": ["start = begin(ctxp, h, ready, cause, s, pc)", "behind = start + 1"],
    "commit": [
        "commit(ctxp, h, ready, cause, events, s, start, behind, extra)",
        "if outcome != NOT_TAKEN:",
        "    redirect(h, outcome, h[H_COMPLETE])",
    ],
    "end": ["ctx[NOW] = h[H_TIME] + (h[H_USED] > 0)"],
}
SINGLE = {"setup": single.SETUP, "begin": single.BEGIN, "commit": single.COMMIT, "end": single.END}
IN_ORDER = {"setup": in_order.SETUP, "begin": in_order.BEGIN, "commit": in_order.COMMIT, "end": in_order.END}
CORES = {"single": SINGLE, "in_order": IN_ORDER, "out_of_order": OUT_OF_ORDER}
LOG = ["if log_view(ctxp, h, at, s, w, behind) and status == RUNNING:", "    status = VIEW_FULL"]


def timing_lines(variant: Variant, part: str) -> list[str]:
    """Lines of a timed loop: "setup" before it, "begin" and "commit" of an instruction, "end" behind it."""
    lines = CORES[variant.core][part]
    if part == "setup":
        return SETUP + lines
    if part == "begin":
        return BEGIN + lines
    if part == "commit" and variant.view:
        return lines + (in_order.VIEW if variant.core == "in_order" else []) + LOG
    return lines


def clock(variant: Variant) -> str:
    """The hart's clock."""
    return "h[H_TIME]" if variant.core == "out_of_order" else "now"


def timing_imports(variant: Variant) -> list[str]:
    """Import lines of a timed loop."""
    lines = ["from archsim.machine.first_level import l1_access, store_wait", "from archsim.machine.issue import issue"]
    if variant.core == "in_order":
        lines.append("from archsim.machine.front_end import branch, instruction_line")
    elif variant.core == "out_of_order":
        lines.append("from archsim.machine.front_end import branch, redirect")
        lines.append("from archsim.machine.out_of_order import begin, commit, load_access, store_access")
    if variant.view:
        lines.append("from archsim.machine.view_log import log_view")
    return lines


def cache_lines(variant: Variant, address: str, store: bool) -> list[str]:
    """What the memory hierarchy adds to a load or store."""
    if variant.core == "out_of_order":
        call = f"{'store' if store else 'load'}_access(ctxp, h, pc"
        return [f"extra = {call}, {address}, start)"]
    lines = [
        f"line = {address} >> line_shift",
        "way0 = K_FIRST + (line & sets) * ways",
        "if l1d[way0] >> 1 != line or start < ctx[INFLIGHT]:",
        f"    extra = l1_access(ctxp, {address}, start, np.int64({int(store)}), pc)",
    ]
    if not store:
        return [
            *lines,
            # with all miss registers taken the hart goes no further
            "    if ctx[MISS_WAIT] > 0:",
            "        behind += ctx[MISS_WAIT]",
            "        extra -= ctx[MISS_WAIT]",
            "        ctx[HELD] = ctx[SERVED]",
        ]
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
        return single.branch_lines(kind == "JUMP_DIRECT")
    return [f"outcome = branch(ctxp, h, pc, pc + 4 + 2 * (w >> 63), target, {kind}, d, (s >> 8) & 255, imm < 0)"]
