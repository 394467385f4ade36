"""Networks on chip as designs describe them: shapes, routes, ports, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from archsim.design import load_design
from archsim.design.noc import Noc
from archsim.design.noc_graph import noc_graph
from tests.design.writing import refusal, write


def test_a_design_may_have_a_network(tmp_path: Path) -> None:
    text = "cores: 8\ninterconnect: {noc: {topology: mesh, flit: 32 B, memory: [0, 7], missing_links: [[3, 4]]}}\n"
    noc = load_design(write(tmp_path, text)).interconnect.noc
    assert noc == Noc(topology="mesh", flit=32, memory=(0, 7), missing_links=((3, 4),))
    assert load_design("edge-npu").interconnect.noc is None


@pytest.mark.parametrize(
    ("noc", "cores", "channels", "shape", "ports", "links"),
    [
        (Noc(topology="mesh", flit=32), 64, 8, (8, 8), (1, 3, 5, 7, 57, 59, 61, 63), 16),
        (Noc(topology="mesh", flit=32), 5, 3, (3, 2), (0, 2, 4), 4),
        (Noc(topology="mesh", flit=32, columns=2), 8, 16, (2, 4), (0, 1, 6, 7), 4),
        (Noc(topology="mesh", flit=32, memory=(5, 5)), 16, 4, (4, 4), (5, 5), 8),
        (Noc(topology="torus", flit=32), 64, 4, (8, 8), (2, 6, 34, 38), 32),
        (Noc(topology="torus", flit=32), 4, 2, (2, 2), (1, 3), 4),
        (Noc(topology="ring", flit=32), 8, 2, (8, 1), (2, 6), 4),
        (Noc(topology="ring", flit=32, columns=10), 8, 1, (10, 1), (5,), 4),
        (Noc(topology="crossbar", flit=32), 8, 3, (1, 1), (0, 0, 0), 0),
    ],
)
def test_shapes(
    noc: Noc, cores: int, channels: int, shape: tuple[int, int], ports: tuple[int, ...], links: int
) -> None:
    """Routers, nodes of the memory ports, links between the halves (each way counted)."""
    graph = noc_graph(noc, cores, channels)
    assert (graph.columns, graph.rows) == shape
    assert graph.ports == ports
    assert graph.bisection_links == links


def test_a_whole_mesh_is_routed_along_the_row_first() -> None:
    graph = noc_graph(Noc(topology="mesh", flit=32), 30, 4)
    for source in range(30):
        for destination in range(30):
            (y, x), (to_y, to_x) = divmod(source, 6), divmod(destination, 6)
            step_x, step_y = (1 if to_x > x else -1), (1 if to_y > y else -1)
            row = [(y, column) for column in range(x, to_x, step_x)]
            column = [(row_, to_x) for row_ in range(y, to_y + step_y, step_y)]
            assert graph.route(source, destination) == [6 * y_ + x_ for y_, x_ in (*row, *column)]


def test_rings_are_walked_the_shorter_way() -> None:
    graph = noc_graph(Noc(topology="torus", flit=32), 30, 4)
    for source in range(30):
        for destination in range(30):
            (y, x), (to_y, to_x) = divmod(source, 6), divmod(destination, 6)
            shortest = min(abs(x - to_x), 6 - abs(x - to_x)) + min(abs(y - to_y), 5 - abs(y - to_y))
            assert len(graph.route(source, destination)) == shortest + 1 == graph.distances[source, destination] + 1


def test_routes_go_around_missing_links() -> None:
    graph = noc_graph(Noc(topology="mesh", flit=32, missing_links=((0, 1), (6, 5))), 16, 4)
    assert graph.route(0, 1) == [0, 4, 5, 1]
    assert graph.route(1, 0) == [1, 5, 4, 0]
    assert graph.route(4, 7) == [4, 5, 9, 10, 11, 7]


@pytest.mark.parametrize(
    ("noc", "message"),
    [
        ("{topology: mesh, flit: 32 B, columns: 2, rows: 2}",
         "columns: a mesh of 2 x 2 nodes is too small for 8 cores; use more columns or rows"),
        ("{topology: ring, flit: 32 B, columns: 6}",
         "columns: a ring of 6 x 1 nodes is too small for 8 cores; use more columns or rows"),
        ("{topology: mesh, flit: 32 B, columns: 64, rows: 32}",
         "columns: 64 x 32 nodes are more than 1024; use fewer columns or rows"),
        ("{topology: mesh, flit: 32 B, memory: [3, 9]}",
         "memory: node 9 lies outside the 3 x 3 nodes; use nodes 0 to 8"),
        ("{topology: mesh, flit: 32 B, memory: [0, 1, 2, 3, 4]}",
         "memory: 5 ports for 4 channels; list a node per channel at most"),
        ("{topology: mesh, flit: 32 B, memory: 3}",
         "memory: 3 is no list of numbers from 0 on; write [0, 3]"),
        ("{topology: mesh, flit: 32 B, missing_links: [3, 4]}",
         "missing_links: [3, 4] is no list of pairs of numbers; write [[0, 1], [4, 5]]"),
        ("{topology: mesh, flit: 32 B, missing_links: [[0, 4]]}",
         "missing_links: there is no link between nodes 0 and 4; name two neighbouring nodes"),
        ("{topology: mesh, flit: 32 B, missing_links: [[0, 1], [0, 3]]}",
         "missing_links: core 0 (node 0) has no route to core 1 (node 1); leave a link that connects them"),
        ("{topology: mesh, flit: 32 B, memory: [0, 8], missing_links: [[7, 8], [8, 5]]}",
         "missing_links: core 0 (node 0) has no route to memory port 1 (node 8); leave a link that connects them"),
        ("{topology: crossbar, flit: 32 B, rows: 2}",
         "rows: a crossbar is one router; take it out, or use a ring, mesh or torus"),
        ("{topology: ring, flit: 32 B, rows: 2}",
         "rows: a ring has one row, not 2; take it out, or use a mesh or torus"),
        ("{topology: hypercube, flit: 32 B}",
         "topology: unknown value 'hypercube'; known: crossbar, mesh, ring, torus"),
        ("{topology: mesh, flit: 32 B, link: 0 cycles}",
         "link: '0 cycles' is out of bounds; use at least 1 cycles and at most 10000 cycles"),
        ("{topology: mesh}", "interconnect.noc has no 'flit'; add 'flit: ...' (bytes that a link carries per cycle, "
         "each way, in B)"),
    ],
)  # fmt: skip
def test_refused(tmp_path: Path, noc: str, message: str) -> None:
    place = "FILE:5: " + ("" if message.startswith("interconnect") else "interconnect.noc.")
    path = write(tmp_path, f"cores: 8\ninterconnect:\n  noc: {noc}\n")
    assert refusal(path) == place + message
