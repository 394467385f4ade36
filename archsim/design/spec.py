"""What a design is: frozen classes whose fields say their unit, bounds and meaning.

The fields are the schema: the loader reads kinds and bounds from here, documentation is made from here.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archsim.design.energy import EnergyTable
    from archsim.design.memory import MemoryDevice


def quantity(
    unit: str,
    doc: str,
    *,
    default: Any = None,
    minimum: float = 0,
    maximum: float = 2**62,
    power_of_two: bool = False,
    whole: bool = True,
) -> Any:
    """A field with a unit: "B", "Hz", "s", "cycles", or "" for a count."""
    metadata = {
        "unit": unit,
        "doc": doc,
        "minimum": minimum,
        "maximum": maximum,
        "power_of_two": power_of_two,
        "whole": whole,
    }
    return field(metadata=metadata) if default is None else field(default=default, metadata=metadata)


def words(doc: str, *, choices: tuple[str, ...] = (), default: Any = None) -> Any:
    """A text field, perhaps of fixed choices."""
    metadata = {"choices": choices, "doc": doc}
    return field(metadata=metadata) if default is None else field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Latency:
    """Cycles from issue to result in a hart's own pipeline."""

    alu: int = quantity("cycles", "integer operations", minimum=1)
    mul: int = quantity("cycles", "multiplications", minimum=1)
    div: int = quantity("cycles", "divisions", minimum=1)
    load: int = quantity("cycles", "loads that hit the L1 cache", minimum=1)
    csr: int = quantity("cycles", "CSR accesses", minimum=1, default=1)


@dataclass(frozen=True)
class Hart:
    """The scalar pipeline: in order, one instruction per cycle."""

    latency: Latency
    branch_penalty: int = quantity("cycles", "lost after a taken branch or jump")


@dataclass(frozen=True)
class Cache:
    """L1 data cache: write-back, write-allocate, least recently used."""

    size: int = quantity("B", "capacity", minimum=64, power_of_two=True)
    line: int = quantity("B", "line size", minimum=16, power_of_two=True)
    ways: int = quantity("", "associativity", minimum=1)


@dataclass(frozen=True)
class Scratchpad:
    """Banked on-chip memory of a core."""

    size: int = quantity("B", "capacity", minimum=1024)
    banks: int = quantity("", "banks, word-interleaved", minimum=1, power_of_two=True)
    width: int = quantity("B", "bytes a bank gives per cycle", minimum=1, power_of_two=True)
    latency: int = quantity("cycles", "of an access by the scalar pipeline, beyond an L1 hit")
    granule: int = quantity("B", "bytes whose order between units is kept as one", default=64, power_of_two=True)


@dataclass(frozen=True)
class TileLsu:
    """Moves tiles between scratchpad and tile registers."""

    width: int = quantity("B", "bytes per cycle", minimum=1)
    latency: int = quantity("cycles", "from the last byte read to the register's use")
    queue: int = quantity("", "instructions that wait", minimum=1, maximum=64)


@dataclass(frozen=True)
class Matrix:
    """The matrix unit.

    `dot_product`: per cycle one activation row against `columns` weight rows, `depth` deep. `systolic_ws`: an array
    of `rows` x `columns` that holds weights; activation rows stream through, one per cycle.
    """

    kind: str = words("what it is", choices=("dot_product", "systolic_ws"))
    columns: int = quantity("", "weight rows at once", minimum=1)
    latency: int = quantity("cycles", "pipeline depth")
    queue: int = quantity("", "instructions that wait", minimum=1, maximum=64)
    formats: dict[str, float] = field(
        metadata={"doc": "weight formats it multiplies natively, with their rate relative to full", "rates": "formats"}
    )
    rows: int = quantity("", "array rows (systolic)", default=1, minimum=1)
    depth: int = quantity("", "elements of a dot product per cycle", default=1, minimum=1)
    double_buffered: bool = field(default=True, metadata={"doc": "whether weights load behind a multiply (systolic)"})

    @property
    def macs_per_cycle(self) -> int:
        """Multiply-accumulates per cycle at full rate."""
        return self.columns * (self.rows if self.kind == "systolic_ws" else self.depth)


@dataclass(frozen=True)
class Vector:
    """Row operations on the scratchpad, and element operations on tiles."""

    width: int = quantity("B", "bytes of elements per cycle", minimum=1)
    latency: int = quantity("cycles", "pipeline depth")
    queue: int = quantity("", "instructions that wait", minimum=1, maximum=64)
    rates: dict[str, float] = field(metadata={"doc": "rate of each class relative to full", "rates": "classes"})


@dataclass(frozen=True)
class Dma:
    """Copies between DRAM and scratchpad."""

    engines: int = quantity("", "engines per core", minimum=1, maximum=16)
    queue: int = quantity("", "transfers that wait per engine", minimum=1, maximum=64)
    outstanding: int = quantity("", "bursts on their way per engine", minimum=1, maximum=1024)
    burst: int = quantity("B", "largest request", minimum=16, power_of_two=True)
    startup: int = quantity("cycles", "from issue to the first request")


@dataclass(frozen=True)
class Core:
    """A hart with its units and private memories."""

    hart: Hart
    l1d: Cache
    scratchpad: Scratchpad
    tile_lsu: TileLsu
    matrix: Matrix
    vector: Vector
    dma: Dma


@dataclass(frozen=True)
class Interconnect:
    """Between a core and the memory controllers."""

    latency: float = quantity("s", "one way", whole=False)
    width: int = quantity("B", "bytes per cycle and core", minimum=1)


@dataclass(frozen=True)
class Memory:
    """Main memory."""

    device: MemoryDevice = field(metadata={"doc": "a file of configs/memory", "file": "memory"})
    channels: int = quantity("", "channels of the device", minimum=1)
    interleave: int = quantity("B", "consecutive bytes in one channel", minimum=32, power_of_two=True)
    size: int = quantity("B", "capacity", minimum=1 << 20)

    @property
    def peak_bytes_per_s(self) -> float:
        """Bytes per second of all channels with every data cycle used."""
        return self.channels * self.device.peak_bytes_per_s


@dataclass(frozen=True)
class Technology:
    """What it is made in."""

    node: str = words("process node")
    energy: str = words("energy table: a file of configs/energy")


@dataclass(frozen=True)
class Design:
    """A chip."""

    name: str
    description: str
    clock: float
    cores: int
    isa: tuple[str, ...]
    parameters: dict[str, int]
    technology: Technology
    core: Core
    interconnect: Interconnect
    memory: Memory
    energy: EnergyTable

    @property
    def period_fs(self) -> int:
        """Clock period in femtoseconds, rounded."""
        return round(1e15 / self.clock)

    @property
    def peak_macs_per_s(self) -> float:
        """Multiply-accumulates per second of all matrix units at full rate."""
        return self.cores * self.core.matrix.macs_per_cycle * self.clock

    def to_dict(self) -> dict[str, Any]:
        """All fields in base units, JSON-able."""
        return {
            "design": self.name,
            "description": self.description,
            "clock": self.clock,
            "cores": self.cores,
            "isa": list(self.isa),
            "parameters": dict(self.parameters),
            "technology": asdict(self.technology),
            "core": asdict(self.core),
            "interconnect": asdict(self.interconnect),
            "memory": asdict(self.memory),
        }

    @cached_property
    def digest(self) -> str:
        """Hash of everything in the design that a result depends on."""
        content = {**self.to_dict(), "energy": self.energy.to_dict()}
        content.pop("description")
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
