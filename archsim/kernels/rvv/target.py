"""What kernels of RVV ask of a design."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archsim.common.errors import InputError
from archsim.kernels.target import Target

STEP = 128
"""Most products that are summed as integers before a scale is applied: a tile row of xqt, so that sums are the same."""
LEAST_VLEN = 512
"""16 lanes of float32 in a register."""


@dataclass(frozen=True)
class RvvTarget(Target):
    """A hart with vectors. What Target says of tiles is that of none; rows adjoin in memory.

    Attributes:
        vlen: bits of a vector register.
        constants: no program has any in the scratchpad.
    """

    vlen: int = LEAST_VLEN
    constants: int = 0

    def pitch(self, nbytes: int) -> int:
        return nbytes

    @property
    def columns(self) -> int:
        """Bytes of a register: numbers of 8 bits that m1 holds, of 16 bits that m2, of 32 bits that m4."""
        return self.vlen // 8


def rvv_target_of(design: Any) -> RvvTarget:
    """The capabilities of a Design that has V.

    Raises:
        InputError: it has no Zvfh, several cores, or registers that are too short.
    """
    from archsim.isa.load import load_isa

    isa = load_isa(*design.isa, parameters=design.parameters)
    vlen = isa.parameters["VLEN"]
    for broken, problem, remedy in (
        ("Zvfh" not in isa.extensions, "has no float16 in vectors", "add zvfh to its isa"),
        ("qmark" not in isa.state, "has no marker of regions", "add xqmark to its isa"),
        (design.cores > 1, f"has {design.cores} cores, and kernels of RVV run on one", "set cores to 1"),
        (vlen < LEAST_VLEN, f"has VLEN {vlen}", f"set parameters.VLEN to {LEAST_VLEN} or more"),
    ):
        if broken:
            raise InputError(f"design {design.name} cannot run model kernels of RVV: it {problem}", remedy=remedy)
    return RvvTarget(1, 1, STEP, 1, design.core.scratchpad.size, vlen=vlen)
