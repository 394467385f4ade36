"""The top-down tree: every slot once, and the classes that programs were built for."""

from __future__ import annotations

import pytest

from archsim.machine.layout import STALLS_NAMES
from archsim.report.topdown import TREE, Node, class_of, topdown, topdown_lines
from tests.report.programs import EXIT, loop, run


def leaves(node: Node) -> list[Node]:
    return [leaf for part in node.parts for leaf in leaves(part)] or [node]


def check_sums(node: Node) -> None:
    if node.parts:
        assert node.slots == sum(part.slots for part in node.parts), node.name
    for part in node.parts:
        check_sums(part)


def find(node: Node, name: str) -> Node:
    found = [one for one in walk(node) if one.name == name]
    assert len(found) == 1
    return found[0]


def walk(node: Node) -> list[Node]:
    return [node, *(below for part in node.parts for below in walk(part))]


def test_every_cause_has_one_class() -> None:
    named = [cause for causes in TREE.values() for cause in causes]
    assert len(named) == len(set(named))
    assert set(named) <= set(STALLS_NAMES)
    assert {class_of(cause) for cause in STALLS_NAMES} == {
        "front end", "bad speculation", "back end/core", "back end/memory", "other",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "design", "overrides", "share"),
    [
        ("mul a1, a1, a1\n" * 8, "edge-npu", {}, "dependency_mul"),
        ("add a1, a2, a3\n" * 8, "edge-npu", {}, "retiring"),
        ("add a1, a2, a3\n" * 8, "edge-npu", {"core.hart.width": "2"}, "retiring"),
        ("ld a1, 0(s1)\naddi s1, s1, 64\nadd a2, a1, a1\n", "edge-npu", {}, "memory_dram"),
        ("", "server-npu", {"core.hart.branch_penalty": "5 cycles"}, "branch"),
    ],
)
def test_slots_add_up_and_the_largest_leaf_is_what_the_program_does(body, design, overrides, share) -> None:
    result = run("li s1, 0x100000\n" + loop(body, 500), design, overrides).to_dict()
    root = topdown(result)
    assert root.slots == result["issue_slots"] == result["hart_cycles"] * int(overrides.get("core.hart.width", 1))
    check_sums(root)
    assert max(leaves(root), key=lambda node: node.slots).name == share
    assert find(root, "retiring").slots == result["instructions"]
    lines = topdown_lines(root)
    assert lines[0].split() == ["slots", f"{root.slots:,}", "100.0", "%"]


def test_a_wide_hart_loses_slots_in_cycles_that_others_use() -> None:
    """Two instructions per cycle, all dependent: half of the slots are lost though each cycle is busy."""
    result = run(loop("add a1, a1, a2\n" * 16, 500), overrides={"core.hart.width": "2"}).to_dict()
    assert find(topdown(result), "dependency_alu").slots == pytest.approx(16 * 500, rel=0.1)
    assert result["stalls"].get("dependency_alu", 0) < 1000


def test_waiting_for_others_is_no_back_end() -> None:
    source = "csrr t0, mhartid\nli t1, 100\nmul t0, t0, t1\naddi t0, t0, 1\n1: addi t0, t0, -1\nbnez t0, 1b\nqt.sync\n"
    root = topdown(run(source + EXIT, "server-npu").to_dict())
    assert find(root, "other").slots == find(root, "sync").slots + sum(
        node.slots for node in walk(root) if node.name in ("drain", "idle")
    )
