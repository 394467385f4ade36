"""The resources of a design that a program may wait for, and what it means to have more of each.

One row per resource: the fields that hold it, and whether less of them is better (a latency) or more (a width, a rate,
a capacity). A faster design is made by changing those fields alone; what the fields or a rule of the design forbid is
said instead.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from archsim.common.errors import InputError
from archsim.common.units import show
from archsim.design.fields import Spec, specs
from archsim.design.memory import MemoryDevice
from archsim.design.merge import Tree
from archsim.design.rules import check
from archsim.design.spec import Design

MOST = 1024
"""How often a resource is multiplied to be called unlimited, where its fields and the design's rules allow it."""
DEVICES = {"device": MemoryDevice}
"""Fields that name a file -> what the file holds."""


@dataclass(frozen=True)
class Resource:
    """Something that a program may wait for.

    Attributes:
        name: in the field's words.
        fields: dotted fields of a design that hold it; all change together.
        less: whether it becomes better by less (latencies) or by more.
        only_if: says why a design has no use for more of it, "" where it has.
    """

    name: str
    fields: tuple[str, ...]
    less: bool = False
    only_if: Callable[[Design], str] = lambda design: ""


def _wide(design: Design) -> str:
    return "" if design.core.hart.width > 1 else "is for harts that issue several instructions per cycle"


def _counts(design: Design) -> str:
    kind = design.core.hart.predictor.kind
    return "" if kind in ("bimodal", "gshare") else f"is not in a predictor of kind {kind}"


_MEMORY_PORTS = ("core.hart.ports.load", "core.hart.ports.store", "core.hart.ports.memory")


RESOURCES = (
    *(
        Resource(f"{words} latency", (f"core.hart.latency.{unit}",), less=True)
        for unit, words in (
            ("alu", "ALU"), ("mul", "multiplier"), ("div", "divider"), ("fpu", "floating-point"),
            ("fdiv", "floating-point divider"), ("load", "load-to-use"), ("csr", "CSR"),
        )
    ),
    Resource("multiplier ports", ("core.hart.ports.mul",), only_if=_wide),
    Resource("floating-point ports", ("core.hart.ports.fpu", "core.hart.ports.floating"), only_if=_wide),
    Resource("branch ports", ("core.hart.ports.branch",), only_if=_wide),
    Resource("load and store ports", _MEMORY_PORTS, only_if=_wide),
    *(
        Resource(f"{words} interval", (f"core.hart.interval.{unit}",), less=True)
        for unit, words in (
            ("mul", "multiplier"), ("fpu", "floating-point"), ("load", "load"), ("store", "store"),
        )
    ),
    Resource("hart width", ("core.hart.width",)),
    Resource("branch penalty", ("core.hart.branch_penalty",), less=True),
    Resource("front-end stages", ("core.hart.front_end.stages",), less=True),
    Resource("taken-branch bubble", ("core.hart.front_end.taken_bubble",), less=True),
    Resource("fetch width", ("core.hart.front_end.width",)),
    Resource("fetch queue", ("core.hart.front_end.queue",)),
    Resource("branch predictor counters", ("core.hart.predictor.entries",), only_if=_counts),
    Resource("branch target buffer", ("core.hart.predictor.btb",)),
    Resource("return address stack", ("core.hart.predictor.return_stack",)),
    Resource("store buffer", ("core.hart.store_buffer",)),
    Resource("reorder buffer", ("core.hart.out_of_order.rob",)),
    Resource("issue queue", ("core.hart.out_of_order.issue_queue",)),
    Resource("load queue", ("core.hart.out_of_order.load_queue",)),
    Resource("store queue", ("core.hart.out_of_order.store_queue",)),
    Resource("L1 data cache size", ("core.l1d.size",)),
    Resource("L1 data cache misses on their way", ("core.l1d.mshrs",)),
    Resource("L1 instruction cache size", ("core.l1i.size",)),
    Resource("L2 cache size", ("core.l2.size",)),
    Resource("L2 cache misses on their way", ("core.l2.mshrs",)),
    Resource("data TLB entries", ("core.hart.tlb.entries",)),
    Resource("L2 cache latency", ("core.l2.latency",), less=True),
    Resource("scratchpad latency", ("core.scratchpad.latency",), less=True),
    Resource("scratchpad bandwidth", ("core.scratchpad.banks",)),
    Resource("tile load/store width", ("core.tile_lsu.width",)),
    Resource("tile load/store latency", ("core.tile_lsu.latency",), less=True),
    Resource("tile load/store queue", ("core.tile_lsu.queue",)),
    Resource("matrix rate", ("core.matrix.formats",)),
    Resource("matrix columns", ("core.matrix.columns",)),
    Resource("matrix rows", ("core.matrix.rows",)),
    Resource("matrix depth", ("core.matrix.depth",)),
    Resource("matrix latency", ("core.matrix.latency",), less=True),
    Resource("matrix queue", ("core.matrix.queue",)),
    Resource("vector width", ("core.vector.width",)),
    Resource("vector lanes", ("core.vector.lanes",)),
    Resource("vector instructions in flight", ("core.vector.in_flight",)),
    Resource("vector dispatch interval", ("core.vector.dispatch_interval",), less=True),
    Resource("vector memory width", ("core.vector.memory_width",)),
    Resource("vector memory hold", ("core.vector.memory_hold",), less=True),
    Resource("vector latency", ("core.vector.latency",), less=True),
    Resource("vector queue", ("core.vector.queue",)),
    Resource("DMA engines", ("core.dma.engines",)),
    Resource("DMA queue", ("core.dma.queue",)),
    Resource("DMA outstanding bursts", ("core.dma.outstanding",)),
    Resource("DMA startup", ("core.dma.startup",), less=True),
    Resource("interconnect latency", ("interconnect.latency",), less=True),
    Resource("interconnect width", ("interconnect.width",)),
    Resource("DRAM channels", ("memory.channels",)),
    Resource("DRAM latency", ("memory.device.tRCD", "memory.device.tCL", "memory.device.tRP"), less=True),
)  # fmt: skip


