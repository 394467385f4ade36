"""Packets through a network on chip, link by link, reserved at the moment they are sent.

A packet of F = ceil(size / flit) flits enters its first router at one flit per cycle. Its head takes router + link
cycles per hop, the last hop being the link from the last router to the endpoint; so alone on the network its last byte
arrives (router + link) x hops + F - 1 cycles after `time`. (A packet that enters at cycle t is there, if it is one flit
long, at t + (router + link) x hops.)

A link carries a flit per cycle. Behind it are `buffer` places for flits per virtual network: a flit starts only when
the one `buffer` flits before it has started on the next link and `credit` cycles have passed. So a link carries at most
buffer / (router + link + credit) flits per cycle, and a packet that waits holds up those behind it, link by link back
to its source. Packets are switched in segments of at most `buffer` flits, which are not interrupted on a link; segments
of several packets may take turns. An input has a virtual channel for each packet in it: packets hold up others at the
same input only by the places they take, and never wait for each other in a circle.

Sending reserves all links of the route at once, in the order of calls: what was sent earlier keeps its times. A segment
takes the first stretch of a link that is long enough, also before one that was sent earlier and comes there later.
So calls may come out of order in time: a late one finds what is left, is delayed by what it would have preceded, and
never delays that. Where it then waits itself behind the link, a buffer holds more than it has places (random traffic in
time order, saturated: for 1 to 4 % of segments, below saturation for less than 1 %). A link remembers 32 segments or
more (see noc_layout); before the end of the last one that it has forgotten nothing starts.
"""

from __future__ import annotations

from archsim.machine.jit import njit
from archsim.machine.layout import NEVER
from archsim.machine.noc_layout import (
    N_BUFFER,
    N_BYTE_HOPS,
    N_CORES,
    N_FLIT,
    N_FLIT_HOPS,
    N_FLITS,
    N_HOP,
    N_LINKS,
    N_NEXT_AT,
    N_NODES,
    N_PACE,
    N_PACKETS,
    N_PORT_AT,
    N_REACHED_AT,
    N_STEP_AT,
    N_TARGET_AT,
    N_WAIT,
    P_INTO,
    P_NODE,
    P_OUT,
    PORT_FIELDS,
    REQUESTS,
    RESPONSES,
    S_LINK,
    S_PARENT,
    S_TAIL,
    STEP_FIELDS,
)
from archsim.machine.noc_links import reserve


@njit
def noc_send(n, time, source, destination, size):
    """Send a packet; the cycle at which its last byte arrives.

    Args:
        n: the network's block, see noc_layout.
        time: cycle from which it may enter the network.
        source, destination: endpoints.
        size: bytes, at least 1.
    """
    port = n[N_PORT_AT] + destination * PORT_FIELDS
    _step(n, 0, n[n[N_PORT_AT] + source * PORT_FIELDS + P_INTO], -1)
    count = _extend(n, n[n[N_PORT_AT] + source * PORT_FIELDS + P_NODE], n[port + P_NODE], 0, 1)
    _step(n, count, n[port + P_OUT], count - 1)
    return _through(n, time, count + 1, size, RESPONSES if source >= n[N_CORES] else REQUESTS, count)


@njit
def noc_multicast(n, time, source, destinations, count, size):
    """Send a packet to several endpoints, on each link once; the cycle at which the last of them has its last byte.

    Args:
        n, time, source, size: as in noc_send().
        destinations: int64 [count], endpoints; more than one behind a port get it together.
    """
    reached = n[N_REACHED_AT]
    first = n[n[N_PORT_AT] + source * PORT_FIELDS + P_NODE]
    _step(n, 0, n[n[N_PORT_AT] + source * PORT_FIELDS + P_INTO], -1)
    n[reached + first] = 0
    steps, longest = 1, 0
    for index in range(count):
        port = n[N_PORT_AT] + destinations[index] * PORT_FIELDS
        last, out = n[port + P_NODE], reached + n[N_NODES] + n[port + P_OUT]
        if n[out] >= 0:
            continue
        # the last router on the way that the tree has reached already
        node, parent, hops = first, 0, 1
        while node != last:
            node = n[n[N_TARGET_AT] + n[n[N_NEXT_AT] + node * n[N_NODES] + last]]
            hops += 1
            if n[reached + node] >= 0:
                parent = n[reached + node]
        longest = max(longest, hops)
        branch = first if parent == 0 else n[n[N_TARGET_AT] + n[n[N_STEP_AT] + parent * STEP_FIELDS + S_LINK]]
        before, steps = steps, _extend(n, branch, last, parent, steps)
        for step in range(before, steps):
            n[reached + n[n[N_TARGET_AT] + n[n[N_STEP_AT] + step * STEP_FIELDS + S_LINK]]] = step
        _step(n, steps, n[port + P_OUT], n[reached + last])
        n[out] = steps
        steps += 1
    for index in range(n[N_NODES] + n[N_LINKS]):
        n[reached + index] = -1
    return _through(n, time, steps, size, RESPONSES if source >= n[N_CORES] else REQUESTS, longest)


@njit
def _step(n, index, link, parent):
    step = n[N_STEP_AT] + index * STEP_FIELDS
    n[step + S_LINK], n[step + S_PARENT], n[step + S_TAIL] = link, parent, NEVER


@njit
def _extend(n, node, last, parent, count):
    """Steps from a router to another one; how many there are then."""
    while node != last:
        link = n[n[N_NEXT_AT] + node * n[N_NODES] + last]
        _step(n, count, link, parent)
        node, parent = n[n[N_TARGET_AT] + link], count
        count += 1
    return count


@njit
def _through(n, time, count, size, network, hops):
    """Reserve the steps of a route or tree whose longest way has so many hops; when all of the packet has arrived."""
    buffer = n[N_BUFFER]
    flits = (size + n[N_FLIT] - 1) // n[N_FLIT]
    for first in range(0, flits, buffer):
        reserve(n, time, count, min(buffer, flits - first), network)
    arrival = time
    for index in range(count):
        arrival = max(arrival, n[n[N_STEP_AT] + index * STEP_FIELDS + S_TAIL] + n[N_HOP])
    alone = (flits - 1) // buffer * n[N_PACE] + (flits - 1) % buffer
    n[N_PACKETS] += 1
    n[N_FLITS] += flits
    n[N_FLIT_HOPS] += flits * (count - 1)
    n[N_BYTE_HOPS] += size * (count - 1)
    n[N_WAIT] += arrival - (time + hops * n[N_HOP] + alone)
    return arrival
