"""What a design says of its harts: pipeline, front end, out-of-order window, caches."""

# ruff: noqa: RUF009  (each call declares a field of its own, as dataclasses.field does)
from __future__ import annotations

from dataclasses import dataclass

from archsim.design.fields import count, cycles, flag, nbytes, section, text


@dataclass(frozen=True)
class Latency:
    """Cycles from issue to result in a hart's own pipeline."""

    alu: int = cycles("integer operations", minimum=1)
    mul: int = cycles("multiplications", minimum=1)
    div: int = cycles("divisions", minimum=1)
    load: int = cycles("loads that hit the L1 cache", minimum=1)
    fpu: int = cycles("floating-point operations other than divisions and roots", minimum=1, default=7)
    fdiv: int = cycles("floating-point divisions and roots", minimum=1, default=56)
    csr: int = cycles("CSR accesses", minimum=1)


@dataclass(frozen=True)
class Interval:
    """Initiation interval: cycles from an instruction to the next one on the same port."""

    mul: int = cycles("multiplications", minimum=1, default=1)
    div: int = cycles("divisions (0: their latency)", default=0)
    load: int = cycles("loads", minimum=1, default=1)
    store: int = cycles("stores", minimum=1, default=1)
    fpu: int = cycles("floating-point operations other than divisions and roots", minimum=1, default=1)
    fdiv: int = cycles("floating-point divisions and roots (0: their latency)", default=0)


@dataclass(frozen=True)
class Ports:
    """Instructions of a class that may start per cycle."""

    alu: int = count("integer operations (0: as many as the hart's width)", minimum=0, maximum=7, default=0)
    mul: int = count("multiplications", maximum=7, default=1)
    div: int = count("divisions", maximum=7, default=1)
    fpu: int = count("floating-point operations", maximum=7, default=1)
    fdiv: int = count("floating-point divisions and roots", maximum=7, default=1)
    branch: int = count("branches and jumps", maximum=7, default=1)
    load: int = count("loads", maximum=7, default=1)
    store: int = count("stores", maximum=7, default=1)
    csr: int = count("CSR accesses", maximum=7, default=1)
    integer: int = count(
        "alu, mul, div, branch and csr together (0: the hart's width)", minimum=0, maximum=7, default=0
    )
    memory: int = count("loads and stores together", maximum=7, default=1)
    floating: int = count("fpu and fdiv together", maximum=7, default=1)


@dataclass(frozen=True)
class FrontEnd:
    """From fetch to issue (in order) or to renaming (out of order)."""

    stages: int = count("stages from fetch to issue or renaming", minimum=1, maximum=12, default=2)
    width: int = count("instructions fetched per cycle (0: the hart's width)", minimum=0, maximum=16, default=0)
    decode: int = count(
        "stages from fetch to where targets of direct jumps are found (0: as many as stages)",
        minimum=0,
        maximum=12,
        default=0,
    )
    taken_bubble: int = cycles("without fetch behind a taken branch that was predicted right", default=0)
    queue: int = count("instructions that fetch may be ahead of issue", minimum=0, maximum=256, default=0)


@dataclass(frozen=True)
class Predictor:
    """Of branches: direction, target, and return addresses.

    none: nothing is predicted taken. static: backward branches are predicted taken. bimodal: a table of two-bit
    counters by address. gshare: the same by address XOR history (McFarling, WRL TN-36, 1993); a longer one is folded.
    """

    kind: str = text("how directions are predicted", choices=("none", "static", "bimodal", "gshare"), default="none")
    entries: int = count("two-bit counters (bimodal, gshare)", power_of_two=True, maximum=1 << 20, default=512)
    history: int = count(
        "bits of global history (gshare; those above the table's index are folded onto it, once)",
        minimum=0,
        maximum=32,
        default=8,
    )
    btb: int = count(
        "entries of the branch target buffer (0: none)", minimum=0, maximum=1 << 16, power_of_two=True, default=0
    )
    return_stack: int = count("entries of the return address stack (0: none)", minimum=0, maximum=64, default=0)


@dataclass(frozen=True)
class OutOfOrder:
    """The window of an out-of-order hart."""

    rob: int = count("entries of the reorder buffer", maximum=1024)
    issue_queue: int = count("instructions that wait for operands or a port", maximum=512)
    load_queue: int = count("loads from renaming to retirement", maximum=512)
    store_queue: int = count("stores from renaming until they are written", maximum=512)
    memory_dependence: str = text(
        "conservative: a load waits for the addresses of all older stores; speculative: only where it once was wrong",
        choices=("conservative", "speculative"),
        default="speculative",
    )


