"""DMA engines: queued copies between DRAM and the scratchpad, as bursts that share main memory in time order.

A transfer is rows of bytes, planes of rows and blocks of planes, each with strides of its own on both sides.

A burst leaves when the engine is free, the transfer's data may be touched, and fewer than `outstanding` bursts are on
their way; engines of all cores take turns by time. What becomes of a burst is known when its channel has got there.
"""

from __future__ import annotations

from archsim.machine.accounts import busy, note_span, wait
from archsim.machine.dram_layout import A_CHANNEL, H_ENDS, H_ENDS_HEAD, H_ENDS_MASK, H_ENDS_TAIL, H_FIXED, H_PLACE
from archsim.machine.dram_source import block_of, locate
from archsim.machine.host import get_u32, pointer_int64, translate
from archsim.machine.interconnect import from_memory, to_memory
from archsim.machine.jit import njit
from archsim.machine.layout import (
    ACCESS_ADDRESS,
    ACCESS_BLOCK_STRIDE,
    ACCESS_BLOCKS,
    ACCESS_INDEX,
    ACCESS_PLANE_STRIDE,
    ACCESS_PLANES,
    ACCESS_STRIDE,
    ACCESS_WRITE,
    BARRIER_COUNT,
    BARRIER_DONE,
    BLOCKED_ON,
    CHIP_CONTEXTS,
    CHIP_DRAM,
    CHIP_LINK_WIDTH,
    CHIP_TX,
    DMA,
    E_BURSTS,
    E_DESCRIPTORS,
    E_FREE,
    E_HEAD,
    E_INDEX,
    E_KEY,
    E_NEXT,
    E_OFFSET,
    E_ROW,
    E_TAIL,
    E_TIME,
    EVENT_LINK,
    EVENT_SPAD_READ,
    EVENT_SPAD_WRITE,
    EVENTS,
    HART,
    INFINITY,
    LEVEL_READ,
    LEVEL_WRITE,
    M_BURST,
    M_ENGINES,
    M_FIRST,
    M_ISSUED,
    M_OUTSTANDING,
    M_QUEUE,
    M_RING,
    M_SLOTS,
    M_STARTUP,
    M_STRIDE,
    MAXIMUM_ENGINES,
    OUTSTANDING_SLOTS,
    QUEUE_SLOTS,
    R_BEGIN,
    R_BYTES,
    R_CHANNEL,
    R_DONE,
    R_FIELDS,
    R_LAST,
    R_LEFT,
    R_SPAD,
    R_TRANSFER,
    T_BARRIER,
    T_BEGIN,
    T_BLOCKS,
    T_BYTES,
    T_DONE,
    T_DRAM,
    T_DRAM_BLOCK,
    T_DRAM_PLANE,
    T_DRAM_STRIDE,
    T_FIELDS,
    T_INDEX,
    T_ISSUED,
    T_LEFT,
    T_NUMBER,
    T_PLANES,
    T_READY,
    T_REGION,
    T_ROWS,
    T_SPAD,
    T_SPAD_BLOCK,
    T_SPAD_PLANE,
    T_SPAD_STRIDE,
    T_WRITE,
    TRANSFER_COUNT,
    TRANSFER_FIELDS,
    TRANSFER_LOG,
    U_IDLE,
    U_OUTSTANDING,
    U_SCRATCHPAD,
    U_STARTUP,
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
from archsim.machine.memory_channel import cycle_of, enter, tick_of
from archsim.machine.memory_fixed import fixed_access
from archsim.machine.scratchpad import settle, take
from archsim.machine.traffic import note_source, note_traffic, region_of

_DMA_UNIT = _UNIT_ID["dma"]


@njit
def engine_at(ctx, index):
    dma = pointer_int64(ctx[DMA])
    return pointer_int64(ctx[DMA] + (M_FIRST + index * dma[M_STRIDE]) * 8)


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
def enqueue(ctx, dram, spad, rows, size, barrier, issued, ready):
    """Put a transfer into the next engine's queue (there must be a slot).

    Args:
        dram, spad: its accesses.
        rows, size: where adjoining rows are one long row, that one.
    """
    dma = pointer_int64(ctx[DMA])
    engine = engine_at(ctx, dma[M_ISSUED] % dma[M_ENGINES])
    dma[M_ISSUED] += 1
    slot = _slot(dma, engine[E_TAIL])
    engine[slot + T_WRITE] = dram[ACCESS_WRITE]
    engine[slot + T_DRAM] = dram[ACCESS_ADDRESS]
    engine[slot + T_SPAD] = spad[ACCESS_ADDRESS]
    engine[slot + T_ROWS] = rows
    engine[slot + T_BYTES] = size
    engine[slot + T_DRAM_STRIDE] = dram[ACCESS_STRIDE]
    engine[slot + T_SPAD_STRIDE] = spad[ACCESS_STRIDE]
    engine[slot + T_PLANES], engine[slot + T_BLOCKS] = dram[ACCESS_PLANES], dram[ACCESS_BLOCKS]
    engine[slot + T_DRAM_PLANE], engine[slot + T_SPAD_PLANE] = dram[ACCESS_PLANE_STRIDE], spad[ACCESS_PLANE_STRIDE]
    engine[slot + T_DRAM_BLOCK], engine[slot + T_SPAD_BLOCK] = dram[ACCESS_BLOCK_STRIDE], spad[ACCESS_BLOCK_STRIDE]
    engine[slot + T_BARRIER] = barrier
    engine[slot + T_ISSUED] = issued
    engine[slot + T_READY] = ready + dma[M_STARTUP]
    engine[slot + T_INDEX] = dram[ACCESS_INDEX]
    engine[slot + T_REGION] = region_of(ctx)
    engine[slot + T_NUMBER] = ctx[VIEW_NUMBER]
    # itself, until its last burst has left
    engine[slot + T_LEFT], engine[slot + T_DONE] = 1, 0
    engine[E_TAIL] += 1
    if engine[E_TAIL] - engine[E_HEAD] == 1:
        engine[E_ROW] = 0
        engine[E_OFFSET] = 0
    _schedule(dma, engine)


@njit
def _slot(dma, number):
    return E_DESCRIPTORS + (number & dma[M_SLOTS] - 1) * T_FIELDS


@njit
def _record(dma, number):
    return dma[M_RING] + number % dma[M_OUTSTANDING] * R_FIELDS


@njit
def _schedule(dma, engine):
    """Set the time of the engine's next burst: INFINITY while it has none, or waits for one whose end is not known."""
    if engine[E_HEAD] == engine[E_TAIL]:
        engine[E_NEXT] = INFINITY
        return
    slot = _slot(dma, engine[E_HEAD])
    ready = engine[slot + T_READY]
    # who goes first of those that could at the same time is decided by where they go, not by who they are
    place = engine[slot + T_DRAM] + engine[E_ROW] * engine[slot + T_DRAM_STRIDE] + engine[E_OFFSET]
    engine[E_KEY] = (place >> 5) * 0x9E3779B97F4A7C15 >> 1
    engine[E_NEXT] = max(max(engine[E_TIME], ready), engine[_record(dma, engine[E_BURSTS]) + R_DONE])


@njit
def send_burst(chip, ctx, hart, index):
    """Send an engine's next burst; whether a transfer's last one has left."""
    dma, engine = pointer_int64(ctx[DMA]), engine_at(ctx, index)
    slot = _slot(dma, engine[E_HEAD])
    row, offset, row_bytes = engine[E_ROW], engine[E_OFFSET], engine[slot + T_BYTES]
    dram, spad = _addresses(ctx, engine, slot, row)
    dram, spad = dram + offset, spad + offset
    limit = dma[M_BURST]
    # bursts end at multiples of their size, so that they never straddle a channel
    size = min(row_bytes - offset, limit - dram % limit)
    time = engine[E_NEXT]
    if row == 0 and offset == 0:
        engine[slot + T_BEGIN] = time
    cycles = (size + chip[CHIP_LINK_WIDTH] - 1) // chip[CHIP_LINK_WIDTH]
    engine[E_TIME] = time + cycles
    _account(ctx, dma, engine, slot, time, cycles)
    record = _record(dma, engine[E_BURSTS])
    engine[record + R_DONE], engine[record + R_LAST], engine[record + R_BEGIN] = INFINITY, 0, time
    engine[record + R_SPAD], engine[record + R_BYTES], engine[record + R_TRANSFER] = spad, size, slot
    engine[slot + T_LEFT] += 1
    tag = 1 + (hart * MAXIMUM_ENGINES + index) * OUTSTANDING_SLOTS + engine[E_BURSTS] % dma[M_OUTSTANDING]
    engine[E_BURSTS] += 1
    engine[E_OFFSET] = offset + size
    if offset + size >= row_bytes:
        engine[E_OFFSET] = 0
        engine[E_ROW] = row + 1
    write = engine[slot + T_WRITE]
    if write:
        take(ctx, _DMA_UNIT, size, time, 1)
        pointer_int64(ctx[EVENTS])[EVENT_SPAD_READ] += size
        settle(ctx, spad, size, 0, time + cycles)
    left = engine[E_ROW] >= engine[slot + T_ROWS] * engine[slot + T_PLANES] * engine[slot + T_BLOCKS]
    note_source(chip, engine[slot + T_REGION], dram, size, write)
    if left:
        # the queue's slot is free, though bursts are on their way
        engine[E_FREE + engine[E_HEAD] % QUEUE_SLOTS] = engine[E_TIME]
        engine[E_HEAD] += 1
        engine[E_ROW] = engine[E_OFFSET] = 0
        ctx[BLOCKED_ON] = 0
    _to_memory(chip, ctx, hart, engine, record, tag, time, dram, size, write)
    if left:
        _part_of(chip, ctx, engine, slot)
    _schedule(dma, engine)
    return left


@njit
def _addresses(ctx, engine, slot, row):
    """Where a row of a transfer begins, in DRAM and in the scratchpad."""
    dram, spad = engine[slot + T_DRAM], engine[slot + T_SPAD]
    if engine[slot + T_PLANES] != 1 or engine[slot + T_BLOCKS] != 1:
        plane = row // engine[slot + T_ROWS]
        row -= plane * engine[slot + T_ROWS]
        block = plane // engine[slot + T_PLANES]
        plane -= block * engine[slot + T_PLANES]
        dram += plane * engine[slot + T_DRAM_PLANE] + block * engine[slot + T_DRAM_BLOCK]
        spad += plane * engine[slot + T_SPAD_PLANE] + block * engine[slot + T_SPAD_BLOCK]
    number = row
    if engine[slot + T_INDEX] != 0:
        # a gather finds its row's number in a table
        number = get_u32(translate(ctx, engine[slot + T_INDEX] + 4 * row, 4))
    return dram + number * engine[slot + T_DRAM_STRIDE], spad + row * engine[slot + T_SPAD_STRIDE]


@njit
def _to_memory(chip, ctx, hart, engine, record, tag, time, dram, size, write):
    """Send a burst to main memory: a packet to each channel, of parts that the device moves at once."""
    h = pointer_int64(chip[CHIP_DRAM])
    place = pointer_int64(h[H_PLACE])
    pointer_int64(ctx[EVENTS])[EVENT_LINK] += size
    tx, before, tick = chip[CHIP_TX], -1, 0
    position = dram & ~(tx - 1)
    engine[record + R_LEFT] = (dram + size - position + tx - 1) // tx
    while position < dram + size:
        locate(h, position, place)
        channel = place[A_CHANNEL]
        if channel != before:
            tick = tick_of(h, to_memory(chip, hart, channel, time, size, write))
            before = engine[record + R_CHANNEL] = channel
        if h[H_FIXED]:
            _burst_part(chip, ctx, engine, record, fixed_access(h, channel, tick, write))
        else:
            enter(h, block_of(h, channel), channel, place, tick, tag, write)
        position += tx


@njit
def deliver(chip):
    """Tell bursts what became of them; whether a hart may go on."""
    h = pointer_int64(chip[CHIP_DRAM])
    ends, contexts = pointer_int64(h[H_ENDS]), pointer_int64(chip[CHIP_CONTEXTS])
    released = False
    while h[H_ENDS_HEAD] < h[H_ENDS_TAIL]:
        place = 2 * (h[H_ENDS_HEAD] & h[H_ENDS_MASK])
        h[H_ENDS_HEAD] += 1
        number = ends[place] - 1
        owner = number // OUTSTANDING_SLOTS
        ctx = pointer_int64(contexts[owner // MAXIMUM_ENGINES])
        engine = engine_at(ctx, owner % MAXIMUM_ENGINES)
        record = pointer_int64(ctx[DMA])[M_RING] + number % OUTSTANDING_SLOTS * R_FIELDS
        if _burst_part(chip, ctx, engine, record, ends[place + 1]):
            released = True
    return released


@njit
def _burst_part(chip, ctx, engine, record, tick):
    """A part of a burst has ended at a tick of the memory; whether its transfer has with it."""
    served = cycle_of(pointer_int64(chip[CHIP_DRAM]), tick)
    slot, size = engine[record + R_TRANSFER], engine[record + R_BYTES]
    note_traffic(chip, LEVEL_WRITE if engine[slot + T_WRITE] else LEVEL_READ, served, chip[CHIP_TX])
    engine[record + R_LAST] = max(engine[record + R_LAST], served)
    engine[record + R_LEFT] -= 1
    if engine[record + R_LEFT] > 0:
        return False
    write = engine[slot + T_WRITE]
    done = from_memory(chip, ctx[HART], engine[record + R_CHANNEL], engine[record + R_LAST], size, write)
    if write == 0:
        done += take(ctx, _DMA_UNIT, size, done, 1)
        pointer_int64(ctx[EVENTS])[EVENT_SPAD_WRITE] += size
        settle(ctx, engine[record + R_SPAD], size, 1, done)
    note_span(ctx, _DMA_UNIT, engine[record + R_BEGIN], done)
    engine[record + R_DONE] = done
    engine[slot + T_DONE] = max(engine[slot + T_DONE], done)
    ended = _part_of(chip, ctx, engine, slot)
    _schedule(pointer_int64(ctx[DMA]), engine)
    return ended


@njit
def _part_of(chip, ctx, engine, slot):
    """A burst of a transfer has ended, or its last one has left; whether that was all of it: tell barrier and hart."""
    engine[slot + T_LEFT] -= 1
    if engine[slot + T_LEFT] > 0:
        return False
    if ctx[TRANSFER_LOG] != 0:
        _log_transfer(ctx, engine, slot)
    counts, done = pointer_int64(ctx[BARRIER_COUNT]), pointer_int64(ctx[BARRIER_DONE])
    barrier = engine[slot + T_BARRIER]
    counts[barrier] -= 1
    done[barrier] = max(done[barrier], engine[slot + T_DONE])
    ctx[BLOCKED_ON] = 0
    return True


@njit
def _log_transfer(ctx, engine, slot):
    """Note a transfer that has ended, for views."""
    record = pointer_int64(ctx[TRANSFER_LOG] + ctx[TRANSFER_COUNT] * TRANSFER_FIELDS * 8)
    record[X_NUMBER] = engine[slot + T_NUMBER]
    record[X_BEGIN] = engine[slot + T_BEGIN]
    record[X_DONE] = engine[slot + T_DONE]
    record[X_BYTES] = engine[slot + T_BLOCKS] * engine[slot + T_PLANES] * engine[slot + T_ROWS] * engine[slot + T_BYTES]
    record[X_WRITE] = engine[slot + T_WRITE]
    record[X_ENGINE] = engine[E_INDEX]
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
