"""The front end of a hart in time: instruction fetch, branch prediction, return addresses.

Fetch is a clock of its own (H_FETCH): the cycle from which the next instruction may issue as far as fetch is
concerned. It moves on by a cycle per H_FETCH_WIDTH instructions, jumps at lost branches, waits for the instruction
cache, and is at most H_LEAD cycles behind the hart: what a full queue of fetched instructions hides. Times are those of
issue: the stages in between shift all of them alike.
"""

from __future__ import annotations

from archsim.machine.cache import fetch_line
from archsim.machine.cache_sets import install, touch
from archsim.machine.host import pointer_int64
from archsim.machine.jit import njit
from archsim.machine.layout import (
    DECODED,
    EVENT_BRANCH,
    EVENT_L1I_MISS,
    EVENT_WRONG,
    EVENTS,
    H_BTB,
    H_BTB_SIZE,
    H_BUBBLE,
    H_COUNTER_MASK,
    H_COUNTERS,
    H_DECODED,
    H_FETCH,
    H_FETCH_CAUSE,
    H_FETCH_WIDTH,
    H_FETCHED,
    H_FOLD,
    H_HISTORY,
    H_HISTORY_MASK,
    H_KIND,
    H_LEAD,
    H_LINE,
    H_LINE_SHIFT,
    H_PENALTY,
    H_RETURN_SIZE,
    H_RETURN_TOP,
    H_RETURNS,
    JUMP_CONDITIONAL,
    JUMP_INDIRECT,
    K_SHIFT,
    L1I,
    NOT_TAKEN,
    PREDICT_GSHARE,
    PREDICT_NONE,
    PREDICT_STATIC,
    STALL_BRANCH,
    STALL_FETCH,
    STALL_ICACHE,
    TAKEN,
    WRONG,
)


@njit
def fetched(ctx, h, pc, clock):
    """When the instruction at `pc` may issue as far as fetch is concerned, the hart being at `clock`."""
    floor = clock - h[H_LEAD]
    if h[H_FETCH] < floor:
        h[H_FETCH] = floor
    line = pc >> h[H_LINE_SHIFT]
    if line != h[H_LINE]:
        h[H_LINE] = line
        arrival = instruction_line(ctx, line, h[H_FETCH])
        if arrival > h[H_FETCH]:
            h[H_FETCH] = arrival
            h[H_FETCH_CAUSE] = STALL_ICACHE
    return h[H_FETCH]


@njit
def instruction_line(ctx, line, time):
    """When the instruction cache gives a line that fetch asks for at `time`."""
    if ctx[L1I] == 0:
        return time
    cache = pointer_int64(ctx[L1I])
    found = touch(cache, line, 0)
    if found >= 0:
        return max(time, cache[found] >> 1)
    pointer_int64(ctx[EVENTS])[EVENT_L1I_MISS] += 1
    size = 1 << cache[K_SHIFT]
    arrival = fetch_line(ctx, line * size, size, time)
    install(cache, line, 0, arrival)
    return arrival >> 1


@njit
def consume(h):
    """An instruction leaves the fetch queue."""
    h[H_FETCHED] += 1
    if h[H_FETCHED] >= h[H_FETCH_WIDTH]:
        h[H_FETCHED] = 0
        h[H_FETCH] += 1


@njit
def branch(ctx, h, pc, after, target, jump, link, base, backward):
    """What the predictor made of a branch that has been executed.

    Args:
        pc, after: its address and that of the instruction behind it.
        target: where it goes; -1 if it is not taken.
        jump: JUMP_CONDITIONAL, JUMP_DIRECT or JUMP_INDIRECT.
        link, base: registers (of the scoreboard) that it writes and that hold its target; 0 if none.
        backward: whether a conditional branch points backwards.

    Returns:
        NOT_TAKEN, TAKEN, DECODED or WRONG.
    """
    events = pointer_int64(ctx[EVENTS])
    events[EVENT_BRANCH] += 1
    outcome = _outcome(h, pc, after, target, jump, link, base, backward)
    if outcome == WRONG:
        events[EVENT_WRONG] += 1
    return outcome


@njit
def redirect(h, outcome, resolved):
    """Move fetch on behind a branch: its target follows a bubble later, or once a wrong guess is resolved."""
    if outcome == NOT_TAKEN:
        return
    if h[H_FETCHED] > 0:
        # what was fetched behind it is of no use
        h[H_FETCHED] = 0
        h[H_FETCH] += 1
    if outcome == WRONG:
        h[H_FETCH] = resolved + h[H_PENALTY]
        h[H_FETCH_CAUSE] = STALL_BRANCH
        return
    h[H_FETCH] += h[H_BUBBLE] if outcome == TAKEN else h[H_DECODED]
    h[H_FETCH_CAUSE] = STALL_FETCH


@njit
def _outcome(h, pc, after, target, jump, link, base, backward):
    taken = target != -1
    if jump == JUMP_CONDITIONAL:
        if _direction(h, pc, taken, backward) != taken:
            _remember(h, pc, target)
            return WRONG
        if not taken:
            return NOT_TAKEN
    elif _returns(h, after, target, link, base):
        return TAKEN
    if _remember(h, pc, target):
        return TAKEN
    return WRONG if jump == JUMP_INDIRECT else DECODED


@njit
def _direction(h, pc, taken, backward):
    """Whether a conditional branch is guessed taken; learns what it did."""
    if h[H_KIND] == PREDICT_NONE:
        return False
    if h[H_KIND] == PREDICT_STATIC:
        return backward
    counters = pointer_int64(h[H_COUNTERS])
    index = pc >> 1
    if h[H_KIND] == PREDICT_GSHARE:
        # a history longer than the index is folded
        index ^= h[H_HISTORY] ^ h[H_HISTORY] >> h[H_FOLD]
        h[H_HISTORY] = (h[H_HISTORY] << 1 | (1 if taken else 0)) & h[H_HISTORY_MASK]
    index &= h[H_COUNTER_MASK]
    guess = counters[index] >= 2
    counters[index] = min(3, counters[index] + 1) if taken else max(0, counters[index] - 1)
    return guess


@njit
def _returns(h, after, target, link, base):
    """Whether a jump goes where the return address stack says; keeps the stack.

    Link registers are x1 and x5 (RISC-V Unprivileged ISA 20240411, table 3: return-address stack prediction hints).
    """
    size = h[H_RETURN_SIZE]
    if size == 0:
        return False
    stack = pointer_int64(h[H_RETURNS])
    calls, returns = link == 1 or link == 5, (base == 1 or base == 5) and base != link
    known = False
    if returns and h[H_RETURN_TOP] > 0:
        h[H_RETURN_TOP] -= 1
        known = stack[h[H_RETURN_TOP] % size] == target
    if calls:
        # a full stack forgets its oldest address
        stack[h[H_RETURN_TOP] % size] = after
        h[H_RETURN_TOP] += 1
    return known


@njit
def _remember(h, pc, target):
    """Whether the branch target buffer had a branch's target; it does from now on."""
    if h[H_BTB_SIZE] == 0:
        return False
    entry = pointer_int64(h[H_BTB] + ((pc >> 1) & (h[H_BTB_SIZE] - 1)) * 16)
    found = entry[0] == pc and entry[1] == target
    if target != -1:
        entry[0], entry[1] = pc, target
    return found
