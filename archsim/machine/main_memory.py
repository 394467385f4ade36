"""The memory controllers of a chip, and what its clock and its masters add to them."""

from __future__ import annotations

from typing import Any

import numpy as np

from archsim.machine import dram_layout as at
from archsim.machine.dram_channels import controllers_of
from archsim.machine.jit import address_of
from archsim.machine.layout import INFINITY
from archsim.machine.memory_ask import MAXIMUM_ASKS, finish_writes
from archsim.machine.memory_channel import NODE_FIELDS, run


class MainMemoryControllers:
    """Controllers of all channels of a design's memory, in its chip's time.

    Raises:
        InputError: the mapping is wrong, or the device cannot do what is asked.
    """

    def __init__(self, design: Any) -> None:
        memory, dma = design.memory, design.core.dma
        self.device, self.channels = memory.device, memory.channels
        self.controllers = controllers_of(design)
        parts = max(1, dma.burst // memory.device.tx_bytes)
        requests = design.cores * dma.engines * dma.outstanding * parts
        head = self.controllers.head
        pool = np.zeros((requests + self.channels * (MAXIMUM_ASKS + 1), NODE_FIELDS), np.int64)
        ends = np.zeros((1 << requests.bit_length(), 2), np.int64)
        following = np.full(self.channels, INFINITY, np.int64)
        head[at.H_PERIOD], head[at.H_TCK] = design.period_fs, memory.device.tck_fs
        head[at.H_FIXED] = int(memory.device.fixed)
        head[at.H_RUN] = address_of(run)
        head[at.H_ENDS_MASK] = len(ends) - 1
        self._keep = []
        for slot, array in (
            (at.H_POOL, pool),
            (at.H_ENDS, ends),
            (at.H_NEXT, following),
            (at.H_PLACE, np.zeros(4, np.int64)),
            (at.H_COPY, np.zeros(head[at.H_STRIDE], np.int64)),
            (at.H_TOUCHED, np.zeros(self.channels, np.int64)),
            (at.H_TOUCHED_READS, np.zeros(self.channels, np.int64)),
        ):
            head[slot] = array.ctypes.data
            self._keep.append(array)
        if memory.device.fixed:
            self.controllers.blocks[:, at.K_BUS_COLUMN] = 0

    @property
    def address(self) -> int:
        return self.controllers.address

    def finish(self, cycle: int) -> dict[str, int]:
        """Bring all channels to the end of a run; what they counted."""
        finish_writes(self.address, cycle)
        return self.controllers.counts()
