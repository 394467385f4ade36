"""Networks on chip against what has a closed form: latency, bisection, credits, conservation, multicast."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.design.noc import Noc
from archsim.design.noc_graph import noc_graph
from archsim.machine import noc_layout as at
from archsim.machine.noc import noc_multicast, noc_send
from archsim.machine.noc_layout import noc_block, noc_counts, noc_link_flits, noc_route
from archsim.machine.noc_traffic import uniform_random

TOPOLOGIES = ("crossbar", "ring", "mesh", "torus")


def network(topology: str = "mesh", cores: int = 9, channels: int = 4, **fields: Any) -> np.ndarray:
    noc = Noc(topology=topology, **{"flit": 32, "router": 2, "link": 1, "buffer": 8, **fields})
    return noc_block(noc, cores, channels, lambda size: np.zeros(size, np.int64))


def segments(n: np.ndarray, link: int) -> np.ndarray:
    """What a link remembers, in its ring's order: int64 [segments, RECORD_FIELDS]."""
    base = int(n[at.N_STATE_AT] + link * n[at.N_STRIDE])
    ring = n[base + at.L_RECORD :][: n[at.N_RECORDS] * at.RECORD_FIELDS].reshape(-1, at.RECORD_FIELDS)
    return ring[(n[base + at.L_FIRST] + np.arange(n[base + at.L_COUNT])) % n[at.N_RECORDS]]


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize(("router", "link"), [(0, 1), (1, 1), (3, 2)])
def test_alone_the_latency_is_hops_and_flits(topology: str, router: int, link: int) -> None:
    """Property 16: hops x (router + link) + ceil(bytes / flit) - 1, between all endpoints, exactly."""
    n = network(topology, router=router, link=link)
    time = 0
    for source in range(13):
        for destination in range(13):
            for size in (1, 32, 33, 256, 1000):
                time += 1000
                hops = len(noc_route(n, source, destination))
                arrival = noc_send(n, time, source, destination, size)
                assert arrival - time == hops * (router + link) + -(-size // 32) - 1
    assert noc_counts(n)["wait_cycles"] == 0


def test_hops_count_the_last_link_to_the_endpoint() -> None:
    n = network("mesh", cores=16, memory=(0, 15))
    assert [len(noc_route(n, 0, core)) for core in range(16)] == [x + y + 1 for y in range(4) for x in range(4)]
    # channels 0 and 2 are behind the first port, beside core 0
    assert [len(noc_route(n, 0, 16 + channel)) for channel in range(4)] == [1, 7, 1, 7]
    n = network("crossbar", cores=16)
    assert {len(noc_route(n, a, b)) for a in range(20) for b in range(20)} == {1}


def test_around_a_missing_link_the_latency_is_that_of_the_longer_way() -> None:
    n = network("mesh", cores=9, missing_links=((0, 1),))
    assert noc_send(n, 0, 0, 1, 32) == 4 * 3


SATURATION = {(32, 8): 0.85, (128, 8): 0.70, (128, 16): 0.80, (512, 16): 0.64, (512, 8): 0.55}
"""(bytes of a packet of 32-byte flits, flits of a buffer) -> part of the bisection bound that an 8 x 8 mesh reaches."""


@pytest.mark.parametrize(("size", "buffer"), SATURATION)
def test_a_mesh_saturates_below_its_bisection(size: int, buffer: int) -> None:
    """Uniform random traffic: at most 2 B / N flits per node and cycle, and not far below."""
    noc = Noc(topology="mesh", flit=32, router=2, link=1, buffer=buffer)
    bound = 2 * noc_graph(noc, 64, 8).bisection_links / 64
    assert bound == 0.5
    results = [uniform_random(network("mesh", 64, 8, buffer=buffer), rate, size) for rate in (0.1, 0.25, 0.5, 1.0)]
    for one in results:
        assert one.accepted <= min(bound, one.offered) * 1.02
    assert results[0].accepted == pytest.approx(0.1, rel=0.03)
    # alone: 5.33 links between routers and the last one, on average
    alone = 19 + size // 32 - 1
    assert alone - 0.2 <= results[0].latency <= 1.25 * alone
    for one in results[2:]:
        assert SATURATION[size, buffer] * bound <= one.accepted
    latencies = [one.latency for one in results]
    assert latencies == sorted(latencies)


@pytest.mark.parametrize(("topology", "least"), [("ring", 0.7), ("mesh", 0.7), ("torus", 0.6), ("crossbar", 0.7)])
def test_topologies_saturate_below_their_bounds(topology: str, least: float) -> None:
    noc = Noc(topology=topology, flit=32)
    links = noc_graph(noc, 16, 4).bisection_links
    # a quarter of the traffic crosses the middle each way; a core takes a flit per cycle
    bound = min(1.0, 2 * links / 16) * 15 / 16 if links else 1.0
    accepted = uniform_random(network(topology, 16, 4, router=1), 1.0, 128).accepted
    assert least * bound <= accepted <= 1.07 * bound


@pytest.mark.parametrize("buffer", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("flits", [1, 2, 5, 16])
def test_credits_bound_a_link(buffer: int, flits: int) -> None:
    """A stream between neighbours: buffer flits per round trip of router + link + credit, at most a flit per cycle."""
    n = network("mesh", buffer=buffer, router=2, link=1, credit=2)
    packets = 1200 // flits
    last = max(noc_send(n, 0, 0, 1, 32 * flits) for _ in range(packets))
    rate = packets * flits / (last - 2 * 3 + 1)
    bound = min(1.0, buffer / 5)
    assert rate <= bound * (1 + buffer / (packets * flits))
    if flits % buffer == 0 or buffer % flits == 0 or bound == 1:
        assert rate >= bound * 0.99
    assert rate >= bound * 0.6


def test_one_endpoint_takes_a_flit_per_cycle() -> None:
    n = network("crossbar", cores=8)
    arrivals = sorted(noc_send(n, 0, core, 0, 128) for core in range(1, 8) for _ in range(20))
    assert np.diff(arrivals).min() == 4
    assert arrivals[-1] == 3 + 4 * 140 - 1
    # others have their own links
    assert noc_send(n, 5000, 1, 2, 128) == 5000 + 3 + 3


def test_packets_that_wait_hold_up_those_behind_them() -> None:
    """A packet to a busy endpoint fills the buffers on its way; one that only shares their first link waits."""
    free, full = network("ring", cores=8, buffer=4), network("ring", cores=8, buffer=4)
    for core in (3, 4, 5):
        for _ in range(50):
            noc_send(full, 0, core, 2, 128)
    assert noc_send(free, 0, 0, 2, 256) == 3 * 3 + 7
    blocked = noc_send(full, 0, 0, 2, 256)
    assert blocked > 200
    # from core 0 through core 1: no other packet wants that link, but the buffer behind it is full
    assert noc_send(free, 20, 0, 1, 32) == 20 + 2 * 3
    assert noc_send(full, 20, 0, 1, 32) > 100


def test_responses_do_not_wait_for_the_places_of_requests() -> None:
    n = network("ring", cores=4, channels=1, buffer=2, memory=(1,))
    for core in (2, 3):
        for _ in range(50):
            noc_send(n, 0, core, 1, 64)
    # requests of core 0 stand in the buffers before core 1; a response from the port at node 1 has its own
    noc_send(n, 0, 0, 1, 256)
    assert noc_send(n, 10, 4, 0, 64) == 10 + 2 * 3 + 1
    assert noc_send(n, 20, 4, 2, 64) == 20 + 2 * 3 + 1


def test_everything_sent_is_carried_once_and_no_link_carries_two() -> None:
    for topology in TOPOLOGIES:
        n = network(topology)
        rng, hops, flits, bytes_hops = np.random.default_rng(1), 0, 0, 0
        received = np.zeros(int(n[at.N_LINKS]), np.int64)
        for time in range(2000):
            source, destination = rng.integers(0, 13, 2)
            size = int(rng.integers(1, 600))
            route = noc_route(n, source, destination)
            noc_send(n, time, source, destination, size)
            hops += len(route) * -(-size // 32)
            flits += -(-size // 32)
            bytes_hops += len(route) * size
            received[route] += -(-size // 32)
        counts = noc_counts(n)
        assert (counts["packets"], counts["flits"], counts["flit_hops"]) == (2000, flits, hops)
        assert counts["byte_hops"] == bytes_hops
        carried = noc_link_flits(n)
        into = np.arange(len(carried)) >= len(carried) - 2 * 13
        into[-13:] = False
        assert carried[into].sum() == flits
        assert (carried[~into] == received[~into]).all()
        for link in range(len(carried)):
            ring = segments(n, link)
            assert (ring[1:, at.R_HEAD] >= ring[:-1, at.R_END]).all()
            assert (ring[:, at.R_END] - ring[:, at.R_HEAD] >= ring[:, at.R_FLITS] >> 1).all()


def test_a_call_out_of_order_finds_what_is_left() -> None:
    early, late = network("mesh"), network("mesh")
    assert noc_send(early, 1000, 0, 8, 128) == 1000 + 5 * 3 + 3
    # sent afterwards for an earlier time: as if nothing were there
    assert noc_send(early, 0, 0, 8, 128) == 5 * 3 + 3
    # four flits do not fit before the head that was sent first: they follow it
    assert noc_send(late, 2, 0, 8, 128) == 2 + 5 * 3 + 3
    assert noc_send(late, 0, 0, 8, 128) == 6 + 5 * 3 + 3
    assert noc_send(late, 0, 0, 8, 64) == 5 * 3 + 1


@given(st.integers(0, 1 << 30), st.sampled_from(TOPOLOGIES), st.integers(1, 12), st.integers(1, 500))
@settings(max_examples=200, deadline=None)
def test_a_multicast_is_not_later_than_unicasts(seed: int, topology: str, count: int, size: int) -> None:
    n = network(topology, cores=16, missing_links=((1, 2),) if topology == "mesh" else ())
    rng = np.random.default_rng(seed)
    for time in range(int(rng.integers(0, 60))):
        noc_send(n, time, *rng.integers(0, 20, 2), int(rng.integers(1, 300)))
    to = rng.choice(20, count, replace=False)
    source, one, each = int(rng.integers(20)), n.copy(), n.copy()
    arrival = noc_multicast(one, 30, source, to, count, size)
    assert arrival <= max(noc_send(each, 30, source, destination, size) for destination in to)
    carried = noc_link_flits(one) - noc_link_flits(n)
    links = {link for destination in to for link in noc_route(n, source, destination)}
    assert set(carried) <= {0, -(-size // 32)}
    assert np.count_nonzero(carried) <= len(links) + 1
    assert noc_counts(one)["flits"] - noc_counts(n)["flits"] == -(-size // 32)
    # the tree leaves no mark behind
    assert noc_send(one, 100_000, 0, 9, 32) == noc_send(n, 100_000, 0, 9, 32)


def test_a_multicast_alone_takes_the_time_of_its_longest_way() -> None:
    n = network("mesh", cores=64)
    to = np.arange(64)
    assert noc_multicast(n, 0, 0, to, 64, 256) == 15 * 3 + 7
    # a tree over 64 routers, a link into the first and one out of each
    assert np.count_nonzero(noc_link_flits(n)) == 63 + 1 + 64
    assert noc_counts(n)["wait_cycles"] == 0


ANOMALY = 0.03
"""Of the throughput: more places, or segments of another length, change which packet finds which stretch of a link."""


@pytest.mark.parametrize("rate", [0.2, 0.4, 1.0])
def test_wider_flits_and_larger_buffers_do_not_hurt(rate: float) -> None:
    by_buffer = [uniform_random(network("mesh", 16, 4, buffer=buffer), rate, 128) for buffer in (2, 4, 8, 16, 64)]
    for less, more in itertools.pairwise(by_buffer):
        assert more.accepted >= less.accepted * (1 - ANOMALY)
    # the same bytes per cycle on wider links
    by_width = [uniform_random(network("mesh", 16, 4, flit=flit), rate * 16 / flit, 128) for flit in (16, 32, 64, 128)]
    for less, more in itertools.pairwise(by_width):
        assert more.latency <= less.latency * (1 + ANOMALY)


def test_the_same_traffic_takes_the_same_time() -> None:
    one, two = network("mesh", 16, 4), network("mesh", 16, 4)
    assert uniform_random(one, 0.4, 128) == uniform_random(two, 0.4, 128)
    assert (one == two).all()
