"""Main memory and all that sends to it without a hart's doing, in time order: engines, vector units, channels.

Whoever could send next does so at a known time, or waits for an end that is not known; that end is no earlier than the
next event of any channel and the way back. Up to the earlier of the two all channels may go on by themselves.
"""

from __future__ import annotations

from archsim.machine.dma import deliver, engine_at, send_burst
from archsim.machine.dram_layout import H_CHANNELS, H_ENDS_HEAD, H_ENDS_TAIL, H_NEXT
from archsim.machine.host import pointer_int64
from archsim.machine.jit import njit
from archsim.machine.layout import (
    CHIP_CONTEXTS,
    CHIP_DRAM,
    CHIP_HARTS,
    CHIP_LINK_LATENCY,
    DMA,
    E_KEY,
    E_NEXT,
    INFINITY,
    M_ENGINES,
    VECTOR,
)
from archsim.machine.memory_channel import cycle_of, go_on, tick_of
from archsim.machine.vector_layout import V_NEXT
from archsim.machine.vector_queue import take_turn

NOTHING, DONE, RELEASED = range(3)


@njit
def _next_sender(chip):
    """Who sends next, as (time, hart, engine), engine -1 for a vector unit; time is INFINITY when nobody will."""
    best, best_hart, best_engine, key = INFINITY, -1, 0, 0
    contexts = pointer_int64(chip[CHIP_CONTEXTS])
    for hart in range(chip[CHIP_HARTS]):
        ctx = pointer_int64(contexts[hart])
        time = pointer_int64(ctx[VECTOR])[V_NEXT]
        if time < best:
            best, best_hart, best_engine, key = time, hart, -1, 0
        for index in range(pointer_int64(ctx[DMA])[M_ENGINES]):
            engine = engine_at(ctx, index)
            time = engine[E_NEXT]
            if time < best or (time == best and time < INFINITY and engine[E_KEY] < key):
                best, best_hart, best_engine, key = time, hart, index, engine[E_KEY]
    return best, best_hart, best_engine


@njit
def memory_step(chip, limit):
    """What happens next, if it does so by cycle `limit`: NOTHING, DONE, or RELEASED: a hart may go on."""
    h = pointer_int64(chip[CHIP_DRAM])
    if h[H_ENDS_HEAD] < h[H_ENDS_TAIL]:
        return RELEASED if deliver(chip) else DONE
    time, hart, engine = _next_sender(chip)
    following, channels = pointer_int64(h[H_NEXT]), h[H_CHANNELS]
    soonest = INFINITY
    for channel in range(channels):
        soonest = min(soonest, following[channel])
    latency = chip[CHIP_LINK_LATENCY]
    known = INFINITY if soonest == INFINITY else cycle_of(h, soonest) + latency
    if min(time, known) > limit:
        return NOTHING
    if time <= known:
        ctx = pointer_int64(pointer_int64(chip[CHIP_CONTEXTS])[hart])
        if engine < 0:
            take_turn(ctx, True)
            return DONE
        return RELEASED if send_burst(chip, ctx, hart, engine) else DONE
    until = max(soonest, tick_of(h, min(time, known) + latency) - 1)
    for channel in range(channels):
        if following[channel] <= until:
            go_on(h, channel, until)
    return RELEASED if deliver(chip) else DONE
