"""What kernels ask of a design."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from archsim.common.errors import InputError
from archsim.kernels.assembly import CONSTANTS_BYTES

GROUPS_PER_TILE = 8
"""Scales that one row of a scale register holds."""


@dataclass(frozen=True)
class Target:
    """Capabilities of a design.

    Attributes:
        tm, tn: activation rows and weight rows of an accumulator.
        trowb: bytes of a tile row.
        formats: of weights that the matrix unit multiplies, each with its rate relative to macs_per_cycle; other
            integers are unpacked to int8 first.
        k_quants: whether there is an instruction for super blocks of K-quants (Xqk).
        cores: harts that run the same program.
        scratchpad: bytes per core.
        granule: bytes whose order between units is kept as one; buffers are aligned to it.
        interleave: consecutive bytes in one DRAM channel.
        macs_per_cycle: of a core's matrix unit.
        weight_cycles: that a matrix unit takes at least per weight tile, however few activation rows there are.
        drain_cycles: from the last number into a matrix unit to its last result.
        tile_bytes_per_cycle: that a core's tile loads take from its scratchpad.
        vector_bytes_per_cycle: of a core's vector unit.
        dram_bytes_per_cycle: of all channels.
        link_bytes_per_cycle: of a core's way to memory.
        constants: bytes at the start of the scratchpad that a program's constants take.
    """

    tm: int
    tn: int
    trowb: int
    cores: int
    scratchpad: int
    formats: Mapping[str, float] = field(default_factory=lambda: {"int8": 1.0, "int4": 1.0}, hash=False)
    k_quants: bool = False
    granule: int = 64
    interleave: int = 256
    macs_per_cycle: int = 256
    weight_cycles: int = 0
    drain_cycles: int = 0
    tile_bytes_per_cycle: int = 128
    vector_bytes_per_cycle: int = 64
    dram_bytes_per_cycle: float = 64.0
    link_bytes_per_cycle: float = 64.0
    constants: int = CONSTANTS_BYTES

    def align(self, nbytes: int) -> int:
        """Bytes rounded up to whole granules."""
        return -(-nbytes // self.granule) * self.granule

    def pitch(self, nbytes: int) -> int:
        """Bytes from row to row in DRAM: an odd multiple of the interleave, so that columns spread over channels."""
        return self.interleave * (-(-nbytes // self.interleave) | 1)


def target_of(design: Any) -> Target:
    """The capabilities of a Design.

    Raises:
        InputError: the design cannot run the kernels: it has no xqt tiles, or its matrix unit no int8.
    """
    core, parameters = design.core, design.parameters
    missing = [name for name in ("TM", "TN", "TROWB") if name not in parameters]
    if missing:
        raise InputError(
            f"design {design.name} cannot run model kernels: it has no xqt tiles ({missing[0]} is not set)",
            remedy="add xqt to its isa, and TM, TN and TROWB to its parameters",
        )
    if not core.matrix.formats.get("int8"):
        raise InputError(
            f"design {design.name} cannot run model kernels: its matrix unit does not multiply int8",
            remedy="add int8 to core.matrix.formats",
        )
    systolic, granule = core.matrix.kind.startswith("systolic"), max(64, core.scratchpad.granule)
    return Target(
        tm=parameters["TM"],
        tn=parameters["TN"],
        trowb=parameters["TROWB"],
        cores=design.cores,
        scratchpad=core.scratchpad.size,
        formats={name: rate for name, rate in core.matrix.formats.items() if rate},
        k_quants="xqk" in design.isa,
        granule=granule,
        interleave=design.memory.interleave,
        macs_per_cycle=core.matrix.macs_per_cycle,
        weight_cycles=core.matrix.rows if core.matrix.kind == "systolic_ws" else 0,
        drain_cycles=core.matrix.latency + (core.matrix.rows + core.matrix.columns if systolic else 0),
        tile_bytes_per_cycle=min(core.tile_lsu.width, core.scratchpad.banks * core.scratchpad.width),
        vector_bytes_per_cycle=core.vector.width or 8 * core.vector.lanes,
        dram_bytes_per_cycle=design.memory.peak_bytes_per_s / design.clock,
        link_bytes_per_cycle=design.interconnect.width,
        constants=-(-CONSTANTS_BYTES // granule) * granule,
    )
