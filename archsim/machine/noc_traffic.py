"""Uniform random traffic between the cores of a network, for experiments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from archsim.machine.jit import njit
from archsim.machine.noc import noc_send
from archsim.machine.noc_layout import N_CORES, N_FLIT, N_STEP_AT, S_TAIL


@dataclass(frozen=True)
class Traffic:
    """What became of random traffic behind its warm-up.

    Attributes:
        offered, accepted: flits per core and cycle, asked for and arrived.
        latency: mean cycles from a packet's making to its last byte's arrival.
    """

    offered: float
    accepted: float
    latency: float


def uniform_random(n: np.ndarray, rate: float, size: int, cycles: int = 20_000, seed: int = 1) -> Traffic:
    """Send packets from every core to the others at random, each core one after the other as soon as it can.

    Args:
        n: an idle network's block of at least 2 cores; changed.
        rate: flits per core and cycle that are made, above 0 to 1.
        size: bytes of a packet.
        cycles: how long; the first quarter is not counted.
        seed: of the random numbers.
    """
    cores, flits = int(n[N_CORES]), -(-size // int(n[N_FLIT]))
    random = np.random.default_rng(seed)
    most = int(1.5 * cycles * rate / flits) + 100
    made = random.geometric(rate / flits, (cores, most)).cumsum(axis=1)
    made[:, -1] = cycles
    others = (np.arange(cores)[:, None] + random.integers(1, cores, (cores, most))) % cores
    warm = cycles // 4
    arrived, packets, latency = _drive(n, made, others, size, warm, cycles)
    return Traffic(rate, arrived * flits / (cycles - warm) / cores, latency / max(packets, 1))


@njit
def _drive(n, made, others, size, warm, cycles):
    """Packets that arrive between `warm` and `cycles`; those made in that time, and the sum of their latencies."""
    arrived, packets, latency = 0, 0, 0
    cores = len(made)
    following, free = [0] * cores, [0] * cores
    for time in range(cycles):
        for core in range(cores):
            index = following[core]
            if max(made[core, index], free[core]) > time:
                continue
            arrival = noc_send(n, time, core, others[core, index], size)
            following[core] = index + 1
            # behind the tail on the link into the first router
            free[core] = n[n[N_STEP_AT] + S_TAIL] + 1
            if warm <= arrival < cycles:
                arrived += 1
            if made[core, index] >= warm:
                packets += 1
                latency += arrival - made[core, index]
    return arrived, packets, latency
