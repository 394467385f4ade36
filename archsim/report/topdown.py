"""The top-down tree of a run: where the issue slots of its harts went, from four classes down to single causes.

After Yasin, "A Top-Down Method for Performance Analysis and Counters Architecture", ISPASS 2014. A hart of width w has
w slots per cycle; each either retires an instruction or is lost to one cause:

===================  ================================================================================================
retiring             an instruction took it
bad speculation      branches predicted wrong (without a predictor: taken), loads read before an older store
front end            no instruction was there: bubbles behind taken branches, misses of the instruction cache
back end             an instruction was there and could not go: core (operands, ports, windows and queues of units), or
                     memory (loads at every level, store buffer, DMA transfers)
other                the hart had nothing to do: waiting for other harts, its units' last work, done before the others
===================  ================================================================================================

Two differences from the paper, both because a simulator knows more than counters: slots lost to a single cause in a
cycle that others used are booked to that cause, too; and no slot is lost to instructions on a wrong path, which are not
simulated: bad speculation is all recovery. A load that hits the first level counts as memory (the paper's L1 bound).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TREE: dict[str, tuple[str, ...]] = {
    "front end": ("fetch", "icache"),
    "bad speculation": ("branch", "memory_order"),
    "back end/memory": (
        "dependency_load", "structural_load", "structural_store", "memory_tlb", "memory_l2", "memory_dram",
        "store_buffer", "load_queue", "store_queue", "dependency_dma", "queue_dma", "dma_wait",
    ),
    "other": ("sync", "drain", "idle"),
}  # fmt: skip
"""Class -> its causes; every other cause is back end/core."""
_CORE = "back end/core"
_ORDER = ("front end", "bad speculation", _CORE, "back end/memory", "other")


@dataclass
class Node:
    """A class of slots, or a single cause.

    Attributes:
        name: of the class, or of the cause as RunResult.slots has it.
        slots: issue slots.
        parts: what it consists of, largest first; they add up to it.
    """

    name: str
    slots: int
    parts: list[Node] = field(default_factory=list)

    def to_dict(self, total: int) -> dict[str, Any]:
        """JSON-able form, with shares of all slots."""
        own = {"name": self.name, "slots": self.slots, "share": self.slots / max(1, total)}
        return own | ({"parts": [part.to_dict(total) for part in self.parts]} if self.parts else {})


def class_of(cause: str) -> str:
    """The class that a cause of lost slots belongs to, such as "back end/memory"."""
    return next((name for name, causes in TREE.items() if cause in causes), _CORE)


def topdown(result: Mapping[str, Any]) -> Node:
    """The tree of a run; its root has all issue slots.

    Args:
        result: a RunResult as to_dict() gives it.
    """
    root = Node("slots", result["issue_slots"], [Node("retiring", result["instructions"])])
    for name in _ORDER:
        causes = [Node(cause, slots) for cause, slots in result["slots"].items() if class_of(cause) == name and slots]
        causes.sort(key=lambda node: -node.slots)
        node = Node(name.rpartition("/")[2], sum(cause.slots for cause in causes), causes)
        if "/" not in name:
            root.parts.append(node)
            continue
        above = name.partition("/")[0]
        parent = next((part for part in root.parts if part.name == above), None)
        if parent is None:
            parent = Node(above, 0)
            root.parts.append(parent)
        parent.parts.append(node)
        parent.slots += node.slots
    return root


def topdown_lines(root: Node) -> list[str]:
    """The tree as indented text with slots and shares; classes without slots have no parts."""
    lines: list[str] = []

    def add(node: Node, depth: int) -> None:
        share = 100 * node.slots / max(1, root.slots)
        lines.append(f"{'  ' * depth + node.name:<32}{node.slots:>16,}{share:>8.1f} %")
        for part in node.parts if node.slots else ():
            add(part, depth + 1)

    add(root, 0)
    return lines
