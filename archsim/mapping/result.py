"""What a simulation gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class OpResult:
    """One op of one layer (or of the embedding or the head).

    Attributes:
        times: how often the pass runs it.
        cycles: of one run, from its start to the start of the next op.
        macs: of one run, as the graph counts them.
        weight_bytes: of its parameters as stored.
        sram_bytes: of scratchpad in use meanwhile, per core.
        dram_read_bytes, dram_write_bytes: that transfers issued meanwhile move, the next op's first weights among them.
        weights: format of its parameters.
        layers: layers that it is of, as in "0, 3-5".
        roofline_cycles: that no run takes fewer of: MACs at the matrix units' rate, or weights and cache at the DRAM's.
        bound: what limits it: compute, DRAM, SRAM, or latency where none of these is needed for half of its time.
    """

    op: str
    kind: str
    times: int
    cycles: int
    macs: int
    weight_bytes: int
    sram_bytes: int
    dram_read_bytes: int = 0
    dram_write_bytes: int = 0
    weights: str = ""
    layers: str = ""
    roofline_cycles: float = 0.0
    bound: str = ""


@dataclass
class SimulationResult:
    """One pass of a model on a design: a prefill of `batch` prompts, or one more token of each of `batch` sequences.

    Attributes:
        cycles, time_s: of the pass.
        tokens: that the pass works on (prefill), or makes (decode); of an ONNX file its batch.
        tokens_per_s: tokens / time_s.
        ttft_s: time to the first token: of a prefill or a request the prefill's time, else None.
        tpot_s: of a request, the mean time per output token after the first.
        instructions, busy_cycles, hart_cycles, stalls: summed over harts; busy cycles and stalls add up to hart_cycles.
        simulated_instructions: those that ran; equal layers run once.
        units: busy cycles of each unit, summed over cores.
        energy: joules by component.
        dram_read_bytes, dram_write_bytes: bytes the DRAM transferred.
        macs_total: multiply-accumulates the model asks for; `macs` are those executed, by number format.
        peak_macs_per_s, dram_peak_bytes_per_s: the design's bounds.
        matrix_utilization: busy share of the matrix units.
        dram_utilization: bytes transferred as a share of what the DRAM could in that time.
        sram_peak_bytes, sram_average_bytes: scratchpad in use per core; the average is over time.
        sram_size_bytes: scratchpad of a core.
        sram_timeline: over the first decoder layer, [{time_s, bytes, op}]: what is in use from then on.
        sram_allocations: of that layer, [{name, offset, bytes, begin_s, end_s}]; those live add up to the timeline.
        sram_peak: what is held when most is: "op.buffer" -> bytes.
        dram, row_hit_rate: commands and events of the DRAM, and the share of requests that found their row open.
        traffic: tensor -> bytes read from and written to DRAM, over the pass.
        memory_bytes: weights, embedding and KV cache.
        ops: time by op.
    """

    model: str
    design: str
    phase: str
    batch: int
    context: int
    weights: str
    activations: str
    kv: str
    cycles: int = 0
    time_s: float = 0.0
    tokens: int = 0
    tokens_per_s: float = 0.0
    ttft_s: float | None = None
    tpot_s: float | None = None
    instructions: int = 0
    simulated_instructions: int = 0
    busy_cycles: int = 0
    hart_cycles: int = 0
    stalls: dict[str, int] = field(default_factory=dict)
    units: dict[str, int] = field(default_factory=dict)
    energy: dict[str, float] = field(default_factory=dict)
    dram_read_bytes: int = 0
    dram_write_bytes: int = 0
    macs_total: int = 0
    macs: dict[str, int] = field(default_factory=dict)
    peak_macs_per_s: float = 0.0
    dram_peak_bytes_per_s: float = 0.0
    matrix_utilization: float = 0.0
    dram_utilization: float = 0.0
    sram_peak_bytes: int = 0
    sram_average_bytes: float = 0.0
    sram_size_bytes: int = 0
    sram_timeline: list[dict[str, Any]] = field(default_factory=list)
    sram_allocations: list[dict[str, Any]] = field(default_factory=list)
    sram_peak: dict[str, int] = field(default_factory=dict)
    dram: dict[str, int] = field(default_factory=dict)
    row_hit_rate: float = 0.0
    traffic: dict[str, dict[str, int]] = field(default_factory=dict)
    weight_bytes: int = 0
    kv_bytes: int = 0
    memory_bytes: int = 0
    ops: list[OpResult] = field(default_factory=list)

    @property
    def energy_j(self) -> float:
        """Joules of the pass."""
        return sum(self.energy.values())

    @property
    def energy_per_token_j(self) -> float:
        """Joules per token."""
        return self.energy_j / self.tokens

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form; names carry units."""
        result = {name: value for name, value in vars(self).items() if name != "ops"}
        result |= {"energy_j": self.energy_j, "energy_per_token_j": self.energy_per_token_j}
        result["ops"] = [dict(vars(op)) for op in self.ops]
        return result


def show_ranges(numbers: tuple[int, ...]) -> str:
    """Rising numbers in short: (0, 3, 4, 5) is "0, 3-5"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
