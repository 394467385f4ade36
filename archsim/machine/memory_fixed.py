"""A memory without rows, banks, turnaround and refresh: bursts pass one after the other in each channel."""

from __future__ import annotations

from archsim.machine.dram_layout import (
    H_BL,
    H_CL,
    H_CWL,
    K_BUS_COLUMN,
    K_LATENCY,
    K_N_RD,
)
from archsim.machine.dram_source import block_of
from archsim.machine.jit import njit


@njit
def fixed_access(h, channel, tick, write):
    """One burst that arrives at `tick`; the tick at which it has passed."""
    k = block_of(h, channel)
    begin = max(tick, k[K_BUS_COLUMN])
    k[K_BUS_COLUMN] = begin + h[H_BL]
    k[K_N_RD + write] += 1
    end = begin + h[H_BL] + (h[H_CWL] if write else h[H_CL])
    if not write:
        k[K_LATENCY] += end - tick
    return end
