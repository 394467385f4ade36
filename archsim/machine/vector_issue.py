"""Handing instructions to the vector unit, and having it done with what it was handed."""

from __future__ import annotations

from archsim.machine.host import pointer_int64
from archsim.machine.jit import njit
from archsim.machine.layout import (
    CHIP,
    CHIP_CONTEXTS,
    CHIP_HARTS,
    FIRST_DECOUPLED,
    HELD,
    INFINITY,
    NOW,
    QUEUE_SLOTS,
    QUEUES,
    STALL_QUEUE,
    TRAP,
    U_QUEUE,
    UNIT,
    UNIT_BEGIN,
    UNIT_DONE,
    UNIT_FIELDS,
)
from archsim.machine.layout import UNIT_ID as _UNIT_ID
from archsim.machine.memory_calls import memory_step
from archsim.machine.vector_layout import INDEXED, INFO_ACCESS, INFO_SCALAR, V_HEAD, V_TAIL
from archsim.machine.vector_queue import hand_over, vector_block

_VECTOR = _UNIT_ID["vector"]


@njit
def dispatch_vector(ctx, info, info_address, word, immediate, start):
    """Hand an instruction to the vector unit's queue, when it has a place."""
    parameters = pointer_int64(ctx[UNIT] + (_VECTOR - FIRST_DECOUPLED) * UNIT_FIELDS * 8)
    queue = pointer_int64(ctx[QUEUES] + (_VECTOR - FIRST_DECOUPLED) * (QUEUE_SLOTS + 1) * 8)
    number, depth = queue[QUEUE_SLOTS], parameters[U_QUEUE]
    dispatched = start
    if number >= depth:
        settle_vector(ctx, number - depth + 1)
        dispatched = max(start, queue[(number - depth) % QUEUE_SLOTS])
        ctx[HELD] = STALL_QUEUE + _VECTOR - FIRST_DECOUPLED
    ctx[NOW] = dispatched + 1
    hand_over(ctx, info, info_address, word, immediate, number, dispatched + 1)
    v = vector_block(ctx)
    if v[V_HEAD] < v[V_TAIL]:
        # not known yet: it waits for its place in DRAM's order
        ctx[UNIT_BEGIN], ctx[UNIT_DONE] = dispatched + 1, -1
    if ctx[TRAP] != 0:
        return
    queue[QUEUE_SLOTS] = number + 1
    # the hart must know when a scalar is there; the addresses of indexed accesses are kept for one at a time
    if info[INFO_SCALAR] or info[INFO_ACCESS] == INDEXED:
        settle_vector(ctx, number + 1)


@njit
def settle_vector(ctx, count):
    """Have the unit time its first `count` instructions, in the order in which all ask DRAM."""
    v = vector_block(ctx)
    while v[V_HEAD] < count:
        memory_step(pointer_int64(ctx[CHIP]), INFINITY - 1)


@njit
def settle_all(ctx):
    """Before others use registers, scratchpad bytes or DMA: the unit's times are known to the last."""
    v = vector_block(ctx)
    if v[V_HEAD] < v[V_TAIL]:
        settle_vector(ctx, v[V_TAIL])


@njit
def settle_chip(address):
    """At the end of a run: all units' times are known to the last."""
    chip = pointer_int64(address)
    contexts = pointer_int64(chip[CHIP_CONTEXTS])
    for hart in range(chip[CHIP_HARTS]):
        settle_all(pointer_int64(contexts[hart]))
