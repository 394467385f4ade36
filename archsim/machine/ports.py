"""Ports of a hart's pipeline in time: how many instructions of a class may start per cycle, and how far apart."""

from __future__ import annotations

from archsim.machine.jit import njit
from archsim.machine.layout import (
    G_CAP,
    G_CYCLE,
    G_USED,
    H_GROUPS,
    H_PORTS,
    P_COUNT,
    P_FREE,
    P_GROUP,
    P_INTERVAL,
    PORT_FIELDS,
    PORT_GROUP_FIELDS,
)


@njit
def port_time(h, unit, time):
    """The first cycle from `time` on at which a port for the unit is free, in program order."""
    port = H_PORTS + unit * PORT_FIELDS
    free = h[port + P_FREE]
    for index in range(1, h[port + P_COUNT]):
        free = min(free, h[port + P_FREE + index])
    time = max(time, free)
    group = h[port + P_GROUP]
    if group >= 0:
        group = H_GROUPS + group * PORT_GROUP_FIELDS
        if h[group + G_CYCLE] == time and h[group + G_USED] >= h[group + G_CAP]:
            time += 1
    return time


@njit
def take_port(h, unit, time):
    """Start an instruction of the unit at `time`, which port_time gave."""
    port = H_PORTS + unit * PORT_FIELDS
    best = port + P_FREE
    for index in range(1, h[port + P_COUNT]):
        if h[port + P_FREE + index] < h[best]:
            best = port + P_FREE + index
    h[best] = time + h[port + P_INTERVAL]
    group = h[port + P_GROUP]
    if group >= 0:
        group = H_GROUPS + group * PORT_GROUP_FIELDS
        if h[group + G_CYCLE] != time:
            h[group + G_CYCLE] = time
            h[group + G_USED] = 0
        h[group + G_USED] += 1
