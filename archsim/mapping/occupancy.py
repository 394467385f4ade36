"""What a program keeps in each core's scratchpad, and when: allocations, whose sum is the occupancy shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from archsim.mapping.plan import Plan


@dataclass(frozen=True)
class Allocation:
    """Bytes of a core's scratchpad that a tensor or buffer holds.

    Attributes:
        name: "op.buffer"; "constants" and "weights 0" and "weights 1" belong to the whole program.
        offset, bytes: where in the scratchpad, padding to granules included.
        begin, end: cycles of the program.
    """

    name: str
    offset: int
    bytes: int
    begin: int
    end: int


def allocations(plan: Plan, spans: Sequence[tuple[int, int, int]], cycles: int) -> list[Allocation]:
    """Every allocation of a program, in order of its begin.

    Args:
        plan: its memory plan.
        spans: (op, begin, end) in cycles, one after the other.
        cycles: of the program.
    """
    shared = [Allocation("constants", 0, plan.constants, 0, cycles)] if plan.constants else []
    shared += [
        Allocation(f"weights {number}", plan.constants + number * plan.weight_bytes, plan.weight_bytes, 0, cycles)
        for number in range(2)
        if plan.weight_bytes
    ]
    own = []
    for number, begin, end in spans:
        op = plan.ops[number]
        kernel = op.bound.kernel
        own += [
            Allocation(f"{op.bound.op.name}.{name}", op.place.pads[name], int(kernel.target.align(size)), begin, end)
            for name, size in kernel.buffers(op.tiling).items()
            if size and end > begin
        ]
    return [*shared, *own]


def occupancy(held: Sequence[Allocation]) -> list[tuple[int, int]]:
    """Bytes in use from each cycle on at which they change, as (cycle, bytes); from cycle 0 on."""
    changes = {0: 0}
    for one in held:
        changes[one.begin] = changes.get(one.begin, 0) + one.bytes
        changes[one.end] = changes.get(one.end, 0) - one.bytes
    points, total = [], 0
    for cycle in sorted(changes):
        total += changes[cycle]
        points.append((cycle, total))
    return points


def at_peak(held: Sequence[Allocation]) -> list[Allocation]:
    """What is held when most is, the largest first."""
    cycle, _ = max(occupancy(held), key=lambda point: point[1])
    live = [one for one in held if one.begin <= cycle < one.end]
    return sorted(live, key=lambda one: -one.bytes)


def to_dicts(held: Sequence[Allocation], clock: float) -> list[dict[str, Any]]:
    """JSON-able form: name, offset, bytes, begin_s, end_s."""
    return [
        {
            **{key: value for key, value in asdict(one).items() if key not in ("begin", "end")},
            "begin_s": one.begin / clock,
            "end_s": one.end / clock,
        }
        for one in held
    ]
