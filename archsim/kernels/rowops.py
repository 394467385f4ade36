"""Kernels that work row by row: norm, quantize, add, embed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from archsim.kernels.assembly import Assembly
from archsim.kernels.base import LOAD_BARRIERS, STORE_BARRIERS, Array, Kernel, Placement
from archsim.kernels.rows import double_buffered, each_row, load_array, load_row, quantise, store_row, vector
from archsim.kernels.target import Target

_OUT, _STREAM = STORE_BARRIERS


class _RowKernel(Kernel):
    """A kernel whose tiling is the number of buffers per input row (2, or 1 where there is no room or one row)."""

    rows: int

    def tilings(self) -> Sequence[int]:
        return (2, 1) if double_buffered(self.rows, self.target) else (1,)


@dataclass(frozen=True)
class Norm(_RowKernel):
    """RMSNorm of x float32 [rows, features], after x += delta with `residual`; int8 codes and a scale per row.

    y = x * (1 / sqrt(sum(x^2) * (1 / features) + eps)) * gamma; scale = max|y| / 127.

    Attributes:
        every: work on each every-th row of x only (the last of each group), as the head of a prefill does.
    """

    name: str
    target: Target
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
        arrays["codes"] = Array((self.rows, self.features), "i1", read=False, written=True)
        arrays["scales"] = Array((self.rows,), "f4", read=False, written=True)
        return arrays

    def buffers(self, tiling: int) -> dict[str, int]:
        row = 4 * self.features
        sizes = {"gamma": row, "codes": self.features, "sum": 4, "largest": 4, "scale": 4}
        if self.residual:
            sizes["sum_row"] = row
        for index in range(tiling):
            sizes[f"x{index}"] = row
            if self.residual:
                sizes[f"delta{index}"] = row
        return sizes

    def emit(self, asm: Assembly, tiling: int, place: Placement) -> None:
        dram, pads = place.dram, place.pads
        row_bytes = 4 * self.features
        stride, first = row_bytes * self.every, row_bytes * (self.every - 1)
        load_array(asm, LOAD_BARRIERS[0], dram["gamma"], row_bytes, pads["gamma"])
        asm.csr("qeps", int(np.float32(self.eps).view(np.uint32)))

        def load(row: str, buffer: int) -> None:
            barrier = LOAD_BARRIERS[buffer]
            load_row(asm, barrier, dram["x"] + first, row, row_bytes, pads[f"x{buffer}"], stride)
            if self.residual:
                load_row(asm, barrier, dram["delta"] + first, row, row_bytes, pads[f"delta{buffer}"], stride)

        def work(row: str, buffer: int) -> None:
            x = pads[f"x{buffer}"]
            source = self._add_residual(asm, place, row, buffer, first) if self.residual else x
            self._normalise(asm, pads, source, x)
            asm.wait(_OUT)
            quantise(
                asm, source=x, features=self.features, codes=pads["codes"], largest=pads["largest"], scale=pads["scale"]
            )
            store_row(asm, _OUT, dram["codes"], row, self.features, pads["codes"])
            store_row(asm, _OUT, dram["scales"], row, 4, pads["scale"])

        each_row(asm, self.target, self.rows, tiling, load, work)
        asm.wait(LOAD_BARRIERS[0], *STORE_BARRIERS)

    def _add_residual(self, asm: Assembly, place: Placement, row: str, buffer: int, first: int) -> int:
        """x += delta, stored back; gives the offset of the sum."""
        pads, row_bytes = place.pads, 4 * self.features
        asm.wait(_STREAM)
        asm.csr("qvl", self.features)
        vector(asm, "qv.add", pads["sum_row"], pads[f"x{buffer}"], pads[f"delta{buffer}"])
        store_row(asm, _STREAM, place.dram["x"] + first, row, row_bytes, pads["sum_row"], row_bytes * self.every)
        return pads["sum_row"]

    def _normalise(self, asm: Assembly, pads: dict[str, int], source: int, target: int) -> None:
        asm.csr("qvl", self.features)
        vector(asm, "qv.sumsq", pads["sum"], source)
        asm.csr("qvl", 1)
        vector(asm, "qv.rsqrt", pads["sum"], pads["sum"], asm.constant(1 / self.features))
        asm.csr("qvl", self.features)
        vector(asm, "qv.muls", target, source, pads["sum"])
        vector(asm, "qv.mul", target, target, pads["gamma"])


@dataclass(frozen=True)
class Quantize(_RowKernel):
    """Rows of x float32 [rows, features] to int8 codes with a float32 scale each."""

    name: str
    target: Target
    rows: int
    features: int

    def arrays(self) -> dict[str, Array]:
        return {
            "x": Array((self.rows, self.features), "f4"),
            "codes": Array((self.rows, self.features), "i1", read=False, written=True),
            "scales": Array((self.rows,), "f4", read=False, written=True),
        }

    def buffers(self, tiling: int) -> dict[str, int]:
        inputs = {f"x{index}": 4 * self.features for index in range(tiling)}
        return {**inputs, "codes": self.features, "largest": 4, "scale": 4}

    def emit(self, asm: Assembly, tiling: int, place: Placement) -> None:
        dram, pads = place.dram, place.pads

        def load(row: str, buffer: int) -> None:
            load_row(asm, LOAD_BARRIERS[buffer], dram["x"], row, 4 * self.features, pads[f"x{buffer}"])

        def work(row: str, buffer: int) -> None:
            asm.wait(_OUT)
            quantise(
                asm,
                source=pads[f"x{buffer}"],
                features=self.features,
                codes=pads["codes"],
                largest=pads["largest"],
                scale=pads["scale"],
            )
            store_row(asm, _OUT, dram["codes"], row, self.features, pads["codes"])
            store_row(asm, _OUT, dram["scales"], row, 4, pads["scale"])

        each_row(asm, self.target, self.rows, tiling, load, work)
        asm.wait(_OUT)


@dataclass(frozen=True)
class Add(_RowKernel):
    """x float32 [rows, features] += delta."""

    name: str
    target: Target
    rows: int
    features: int

    def arrays(self) -> dict[str, Array]:
        shape = (self.rows, self.features)
        return {"x": Array(shape, "f4", written=True), "delta": Array(shape, "f4")}

    def buffers(self, tiling: int) -> dict[str, int]:
        row = 4 * self.features
        return {f"{name}{index}": row for index in range(tiling) for name in ("x", "delta")} | {"sum_row": row}

    def emit(self, asm: Assembly, tiling: int, place: Placement) -> None:
        dram, pads, row_bytes = place.dram, place.pads, 4 * self.features

        def load(row: str, buffer: int) -> None:
            for name in ("x", "delta"):
                load_row(asm, LOAD_BARRIERS[buffer], dram[name], row, row_bytes, pads[f"{name}{buffer}"])

        def work(row: str, buffer: int) -> None:
            asm.wait(_OUT)
            asm.csr("qvl", self.features)
            vector(asm, "qv.add", pads["sum_row"], pads[f"x{buffer}"], pads[f"delta{buffer}"])
            store_row(asm, _OUT, dram["x"], row, row_bytes, pads["sum_row"])

        each_row(asm, self.target, self.rows, tiling, load, work)
        asm.wait(_OUT)


@dataclass(frozen=True)
class Embed(_RowKernel):
    """Rows of a float16 table [vocab, features] at int32 ids [rows], as float32.

    Attributes:
        ids: how many ids there are, a power of two: row r uses id r modulo `ids`; 0 means one per row.
    """

    name: str
    target: Target
    rows: int
    features: int
    vocab: int
    ids: int = 0

    def arrays(self) -> dict[str, Array]:
        return {
            "ids": Array((self.ids or self.rows,), "i4"),
            "table": Array((self.vocab, self.features), "f2"),
            "x": Array((self.rows, self.features), "f4", read=False, written=True),
        }

    def buffers(self, tiling: int) -> dict[str, int]:
        return {f"half{index}": 2 * self.features for index in range(tiling)} | {"row": 4 * self.features}

    def emit(self, asm: Assembly, tiling: int, place: Placement) -> None:
        dram, pads = place.dram, place.pads

        def load(row: str, buffer: int) -> None:
            with asm.registers("token") as (token,):
                if self.ids:
                    asm.li(token, self.ids - 1)
                    asm("and", token, row, token)
                    asm.element(token, dram["ids"], token, 4)
                else:
                    asm.element(token, dram["ids"], row, 4)
                asm("lw", token, f"0({token})")
                load_row(asm, LOAD_BARRIERS[buffer], dram["table"], token, 2 * self.features, pads[f"half{buffer}"])

        def work(row: str, buffer: int) -> None:
            asm.wait(_OUT)
            asm.csr("qvl", self.features)
            vector(asm, "qv.h2f", pads["row"], pads[f"half{buffer}"])
            store_row(asm, _OUT, dram["x"], row, 4 * self.features, pads["row"])

        each_row(asm, self.target, self.rows, tiling, load, work)
        asm.wait(_OUT)
