"""What must hold between fields of a design: one row per rule."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from archsim.common.errors import InputError
from archsim.common.units import show
from archsim.design.merge import Tree
from archsim.design.noc_graph import Problem, noc_problem
from archsim.design.spec import FORMATS, Design
from archsim.isa.vector_facts import KINDS

TILE_PARAMETERS = ("TM", "TN", "TROWB")


@dataclass(frozen=True)
class Rule:
    """A rule: the field to point at, when it is broken, what to say, and what to do."""

    field: str
    broken: Callable[[Design], Any]
    says: Callable[[Design], str]
    remedy: Callable[[Design], str]


def _sets(cache: Any) -> float:
    return float(cache.size / (cache.line * cache.ways)) if cache is not None else 1.0


def _cache_rules(name: str) -> tuple[Rule, ...]:
    """Rules of a cache of the core, where there is one."""

    def cache(d: Design) -> Any:
        return getattr(d.core, name)

    return (
        Rule(
            f"core.{name}.size",
            lambda d: _sets(cache(d)) < 1 or _sets(cache(d)) != int(_sets(cache(d))),
            lambda d: f"{cache(d).size} B is no multiple of line x ways = {cache(d).line * cache(d).ways} B",
            lambda d: "change size, line or ways",
        ),
        Rule(
            f"core.{name}.size",
            lambda d: int(_sets(cache(d))) & (int(_sets(cache(d))) - 1),
            lambda d: f"size / (line x ways) = {_sets(cache(d)):g} sets is not a power of two",
            lambda d: "change size, line or ways",
        ),
        Rule(
            f"core.{name}.replacement",
            lambda d: cache(d) is not None and cache(d).replacement == "plru" and cache(d).ways & (cache(d).ways - 1),
            lambda d: f"a tree has a power of two of leaves, not {cache(d).ways} ways",
            lambda d: "use lru or random, or other ways",
        ),
    )


def _tlb_sets(d: Design) -> float:
    tlb = d.core.hart.tlb
    return tlb.entries / (tlb.ways or tlb.entries) if tlb is not None else 1.0


def _network(d: Design) -> Problem | None:
    """What is wrong with the network on chip."""
    noc, memory = d.interconnect.noc, d.memory
    return None if noc is None else noc_problem(noc, d.cores, memory.channels)


def _slow_ports(d: Design) -> list[str]:
    ports, interval = vars(d.core.hart.ports), vars(d.core.hart.interval)
    return [name for name, cycles in interval.items() if cycles != 1 and ports[name] > 1]


def _bank_row(d: Design) -> int:
    return d.core.scratchpad.banks * d.core.scratchpad.width


def _absent(d: Design) -> list[str]:
    return [name for name in TILE_PARAMETERS if "xqt" in d.isa and name not in d.parameters]


def _odd(d: Design) -> list[str]:
    return [name for name in TILE_PARAMETERS if (value := d.parameters.get(name, 1)) & (value - 1)]


def _reach(d: Design) -> int:
    """Elements of a tile row of int8 that the unit multiplies at once."""
    return (d.core.matrix.rows if d.core.matrix.kind in ("systolic_ws", "systolic_is") else 1) * d.core.matrix.depth


def _systolic(d: Design) -> bool:
    return d.core.matrix.kind.startswith("systolic")


def _column_tiles(d: Design) -> str:
    """The parameter that says how many rows of a tile lie along the columns."""
    return "TM" if d.core.matrix.kind == "systolic_is" else "TN"


def _no_pairs(d: Design) -> list[str]:
    return [
        pair for pair in d.core.matrix.pairs if not set(pair.split(" x ")) <= set(FORMATS) or pair.count(" x ") != 1
    ]


def _of_in_order(name: str) -> Rule:
    """A field of a hart that only those of kind in_order have."""
    return Rule(
        f"core.hart.{name}",
        lambda d: d.core.hart.kind != "in_order" and getattr(d.core.hart, name),
        lambda d: f"a hart of kind {d.core.hart.kind} does not have it",
        lambda d: "take it out, or write kind: in_order",
    )


RULES = (
    *_cache_rules("l1d"),
    *_cache_rules("l1i"),
    *_cache_rules("l2"),
    Rule(
        "core.l2.line",
        lambda d: d.core.l2 is not None and d.core.l2.line < max(c.line for c in (d.core.l1d, d.core.l1i) if c),
        lambda d: f"lines of {d.core.l2.line if d.core.l2 else 0} B are shorter than those of the first level",
        lambda d: "use lines at least as long",
    ),
    Rule(
        "core.hart.tlb.entries",
        lambda d: _tlb_sets(d) not in {2**n for n in range(17)},
        lambda d: f"entries / ways = {_tlb_sets(d):g} sets is not a power of two",
        lambda d: "change entries or ways",
    ),
    Rule(
        "core.hart.ports",
        _slow_ports,
        lambda d: f"{_slow_ports(d)[0]} has several ports that take more than a cycle each",
        lambda d: "use one port, or an interval of 1 cycles",
    ),
    Rule(
        "core.hart.out_of_order",
        lambda d: d.core.hart.kind == "out_of_order" and d.core.hart.out_of_order is None,
        lambda d: "an out-of-order hart has no window",
        lambda d: "write out_of_order: {rob: 64, issue_queue: 32, load_queue: 16, store_queue: 16}",
    ),
    Rule(
        "core.hart.out_of_order",
        lambda d: d.core.hart.kind == "in_order" and d.core.hart.out_of_order is not None,
        lambda d: "a hart of kind in_order has no such window",
        lambda d: "take it out, or write kind: out_of_order",
    ),
    _of_in_order("blocking"),
    _of_in_order("late_alu"),
    Rule(
        "core.scratchpad.size",
        lambda d: d.core.scratchpad.size % _bank_row(d),
        lambda d: f"{d.core.scratchpad.size} B is no multiple of banks x width = {_bank_row(d)} B",
        lambda d: "change size, banks or width",
    ),
    Rule(
        "core.scratchpad.granule",
        lambda d: d.core.scratchpad.size % d.core.scratchpad.granule,
        lambda d: f"{d.core.scratchpad.granule} B does not divide the size of {d.core.scratchpad.size} B",
        lambda d: "use a smaller granule",
    ),
    Rule(
        "core.matrix.rows",
        lambda d: d.core.matrix.kind == "dot_product" and d.core.matrix.rows != 1,
        lambda d: f"a dot_product unit takes one activation row per cycle, not {d.core.matrix.rows}",
        lambda d: "leave rows out, or use kind: systolic_ws",
    ),
    Rule(
        "core.matrix.depth",
        lambda d: _systolic(d) and d.core.matrix.depth != 1,
        lambda d: f"a {d.core.matrix.kind} array is one element deep, not {d.core.matrix.depth}",
        lambda d: "leave depth out and use rows, or use kind: dot_product",
    ),
    Rule(
        "core.vector.width",
        lambda d: not d.core.vector.datapath,
        lambda d: "neither width nor lanes is given",
        lambda d: "give one of them",
    ),
    Rule(
        "core.vector.lanes",
        lambda d: d.core.vector.lanes and d.core.vector.datapath % d.core.vector.lanes,
        lambda d: f"{d.core.vector.lanes} lanes do not divide the width of {d.core.vector.width} B",
        lambda d: "leave width out: it is 8 B a lane then",
    ),
    Rule(
        "core.vector.held",
        lambda d: set(d.core.vector.held) - set(KINDS),
        lambda d: f"there is no kind {min(set(d.core.vector.held) - set(KINDS))!r}",
        lambda d: f"use some of {', '.join(KINDS)}",
    ),
    Rule(
        "parameters",
        _absent,
        lambda d: f"extension xqt needs {_absent(d)[0]}",
        lambda d: "write parameters: {TM: 16, TN: 16, TROWB: 128}",
    ),
    Rule(
        "parameters",
        _odd,
        lambda d: f"{_odd(d)[0]} = {d.parameters[_odd(d)[0]]} is not a power of two",
        lambda d: "use a power of two",
    ),
    Rule(
        "core.matrix.columns",
        lambda d: d.core.matrix.columns > d.parameters.get(_column_tiles(d), math.inf),
        lambda d: (
            f"{d.core.matrix.columns} columns are never filled by tiles of {_column_tiles(d)} = "
            f"{d.parameters[_column_tiles(d)]} rows"
        ),
        lambda d: f"use fewer columns, or a larger {_column_tiles(d)}",
    ),
    Rule(
        "core.matrix.rows",
        lambda d: (
            d.core.matrix.kind in ("outer_product", "systolic_os")
            and d.core.matrix.rows > d.parameters.get("TM", math.inf)
        ),
        lambda d: f"{d.core.matrix.rows} rows are never filled by tiles of TM = {d.parameters['TM']} rows",
        lambda d: "use fewer rows, or a larger TM",
    ),
    Rule(
        "core.matrix",
        lambda d: _reach(d) > d.parameters.get("TROWB", math.inf),
        lambda d: f"{_reach(d)} elements at once are never filled by tile rows of TROWB = {d.parameters['TROWB']} B",
        lambda d: f"use {'fewer rows' if _systolic(d) else 'less depth'}, or a larger TROWB",
    ),
    Rule(
        "core.matrix.pairs",
        _no_pairs,
        lambda d: f"{_no_pairs(d)[0]!r} is no pair of formats, weights x activations",
        lambda d: "write pairs as in {int4 x int8: 2.0}",
    ),
    Rule(
        "core.dma.burst",
        lambda d: d.core.dma.burst % d.memory.device.tx_bytes,
        lambda d: (
            f"{d.core.dma.burst} B is no multiple of the {d.memory.device.tx_bytes} B that "
            f"{d.memory.device.name} moves at once"
        ),
        lambda d: f"use at least {d.memory.device.tx_bytes} B",
    ),
    Rule(
        "memory.interleave",
        lambda d: d.memory.interleave % d.memory.device.tx_bytes,
        lambda d: (
            f"{d.memory.interleave} B is no multiple of the {d.memory.device.tx_bytes} B that "
            f"{d.memory.device.name} moves at once"
        ),
        lambda d: f"use at least {d.memory.device.tx_bytes} B",
    ),
    Rule(
        "memory.size",
        lambda d: d.memory.size > d.memory.organisation_bytes,
        lambda d: (
            f"{show(d.memory.size, 'B')} is more than {d.memory.channels} channels x {d.memory.ranks} ranks of "
            f"{d.memory.device.name} hold, {show(d.memory.organisation_bytes, 'B')}"
        ),
        lambda d: "use more channels or ranks, or less",
    ),
    Rule(
        "technology.energy",
        lambda d: not math.isclose(d.technology.node, d.energy.node),
        lambda d: f"table {d.energy.name} is for {d.energy.node * 1e9:.3g} nm, not {d.technology.node * 1e9:.3g} nm",
        lambda d: "change node or energy",
    ),
)


def check(design: Design, tree: Tree) -> None:
    """Raise InputError for the first rule that a design breaks; `tree` knows where its fields stand."""
    for rule in RULES:
        if rule.broken(design):
            where = _where(tree, rule.field)
            raise InputError(f"{rule.field}: {rule.says(design)}", remedy=rule.remedy(design), **where)
    problem = _network(design)
    if problem is not None:
        field = f"interconnect.noc.{problem[0]}"
        raise InputError(f"{field}: {problem[1]}", remedy=problem[2], **_where(tree, field))


def _where(tree: Tree, field: str) -> dict[str, Any]:
    """Where a dotted field stands, or the nearest section around it."""
    where = tree.where()
    for part in field.split("."):
        if part not in tree:
            break
        where = tree.where(part)
        if not isinstance(tree[part], Tree):
            break
        tree = tree[part]
    return where
