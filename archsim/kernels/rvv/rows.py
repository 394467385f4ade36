"""Kernels that work row by row: embed, norm, quantize, add."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archsim.kernels.assembly import Assembly
from archsim.kernels.base import Array, Placement
from archsim.kernels.rvv.base import RvvKernel
from archsim.kernels.rvv.emit import each_row, float_constant, lane_sum, strips
from archsim.kernels.rvv.quantise import Source, quantise, row_at, scale_of
from archsim.kernels.rvv.target import RvvTarget


@dataclass(frozen=True)
class Embed(RvvKernel):
    """Rows of a float16 table [vocab, features] at int32 ids [rows], as float32.

    Attributes:
        ids: how many ids there are, a power of two: row r uses id r modulo `ids`; 0 means one per row.
    """

    name: str
    target: RvvTarget
    rows: int
    features: int
    vocab: int
    ids: int = 0

    def arrays(self) -> dict[str, Array]:
        return {
            "ids": Array((self.ids or self.rows,), "i4"),
            "table": Array((self.vocab, self.features), "f2"),
            "x": Array((self.rows, self.features), "f4", written=True),
        }

    def emit(self, asm: Assembly, tiling: Any, place: Placement) -> None:
        with asm.registers("x token") as (x, token):
            asm.li(x, place.dram["x"])
            with each_row(asm, self.rows) as row:
                if self.ids:
                    asm.li(token, self.ids - 1)
                    asm("and", token, row, token)
                asm.element(token, place.dram["ids"], token if self.ids else row, 4)
                asm("lw", token, f"0({token})")
                asm.element(token, place.dram["table"], token, 2 * self.features)
                with strips(asm, self.features, 16, "m4", {token: 2, x: 4}):
                    asm("vle16.v", "v8", f"({token})")
                    asm("vfwcvt.f.f.v", "v16", "v8")
                    asm("vse32.v", "v16", f"({x})")


@dataclass(frozen=True)
class Norm(RvvKernel):
    """RMSNorm of x float32 [rows, features], after x += delta with `residual`; int8 codes and a scale per row.

    y = x * (1 / sqrt(sum(x^2) * (1 / features) + eps)) * gamma; scale = max|y| / 127.

    Attributes:
        every: work on each every-th row of x only (the last of each group), as the head of a prefill does.
    """

    name: str
    target: RvvTarget
    rows: int
    features: int
    residual: bool
    eps: float
    every: int = 1

    def arrays(self) -> dict[str, Array]:
        full = (self.rows * self.every, self.features)
        arrays = {"x": Array(full, "f4", written=self.residual), "gamma": Array((self.features,), "f4")}
        if self.residual:
            arrays["delta"] = Array(full, "f4")
        arrays["codes"] = Array((self.rows, self.features), "i1", written=True)
        arrays["scales"] = Array((self.rows,), "f4", written=True)
        return arrays

    def emit(self, asm: Assembly, tiling: Any, place: Placement) -> None:
        with asm.registers("x other codes scales") as (x, other, codes, scales):
            asm.li(codes, place.dram["codes"])
            asm.li(scales, place.dram["scales"])
            with each_row(asm, self.rows) as row:

                def start() -> None:
                    self._row(asm, x, place.dram["x"], row)

                def again() -> None:
                    start()
                    asm.li(other, place.dram["gamma"])

                def load() -> None:
                    asm("vle32.v", "v8", f"({x})")
                    asm("vle32.v", "v12", f"({other})")
                    asm("vfmul.vf", "v8", "v8", "fa3")
                    asm("vfmul.vv", "v8", "v8", "v12")

                if self.residual:
                    start()
                    self._row(asm, other, place.dram["delta"], row)
                    add_rows(asm, self.features, x, other)
                start()
                self._inverse_root(asm, x)
                quantise(asm, self.features, Source(again, {x: 4, other: 4}, load), codes)
                scale_of(asm, "fa0", "fa1")
                asm("fsw", "fa1", f"0({scales})")
                asm.add(scales, scales, 4)

    def _row(self, asm: Assembly, target: str, base: int, row: str) -> None:
        """target = address of a row."""
        size = 4 * self.features
        asm.element(target, base + (self.every - 1) * size, row, size * self.every)

    def _inverse_root(self, asm: Assembly, x: str) -> None:
        """fa3 = 1 / sqrt(mean of squares + eps)."""
        lane_sum(asm, x, self.features, "fa3", square=True)
        float_constant(asm, "fa4", 1 / self.features)
        asm("fmul.s", "fa3", "fa3", "fa4")
        float_constant(asm, "fa4", self.eps)
        asm("fadd.s", "fa3", "fa3", "fa4")
        asm("fsqrt.s", "fa3", "fa3")
        float_constant(asm, "fa4", 1.0)
        asm("fdiv.s", "fa3", "fa4", "fa3")


@dataclass(frozen=True)
class Quantize(RvvKernel):
    """Rows of x float32 [rows, features] to int8 codes with a float32 scale each."""

    name: str
    target: RvvTarget
    rows: int
    features: int

    def arrays(self) -> dict[str, Array]:
        return {
            "x": Array((self.rows, self.features), "f4"),
            "codes": Array((self.rows, self.features), "i1", written=True),
            "scales": Array((self.rows,), "f4", written=True),
        }

    def emit(self, asm: Assembly, tiling: Any, place: Placement) -> None:
        with asm.registers("x codes scales") as (x, codes, scales):
            asm.li(codes, place.dram["codes"])
            asm.li(scales, place.dram["scales"])
            with each_row(asm, self.rows) as row:
                source = row_at(asm, x, lambda: asm.element(x, place.dram["x"], row, 4 * self.features))
                quantise(asm, self.features, source, codes)
                scale_of(asm, "fa0", "fa1")
                asm("fsw", "fa1", f"0({scales})")
                asm.add(scales, scales, 4)


@dataclass(frozen=True)
class Add(RvvKernel):
    """x float32 [rows, features] += delta."""

    name: str
    target: RvvTarget
    rows: int
    features: int

    def arrays(self) -> dict[str, Array]:
        shape = (self.rows, self.features)
        return {"x": Array(shape, "f4", written=True), "delta": Array(shape, "f4")}

    def emit(self, asm: Assembly, tiling: Any, place: Placement) -> None:
        with asm.registers("x delta") as (x, delta):
            asm.li(x, place.dram["x"])
            asm.li(delta, place.dram["delta"])
            add_rows(asm, self.rows * self.features, x, delta)


def add_rows(asm: Assembly, count: int, x: str, delta: str) -> None:
    """float32 at x += those at delta; both pointers go behind them."""
    with strips(asm, count, 32, "m8", {x: 4, delta: 4}):
        asm("vle32.v", "v8", f"({x})")
        asm("vle32.v", "v16", f"({delta})")
        asm("vfadd.vv", "v8", "v8", "v16")
        asm("vse32.v", "v8", f"({x})")
