"""KV vectors to TurboQuant's codes and norms, to the bit as archsim/formats/turboquant_vector.py has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archsim.common.errors import InputError
from archsim.kernels.assembly import Assembly
from archsim.kernels.base import Array, Placement
from archsim.kernels.rvv.base import RvvKernel
from archsim.kernels.rvv.emit import each_row, float_constant, lane_sum, retype, shape
from archsim.kernels.rvv.hadamard import flip, transform
from archsim.kernels.rvv.target import RvvTarget
from archsim.kernels.turboquant import CodedCache


def require_codes(name: str, target: RvvTarget, cache: CodedCache, tokens: int) -> None:
    """Refuse a cache of codes that kernels of RVV do not work on, or with no room.

    Raises:
        InputError: it is such.
    """
    cache.require(name, tokens)
    if not 2 <= cache.bits <= 4 or cache.head_dim > target.columns:
        raise InputError(
            f"op {name!r}: no kernel of RVV for TurboQuant's vectors of {cache.head_dim} with {cache.bits} bits",
            remedy=f"use 2 to 4 bits, and vectors of up to VLEN / 8 = {target.columns}",
        )


@dataclass(frozen=True)
class EncodeVectors(RvvKernel):
    """x float32 [rows, kv_heads * head_dim] to codes and norms of the tokens from `position` on.

    Codes wait in an array of their own, a byte each, to be packed.

    Raises:
        InputError: there is no room for so many tokens, or no kernel for such vectors.
    """

    name: str
    target: RvvTarget
    rows: int
    cache: CodedCache
    position: int = 0

    def __post_init__(self) -> None:
        require_codes(self.name, self.target, self.cache, self.position + self.rows)

    def arrays(self) -> dict[str, Array]:
        x = Array((self.rows, self.cache.width), "f4")
        own = {"loose": Array((self.cache.head_dim,), "u1")}
        return {"x": x, **self.cache.constants(), **self.cache.arrays(written=True), **own}

    def emit(self, asm: Assembly, tiling: Any, place: Placement) -> None:
        cache, dram = self.cache, place.dram
        with asm.registers("x codes norms left") as (x, codes, norms, left):
            asm.li(x, dram["x"])
            with each_row(asm, self.rows) as row:
                for name, pointer, size in (("codes", codes, cache.code_bytes), ("norms", norms, 2)):
                    asm.element(pointer, dram[name] + self.position * size, row, size)
                with asm.times(left, cache.kv_heads):
                    self._vector(asm, place, x, codes)
                    asm("fcvt.h.s", "fa0", "fa0")
                    asm("fsh", "fa0", f"0({norms})")
                    asm.add(norms, norms, 2 * cache.capacity)
                    asm.add(codes, codes, cache.code_bytes * cache.capacity)

    def _vector(self, asm: Assembly, place: Placement, x: str, codes: str) -> None:
        """Codes of a vector; x goes behind it; fa0 = its length."""
        size = self.cache.head_dim
        with asm.registers("own signs") as (own, signs):
            asm("mv", own, x)
            lane_sum(asm, x, size, "fa0", square=True)
            asm("fsqrt.s", "fa0", "fa0")
            shape(asm, size, 32, "m4")
            asm("vle32.v", "v8", f"({own})")
            asm.li(signs, place.dram["signs"])
            flip(asm, signs)
            transform(asm, size)
        self._nearest(asm, place.dram["levels"])
        with asm.registers("loose") as (loose,):
            asm.li(loose, place.dram["loose"])
            retype(asm, 16, "m2")
            asm("vnsrl.wi", "v16", "v12", 0)
            retype(asm, 8, "m1")
            asm("vnsrl.wi", "v18", "v16", 0)
            asm("vse8.v", "v18", f"({loose})")
            self._pack(asm, loose, codes)

    def _nearest(self, asm: Assembly, levels: int) -> None:
        """v12 (m4) = for each number of v8 how many middles between levels times the length it is greater than."""
        asm("vmv.v.i", "v12", 0)
        float_constant(asm, "fa4", 0.5)
        with asm.registers("level") as (level,):
            asm.li(level, levels)
            low, high = "fa1", "fa2"
            asm("flw", low, f"0({level})")
            asm("fmul.s", low, low, "fa0")
            for number in range(1, 1 << self.cache.bits):
                asm("flw", high, f"{4 * number}({level})")
                asm("fmul.s", high, high, "fa0")
                asm("fadd.s", "fa3", low, high)
                asm("fmul.s", "fa3", "fa3", "fa4")
                asm("vmfgt.vf", "v0", "v8", "fa3")
                asm("vadc.vim", "v12", "v12", 0, "v0")
                low, high = high, low

    def _pack(self, asm: Assembly, loose: str, codes: str) -> None:
        """Eight codes, a byte each, become `bits` bytes: code i of eight stands in field i of a segment."""
        bits = self.cache.bits
        shape(asm, self.cache.head_dim // 8, 8, "mf4")
        asm("vlseg8e8.v", "v8", f"({loose})")
        retype(asm, 32, "m1")
        asm("vzext.vf4", "v16", "v8")
        for number in range(1, 8):
            asm("vzext.vf4", "v17", f"v{8 + number}")
            asm("vsll.vi", "v17", "v17", bits * number)
            asm("vor.vv", "v16", "v16", "v17")
        for number in range(bits):
            asm("vsrl.vi", "v17", "v16", 8 * number)
            retype(asm, 16, "mf2")
            asm("vnsrl.wi", "v18", "v17", 0)
            retype(asm, 8, "mf4")
            asm("vnsrl.wi", f"v{20 + number}", "v18", 0)
            if number < bits - 1:
                retype(asm, 32, "m1")
        asm(f"vsseg{bits}e8.v", "v20", f"({codes})")
