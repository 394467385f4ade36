"""What a design says of its network on chip: topology, links, routers, where the memory ports are."""

from __future__ import annotations

from dataclasses import dataclass

from archsim.design.fields import count, cycles, indices, nbytes, pairs, text

MOST_NODES = 1024


@dataclass(frozen=True)
class Noc:
    """The network between cores and memory channels.

    Nodes are routers, numbered row by row. Core i is at node i; memory ports stand beside cores, each with a link of
    its own into and out of its router, and channel c is behind port c modulo their number. A crossbar is one router.
    """

    topology: str = text("how routers are linked", choices=("crossbar", "ring", "mesh", "torus"))
    flit: int = nbytes("bytes that a link carries per cycle, each way")
    router: int = cycles("from a flit's arrival at a router to its start on the next link", default=1)
    link: int = cycles("on a link", minimum=1, default=1)
    buffer: int = count("flits that an input holds, for requests and as many for responses", maximum=256, default=8)
    credit: int = cycles("from a flit's start out of a buffer until its place can be filled again", default=1)
    columns: int = count("routers in a row (0: of a ring, the cores; else near-square)", minimum=0, default=0)
    rows: int = count("rows of routers (0: as many as hold the cores)", minimum=0, default=0)
    memory: tuple[int, ...] = indices(
        "nodes of the memory ports (left out: spread over the first and last row, or around the ring)", default=()
    )
    missing_links: tuple[tuple[int, int], ...] = pairs("links that fail, as pairs of neighbouring nodes", default=())
