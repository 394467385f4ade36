"""Where a decoupled unit's cycles go: each is either work or a wait with its cause, so that they add up to the run.

UNIT_FREE of a unit is the cycle up to which its time is accounted for; both functions move it on.
"""

from __future__ import annotations

from archsim.machine.host import pointer_int64
from archsim.machine.jit import njit
from archsim.machine.layout import (
    ACCOUNT_BEGIN,
    ACCOUNT_FIELDS,
    ACCOUNT_LAST,
    ACCOUNTS,
    FIRST_DECOUPLED,
    UNIT_BUSY,
    UNIT_FREE,
)


@njit
def account_of(ctx, unit):
    return pointer_int64(ctx[ACCOUNTS] + (unit - FIRST_DECOUPLED) * ACCOUNT_FIELDS * 8)


@njit
def wait(ctx, unit, cause, time):
    """Up to `time` the unit waits for a cause, where it is not accounted for yet."""
    free = pointer_int64(ctx[UNIT_FREE])
    if time > free[unit]:
        account_of(ctx, unit)[cause] += time - free[unit]
        free[unit] = time


@njit
def busy(ctx, unit, time):
    """Up to `time` the unit works, where it is not accounted for yet."""
    free = pointer_int64(ctx[UNIT_FREE])
    if time > free[unit]:
        pointer_int64(ctx[UNIT_BUSY])[unit] += time - free[unit]
        free[unit] = time


@njit
def note_span(ctx, unit, begin, done):
    """Work of the unit began at `begin`, and its result is there at `done`."""
    account = account_of(ctx, unit)
    if account[ACCOUNT_BEGIN] < 0:
        account[ACCOUNT_BEGIN] = begin
    account[ACCOUNT_LAST] = max(account[ACCOUNT_LAST], done)
