"""Lines of the dispatch loop that keep time, for every model of a hart's pipeline.

A model says when an instruction starts (`begin`, which may be asked again), and is told when it has (`commit`). Between
them stand the instruction itself and what its address or target adds: cycles its data comes later (`extra`), cycles
the hart is held up (`behind`), and what became of a branch (`outcome`).
"""

from __future__ import annotations

from archsim.isa.spec import Instruction
from archsim.machine.variant import CORES, Variant

TIMING_SETUP = [
    "sched = pointer_int64(ctx[SCHED])",
    "h = pointer_int64(ctx[HART_STATE])",
    "l1d = pointer_int64(ctx[L1D])",
    "line_shift = l1d[K_SHIFT]",
    "sets = l1d[K_SETS] - 1",
    "ways = l1d[K_WAYS]",
    "limit_time = ctx[LIMIT_TIME]",
]
BEGIN = [
    "s = sched[i]",
    "d = s & 255",
    "start = begin(ctxp, h, s, pc)",
    "behind = start + 1",
    "extra = 0",
    "outcome = 0",
]
COMMIT = [
    "commit(ctxp, h, s, behind, extra)",
    "if outcome != NOT_TAKEN:",
    "    redirect(h, outcome, h[H_COMPLETE])",
]
VIEW = ["if log_view(ctxp, h, at, s, w, start, behind) and status == RUNNING:", "    status = VIEW_FULL"]


def timing_imports(variant: Variant) -> list[str]:
    """Import lines of a timed loop."""
    lines = [
        "from archsim.machine.cache import l1_access, store_wait",
        "from archsim.machine.front_end import branch, redirect",
        "from archsim.machine.issue import issue",
        f"from {CORES[variant.core]} import begin, commit",
    ]
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


def branch_lines(instruction: Instruction) -> list[str]:
    """Ask the predictor about a branch or jump that has been executed."""
    registers = [variable.name for variable in instruction.variables if variable.register == "X"]
    links = "xd" in registers or "rd" in registers
    kind = "JUMP_CONDITIONAL" if not links else "JUMP_DIRECT" if len(registers) == 1 else "JUMP_INDIRECT"
    return [f"outcome = branch(ctxp, h, pc, pc + 4 + 2 * (w >> 63), target, {kind}, d, (s >> 8) & 255, imm < 0)"]
