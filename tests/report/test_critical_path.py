"""Critical paths: every cycle once, and the resource that a program was built around."""

from __future__ import annotations

import pytest

import archsim
from archsim.kernels.gemm import Shape
from archsim.kernels.gemm_parts import gemm
from archsim.machine.run import isa_of
from archsim.report.critical_path import CriticalPath, Walk
from archsim.traces.view_store import ViewStore
from tests.report.programs import EXIT, loop, transfers
from tests.traces.viewed import KINDS, MIXED, OUT_OF_ORDER, view


def path(source: str, name: str = "edge-npu", overrides: dict | None = None) -> CriticalPath:
    made = {}

    def store(listing, design):
        made["design"] = design
        return ViewStore(design.cores)

    result, listing, (logs,) = view(source, name, overrides or {}, store)
    found = Walk(logs, made["design"], listing.is_barrier).path(result.cycles)
    assert found.cycles == result.cycles
    assert sum(found.resources.values()) == result.cycles
    assert sum(found.instructions.values()) == result.cycles - found.resources.get("start", 0)
    assert min(found.resources.values(), default=1) > 0
    lines = found.lines(listing)
    assert lines[0].startswith("critical path: ") and found.to_dict(listing)["cycles"] == result.cycles
    return found


@pytest.mark.parametrize(("name", "overrides"), KINDS)
def test_cycles_add_up_exactly(name: str, overrides: dict) -> None:
    found = path(MIXED, name, overrides)
    assert found.resources.get("start", 0) == 0
    assert found.steps > 20


@pytest.mark.parametrize(
    ("source", "resource", "cycles"),
    [
        (loop("mul a1, a1, a1\n" * 8, 200), "mul", 200 * 7 * 3),
        (loop("div a1, a1, a1\n" * 2, 100), "div", 100 * 2 * 20),
        (loop("addi a1, a2, 1\n" * 20, 200), "issue", 200 * 22),
        (transfers(1 << 16, 8), "dma", None),
        (loop("ld a1, 0(s1)\nadd s1, s1, a1\naddi s1, s1, 64\n", 200), "memory_dram", None),
        ("li t0, 16\ncsrw qtm, t0\ncsrw qtn, t0\nli t0, 128\ncsrw qtk, t0\n" + loop("qt.mma ac0, t0, t1\n", 200),
         "matrix", 200 * 128),
    ],
    ids=["mul", "div", "issue", "dma", "dram", "matrix"],
)  # fmt: skip
def test_the_longest_resource_is_what_the_program_does(source: str, resource: str, cycles: int | None) -> None:
    found = path("li s1, 0x100000\n" + source)
    first = next(iter(found.resources))
    assert first == resource
    if cycles is None:
        assert found.resources[first] > 0.9 * found.cycles
    else:
        assert found.resources[first] == pytest.approx(cycles, rel=0.02)


def test_out_of_order_a_chain_is_the_path_and_independent_work_is_not() -> None:
    found = path(loop("mul a1, a1, a1\naddi a2, a3, 1\n" * 4, 500), overrides=OUT_OF_ORDER)
    assert next(iter(found.resources)) == "mul"
    assert found.resources["mul"] == pytest.approx(500 * 4 * 3, rel=0.02)


def test_out_of_order_waits_that_hide_nothing_are_not_the_path() -> None:
    """The oldest instruction always is a multiplication, but fetch, which stops at each taken branch, sets the pace."""
    found = path(loop("mul a1, a1, a1\naddi a2, a3, 1\naddi a4, a3, 1\n", 500), overrides=OUT_OF_ORDER)
    assert next(iter(found.resources)) == "fetch"


def test_the_path_crosses_to_the_hart_that_comes_last() -> None:
    """Hart 2 divides before the barrier; the others only wait."""
    source = "csrr t0, mhartid\nli t1, 2\nbne t0, t1, 1f\nli s0, 50\n2: div a1, a1, a1\naddi s0, s0, -1\nbnez s0, 2b\n"
    found = path(source + "1: qt.sync\n" + EXIT, "server-npu", {"cores": "3"})
    longest = next(iter(found.resources))
    assert longest in ("div", "issue") and found.resources.get("sync", 0) < 0.5 * found.cycles
    assert found.resources["issue"] + found.resources.get("div", 0) > 0.4 * found.cycles


def test_a_product_of_matrices_is_bound_by_its_matrix_unit() -> None:
    """16 x 256 x 1024 on a unit of 256 MACs per cycle: 16,384 cycles of multiplications, the rest is fill and drain."""
    design = archsim.load_design("gemm-xqt")
    source = gemm(Shape(16, 256, 1024), design, isa_of(design)).text
    found = path(source, "gemm-xqt")
    assert next(iter(found.resources)) == "matrix"
    assert 0.9 * 16_384 < found.resources["matrix"] <= 16_384 + 600
