"""Energy tables: joules per event from configs/energy/*.yaml, each with its source, and the SRAM of a technology."""

# ruff: noqa: RUF009  (each call declares a field of its own, as dataclasses.field does)
from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from archsim.common.errors import InputError, unknown
from archsim.common.yamlfile import YamlMap, load_yaml
from archsim.design.fields import measure, section, text
from archsim.design.merge import near
from archsim.design.reader import read
from archsim.design.sram import Entry, Sram

CACHES = {8 << 10: "cache.8KiB", 32 << 10: "cache.32KiB", 1 << 20: "cache.1MiB"}
"""Capacities whose 64-bit access is published, and their entries."""


@dataclass(frozen=True)
class Joules(Entry):
    """Energy of an event."""

    value: float = measure("J", "of one event")


@dataclass(frozen=True)
class Area(Entry):
    """Area of a circuit."""

    value: float = measure("mm2", "of one", above_zero=True)


@dataclass(frozen=True)
class Header:
    """What a table says of itself."""

    name: str = text("name of the table", key="table")
    node: float = measure("m", "process node", minimum=1e-9, maximum=1e-6)
    sram: Sram = section(Sram, "SRAM arrays")


@dataclass(frozen=True)
class EnergyTable:
    """Energy of a technology.

    Attributes:
        name: of the table.
        node: process node in metres.
        entries: event -> Joules (value, source, confidence). Per MAC, per element of a vector, per instruction, per
            byte of tile registers and interconnect, per bit of DRAM, per activate of a DRAM row.
        areas: circuit -> Area.
        sram: fits for arrays of any size.
    """

    name: str
    node: float
    entries: dict[str, Joules]
    areas: dict[str, Area]
    sram: Sram

    def value(self, name: str) -> float:
        """Joules of an event such as "mac.int8".

        Raises:
            InputError: the table has no such entry.
        """
        if name not in self.entries:
            raise unknown(f"entry of energy table {self.name}", name, self.entries)
        return self.entries[name].value

    def area(self, name: str) -> float:
        """Area in mm2 of a circuit such as "mac.int8".

        Raises:
            InputError: the table has no such area.
        """
        if name not in self.areas:
            raise unknown(f"area of energy table {self.name}", name, self.areas)
        return self.areas[name].value

    def sram_read(self, capacity_bytes: int, word_bytes: int, banks: int = 1) -> float:
        """Joules of reading one word from one of the banks of an array (+-40 %)."""
        return self.sram.access(self.sram.read, capacity_bytes, word_bytes, banks, self.value("wire.byte_mm"))

    def sram_write(self, capacity_bytes: int, word_bytes: int, banks: int = 1) -> float:
        """Joules of writing one word to one of the banks of an array (+-40 %)."""
        return self.sram.access(self.sram.write, capacity_bytes, word_bytes, banks, self.value("wire.byte_mm"))

    def sram_leakage(self, capacity_bytes: int, *, low_standby: bool = True) -> float:
        """Watts that an array leaks at 360 K: of low-standby-power cells, as scratchpads use, or of fast ones."""
        return self.sram.watts(capacity_bytes, low_standby=low_standby)

    def sram_area(self, capacity_bytes: int) -> float:
        """Area of an array in mm2."""
        return self.sram.square_mm(capacity_bytes)

    def cache_access(self, capacity_bytes: int) -> float:
        """Joules of a 64-bit access to a cache with its tags: published sizes, a power law between and beyond."""
        points = [(math.log(size), math.log(self.value(name))) for size, name in CACHES.items()]
        at = math.log(capacity_bytes)
        (x0, y0), (x1, y1) = next((pair for pair in pairwise(points) if at <= pair[1][0]), points[-2:])
        return math.exp(y0 + (y1 - y0) * (at - x0) / (x1 - x0))

    def to_dict(self) -> dict[str, Any]:
        """Every figure, JSON-able; sources left out, since they change no result."""
        return {
            "entries": {name: entry.value for name, entry in self.entries.items()},
            "areas": {name: entry.value for name, entry in self.areas.items()},
            "sram": {
                name: {key: value for key, value in part.items() if not isinstance(value, str)}
                for name, part in asdict(self.sram).items()
            },
        }


def load_energy(name: str, place: Path | None = None) -> EnergyTable:
    """Load an energy table by name or file; `place` is the folder of the file that names it.

    Raises:
        InputError: unknown, or something lacks its value, unit, source or confidence.
    """
    tree = load_yaml(near("energy table", name, "configs/energy", place))
    entries, areas = _part(tree, "entries", Joules), _part(tree, "areas", Area)
    header = read(Header, tree)
    table = EnergyTable(header.name, header.node, entries, areas, header.sram)
    for needed in ("wire.byte_mm", *CACHES.values()):
        if needed not in entries:
            raise InputError(f"entries has no {needed!r}", remedy=f"add '{needed}: ...'", **tree.where())
    return table


def _part(tree: YamlMap, part: str, kind: type[Any]) -> dict[str, Any]:
    """Take a mapping of names to sourced constants out of a table."""
    if not isinstance(tree.get(part), YamlMap):
        raise InputError(f"the file has no mapping {part!r}", remedy=f"add '{part}:'", **tree.where())
    items, result = tree.pop(part), {}
    for name, item in items.items():
        if not isinstance(item, YamlMap):
            remedy = "write {value: ..., source: ..., confidence: ...}"
            raise InputError(f"{part}.{name}: {item!r} is no mapping", remedy=remedy, **items.where(name))
        result[name] = read(kind, item, f"{part}.{name}")
    return result
