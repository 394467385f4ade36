"""The routers of a network on chip as a graph: neighbours, shortest routes, ports, and what can be wrong with them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from archsim.design.noc import MOST_NODES, Noc

EAST, WEST, SOUTH, NORTH = range(4)
DIRECTIONS = 4
UNREACHED = 1 << 20
"""More links than any route has."""


@dataclass(frozen=True)
class NocGraph:
    """Routers and who is at them.

    Attributes:
        columns, rows: of routers; node = row * columns + column.
        neighbours: int64 [DIRECTIONS, nodes]: the node that a router's link in a direction leads to, -1 for none.
        cores: node of each core.
        ports: node of each memory port.
    """

    columns: int
    rows: int
    neighbours: np.ndarray
    cores: tuple[int, ...]
    ports: tuple[int, ...]

    @property
    def nodes(self) -> int:
        return self.columns * self.rows

    @cached_property
    def distances(self) -> np.ndarray:
        """Links of the shortest way between routers: int64 [nodes, nodes], UNREACHED where there is none."""
        far = np.full((self.nodes + 1, self.nodes), UNREACHED)
        np.fill_diagonal(far, 0)
        while True:
            # the row behind the last stands for no neighbour (-1)
            nearer = np.minimum(far[:-1], far[self.neighbours].min(axis=0) + 1)
            if (nearer == far[:-1]).all():
                return nearer
            far[:-1] = nearer

    @cached_property
    def directions(self) -> np.ndarray:
        """Direction in which a router sends what is for another: int64 [nodes, destinations], -1 at the destination.

        Of the shortest ways the one that goes along its row first (XY routing where no link is missing), east or south
        where both ways around a ring are as long.
        """
        far = np.concatenate([self.distances, np.full((1, self.nodes), UNREACHED)])
        nearer = far[self.neighbours] == self.distances - 1
        return np.where(nearer.any(axis=0), nearer.argmax(axis=0), -1)

    def route(self, source: int, destination: int) -> list[int]:
        """Nodes from one to another, both included."""
        nodes = [source]
        while nodes[-1] != destination:
            nodes.append(int(self.neighbours[self.directions[nodes[-1], destination], nodes[-1]]))
        return nodes

    @property
    def bisection_links(self) -> int:
        """Links, each way counted, between the halves of the routers along the longer side."""
        places = np.arange(self.nodes)
        half = (places // self.columns < self.rows // 2) if self.rows > self.columns else (
            places % self.columns < self.columns // 2
        )  # fmt: skip
        there = self.neighbours >= 0
        return int((there & (half[None, :] != half[self.neighbours])).sum())


def noc_graph(noc: Noc, cores: int, channels: int) -> NocGraph:
    """The routers of a network that has no problem.

    Args:
        noc: the network.
        cores, channels: how many cores and memory channels it connects.
    """
    columns, rows = _shape(noc, cores)
    neighbours = _neighbours(noc, columns, rows)
    for one, other in (*noc.missing_links, *((b, a) for a, b in noc.missing_links)):
        neighbours[:, one][neighbours[:, one] == other] = -1
    homes = tuple(range(cores)) if noc.topology != "crossbar" else (0,) * cores
    return NocGraph(columns, rows, neighbours, homes, _ports(noc, columns, rows, channels))


def _shape(noc: Noc, cores: int) -> tuple[int, int]:
    if noc.topology == "crossbar":
        return 1, 1
    if noc.topology == "ring":
        return noc.columns or cores, 1
    columns = noc.columns or (math.ceil(cores / noc.rows) if noc.rows else math.isqrt(cores - 1) + 1)
    return columns, noc.rows or math.ceil(cores / columns)


def _neighbours(noc: Noc, columns: int, rows: int) -> np.ndarray:
    y, x = np.divmod(np.arange(columns * rows), columns)
    wraps = noc.topology in ("ring", "torus")
    result = np.full((DIRECTIONS, columns * rows), -1)
    for direction, dx, dy in ((EAST, 1, 0), (WEST, -1, 0), (SOUTH, 0, 1), (NORTH, 0, -1)):
        to_x, to_y = x + dx, y + dy
        inside = (to_x >= 0) & (to_x < columns) & (to_y >= 0) & (to_y < rows)
        # around two routers there is no second way
        around = wraps and (columns if dx else rows) > 2
        result[direction] = np.where(inside | around, to_y % rows * columns + to_x % columns, -1)
    return result


def _ports(noc: Noc, columns: int, rows: int, channels: int) -> tuple[int, ...]:
    if noc.topology == "crossbar":
        return (0,) * channels
    if noc.memory:
        return noc.memory
    if rows == 1:
        return tuple(_spread(min(channels, columns), columns))
    # the rows that are farthest apart
    last = (rows - 1 if noc.topology == "mesh" else rows // 2) * columns
    ports = min(channels, 2 * columns)
    lower = ports // 2
    return (*_spread(ports - lower, columns), *(last + column for column in _spread(lower, columns)))


def _spread(count: int, places: int) -> list[int]:
    return [(2 * index + 1) * places // (2 * count) for index in range(count)]


Problem = tuple[str, str, str]
"""The field that is wrong, what is wrong, what to do."""


def noc_problem(noc: Noc, cores: int, channels: int) -> Problem | None:
    """The first thing that a network cannot be, or None."""
    for check in (_shape_problem, _port_problem, _link_problem, _route_problem):
        found = check(noc, cores, channels)
        if found is not None:
            return found
    return None


def _shape_problem(noc: Noc, cores: int, channels: int) -> Problem | None:
    if noc.topology == "crossbar":
        for name in ("columns", "rows", "memory", "missing_links"):
            if getattr(noc, name):
                return name, "a crossbar is one router", "take it out, or use a ring, mesh or torus"
    if noc.topology == "ring" and noc.rows > 1:
        return "rows", f"a ring has one row, not {noc.rows}", "take it out, or use a mesh or torus"
    columns, rows = _shape(noc, cores)
    if columns * rows > MOST_NODES:
        return "columns", f"{columns} x {rows} nodes are more than {MOST_NODES}", "use fewer columns or rows"
    if noc.topology != "crossbar" and columns * rows < cores:
        message = f"a {noc.topology} of {columns} x {rows} nodes is too small for {cores} cores"
        return "columns" if noc.columns else "rows", message, "use more columns or rows"
    return None


def _port_problem(noc: Noc, cores: int, channels: int) -> Problem | None:
    columns, rows = _shape(noc, cores)
    for node in noc.memory:
        if node >= columns * rows:
            message = f"node {node} lies outside the {columns} x {rows} nodes"
            return "memory", message, f"use nodes 0 to {columns * rows - 1}"
    if len(noc.memory) > channels:
        return "memory", f"{len(noc.memory)} ports for {channels} channels", "list a node per channel at most"
    return None


def _link_problem(noc: Noc, cores: int, channels: int) -> Problem | None:
    columns, rows = _shape(noc, cores)
    neighbours = _neighbours(noc, columns, rows)
    for one, other in noc.missing_links:
        if one >= columns * rows or one < 0 or other < 0 or other not in neighbours[:, one]:
            return "missing_links", f"there is no link between nodes {one} and {other}", "name two neighbouring nodes"
    return None


def _route_problem(noc: Noc, cores: int, channels: int) -> Problem | None:
    if not noc.missing_links:
        return None
    graph = noc_graph(noc, cores, channels)
    words: list[tuple[str, int]] = [(f"core {core}", node) for core, node in enumerate(graph.cores)]
    words += [(f"memory port {port}", node) for port, node in enumerate(graph.ports)]
    nodes = np.array([node for _, node in words])
    apart = np.argwhere(graph.distances[np.ix_(nodes, nodes)] >= UNREACHED)
    if not len(apart):
        return None
    (one, at), (other, there) = (words[int(index)] for index in apart[0])
    message = f"{one} (node {at}) has no route to {other} (node {there})"
    return "missing_links", message, "leave a link that connects them"
