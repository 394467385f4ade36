"""From when on the device's rules allow commands: times by command, for each rank, stack, group and bank."""

from __future__ import annotations

from archsim.machine.dram_layout import (
    COMMAND_SLOTS,
    H_HISTORY,
    H_PATH,
    H_RANKS,
    H_RANKS_PER_HALF,
    H_READY,
    H_RULE_OTHERS,
    H_RULE_START,
    H_STACKS_PER_RANK,
    R_FOLLOWING,
    R_KIND,
    R_LATENCY,
    R_LEVEL,
    RULE_FIELDS,
    WINDOW,
)
from archsim.machine.host import pointer_int64
from archsim.machine.jit import njit, njit_inline
from archsim.machine.layout import NEVER


@njit_inline
def ready(k, path, bank, command):
    """First tick at which the device's rules allow a command to a bank."""
    p = bank * 4
    return max(
        max(k[path[p] + command], k[path[p + 1] + command]), max(k[path[p + 2] + command], k[path[p + 3] + command])
    )


@njit_inline
def bind(h, k, command, bank, tick):
    """Move the times from which other commands are allowed."""
    path = pointer_int64(h[H_PATH])
    p = bank * 4
    others = h[H_RULE_OTHERS + command]
    for i in range(h[H_RULE_START + command], others, RULE_FIELDS):
        at = path[p + h[i + R_LEVEL]] + h[i + R_FOLLOWING]
        k[at] = max(k[at], tick + h[i + R_LATENCY])
    for i in range(others, h[H_RULE_START + command + 1], RULE_FIELDS):
        at = path[p + h[i + R_LEVEL]]
        if h[i + R_KIND] == WINDOW:
            _window(h, k, at, h[i + R_FOLLOWING], h[i + R_LATENCY], tick)
        else:
            level = h[i + R_LEVEL]
            _siblings(h, k, at, path[p], level, h[i + R_FOLLOWING], tick + h[i + R_LATENCY])


@njit
def _window(h, k, at, following, latency, tick):
    """After four commands, the next one of them."""
    ring = h[H_HISTORY] + (at - h[H_READY])
    k[ring + k[ring + 4]] = tick
    k[ring + 4] = (k[ring + 4] + 1) & 3
    oldest = k[ring + k[ring + 4]]
    if oldest > NEVER:
        k[at + following] = max(k[at + following], oldest + latency)


@njit
def _siblings(h, k, at, rank, level, following, time):
    """In all nodes of the same parent, but not in the one at `at`; `rank` is where the times of its rank begin."""
    node = (rank - h[H_READY]) // COMMAND_SLOTS
    if level:
        count = h[H_STACKS_PER_RANK]
        first = h[H_READY] + (h[H_RANKS] + node * count) * COMMAND_SLOTS
    else:
        count = h[H_RANKS_PER_HALF]
        first = rank - node % count * COMMAND_SLOTS
    for other in range(first, first + count * COMMAND_SLOTS, COMMAND_SLOTS):
        if other != at:
            k[other + following] = max(k[other + following], time)