@dataclass(frozen=True)
class Tlb:
    """Translations of the pages that loads and stores went to last."""

    entries: int = count("pages", maximum=1 << 16)
    ways: int = count("associativity (0: full)", minimum=0, maximum=1 << 16, default=0)
    page: int = nbytes("bytes of a page", minimum=1024, power_of_two=True, default=4096)
    walk: int = cycles("that a page it lacks takes", minimum=1)


@dataclass(frozen=True)
class Hart:
    """The scalar pipeline."""

    kind: str = text("order of issue", choices=("in_order", "out_of_order"), default="in_order")
    width: int = count(
        "instructions issued (in_order), or renamed and retired (out_of_order), per cycle", maximum=7, default=1
    )
    latency: Latency = section(Latency, "cycles from issue to result")
    interval: Interval = section(Interval, "cycles until a port takes the next instruction", default=Interval())
    ports: Ports = section(Ports, "instructions per cycle by class", default=Ports())
    blocking: bool = flag(
        "whether an interval holds up every instruction, not only those of its own unit (in_order)", default=False
    )
    late_alu: int = cycles(
        "that integer operations, branches and data to store may wait for their operands behind issue (in_order)",
        default=0,
    )
    branch_penalty: int = cycles(
        "lost by a branch or jump that was predicted wrong (without a predictor: by every one taken)"
    )
    front_end: FrontEnd = section(FrontEnd, "fetch", default=FrontEnd())
    predictor: Predictor = section(Predictor, "of branches", default=Predictor())
    store_buffer: int = count("stores that wait for memory (0: no bound)", minimum=0, maximum=256, default=0)
    tlb: Tlb | None = section(Tlb, "data TLB (left out: translations are there at once)", default=None)
    out_of_order: OutOfOrder | None = section(OutOfOrder, "window of an out-of-order hart", default=None)


POLICIES = ("lru", "plru", "random")
"""Least recently used; a tree of bits that approximates it; any way, by a generator of fixed seed."""


@dataclass(frozen=True)
class Prefetcher:
    """Lines fetched before they are asked for.

    next_line: those behind a line that missed, or that was itself fetched ahead and is used for the first time.
    stride: where a load or store goes on by a stride that came twice, a line apart at least.
    """

    kind: str = text("how they are chosen", choices=("none", "next_line", "stride"), default="none")
    degree: int = count("lines at once", maximum=16, default=1)
    entries: int = count("loads and stores that are followed (stride)", power_of_two=True, maximum=4096, default=64)


@dataclass(frozen=True)
class Cache:
    """A first-level data cache."""

    size: int = nbytes("capacity", minimum=64, maximum=1 << 28)
    line: int = nbytes("line size", minimum=16, power_of_two=True)
    ways: int = count("associativity", maximum=64)
    mshrs: int = count("misses on their way (0: no bound)", minimum=0, maximum=64, default=0)
    replacement: str = text("which line leaves", choices=POLICIES, default="lru")
    write: str = text(
        "back: a modified line goes on when it leaves; through: each store goes on to the next level at once",
        choices=("back", "through"),
        default="back",
    )
    allocate: bool = flag("whether a store that misses fetches its line (otherwise it goes on by itself)", default=True)
    prefetcher: Prefetcher = section(Prefetcher, "lines fetched ahead", default=Prefetcher())


@dataclass(frozen=True)
class InstructionCache:
    """A first-level instruction cache."""

    size: int = nbytes("capacity", minimum=64, maximum=1 << 28)
    line: int = nbytes("line size", minimum=16, power_of_two=True)
    ways: int = count("associativity", maximum=64)
    mshrs: int = count("misses on their way (fetch waits for each)", minimum=0, maximum=64, default=0)
    replacement: str = text("which line leaves", choices=POLICIES, default="lru")


@dataclass(frozen=True)
class SecondCache:
    """A second-level cache: write-back, write-allocate."""

    size: int = nbytes("capacity", minimum=1024, maximum=1 << 30)
    line: int = nbytes("line size", minimum=16, power_of_two=True)
    ways: int = count("associativity", maximum=64)
    latency: int = cycles("from a miss of the L1 cache to its data", minimum=1)
    mshrs: int = count("misses on their way (0: no bound)", minimum=0, maximum=1024, default=0)
    replacement: str = text("which line leaves", choices=POLICIES, default="lru")
    inclusion: str = text(
        "inclusive: what leaves it leaves the first level, too",
        choices=("inclusive", "non_inclusive"),
        default="non_inclusive",
    )
    shared: bool = flag("whether all cores share one", default=False)
