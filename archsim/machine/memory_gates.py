"""What harts and units ask of main memory, compiled once and called by address (memory_calls)."""

from __future__ import annotations

from archsim.machine.host import pointer_int64
from archsim.machine.layout import (
    ACCESS_ADDRESS,
    ACCESS_BYTES,
    ACCESS_INDEX,
    ACCESS_ROWS,
    ACCESS_STRIDE,
    ACCESS_WRITE,
    CHIP,
    CHIP_ADDRESS,
    CHIP_BYTES,
    CHIP_DONE,
    CHIP_DRAM,
    CHIP_FIRST,
    CHIP_LINK_WIDTH,
    CHIP_TX,
    CHIP_WRITE,
    EVENT_LINK,
    EVENTS,
    HART,
    LEVEL_READ,
    LEVEL_WRITE,
    VECTOR,
)
from archsim.machine.memory_ask import answers, ask, begin_asking
from archsim.machine.memory_steps import NOTHING, RELEASED, memory_step
from archsim.machine.traffic import note_source, note_traffic, region_of
from archsim.machine.vector_layout import V_ADDRESSES


def step(chip, limit, mode):
    """Go on up to cycle `limit`: one thing (0), all (1), or until a hart may go on, and whether one may (2)."""
    while True:
        outcome = memory_step(chip, limit)
        if mode == 0 or outcome == NOTHING:
            return 0
        if mode == 2 and outcome == RELEASED:
            return 1


def line(ctx, time, unused):
    """The line of CHIP_ADDRESS, CHIP_BYTES and CHIP_WRITE, asked for at `time`: when its data has come back."""
    chip = pointer_int64(ctx[CHIP])
    address, size, write = chip[CHIP_ADDRESS], chip[CHIP_BYTES], chip[CHIP_WRITE]
    while memory_step(chip, time) != NOTHING:
        pass
    pointer_int64(ctx[EVENTS])[EVENT_LINK] += size
    begin_asking(pointer_int64(chip[CHIP_DRAM]))
    note_source(chip, region_of(ctx), address, size, write)
    for position in range(address, address + size, chip[CHIP_TX]):
        ask(chip, ctx[HART], time, position, write)
    if write:
        note_traffic(chip, LEVEL_WRITE, time, size)
        return time
    _, cycle = answers(chip, ctx[HART], size)
    note_traffic(chip, LEVEL_READ, cycle, size)
    return cycle


def rows(ctx, begin, cycles):
    """The rows of the vector access at CHIP_ADDRESS, from `begin` on: CHIP_FIRST and CHIP_DONE say when."""
    chip, v = pointer_int64(ctx[CHIP]), pointer_int64(ctx[VECTOR])
    access = pointer_int64(chip[CHIP_ADDRESS])
    rows, size, tx = access[ACCESS_ROWS], access[ACCESS_BYTES], chip[CHIP_TX]
    total = rows * size
    # the interconnect may be narrower than the port
    cycles = max(cycles, (total + chip[CHIP_LINK_WIDTH] - 1) // chip[CHIP_LINK_WIDTH])
    passed, write, region = 0, access[ACCESS_WRITE], region_of(ctx)
    begin_asking(pointer_int64(chip[CHIP_DRAM]))
    for row in range(rows):
        address = access[ACCESS_ADDRESS] + row * access[ACCESS_STRIDE]
        if access[ACCESS_INDEX]:
            address = v[V_ADDRESSES + row]
        end = address + size
        while address < end:
            part = min(end, (address // tx + 1) * tx) - address
            note_source(chip, region, address, part, write)
            ask(chip, ctx[HART], begin + passed * cycles // total, address, write)
            address += part
            passed += part
    pointer_int64(ctx[EVENTS])[EVENT_LINK] += total
    first, last = answers(chip, ctx[HART], 0 if write else total)
    if last == 0:
        first, last = begin, begin + cycles
    note_traffic(chip, LEVEL_WRITE if write else LEVEL_READ, last, total)
    chip[CHIP_FIRST], chip[CHIP_DONE] = first, last
    return 0
