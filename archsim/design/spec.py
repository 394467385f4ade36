"""What a design is: frozen classes whose fields are declared with unit, bounds and meaning."""

# ruff: noqa: RUF009  (each call declares a field of its own, as dataclasses.field does)
from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from archsim.design.energy import EnergyTable, load_energy
from archsim.design.fields import count, cycles, file, flag, measure, names, nbytes, numbers, section, text
from archsim.design.hart import Cache, Hart, InstructionCache, SecondCache
from archsim.design.memory import MemoryDevice, load_device
from archsim.design.noc import Noc
from archsim.isa.vector_facts import KINDS

FORMATS = (
    "int8", "int4", "int3", "int2", "ternary", "sign", "int16", "int32", "fp8_e4m3", "fp8_e5m2", "fp6", "fp4", "cb4",
    "cb3", "cb2", "fp16", "bf16", "tf32", "fp32", "fp64",
)  # fmt: skip
"""Number formats that a matrix unit may multiply; cb: codes of 4 to 2 bits for entries of a float32 codebook."""
CLASSES = ("alu", "div", "exp", "reduce", "convert")
"""Classes of work of a vector unit."""
PIPES = ("alu", "mfpu", "slide", "mask", "load", "store")
"""Pipes of a vector unit."""
JOULES_PER_KWH = 3.6e6


@dataclass(frozen=True)
class Scratchpad:
    """Banked on-chip memory of a core."""

    size: int = nbytes("capacity", minimum=1024)
    banks: int = count("banks, word-interleaved", power_of_two=True)
    width: int = nbytes("bytes that a port of a bank gives per cycle", power_of_two=True)
    ports: int = count("ports of a bank, each for a read or a write; first come, first served", maximum=4, default=1)
    latency: int = cycles("of an access by the scalar pipeline, beyond an L1 hit")
    granule: int = nbytes("bytes whose order between units is kept as one", power_of_two=True, default=64)


@dataclass(frozen=True)
class TileLsu:
    """Moves tiles between scratchpad and tile registers."""

    width: int = nbytes("bytes per cycle")
    latency: int = cycles("from the last byte read to the register's use")
    queue: int = count("instructions that wait", maximum=64)


@dataclass(frozen=True)
class Matrix:
    """The matrix unit.

    `dot_product`: per cycle one activation row against `columns` weight rows, `depth` deep. `outer_product`: per cycle
    `rows` activation rows against `columns` weight rows, `depth` deep, into `rows` x `columns` accumulators. Systolic
    arrays of `rows` x `columns` hold one operand while the others stream through: `systolic_os` an accumulator (rows of
    activations x rows of weights), `systolic_ws` weights (depth x rows of weights), `systolic_is` activations (depth x
    rows of activations). A fold begins when the operand that the array holds changes.
    """

    kind: str = text(
        "what it is", choices=("dot_product", "outer_product", "systolic_os", "systolic_ws", "systolic_is")
    )
    rows: int = count("rows of the array (all but dot_product)", default=1)
    columns: int = count("columns of the array; of a dot_product unit: weight rows at once")
    depth: int = count("elements of a row at once (dot_product, outer_product)", default=1)
    latency: int = cycles("pipeline depth, beyond the way through a systolic array")
    queue: int = count("instructions that wait", maximum=64)
    double_buffered: bool = flag(
        "whether the next weights (systolic_ws) or activations (systolic_is) load behind a fold", default=True
    )
    folds: str = text(
        "of a systolic array: serial, a fold streams when the one before has drained and is charged the whole array, "
        "as SCALE-Sim does; overlapped, it streams behind the one before",
        choices=("overlapped", "serial"),
        default="overlapped",
    )
    formats: dict[str, float] = numbers(
        "formats of weights and activations it multiplies natively, with their rate relative to full",
        choices=FORMATS,
        whole=False,
        above_zero=True,
        maximum=64,
    )
    pairs: dict[str, float] = numbers(
        "rates of formats of weights x activations where they differ from those of `formats`, as in {int4 x int8: 2}",
        whole=False,
        above_zero=True,
        maximum=64,
        default={},
    )

    @property
    def macs_per_cycle(self) -> int:
        """Multiply-accumulates per cycle at rate 1."""
        return self.rows * self.columns * self.depth


