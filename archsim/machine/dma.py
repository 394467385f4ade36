"""DMA engines: queued 2-D copies between DRAM and the scratchpad, burst by burst in time order.

A burst leaves when the engine is free, the transfer's data may be touched, and fewer than `outstanding` bursts are on
their way; engines of all cores take turns by time, so that they share DRAM fairly.
"""

from __future__ import annotations

from archsim.machine.accounts import busy, note_span, wait
from archsim.machine.dram import dram_access
from archsim.machine.host import get_u32, pointer_int64, translate
from archsim.machine.jit import njit
from archsim.machine.layout import (
    BARRIER_COUNT,
    BARRIER_DONE,
    BLOCKED_ON,
    CHIP_CONTEXTS,
    CHIP_DRAM,
    CHIP_HARTS,
    CHIP_LINK_LATENCY,
    CHIP_LINK_WIDTH,
    CHIP_PERIOD_FS,
    DMA,
    E_BURSTS,
    E_DESCRIPTORS,
    E_DONE,
    E_FREE,
    E_HEAD,
    E_NEXT,
    E_OFFSET,
    E_RING,
    E_ROW,
    E_TAIL,
    E_TIME,
    ENGINE_SIZE,
    EVENT_LINK,
    EVENT_SPAD_READ,
    EVENT_SPAD_WRITE,
    EVENTS,
    INFINITY,
    M_BURST,
    M_ENGINES,
    M_FIRST,
    M_ISSUED,
    M_OUTSTANDING,
    M_QUEUE,
    M_STARTUP,
    QUEUE_SLOTS,
    T_BARRIER,
    T_BEGIN,
    T_BYTES,
    T_DRAM,
    T_DRAM_STRIDE,
    T_FIELDS,
    T_INDEX,
    T_ISSUED,
    T_NUMBER,
    T_READY,
    T_ROWS,
    T_SPAD,
    T_SPAD_STRIDE,
    T_WRITE,
    TRANSFER_COUNT,
    TRANSFER_FIELDS,
    TRANSFER_LOG,
    U_IDLE,
    U_OUTSTANDING,
    U_SCRATCHPAD,
    U_STARTUP,
    VECTOR,
    VIEW_NUMBER,
    X_BEGIN,
    X_BYTES,
    X_DONE,
    X_ENGINE,
    X_NUMBER,
    X_QUEUED,
    X_WRITE,
)
from archsim.machine.layout import UNIT_ID as _UNIT_ID
from archsim.machine.scratchpad import settle, take
from archsim.machine.traffic import note_traffic
from archsim.machine.vector_layout import V_NEXT
from archsim.machine.vector_queue import to_dram

_DMA_UNIT = _UNIT_ID["dma"]


@njit
def engine_at(ctx, index):
    return pointer_int64(ctx[DMA] + (M_FIRST + index * ENGINE_SIZE) * 8)


@njit
def slot_free_at(ctx):
    """When the next transfer finds a queue slot: INFINITY while that is not known yet."""
    dma = pointer_int64(ctx[DMA])
    engine = engine_at(ctx, dma[M_ISSUED] % dma[M_ENGINES])
    if engine[E_TAIL] - engine[E_HEAD] >= dma[M_QUEUE]:
        return INFINITY
    if engine[E_TAIL] < dma[M_QUEUE]:
        return 0
    return engine[E_FREE + (engine[E_TAIL] - dma[M_QUEUE]) % QUEUE_SLOTS]


