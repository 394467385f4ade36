"""Kernels that work row by row: norm, quantize, add, embed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from archsim.kernels.assembly import Assembly
from archsim.kernels.base import Array, Placement
from archsim.kernels.rows import (
    ROW_BARRIERS,
    RowKernel,
    each_row,
    load_array,
    load_row,
    quantise_and_store,
    store_row,
    vector,
)
from archsim.kernels.target import Target


@dataclass(frozen=True)
class Norm(RowKernel):
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
            arrays["delta"] = Array(full, "f4", pitch=self.target.pitch(4 * self.features))
        arrays["codes"] = Array((self.rows, self.features), "i1", written=True)
        arrays["scales"] = Array((self.rows,), "f4", written=True)
        return arrays

    def buffers(self, tiling: int) -> dict[str, int]:
        row = 4 * self.features
        inputs = {"x": row, "delta": row} if self.residual else {"x": row}
        outputs = {"codes": self.features, "scale": 4} | ({"sum_row": row} if self.residual and tiling > 1 else {})
        own = {"gamma": row, "sum": 4, "largest": 4}
        return own | self.loaded(tiling, **inputs) | self.stored(tiling, **outputs)

    def emit(self, asm: Assembly, tiling: int, place: Placement) -> None:
        dram, pads, size = place.dram, place.pads, 4 * self.features
        pitches = {"x": size, "delta": self.target.pitch(size)} if self.residual else {"x": size}
        load_array(asm, ROW_BARRIERS[0], dram["gamma"], size, pads["gamma"])
        asm.csr("qeps", int(np.float32(self.eps).view(np.uint32)))

        def load(row: str, buffer: int) -> None:
            for name, pitch in pitches.items():
                first = dram[name] + (self.every - 1) * pitch
                load_row(asm, ROW_BARRIERS[buffer], first, row, size, pads[f"{name}{buffer}"], pitch * self.every)

        def work(row: str, buffer: int) -> None:
            source = target = pads[f"x{buffer}"]
            number, barrier = self.outlet(tiling, buffer)
            asm.wait(barrier)
            if self.residual:
                delta = pads[f"delta{buffer}"]
                if tiling > 1:
                    source = pads[f"sum_row{number}"]
                else:
                    target = delta
                asm.csr("qvl", self.features)
                vector(asm, "qv.add", source, pads[f"x{buffer}"], delta)
                store_row(asm, barrier, dram["x"] + (self.every - 1) * size, row, size, source, size * self.every)
            self._normalise(asm, pads, source, target)
            quantise_and_store(asm, place, row, source=target, features=self.features, number=number, barrier=barrier)

        each_row(asm, self.target, self.rows, tiling, load, work)
        asm.wait(ROW_BARRIERS[0])

    def _normalise(self, asm: Assembly, pads: dict[str, int], source: int, target: int) -> None:
        asm.csr("qvl", self.features)
        vector(asm, "qv.sumsq", pads["sum"], source)
        asm.csr("qvl", 1)
        vector(asm, "qv.rsqrt", pads["sum"], pads["sum"], asm.constant(1 / self.features))
        asm.csr("qvl", self.features)
        vector(asm, "qv.muls", target, source, pads["sum"])
        vector(asm, "qv.mul", target, target, pads["gamma"])


@dataclass(frozen=True)
class Quantize(RowKernel):
    """Rows of x float32 [rows, features] to int8 codes with a float32 scale each."""

    name: str
    target: Target
    rows: int
    features: int

    def arrays(self) -> dict[str, Array]:
        return {
            "x": Array((self.rows, self.features), "f4", pitch=self.target.pitch(4 * self.features)),
            "codes": Array((self.rows, self.features), "i1", written=True),
            "scales": Array((self.rows,), "f4", written=True),
        }

    def buffers(self, tiling: int) -> dict[str, int]:
        inputs = self.loaded(tiling, x=4 * self.features)
        return inputs | self.stored(tiling, codes=self.features, scale=4) | {"largest": 4}

    def emit(self, asm: Assembly, tiling: int, place: Placement) -> None:
        pads, size = place.pads, 4 * self.features

        def load(row: str, buffer: int) -> None:
            x = pads[f"x{buffer}"]
            load_row(asm, ROW_BARRIERS[buffer], place.dram["x"], row, size, x, self.target.pitch(size))

        def work(row: str, buffer: int) -> None:
            number, barrier = self.outlet(tiling, buffer)
            asm.wait(barrier)
            quantise_and_store(
                asm, place, row, source=pads[f"x{buffer}"], features=self.features, number=number, barrier=barrier
            )

        each_row(asm, self.target, self.rows, tiling, load, work)


@dataclass(frozen=True)
class Add(RowKernel):
    """x float32 [rows, features] += delta, and then what other deltas there are."""

    name: str
    target: Target
    rows: int
    features: int
    deltas: tuple[str, ...] = ("delta",)

    def arrays(self) -> dict[str, Array]:
        shape = (self.rows, self.features)
        delta = Array(shape, "f4", pitch=self.target.pitch(4 * self.features))
        return {"x": Array(shape, "f4", written=True), **dict.fromkeys(self.deltas, delta)}

    def buffers(self, tiling: int) -> dict[str, int]:
        row = 4 * self.features
        return self.loaded(tiling, x=row, **dict.fromkeys(self.deltas, row)) | self.stored(tiling, sum_row=row)

    def emit(self, asm: Assembly, tiling: int, place: Placement) -> None:
        dram, pads, size = place.dram, place.pads, 4 * self.features

        def load(row: str, buffer: int) -> None:
            for name in ("x", *self.deltas):
                pitch = size if name == "x" else self.target.pitch(size)
                load_row(asm, ROW_BARRIERS[buffer], dram[name], row, size, pads[f"{name}{buffer}"], pitch)

        def work(row: str, buffer: int) -> None:
            number, barrier = self.outlet(tiling, buffer)
            asm.wait(barrier)
            asm.csr("qvl", self.features)
            source, target = pads[f"x{buffer}"], pads[f"sum_row{number}"]
            for name in self.deltas:
                vector(asm, "qv.add", target, source, pads[f"{name}{buffer}"])
                source = target
            store_row(asm, barrier, dram["x"], row, size, pads[f"sum_row{number}"])

        each_row(asm, self.target, self.rows, tiling, load, work)


@dataclass(frozen=True)
class Embed(RowKernel):
    """Rows of a float16 table [vocab, features] at int32 ids [rows], as float32.

    Attributes:
        ids: how many ids there are, a power of two: row r uses id r modulo `ids`; 0 means one per row.
        scale: what they are multiplied by.
        positions: rows of a second float16 table, whose row position + r modulo `tokens` is added; 0: none.
        position, tokens: of each sequence's first token; and its rows.
        pitched: rows of x lie apart as a product's do; else they adjoin.
    """

    name: str
    target: Target
    rows: int
    features: int
    vocab: int
    ids: int = 0
    scale: float = 1.0
    positions: int = 0
    position: int = 0
    tokens: int = 1
    pitched: bool = False

    @property
    def pitch(self) -> int:
        """Bytes from row to row of x."""
        return self.target.pitch(4 * self.features) if self.pitched else 4 * self.features

    def arrays(self) -> dict[str, Array]:
        arrays = {
            "ids": Array((self.ids or self.rows,), "i4"),
            "table": Array((self.vocab, self.features), "f2"),
            "x": Array((self.rows, self.features), "f4", written=True, pitch=self.pitch),
        }
        return arrays | ({"positions": Array((self.positions, self.features), "f2")} if self.positions else {})

    def buffers(self, tiling: int) -> dict[str, int]:
        inputs = {"half": 2 * self.features} | ({"place": 2 * self.features} if self.positions else {})
        own = {"added": 4 * self.features} if self.positions else {}
        return self.loaded(tiling, **inputs) | self.stored(tiling, row=4 * self.features) | own

    def emit(self, asm: Assembly, tiling: int, place: Placement) -> None:
        dram, pads = place.dram, place.pads

        def load(row: str, buffer: int) -> None:
            with asm.registers("token") as (token,):
                if self.ids:
                    asm.li(token, self.ids - 1)
                    asm("and", token, row, token)
                asm.element(token, dram["ids"], token if self.ids else row, 4)
                asm("lw", token, f"0({token})")
                load_row(asm, ROW_BARRIERS[buffer], dram["table"], token, 2 * self.features, pads[f"half{buffer}"])
                if self.positions:
                    asm.li(token, self.tokens)
                    asm("remu", token, row, token)
                    first = dram["positions"] + 2 * self.features * self.position
                    load_row(asm, ROW_BARRIERS[buffer], first, token, 2 * self.features, pads[f"place{buffer}"])

        def work(row: str, buffer: int) -> None:
            number, barrier = self.outlet(tiling, buffer)
            asm.wait(barrier)
            asm.csr("qvl", self.features)
            x = pads[f"row{number}"]
            vector(asm, "qv.h2f", x, pads[f"half{buffer}"])
            if self.scale != 1:
                vector(asm, "qv.muls", x, x, asm.constant(self.scale))
            if self.positions:
                vector(asm, "qv.h2f", pads["added"], pads[f"place{buffer}"])
                vector(asm, "qv.add", x, x, pads["added"])
            store_row(asm, barrier, dram["x"], row, 4 * self.features, x, self.pitch)

        each_row(asm, self.target, self.rows, tiling, load, work)
