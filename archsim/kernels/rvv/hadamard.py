"""A vector of 32-bit floats in registers: signs turned over, and the Walsh-Hadamard transform."""

from __future__ import annotations

from math import sqrt

from archsim.kernels.assembly import SCRATCH, Assembly
from archsim.kernels.rvv.emit import float_constant


def flip(asm: Assembly, signs: str) -> None:
    """Negate numbers of v8 (m4) whose bit at a pointer is 0; vtype is e32, m4. It takes v0 and v16 to v19."""
    asm("vlm.v", "v0", f"({signs})")
    asm("vfsgnjn.vv", "v16", "v8", "v8")
    asm("vmerge.vvm", "v8", "v16", "v8", "v0")


def transform(asm: Assembly, size: int) -> None:
    """v8 (m4) = its transform, stage by stage at distance 1, 2, 4, ..., then over the root of its size.

    vtype is e32, m4, vl the size. In each stage (a, b) becomes (a + b, a - b): an element and the one at the distance
    are added, the second of the pair negated first. It takes v0, v12 to v23 and fa7.
    """
    asm("vid.v", "v12")
    distance = 1
    while distance < size:
        asm.li(SCRATCH, distance)
        asm("vxor.vx", "v16", "v12", SCRATCH)
        asm("vrgather.vv", "v20", "v8", "v16")
        asm("vand.vx", "v16", "v12", SCRATCH)
        asm("vmsne.vi", "v0", "v16", 0)
        asm("vfsgnjn.vv", "v16", "v8", "v8")
        asm("vmerge.vvm", "v8", "v8", "v16", "v0")
        asm("vfadd.vv", "v8", "v8", "v20")
        distance *= 2
    float_constant(asm, "fa7", 1 / sqrt(size))
    asm("vfmul.vf", "v8", "v8", "fa7")