@njit
def enqueue(ctx, write, dram, spad, rows, size, dram_stride, spad_stride, barrier, issued, ready, index):
    """Put a transfer into the next engine's queue (there must be a slot)."""
    dma = pointer_int64(ctx[DMA])
    engine = engine_at(ctx, dma[M_ISSUED] % dma[M_ENGINES])
    dma[M_ISSUED] += 1
    slot = E_DESCRIPTORS + engine[E_TAIL] % QUEUE_SLOTS * T_FIELDS
    engine[slot + T_WRITE] = write
    engine[slot + T_DRAM] = dram
    engine[slot + T_SPAD] = spad
    engine[slot + T_ROWS] = rows
    engine[slot + T_BYTES] = size
    engine[slot + T_DRAM_STRIDE] = dram_stride
    engine[slot + T_SPAD_STRIDE] = spad_stride
    engine[slot + T_BARRIER] = barrier
    engine[slot + T_ISSUED] = issued
    engine[slot + T_READY] = ready + dma[M_STARTUP]
    engine[slot + T_INDEX] = index
    engine[slot + T_NUMBER] = ctx[VIEW_NUMBER]
    engine[E_TAIL] += 1
    if engine[E_TAIL] - engine[E_HEAD] == 1:
        engine[E_ROW] = 0
        engine[E_OFFSET] = 0
        engine[E_DONE] = 0
    _schedule(dma, engine)


@njit
def _schedule(dma, engine):
    """Set the time of the engine's next burst."""
    if engine[E_HEAD] == engine[E_TAIL]:
        engine[E_NEXT] = INFINITY
        return
    slot = E_DESCRIPTORS + engine[E_HEAD] % QUEUE_SLOTS * T_FIELDS
    oldest = engine[E_RING + engine[E_BURSTS] % dma[M_OUTSTANDING]]
    engine[E_NEXT] = max(max(engine[E_TIME], engine[slot + T_READY]), oldest)


@njit
def next_burst(chip):
    """Earliest request to DRAM as (time, hart, engine) of any engine, or of a vector unit: engine -1; time is INFINITY
    when all are idle."""
    best, best_hart, best_engine = INFINITY, -1, 0
    contexts = pointer_int64(chip[CHIP_CONTEXTS])
    for hart in range(chip[CHIP_HARTS]):
        ctx = pointer_int64(contexts[hart])
        time = pointer_int64(ctx[VECTOR])[V_NEXT]
        if time < best:
            best, best_hart, best_engine = time, hart, -1
        for index in range(pointer_int64(ctx[DMA])[M_ENGINES]):
            time = engine_at(ctx, index)[E_NEXT]
            if time < best:
                best, best_hart, best_engine = time, hart, index
    return best, best_hart, best_engine


@njit
def advance_engines(chip, until):
    """Send every burst that starts at or before `until`."""
    while True:
        time, hart, index = next_burst(chip)
        if time > until or hart < 0:
            return
        burst(chip, pointer_int64(pointer_int64(chip[CHIP_CONTEXTS])[hart]), index)


@njit
def burst(chip, ctx, index):
    """Send an engine's next burst, or what a vector unit asks of DRAM (engine -1)."""
    if index < 0:
        to_dram(ctx)
        return
    dma, engine = pointer_int64(ctx[DMA]), engine_at(ctx, index)
    slot = E_DESCRIPTORS + engine[E_HEAD] % QUEUE_SLOTS * T_FIELDS
    row, offset, row_bytes = engine[E_ROW], engine[E_OFFSET], engine[slot + T_BYTES]
    number = row
    if engine[slot + T_INDEX] != 0:
        # a gather finds its row's number in a table
        number = get_u32(translate(ctx, engine[slot + T_INDEX] + 4 * row, 4))
    dram = engine[slot + T_DRAM] + number * engine[slot + T_DRAM_STRIDE] + offset
    spad = engine[slot + T_SPAD] + row * engine[slot + T_SPAD_STRIDE] + offset
    limit = dma[M_BURST]
    # bursts end at multiples of their size, so that they never straddle a channel
    size = min(row_bytes - offset, limit - dram % limit)
    time = engine[E_NEXT]
    if row == 0 and offset == 0:
        engine[slot + T_BEGIN] = time
    done = _move(chip, ctx, time, dram, spad, size, engine[slot + T_WRITE])
    width = chip[CHIP_LINK_WIDTH]
    cycles = (size + width - 1) // width
    engine[E_TIME] = time + cycles
    _account(ctx, dma, engine, slot, time, cycles)
    note_span(ctx, _DMA_UNIT, time, done)
    engine[E_RING + engine[E_BURSTS] % dma[M_OUTSTANDING]] = done
    engine[E_BURSTS] += 1
    if done > engine[E_DONE]:
        engine[E_DONE] = done
    engine[E_OFFSET] = offset + size
    if offset + size >= row_bytes:
        engine[E_OFFSET] = 0
        engine[E_ROW] = row + 1
    if engine[E_ROW] >= engine[slot + T_ROWS]:
        if ctx[TRANSFER_LOG] != 0:
            _log_transfer(ctx, engine, slot, index)
        _finish(ctx, engine, engine[slot + T_BARRIER])
    _schedule(dma, engine)


