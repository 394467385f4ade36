"""The vector unit in time."""

from __future__ import annotations

from archsim.machine.host import pointer_int64
from archsim.machine.jit import njit
from archsim.machine.layout import (
    EVENT_VECTOR,
    EVENTS,
    RATE_SCALE,
    U_RATES,
    U_WIDTH,
    WORK,
    WORK_BITS,
    WORK_CLASS,
    WORK_ELEMENTS,
)


@njit
def vector_interval(ctx, parameters):
    """Cycles of an element operation: bytes of elements, over the width of the unit at the rate of their class."""
    work, events = pointer_int64(ctx[WORK]), pointer_int64(ctx[EVENTS])
    kind = work[WORK_CLASS]
    events[EVENT_VECTOR + kind] += work[WORK_ELEMENTS]
    size = work[WORK_ELEMENTS] * work[WORK_BITS] // 8
    rate = parameters[U_WIDTH] * parameters[U_RATES + kind]
    return max(1, (size * RATE_SCALE + rate - 1) // rate)