@dataclass(frozen=True)
class Change:
    """A design with more of one resource.

    Attributes:
        resource: which.
        step: "twice" (twice as much, half the latency) or "unlimited".
        before, after: its fields' values, as text.
        design: None where it cannot be.
        reason: why it cannot be.
    """

    resource: Resource
    step: str
    before: str = ""
    after: str = ""
    design: Design | None = None
    reason: str = ""


def changes(design: Design) -> list[Change]:
    """What can be had more of, each resource twice and without limit; resources the design has no field for are out."""
    present = [one for one in RESOURCES if all(_has(design, name) for name in one.fields)]
    return [change(design, resource, step) for resource in present for step in ("twice", "unlimited")]


def change(design: Design, resource: Resource, step: str) -> Change:
    """A design with twice as much of a resource, or as much as its fields and rules allow."""
    before, useless = _text(design, resource), resource.only_if(design)
    if useless:
        return Change(resource, step, before, reason=useless)
    tries = [2] if step == "twice" else [MOST >> index for index in range(MOST.bit_length() - 2)]
    reason = ""
    for factor in tries:
        try:
            faster = _scaled(design, resource, factor, all_of_it=step == "unlimited" and resource.less)
        except InputError as error:
            reason = error.message
            continue
        after = _text(faster, resource)
        if after == before:
            best = "none, or no bound" if before == "0" else "the best that the field takes"
            return Change(resource, step, before, reason=f"is {before} already, {best}")
        return Change(resource, step, before, after, faster)
    return Change(resource, step, before, reason=reason)


def _scaled(design: Design, resource: Resource, factor: int, *, all_of_it: bool) -> Design:
    """A design whose resource is better by a factor, or as good as its fields can say.

    Raises:
        InputError: a rule of the design forbids it.
    """
    for name in resource.fields:
        spec = _spec(type(design), name)

        def better(value: Any, spec: Spec = spec) -> Any:
            if isinstance(value, dict):
                return {key: min(number * factor, spec.maximum) for key, number in value.items()}
            lowest, highest = spec.minimum * spec.scale, spec.maximum * spec.scale
            if not resource.less:
                return min(value * factor, highest)
            least = lowest if all_of_it else max(lowest, value / factor)
            return math.ceil(least) if spec.whole else least

        design = _with(design, name, better)
    check(design, Tree())
    return design


def _with(part: Any, name: str, make: Callable[[Any], Any]) -> Any:
    """A copy of a dataclass whose dotted field is made from its value."""
    first, _, rest = name.partition(".")
    value = getattr(part, first)
    return replace(part, **{first: _with(value, rest, make) if rest else make(value)})


def _has(design: Design, name: str) -> bool:
    part: Any = design
    for word in name.split("."):
        if not is_dataclass(part) or word not in {field.name for field in fields(part)}:
            return False
        part = getattr(part, word)
    return part is not None


def _spec(kind: Any, name: str) -> Spec:
    """The declaration of a dotted field; a file's fields are those of what it holds."""
    first, _, rest = name.partition(".")
    spec = dict(specs(kind).values())[first]
    if not rest:
        return spec
    return _spec(spec.section or DEVICES[first], rest)


def _text(design: Design, resource: Resource) -> str:
    """Values of a resource's fields."""
    parts = []
    for name in resource.fields:
        value: Any = design
        for word in name.split("."):
            value = getattr(value, word)
        numbers = list(dict.fromkeys(value.values())) if isinstance(value, dict) else [value]
        unit = _spec(type(design), name).unit
        if unit in ("B", "s"):
            parts.append(show(value, unit))
        else:
            parts.append("/".join(f"{number:g}" for number in numbers) + f" {unit}".rstrip())
    return ", ".join(parts)