@njit
def _log_transfer(ctx, engine, slot, index):
    """Note a transfer that has ended, for views."""
    record = pointer_int64(ctx[TRANSFER_LOG] + ctx[TRANSFER_COUNT] * TRANSFER_FIELDS * 8)
    record[X_NUMBER] = engine[slot + T_NUMBER]
    record[X_BEGIN] = engine[slot + T_BEGIN]
    record[X_DONE] = engine[E_DONE]
    record[X_BYTES] = engine[slot + T_ROWS] * engine[slot + T_BYTES]
    record[X_WRITE] = engine[slot + T_WRITE]
    record[X_ENGINE] = index
    record[X_QUEUED] = engine[slot + T_ISSUED]
    ctx[TRANSFER_COUNT] += 1


@njit
def _account(ctx, dma, engine, slot, time, cycles):
    """A burst leaves at `time`: the unit sends while any of its engines does."""
    wait(ctx, _DMA_UNIT, U_IDLE, min(engine[slot + T_ISSUED], time))
    wait(ctx, _DMA_UNIT, U_SCRATCHPAD, min(engine[slot + T_READY] - dma[M_STARTUP], time))
    wait(ctx, _DMA_UNIT, U_STARTUP, min(engine[slot + T_READY], time))
    wait(ctx, _DMA_UNIT, U_OUTSTANDING, time)
    busy(ctx, _DMA_UNIT, time + cycles)


@njit
def _move(chip, ctx, time, dram, spad, size, write):
    """Time at which a burst has arrived where it goes."""
    d = pointer_int64(chip[CHIP_DRAM])
    events = pointer_int64(ctx[EVENTS])
    period, latency = chip[CHIP_PERIOD_FS], chip[CHIP_LINK_LATENCY]
    events[EVENT_LINK] += size
    served = (dram_access(d, (time + latency) * period, dram, size, write) + period - 1) // period
    if write:
        done = served
        take(ctx, size, time, 1)
        events[EVENT_SPAD_READ] += size
        settle(ctx, spad, size, 0, done)
    else:
        done = served + latency
        done += take(ctx, size, done, 1)
        events[EVENT_SPAD_WRITE] += size
        settle(ctx, spad, size, 1, done)
    note_traffic(chip, served, size)
    return done


@njit
def _finish(ctx, engine, barrier):
    """A transfer's end is known: tell its barrier and hart, free its queue slot, take up the next one."""
    counts, done = pointer_int64(ctx[BARRIER_COUNT]), pointer_int64(ctx[BARRIER_DONE])
    counts[barrier] -= 1
    done[barrier] = max(done[barrier], engine[E_DONE])
    ctx[BLOCKED_ON] = 0
    engine[E_FREE + engine[E_HEAD] % QUEUE_SLOTS] = engine[E_TIME]
    engine[E_HEAD] += 1
    engine[E_ROW] = 0
    engine[E_OFFSET] = 0
    engine[E_DONE] = 0
