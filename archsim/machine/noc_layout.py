"""The state of a network on chip as one flat int64 array without addresses in it, and what it counted.

Endpoints are numbered: core i is i, memory channel c is `cores` + c. Links are numbered: those between routers, then
of each port (cores, then memory ports) the link into its router, then of each port the one out of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from archsim.design.noc import Noc
from archsim.design.noc_graph import NocGraph, noc_graph

# -- head: parameters, places of the tables, counters
(
    N_CORES, N_ENDPOINTS, N_NODES, N_FLIT, N_HOP, N_CREDIT, N_BUFFER, N_PACE, N_LINKS, N_RECORDS, N_STRIDE,
    N_PORT_AT, N_NEXT_AT, N_TARGET_AT, N_REACHED_AT, N_STATE_AT, N_STEP_AT,
    N_PACKETS, N_FLITS, N_FLIT_HOPS, N_BYTE_HOPS, N_WAIT,
) = range(22)  # fmt: skip
HEAD_SIZE = 32
COUNTERS = {
    "packets": N_PACKETS, "flits": N_FLITS, "flit_hops": N_FLIT_HOPS, "byte_hops": N_BYTE_HOPS, "wait_cycles": N_WAIT,
}  # fmt: skip
"""Packets and flits sent (a multicast is one packet); flits and bytes, each times the links it took behind the one into
its first router (energy is per byte_hop); cycles that packets came later than on an empty network."""

PORT_FIELDS = 3
P_NODE, P_INTO, P_OUT = range(PORT_FIELDS)
"""Of an endpoint: its router, the links into and out of it."""

# -- per link: ring of what it carries, by time; end of the last segment that was forgotten; flits carried; per virtual
# network, when all places of the buffer behind it are free again
L_FIRST, L_COUNT, L_FLOOR, L_FLITS, L_FREE = range(5)
L_RECORD = 8
RECORD_FIELDS = 4
R_HEAD, R_END, R_FLITS, R_LEAVE = range(RECORD_FIELDS)
"""A segment of a packet on a link: cycle of its head, cycle behind its tail, flits << 1 | network, when the place of
its tail in the buffer behind the link can be filled again."""
REQUESTS, RESPONSES = range(2)
"""Virtual networks, each with buffers of its own: what memory sends travels on the second one."""

STEP_FIELDS = 5
S_LINK, S_PARENT, S_HEAD, S_TAIL, S_LEAVE = range(STEP_FIELDS)
"""A link of the route that is being reserved: the step before it (-1: none), head and tail of the packet's last segment
on it, when the tail's place is free."""
LEAST_RECORDS = 32


def noc_block(noc: Noc, cores: int, channels: int, array: Callable[[int], np.ndarray]) -> np.ndarray:
    """An idle network: int64, flat.

    Args:
        noc: of a design, without problems.
        cores, channels: how many of each it connects.
        array: gives a zeroed int64 array of a size that stays where it is.
    """
    graph = noc_graph(noc, cores, channels)
    links = _links(graph)
    ports = len(graph.cores) + len(graph.ports)
    count, nodes, endpoints = len(links) + 2 * ports, graph.nodes, cores + channels
    records = 1 << max(LEAST_RECORDS, 4 * noc.buffer).bit_length() - 1
    stride = L_RECORD + records * RECORD_FIELDS
    sizes = {
        N_PORT_AT: endpoints * PORT_FIELDS, N_NEXT_AT: nodes * nodes, N_TARGET_AT: len(links),
        N_REACHED_AT: nodes + count, N_STATE_AT: count * stride, N_STEP_AT: (nodes + ports + 2) * STEP_FIELDS,
    }  # fmt: skip
    n = array(HEAD_SIZE + sum(sizes.values()))
    place = HEAD_SIZE
    for field, size in sizes.items():
        n[field] = place
        place += size
    n[N_CORES], n[N_ENDPOINTS], n[N_NODES], n[N_LINKS] = cores, endpoints, nodes, count
    n[N_FLIT], n[N_HOP], n[N_CREDIT], n[N_BUFFER] = noc.flit, noc.router + noc.link, noc.credit, noc.buffer
    n[N_PACE] = max(noc.buffer, noc.router + noc.link + noc.credit)
    n[N_RECORDS], n[N_STRIDE] = records, stride
    _table(n, N_PORT_AT, endpoints * PORT_FIELDS)[:] = _ports(graph, channels, len(links)).reshape(-1)
    _table(n, N_TARGET_AT, len(links))[:] = [target for _, _, target in links]
    _table(n, N_REACHED_AT, nodes + count)[:] = -1
    number = np.full((nodes, len(graph.neighbours)), -1)
    for link, (node, direction, _) in enumerate(links):
        number[node, direction] = link
    ways = number[np.arange(nodes)[:, None], graph.directions]
    _table(n, N_NEXT_AT, nodes * nodes)[:] = np.where(graph.directions >= 0, ways, -1).reshape(-1)
    return n


def _table(n: np.ndarray, field: int, size: int) -> np.ndarray:
    return n[n[field] :][:size]


def _links(graph: NocGraph) -> list[tuple[int, int, int]]:
    """Links between routers: node, direction, node that it leads to."""
    there = np.argwhere(graph.neighbours.T >= 0)
    return [(int(node), int(way), int(graph.neighbours[way, node])) for node, way in there]


def _ports(graph: NocGraph, channels: int, first: int) -> np.ndarray:
    """Fields of each endpoint: int64 [endpoints, PORT_FIELDS]."""
    nodes = (*graph.cores, *graph.ports)
    port = [*range(len(graph.cores)), *(len(graph.cores) + c % len(graph.ports) for c in range(channels))]
    return np.array([(nodes[p], first + p, first + len(nodes) + p) for p in port])


def noc_route(n: np.ndarray, source: int, destination: int) -> list[int]:
    """Links of a packet's route, the one into its first router left out: its length is the hops of the packet.

    Args:
        n: a network's block.
        source, destination: endpoints.
    """
    ports = _table(n, N_PORT_AT, int(n[N_ENDPOINTS]) * PORT_FIELDS).reshape(-1, PORT_FIELDS)
    node, last = ports[source, P_NODE], ports[destination, P_NODE]
    links = []
    while node != last:
        links.append(int(n[n[N_NEXT_AT] + node * n[N_NODES] + last]))
        node = n[n[N_TARGET_AT] + links[-1]]
    return [*links, int(ports[destination, P_OUT])]


def noc_link_flits(n: np.ndarray) -> np.ndarray:
    """Flits that each link has carried, a cycle each: int64 [links]."""
    return n[n[N_STATE_AT] :][: n[N_LINKS] * n[N_STRIDE]].reshape(-1, n[N_STRIDE])[:, L_FLITS].copy()


def noc_counts(n: np.ndarray) -> dict[str, Any]:
    """What a network has counted, see COUNTERS."""
    return {name: int(n[place]) for name, place in COUNTERS.items()}