@dataclass(frozen=True)
class Vector:
    """Row operations on the scratchpad, element operations on tiles, and the instructions of RVV.

    `pipes: one`: instructions execute in order, each when its registers are complete. `separate`: integers, multiply
    and floating point, permutations, masks, loads and stores have pipes of their own, which run in parallel.
    """

    lanes: int = count("lanes, each of width / lanes (0: as many as 8 B fit)", minimum=0, maximum=1024, default=0)
    width: int = nbytes("bytes of elements per cycle at rate 1, of all lanes (0: 8 B a lane)", minimum=0, default=0)
    latency: int = cycles("pipeline depth")
    latencies: dict[str, int] = numbers(
        "pipeline depth of kinds of instruction, where it differs",
        unit="cycles",
        choices=KINDS,
        maximum=1024,
        default={},
    )
    queue: int = count("instructions that wait", maximum=64)
    rates: dict[str, float] = numbers(
        "rate of each class of work relative to full",
        choices=CLASSES,
        complete=True,
        whole=False,
        above_zero=True,
        maximum=64,
    )
    kind_rates: dict[str, float] = numbers(
        "rate of kinds of instruction relative to full, where it differs",
        choices=KINDS,
        whole=False,
        above_zero=True,
        maximum=64,
        default={},
    )
    pipes: str = text("whether all instructions share a pipe", choices=("one", "separate"), default="one")
    chaining: bool = flag("whether an instruction takes up elements while their producer still runs", default=False)
    pipe_queues: dict[str, int] = numbers(
        "instructions that a separate pipe holds, the one at work included (default: any number)",
        choices=PIPES,
        minimum=1,
        maximum=64,
        default={},
    )
    in_flight: int = count(
        "instructions between issue to a pipe and end (0: any number)", minimum=0, maximum=64, default=0
    )
    dispatch_interval: int = cycles("from one instruction's issue to a separate pipe to the next one's", default=1)
    startups: dict[str, int] = numbers(
        "from issue to a separate pipe to the first operand or request there (default 0)",
        unit="cycles",
        choices=PIPES,
        maximum=1024,
        default={},
    )
    held: tuple[str, ...] = names(
        "kinds of instruction that leave for their separate pipe, and let others follow, only when no instruction that "
        "runs touches their target, of slides and gathers also their sources",
        default=(),
    )
    memory_width: int = nbytes(
        "bytes per cycle of a unit-stride load or store; others take a cycle per element (0: width)",
        minimum=0,
        power_of_two=True,
        default=0,
    )
    memory_hold: int = cycles("no issue after a load or store until so long after its first request", default=0)
    banks: int = count("single-ported banks of a lane's register file (0: no conflicts)", minimum=0, default=0)
    reduction_step: int = cycles(
        "of each step of a reduction's tree over lanes and in a lane's word, besides the latency (0: the tree is free)",
        default=0,
    )
    wide_results: bool = flag(
        "whether widening instructions run at the width of results, not of sources", default=False
    )
    slide: str = text(
        "distances that a slide moves in a pass: any, or one pass per power of two in it",
        choices=("any", "powers_of_two"),
        default="any",
    )

    @property
    def datapath(self) -> int:
        """Bytes of elements per cycle."""
        return self.width or 8 * self.lanes

    @property
    def lane_count(self) -> int:
        """Lanes."""
        return self.lanes or max(1, self.width // 8)


@dataclass(frozen=True)
class Dma:
    """Copies between DRAM and scratchpad."""

    engines: int = count("engines per core", maximum=16)
    queue: int = count("transfers that wait per engine", maximum=64)
    outstanding: int = count("bursts on their way per engine", maximum=1024)
    burst: int = nbytes("largest request", minimum=16, power_of_two=True)
    startup: int = cycles("from issue to the first request")


NO_SCRATCHPAD = Scratchpad(size=0, banks=1, width=16, latency=0, granule=64)
NO_TILES = TileLsu(width=1, latency=1, queue=1)
NO_MATRIX = Matrix(kind="dot_product", columns=0, latency=1, queue=1, formats={})
NO_VECTOR = Vector(width=8, latency=1, queue=1, rates=dict.fromkeys(CLASSES, 1.0))
NO_DMA = Dma(engines=1, queue=1, outstanding=1, burst=64, startup=0)
"""What stands for units that a core leaves out: nothing that a program could use."""


@dataclass(frozen=True)
class Core:
    """A hart with its units and private memories. A plain processor leaves the units out."""

    hart: Hart = section(Hart, "scalar pipeline")
    l1d: Cache = section(Cache, "L1 data cache")
    l1i: InstructionCache | None = section(
        InstructionCache, "L1 instruction cache (left out: instructions are there at once)", default=None
    )
    l2: SecondCache | None = section(SecondCache, "second-level cache, private or shared by all cores", default=None)
    scratchpad: Scratchpad = section(Scratchpad, "private on-chip memory", default=NO_SCRATCHPAD)
    tile_lsu: TileLsu = section(TileLsu, "tile loads and stores", default=NO_TILES)
    matrix: Matrix = section(Matrix, "matrix unit", default=NO_MATRIX)
    vector: Vector = section(Vector, "vector unit", default=NO_VECTOR)
    dma: Dma = section(Dma, "DMA engines", default=NO_DMA)


@dataclass(frozen=True)
class Interconnect:
    """Between a core and the memory controllers."""

    latency: float = measure("s", "one way", maximum=1e-3)
    width: int = nbytes("bytes per cycle and core")
    noc: Noc | None = section(Noc, "network on chip (left out: every core has a way of its own)", default=None)


@dataclass(frozen=True)
class Memory:
    """Main memory."""

    device: MemoryDevice = file("a memory device: a name or file of configs/memory", load_device)
    channels: int = count("channels of the device", maximum=4096)
    ranks: int = count("ranks of a channel: they add capacity; time is that of one rank", maximum=64, default=1)
    interleave: int = nbytes("consecutive bytes in one channel", minimum=32, power_of_two=True)
    size: int = nbytes("capacity", minimum=1 << 20)
    mapping: str = text(
        "where addresses lie: a name or a string of fields, see machine/dram_mapping", default="MOP4CLXOR"
    )
    read_queue: int = count("reads that wait in a channel's controller", maximum=256, default=32)
    write_queue: int = count("writes that wait in a channel's controller", maximum=256, default=32)
    drain_above: float = measure(
        "", "part of the write queue from above which on writes go first", maximum=1, default=0.8
    )
    drain_below: float = measure("", "part of the write queue below which reads go first again", maximum=1, default=0.2)
    refresh: str = text("of rows", choices=("all_banks", "per_bank", "none"), default="all_banks")
    page: str = text(
        "open: a row stays open; closed: until no request waits for it", choices=("open", "closed"), default="open"
    )

    @property
    def peak_bytes_per_s(self) -> float:
        """Bytes per second of all channels with every data cycle used."""
        return self.channels * self.device.peak_bytes_per_s

    @property
    def organisation_bytes(self) -> int:
        """Bytes that the banks, rows and ranks of all channels hold."""
        return self.channels * self.ranks * self.device.capacity_bytes


@dataclass(frozen=True)
class Technology:
    """What it is made in."""

    node: float = measure("m", "process node", minimum=1e-9, maximum=1e-6)
    energy: EnergyTable = file("an energy table: a name or file of configs/energy", load_energy)


@dataclass(frozen=True)
class Cost:
    """What running it costs."""

    energy_price: float = measure(
        "$/kWh", "price of electricity; kept in $ per joule", above_zero=True, scale=1 / JOULES_PER_KWH
    )


@dataclass(frozen=True)
class Design:
    """A chip. Attributes are in base units: bytes, hertz, cycles, seconds, metres."""

    name: str = text("name of the design", key="design")
    description: str = text("what it is, in a line", default="")
    source: str = text("where its figures come from", default="")
    clock: float = measure("Hz", "clock of cores and interconnect", minimum=1e6, maximum=1e11)
    isa: tuple[str, ...] = names("extensions of the instruction set, such as rv64im, zicsr, xqt")
    parameters: dict[str, int] = numbers("parameters of the instruction set, such as TM", minimum=1, default={})
    technology: Technology = section(Technology, "process")
    cores: int = count("cores", maximum=1024)
    core: Core = section(Core, "what each core is made of")
    interconnect: Interconnect = section(Interconnect, "between cores and memory")
    memory: Memory = section(Memory, "main memory")
    cost: Cost | None = section(Cost, "prices", default=None)

    @property
    def energy(self) -> EnergyTable:
        """The energy table of the technology."""
        return self.technology.energy

    @property
    def period_fs(self) -> int:
        """Clock period in femtoseconds, rounded."""
        return round(1e15 / self.clock)

    @property
    def peak_macs_per_s(self) -> float:
        """Multiply-accumulates per second of all matrix units at rate 1."""
        return self.cores * self.core.matrix.macs_per_cycle * self.clock

    def to_dict(self) -> dict[str, Any]:
        """All fields in base units, JSON-able, with the memory device's contents; the energy table by its name."""
        own = {name: value for name, value in vars(self).items() if name != "name"}
        sections = {name: asdict(value) for name, value in own.items() if hasattr(value, "__dataclass_fields__")}
        technology = {"node": self.technology.node, "energy": self.energy.name}
        return {
            "design": self.name,
            **own,
            **sections,
            "isa": list(self.isa),
            "parameters": dict(self.parameters),
            "technology": technology,
        }

    def digest(self) -> str:
        """SHA-256 of everything that can change a result: all fields but texts, the device's and the energies."""
        technology = {"node": self.technology.node, "energy": self.energy.to_dict()}
        content = {**self.to_dict(), "technology": technology}
        for text_only in ("design", "description", "source"):
            del content[text_only]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
