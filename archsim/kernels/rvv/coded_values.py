"""Weighted sums of vectors of codes: a code's bits are gathered to its place, and its level by the code."""

from __future__ import annotations

from archsim.kernels.assembly import SCRATCH, Assembly
from archsim.kernels.rvv.emit import retype, shape
from archsim.kernels.turboquant import CodedCache


class CodedValues:
    """Emits the sums; they stand in v8 (m4), float32, one for each dimension.

    v1: number of the byte in which a dimension's code begins; v2: of the next; v16 (m2): bits before it there; v24
    (m4): levels.
    """

    def __init__(self, asm: Assembly, cache: CodedCache, levels: int) -> None:
        self.asm, self.cache, self.levels = asm, cache, levels

    @property
    def across(self) -> bool:
        """Whether codes reach over the ends of bytes."""
        return 8 % self.cache.bits != 0

    def prepare(self) -> None:
        """Places and levels, and no sums."""
        asm, size = self.asm, self.cache.head_dim
        shape(asm, 1 << self.cache.bits, 32, "m4")
        with asm.registers("levels") as (levels,):
            asm.li(levels, self.levels)
            asm("vle32.v", "v24", f"({levels})")
        shape(asm, size, 32, "m4")
        asm("vmv.v.i", "v8", 0)
        retype(asm, 16, "m2")
        asm("vid.v", "v16")
        asm.li(SCRATCH, self.cache.bits)
        asm("vmul.vx", "v16", "v16", SCRATCH)
        retype(asm, 8, "m1")
        asm("vnsrl.wi", "v1", "v16", 3)
        asm("vadd.vi", "v2", "v1", 1)
        retype(asm, 16, "m2")
        asm("vand.vi", "v16", "v16", 7)

    def scale(self, factor: str) -> None:
        """Sums times the float32 at a pointer, which goes on."""
        asm = self.asm
        shape(asm, self.cache.head_dim, 32, "m4")
        asm("flw", "fa0", f"0({factor})")
        asm("vfmul.vf", "v8", "v8", "fa0")
        asm.add(factor, factor, 4)

    def load(self, codes: str) -> None:
        """v4 = codes of a vector; the pointer goes on."""
        shape(self.asm, self.cache.code_bytes, 8, "m1")
        self.asm("vle8.v", "v4", f"({codes})")
        self.asm.add(codes, codes, self.cache.code_bytes)

    def add(self, codes: str, end: str, weight: str) -> None:
        """Sums += levels of the vector that is loaded, times its float32 weight; loads the next one, up to `end`."""
        asm, cache = self.asm, self.cache
        asm("vmv1r.v", "v3", "v4")
        with asm.unless("bge", codes, end):
            self.load(codes)
        asm("flw", "fa0", f"0({weight})")
        shape(asm, cache.head_dim, 8, "m1")
        asm("vrgather.vv", "v5", "v3", "v1")
        if self.across:
            asm("vrgather.vv", "v6", "v3", "v2")
        retype(asm, 16, "m2")
        asm("vzext.vf2", "v12", "v5")
        if self.across:
            asm("vzext.vf2", "v14", "v6")
            asm("vsll.vi", "v14", "v14", 8)
            asm("vor.vv", "v12", "v12", "v14")
        asm("vsrl.vv", "v12", "v12", "v16")
        asm("vand.vi", "v12", "v12", (1 << cache.bits) - 1)
        retype(asm, 32, "m4")
        asm("vrgatherei16.vv", "v20", "v24", "v12")
        asm("vfmul.vf", "v20", "v20", "fa0")
        asm("vfadd.vv", "v8", "v8", "v20")
        asm.add(weight, weight, 4)
