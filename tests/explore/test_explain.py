"""What-if runs: each finds the bottleneck that a program was built around."""

from __future__ import annotations

import pytest

import archsim
from archsim.design import list_designs
from archsim.design.fields import walk
from archsim.design.spec import Design
from archsim.explore.explain import Explanation, explain
from archsim.explore.resources import RESOURCES, changes
from archsim.isa.program import SCRATCHPAD_BASE

EXIT = "li a0, 0\nli a7, 93\necall\n"


def explained(source: str, name: str = "edge-npu", **options) -> Explanation:
    design = archsim.load_design(name)
    program = archsim.load_isa(*design.isa, parameters=design.parameters).assemble(source)
    return explain(design, lambda variant: archsim.run(program, variant, **options).cycles)


def loop(body: str, rounds: int) -> str:
    return f"li s0, {rounds}\n1:\n{body}\naddi s0, s0, -1\nbnez s0, 1b\n{EXIT}"


def test_a_chain_of_multiplications_waits_for_the_multiplier() -> None:
    found = explained(loop("mul a1, a1, a1\n" * 8, 200))
    best, cycles = found.rows[0]
    assert (best.resource.name, best.step, best.after) == ("multiplier latency", "unlimited", "1 cycles")
    # all but the last multiplication of a round wait two cycles less
    assert found.cycles - cycles == pytest.approx(200 * 7 * 2, rel=0.1)
    named = {change.resource.name for change, cycles in found.rows if cycles != found.cycles}
    assert named == {"multiplier latency", "branch penalty", "hart width"}


def test_a_stream_waits_for_dram() -> None:
    size = 1 << 16
    setup = f"csrwi qdrows, 1\nli t0, {size}\ncsrw qdrowb, t0\nli a0, 0x100000\nli s1, {SCRATCHPAD_BASE}\n"
    found = explained(setup + loop("qt.dma.ld b0, a0, s1\nqt.bar.wait b0\n", 8))
    assert found.rows[0][0].resource.name == "DRAM channels"


def test_a_fault_in_a_variant_is_a_reason_not_an_end() -> None:
    design = archsim.load_design("edge-npu")

    def run(variant: Design) -> int:
        if variant.core.vector.width != design.core.vector.width:
            raise archsim.SimulationError("too wide")
        return 100

    found = explain(design, run)
    assert {row["reason"] for row in found.to_dict()["skipped"] if row["resource"] == "vector width"} == {"too wide"}


def test_every_resource_names_fields_of_a_design() -> None:
    known = {name for name, _ in walk(Design)}
    for resource in RESOURCES:
        for name in resource.fields:
            assert name in known or name.startswith("memory.device."), name


def test_a_change_leaves_all_other_fields_alone() -> None:
    for name in list_designs():
        design = archsim.load_design(name)
        before = flat(design.to_dict())
        for change in changes(design):
            if change.design is None:
                assert change.reason
                continue
            after = flat(change.design.to_dict())
            changed = {key for key in before if before[key] != after[key]}
            assert changed and all(key.startswith(change.resource.fields) for key in changed)


def flat(value: object, prefix: str = "") -> dict[str, object]:
    if not isinstance(value, dict):
        return {prefix: value}
    return {
        key: below for name, part in value.items() for key, below in flat(part, f"{prefix}.{name}".lstrip(".")).items()
    }


def test_a_narrow_window_is_found_behind_an_out_of_order_hart() -> None:
    """Independent misses: the reorder buffer says how many are on their way at once."""
    source = "li s1, 0x100000\nli s2, 4096\n" + loop("ld a1, 0(s1)\nadd s1, s1, s2\n", 300)
    overrides = {
        "core.hart.kind": "out_of_order",
        "core.hart.out_of_order": "{rob: 8, issue_queue: 64, load_queue: 64, store_queue: 64}",
        "core.hart.predictor": "{kind: bimodal, btb: 64}",
        "memory.channels": "64",
        "memory.size": "1 GiB",
    }
    design = archsim.load_design("edge-npu", overrides)
    program = archsim.load_isa(*design.isa, parameters=design.parameters).assemble(source)
    found = explain(design, lambda variant: archsim.run(program, variant).cycles)
    assert found.rows[0][0].resource.name == "reorder buffer"
    twice = next(
        cycles for change, cycles in found.rows if change.resource.name == "reorder buffer" and change.step == "twice"
    )
    assert twice < 0.65 * found.cycles
