"""Bytes that pass: over time, in stretches that double in length whenever a run outgrows them; by tensor; by region."""

from __future__ import annotations

from archsim.machine.host import pointer_int64
from archsim.machine.jit import njit
from archsim.machine.layout import (
    CHIP_RANGE_BYTES,
    CHIP_RANGE_COUNT,
    CHIP_RANGES,
    CHIP_REGION_BYTES,
    CHIP_TIMELINE,
    CHIP_TIMELINE_SHIFT,
    CHIP_TIMELINE_SIZE,
    LEVELS,
    MARK_COUNT,
    MARKS,
    MAXIMUM_REGIONS,
)


@njit
def note_traffic(chip, level, time, size):
    """Enter that `size` bytes passed a level at cycle `time`."""
    timeline, count = pointer_int64(chip[CHIP_TIMELINE]), chip[CHIP_TIMELINE_SIZE]
    while time >> chip[CHIP_TIMELINE_SHIFT] >= count:
        for first in range(0, len(LEVELS) * count, count):
            for index in range(first, first + count // 2):
                timeline[index] = timeline[2 * index - first] + timeline[2 * index - first + 1]
            for index in range(first + count // 2, first + count):
                timeline[index] = 0
        chip[CHIP_TIMELINE_SHIFT] += 1
    timeline[level * count + (time >> chip[CHIP_TIMELINE_SHIFT])] += size


@njit
def region_of(ctx):
    """The region of the program that a hart is in: the last number that it marked, 0 before."""
    count = ctx[MARK_COUNT]
    return pointer_int64(ctx[MARKS])[2 * count - 2] if count > 0 else 0


@njit
def note_source(chip, region, address, size, write):
    """Count bytes of DRAM for the tensor that they belong to, and for the region of the program that asked."""
    regions = pointer_int64(chip[CHIP_REGION_BYTES])
    regions[2 * min(max(region, 0), MAXIMUM_REGIONS - 1) + write] += size
    starts, low, high = pointer_int64(chip[CHIP_RANGES]), 0, chip[CHIP_RANGE_COUNT]
    while low < high:
        middle = (low + high) // 2
        if starts[middle] <= address:
            low = middle + 1
        else:
            high = middle
    pointer_int64(chip[CHIP_RANGE_BYTES])[2 * low + write] += size
