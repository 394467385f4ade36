"""What a run gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Energy:
    """Joules by component."""

    components: dict[str, float]

    @property
    def total(self) -> float:
        """Sum of the components, in joules."""
        return sum(self.components.values())


@dataclass(frozen=True)
class Region:
    """A stretch of a program between two writes to qmark, as the first hart saw it.

    Attributes:
        region: the number written.
        start, end: cycles.
    """

    region: int
    start: int
    end: int


@dataclass
class RunResult:
    """One program on one design.

    Attributes:
        design: its name ("" for a functional run without timing).
        fidelity: functional, timed or addresses.
        cycles: of the chip's clock, until the last hart and transfer are done (0 when functional).
        time_s: cycles in seconds.
        instructions: retired, over all harts.
        busy_cycles: cycles in which harts issued (out of order: retired) instructions, over all harts.
        hart_cycles: cycles x harts; busy_cycles and stalls add up to it.
        stalls: cause -> cycles in which nothing issued (out of order: retired), over all harts.
        issue_slots: hart_cycles x width; instructions and lost slots add up to it.
        slots: cause -> issue slots lost, over all harts: in stalls, and in cycles that others used.
        harts: the same per hart.
        units: decoupled unit -> cycles in which it was busy, over all cores (dma: in which any of its engines sent).
        unit_stalls: decoupled unit -> cause -> cycles, over all cores; with `units` they add up to hart_cycles:
            idle (nothing was dispatched to it), operand_U (a register was not ready that unit U writes, or still
            reads), scratchpad (bytes that another unit or a transfer writes or reads), bank_conflict (banks were
            busy), fold (a systolic array of serial folds fills or drains), startup (of a transfer), outstanding (as
            many bursts on their way as there may be), drain (from the last input to the last result), end.
        unit_spans: decoupled unit -> cycles at which its first work began and its last result was there.
        energy: joules by component.
        macs: number format -> multiply-accumulates.
        dram_read_bytes, dram_write_bytes: bytes the DRAM transferred.
        bandwidth: level (layout.LEVELS) -> bytes that passed it in each stretch of bandwidth_stretch cycles.
        traffic: tensor -> bytes read from and written to DRAM, as asked for; "other" is the rest.
        region_traffic: the same by the region of the program (qmark) that asked.
        bank_conflicts: "unit by unit" -> cycles that the scratchpad's banks held the first up, by who used them most.
        dram: commands and events of the DRAM; row_hit_rate; mean latency of a read in its controller, its queue
            included; mean reads there at once.
        noc: what the network on chip carried (see noc_layout.COUNTERS); empty where there is none.
        roofline: what the run reached, and what peak and DRAM allow at its intensity.
        regions: stretches marked by qmark, of hart 0.
        exit_code: what the program exited with.
        failed_test: number of the test that failed, of bare-metal programs that say so (0: none).
        stdout, stderr: what it wrote.
        unknown_calls: system call number -> times it was answered with ENOSYS.
    """

    design: str
    fidelity: str
    cycles: int = 0
    time_s: float = 0.0
    instructions: int = 0
    busy_cycles: int = 0
    hart_cycles: int = 0
    stalls: dict[str, int] = field(default_factory=dict)
    issue_slots: int = 0
    slots: dict[str, int] = field(default_factory=dict)
    harts: list[dict[str, Any]] = field(default_factory=list)
    units: dict[str, int] = field(default_factory=dict)
    unit_stalls: dict[str, dict[str, int]] = field(default_factory=dict)
    unit_spans: dict[str, tuple[int, int]] = field(default_factory=dict)
    energy: Energy = field(default_factory=lambda: Energy({}))
    macs: dict[str, int] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)
    dram_read_bytes: int = 0
    dram_write_bytes: int = 0
    bandwidth_stretch: int = 1
    bandwidth: dict[str, list[int]] = field(default_factory=dict)
    traffic: dict[str, dict[str, int]] = field(default_factory=dict)
    region_traffic: dict[int, dict[str, int]] = field(default_factory=dict)
    bank_conflicts: dict[str, int] = field(default_factory=dict)
    roofline: dict[str, float] = field(default_factory=dict)
    noc: dict[str, int] = field(default_factory=dict)
    dram: dict[str, float] = field(default_factory=dict)
    regions: list[Region] = field(default_factory=list)
    exit_code: int = 0
    failed_test: int = 0
    stdout: bytes = b""
    stderr: bytes = b""
    unknown_calls: dict[int, int] = field(default_factory=dict)
    memory: Any = None
    trace: Any = None

    def read(self, address: int, size: int) -> bytes:
        """Bytes of simulated main memory after the run."""
        return bytes(self.memory.read(address, size))

    def bandwidth_to_dict(self) -> dict[str, Any]:
        """Bytes over time by level, and the mean bytes per second of each."""
        if not self.cycles:
            return {}
        return {
            "stretch_s": self.bandwidth_stretch * self.time_s / self.cycles,
            "bytes": self.bandwidth,
            "mean_bytes_per_s": {name: sum(moved) / self.time_s for name, moved in self.bandwidth.items()},
        }

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form; names carry units."""
        return {
            "design": self.design,
            "fidelity": self.fidelity,
            "exit_code": self.exit_code,
            "cycles": self.cycles,
            "time_s": self.time_s,
            "instructions": self.instructions,
            "busy_cycles": self.busy_cycles,
            "hart_cycles": self.hart_cycles,
            "stalls": self.stalls,
            "issue_slots": self.issue_slots,
            "slots": self.slots,
            "harts": self.harts,
            "units": self.units,
            "unit_stalls": self.unit_stalls,
            "unit_spans": {unit: list(span) for unit, span in self.unit_spans.items()},
            "macs": self.macs,
            "events": {name: count for name, count in self.events.items() if count},
            "energy_j": self.energy.total,
            "energy": self.energy.components,
            "dram_read_bytes": self.dram_read_bytes,
            "dram_write_bytes": self.dram_write_bytes,
            "dram": self.dram,
            "traffic": self.traffic,
            "region_traffic": {str(number): moved for number, moved in self.region_traffic.items()},
            "bank_conflicts": self.bank_conflicts,
            "bandwidth": self.bandwidth_to_dict(),
            "roofline": self.roofline,
            "noc": self.noc,
            "unknown_system_calls": {str(number): count for number, count in self.unknown_calls.items()},
        }
