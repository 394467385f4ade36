"""The view log of a hart: a record per retired instruction, written only by loops that were compiled for it."""

from __future__ import annotations

from archsim.isa.lower import SINK
from archsim.machine.host import pointer_int64
from archsim.machine.jit import njit
from archsim.machine.layout import EVENT_NAMES as _EVENT_NAMES
from archsim.machine.layout import (
    EVENTS,
    FIRST_DECOUPLED,
    H_BUSY,
    H_FETCHED_AT,
    H_LATE,
    H_STAGES,
    H_TIME,
    H_USED,
    PARTIAL,
    READY,
    STALLS,
    UNIT_BEGIN,
    UNIT_DONE,
    V_BEGIN,
    V_BUSY,
    V_CAUSE,
    V_CAUSE2,
    V_DONE,
    V_ENERGY_FJ,
    V_FETCH,
    V_ISSUE,
    V_LOST,
    V_PRODUCER,
    V_RETIRE,
    V_SLOT,
    V_STALL4,
    V_UNIT,
    V_WORD,
    VIEW_COUNT,
    VIEW_FIELDS,
    VIEW_LIMIT,
    VIEW_LOG,
    VIEW_NUMBER,
    VIEW_STATE,
)
from archsim.machine.layout import STALLS_NAMES as _STALLS_NAMES
from archsim.machine.layout import UNIT_ID as _UNIT_ID

_CAUSES, _EVENTS, _DMA = len(_STALLS_NAMES), len(_EVENT_NAMES), _UNIT_ID["dma"]
_PLACES = 4
"""Stall causes that a record has room for; what a fifth one costs is added to the fourth."""
# state between records: who wrote each register last, what stalls, lost slots and events were, energy per event
_WRITERS, _RETIRED, _BUSY, _STALLED = 0, 256, 257, 258
_LOST = _STALLED + _CAUSES
_COUNTED = _LOST + 1
_ENERGIES = _COUNTED + _EVENTS
VIEW_STATE_SIZE = _ENERGIES + _EVENTS
ENERGIES_AT = _ENERGIES
"""First of the energies per event in the state: femtojoules."""


@njit
def log_view(ctx, h, slot, s, word, behind):
    """Append the record of an instruction that has just been committed; whether the log is full.

    Args:
        slot: of the code.
        s, word: its scoreboard and code words.
        behind: the cycle behind its start.
    """
    state = pointer_int64(ctx[VIEW_STATE])
    record = pointer_int64(ctx[VIEW_LOG] + ctx[VIEW_COUNT] * VIEW_FIELDS * 8)
    target, unit = s & 255, (s >> 40) & 255
    record[V_SLOT], record[V_WORD], record[V_UNIT] = slot, word, unit
    record[V_FETCH] = max(0, min(h[H_FETCHED_AT], behind - 1) - h[H_STAGES])
    record[V_ISSUE] = behind - 1
    _times(ctx, h, record, target, unit, behind)
    retired = h[H_TIME] - (1 if h[H_USED] == 0 else 0)
    if unit < FIRST_DECOUPLED:
        retired = max(retired, record[V_DONE])
    state[_RETIRED] = max(state[_RETIRED], retired)
    record[V_RETIRE] = state[_RETIRED]
    record[V_PRODUCER] = state[_WRITERS + h[H_LATE]] if h[H_LATE] >= 0 else -1
    if target != SINK:
        state[_WRITERS + target] = ctx[VIEW_NUMBER]
    record[V_BUSY] = h[H_BUSY] - state[_BUSY]
    state[_BUSY] = h[H_BUSY]
    _stalls(ctx, state, record)
    record[V_ENERGY_FJ] = _energy(ctx, state)
    ctx[VIEW_NUMBER] += 1
    ctx[VIEW_COUNT] += 1
    return ctx[VIEW_COUNT] >= ctx[VIEW_LIMIT]


@njit
def _times(ctx, h, record, target, unit, behind):
    """When it began to execute, and had its result."""
    if unit < FIRST_DECOUPLED:
        record[V_BEGIN] = behind - 1
        record[V_DONE] = pointer_int64(ctx[READY])[target] if target != SINK else behind
    elif unit == _DMA:
        record[V_BEGIN], record[V_DONE] = behind - 1, -1
    else:
        record[V_BEGIN], record[V_DONE] = ctx[UNIT_BEGIN], ctx[UNIT_DONE]


@njit
def _stalls(ctx, state, record):
    """What has been added to the hart's stalls and lost slots since the record before."""
    stalls, partial = pointer_int64(ctx[STALLS]), pointer_int64(ctx[PARTIAL])
    places, lost = 0, 0
    for cause in range(_CAUSES):
        lost += partial[cause]
        cycles = stalls[cause] - state[_STALLED + cause]
        if cycles == 0:
            continue
        state[_STALLED + cause] = stalls[cause]
        if places < _PLACES:
            place = V_CAUSE if places == 0 else V_CAUSE2 + 2 * (places - 1)
            record[place], record[place + 1] = cause, cycles
            places += 1
        else:
            record[V_STALL4] += cycles
    record[V_LOST] = lost - state[_LOST]
    state[_LOST] = lost
    for index in range(places, _PLACES):
        place = V_CAUSE if index == 0 else V_CAUSE2 + 2 * (index - 1)
        record[place], record[place + 1] = -1, 0


@njit
def _energy(ctx, state):
    """Femtojoules of the events since the record before."""
    events = pointer_int64(ctx[EVENTS])
    total = 0
    for index in range(_EVENTS):
        if events[index] != state[_COUNTED + index]:
            total += (events[index] - state[_COUNTED + index]) * state[_ENERGIES + index]
            state[_COUNTED + index] = events[index]
    return total
