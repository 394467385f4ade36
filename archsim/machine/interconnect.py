"""The way between cores and memory channels: the network on chip, where there is one, and what lies behind it.

A read sends its address and gets data back; a write sends both and gets word that they have been taken. What stands
beside data (address, identity, last) has wires of its own, as in AXI.
"""

from __future__ import annotations

import numpy as np

from archsim.machine.host import call_at, pointer_int64
from archsim.machine.jit import njit
from archsim.machine.layout import CHIP_HARTS, CHIP_LINK_LATENCY, CHIP_NOC, CHIP_SEND
from archsim.machine.noc import noc_send

HEADER_BYTES = 8
"""Of a packet without data (choice: an address of 48 bits, and 16 of command, length and identity)."""


def send(n, time, packet):
    """A packet over the network on chip; compiled by itself, and called by address (CHIP_SEND).

    Args:
        packet: source, destination << 16, bytes << 32.
    """
    return noc_send(n, time, packet & 0xFFFF, packet >> 16 & 0xFFFF, packet >> 32)


@njit
def _packet(chip, time, source, destination, size):
    packet = np.int64(source) | np.int64(destination) << 16 | np.int64(size) << 32
    return call_at(chip[CHIP_SEND], pointer_int64(chip[CHIP_NOC]), np.int64(time), packet)


@njit
def to_memory(chip, hart, channel, time, size, write):
    """The cycle at which a core's request of `time` is at a channel's controller."""
    if chip[CHIP_NOC]:
        time = _packet(chip, time, hart, chip[CHIP_HARTS] + channel, size if write else HEADER_BYTES)
    return time + chip[CHIP_LINK_LATENCY]


@njit
def from_memory(chip, hart, channel, time, size, write):
    """The cycle at which the answer that a channel has at `time` is at its core."""
    time += chip[CHIP_LINK_LATENCY]
    if chip[CHIP_NOC]:
        time = _packet(chip, time, chip[CHIP_HARTS] + channel, hart, HEADER_BYTES if write else size)
    return time
