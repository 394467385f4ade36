"""Bytes that DRAM moves, over time: stretches that double in length whenever a run outgrows them."""

from __future__ import annotations

from archsim.machine.host import pointer_int64
from archsim.machine.jit import njit
from archsim.machine.layout import CHIP_TIMELINE, CHIP_TIMELINE_SHIFT, CHIP_TIMELINE_SIZE


@njit
def note_traffic(chip, time, size):
    """Enter that `size` bytes were served at cycle `time`."""
    timeline, count = pointer_int64(chip[CHIP_TIMELINE]), chip[CHIP_TIMELINE_SIZE]
    while time >> chip[CHIP_TIMELINE_SHIFT] >= count:
        for index in range(count // 2):
            timeline[index] = timeline[2 * index] + timeline[2 * index + 1]
        for index in range(count // 2, count):
            timeline[index] = 0
        chip[CHIP_TIMELINE_SHIFT] += 1
    timeline[time >> chip[CHIP_TIMELINE_SHIFT]] += size
