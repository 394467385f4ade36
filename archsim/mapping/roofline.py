"""What limits an op: its roofline, and how near each resource is to its limit meanwhile.

The roofline is the larger of MACs over the matrix units' rate and of its operands over the DRAM's rate (Williams
et al., Roofline, CACM 52(4), 2009), of which weights and cache count: activations could stay in a scratchpad.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archsim.kernels.matmul import MatMul

if TYPE_CHECKING:
    from archsim.design.spec import Design
    from archsim.mapping.plan import PlannedOp
    from archsim.models.graph import Op

_HALF = 0.5
"""Share of an op's time that a resource must be needed for to be what limits it; else latency does."""


@dataclass(frozen=True)
class Limits:
    """Cycles that an op takes at least by one resource alone.

    Attributes:
        compute: of all cores' matrix units at their full rate.
        least_dram: of the DRAM at its peak rate, for weights and cache.
        dram: the same for all that its tiling moves, activations too.
        sram: of tile loads from the scratchpads, as far as it is known.
    """

    compute: float
    least_dram: float
    dram: float
    sram: float

    @property
    def expected(self) -> float:
        """Cycles that a run takes, very roughly, to show progress by."""
        return max(self.compute, self.dram, self.sram)

    @property
    def roofline(self) -> float:
        """Cycles that no run takes fewer of."""
        return max(self.compute, self.least_dram)

    def bound(self, cycles: int) -> str:
        """What limits an op that took so many cycles: compute, DRAM, SRAM or latency."""
        cost = {"compute": self.compute, "DRAM": self.dram, "SRAM": self.sram}
        most = max(cost, key=lambda name: cost[name])
        return most if cost[most] > _HALF * cycles else "latency"


def limits_of(planned: PlannedOp, design: Design) -> Limits:
    """The limits of an op on a design."""
    op, kernel = planned.bound.op, planned.bound.kernel
    per_cycle = design.memory.peak_bytes_per_s / design.clock
    cost = kernel.cost(planned.tiling) if isinstance(kernel, MatMul) else None
    activations = sum(tensor.nbytes for tensor in (*op.inputs, *op.outputs) if "_cache." not in tensor.name)
    rate = max([1.0, *design.core.matrix.formats.values()])
    return Limits(
        compute=op.macs * design.clock / (design.peak_macs_per_s * rate) if design.peak_macs_per_s else 0.0,
        least_dram=_operand_bytes(op) / per_cycle,
        dram=cost.dram if cost else (_operand_bytes(op) + activations) / per_cycle,
        sram=cost.tile_lsu if cost else 0.0,
    )


def _operand_bytes(op: Op) -> int:
    """Bytes of weights and of a cache: what cannot have stayed in a scratchpad from the op before."""
    if op.kind == "embed":
        return sum(tensor.nbytes * op.attributes["rows"] // tensor.shape[0] for tensor in op.weights)
    cached = sum(tensor.nbytes for tensor in op.inputs if "_cache." in tensor.name)
    return op.weight_bytes + cached
