"""C = (int8 activations x row scales) x quantised weights: a scalar of the input times a vector of output columns."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import Any

import numpy as np

from archsim.formats import IntegerFormat, Packed
from archsim.kernels.assembly import SCRATCH, Assembly
from archsim.kernels.base import Array, Placement, WeightKernel
from archsim.kernels.rvv.base import RvvKernel
from archsim.kernels.rvv.emit import retype, shape
from archsim.kernels.rvv.target import STEP, RvvTarget
from archsim.kernels.rvv.weights import ColumnLayout, column_layout, pack_columns

ROWS = 2
"""Rows of C at once: their sums in 16 and 32 bits and their results take 20 registers."""
_CHUNK = 32
"""Products of int8 and int4, at most 127 x 8 each, that a sum of 16 bits holds."""
_RESULTS, _SUMS, _SHORT = (0, 4), (8, 12), (16, 18)
"""First registers of a row's results (float32), of its sums in 32 and in 16 bits."""
_CODES, _LOW, _HIGH, _WIDE = (20, 23), (21, 26), (22, 27), (16, 18)
"""Registers of codes, which take turns."""


@dataclass(frozen=True)
class MatMul(RvvKernel, WeightKernel):
    """out float32 [rows, out_features] = codes int8 [rows, in_features] x W^T x scales float32 [rows].

    W is packed by weights.pack_columns. Products of a group, at most STEP of them, are summed as integers; the sum
    meets the group's scale and is added to what there is, group by group, in float32 (reference.matmul).

    Attributes:
        form: of the weights.
        first, width: the outputs are columns from `first` on of an array that is `width` wide; 0: all of their own.

    Raises:
        InputError: rows are of no whole pairs and groups.
    """

    name: str
    target: RvvTarget
    rows: int
    in_features: int
    out_features: int
    form: IntegerFormat
    first: int = 0
    width: int = 0

    def __post_init__(self) -> None:
        self.layout()

    def layout(self) -> ColumnLayout:
        """How the weights lie."""
        return column_layout(self.name, self.form, self.out_features, self.in_features, self.target.columns)

    def packing(self, tiling: Any) -> ColumnLayout:
        return self.layout()

    def pack(self, weights: Packed, tiling: Any) -> np.ndarray:
        return pack_columns(weights, self.layout())

    def arrays(self) -> dict[str, Array]:
        return {
            "codes": Array((self.rows, self.in_features), "i1"),
            "scales": Array((self.rows,), "f4"),
            "weights": Array((self.layout().nbytes,), "u1"),
            "out": Array((self.rows, self.width or self.out_features), "f4", written=True),
        }

    def emit(self, asm: Assembly, tiling: Any, place: Placement) -> None:
        Writer(self, asm, place).emit()


class Writer:
    """Emits a MatMul: for each block of columns all rows, two at a time."""

    def __init__(self, kernel: MatMul, asm: Assembly, place: Placement) -> None:
        self.kernel, self.asm, self.place, self.layout = kernel, asm, place, kernel.layout()
        self.out_row = 4 * (kernel.width or kernel.out_features)
        self.length = min(self.layout.group or self.layout.in_features, STEP)

    def emit(self) -> None:
        asm, dram, layout = self.asm, self.place.dram, self.layout
        with asm.registers("codes scales out columns left") as (codes, scales, out, columns, left):
            asm.li(codes, dram["weights"])
            asm.li(scales, dram["weights"] + layout.code_bytes)
            asm.li(out, dram["out"] + 4 * self.kernel.first)
            asm.li(left, layout.out_features)
            again = asm.label("block")
            asm.place(again)
            asm.minimum(columns, left, layout.columns)
            self._all_rows(codes, scales, out, columns)
            for pointer, size in ((codes, layout.code_rows), (scales, 2 * layout.groups), (out, 4)):
                asm.mul(SCRATCH, columns, size)
                asm("add", pointer, pointer, SCRATCH)
            asm("sub", left, left, columns)
            asm.jump_if("bnez", left, again)

    def _all_rows(self, codes: str, scales: str, out: str, columns: str) -> None:
        """A block's columns of all rows of C."""
        asm, kernel = self.asm, self.kernel
        with asm.registers("a row_scale target left") as (a, row_scale, target, left):
            asm.li(a, self.place.dram["codes"])
            asm.li(row_scale, self.place.dram["scales"])
            asm("mv", target, out)
            if kernel.rows >= ROWS:
                with asm.times(left, kernel.rows // ROWS):
                    self._rows(ROWS, a, row_scale, target, codes, scales, columns)
            if kernel.rows % ROWS:
                self._rows(kernel.rows % ROWS, a, row_scale, target, codes, scales, columns)

    def _rows(self, rows: int, a: str, row_scale: str, target: str, codes: str, scales: str, columns: str) -> None:
        """A block's columns of some rows; `a`, `row_scale` and `target` go on behind them."""
        asm, layout = self.asm, self.layout
        with asm.registers("code scale groups second") as (code, scale, groups, second):
            asm("mv", code, codes)
            asm("mv", scale, scales)
            inputs = [a, second][:rows]
            if rows > 1:
                asm.add(second, a, layout.in_features)
            shape(asm, columns, 32, "m4")
            for row in range(rows):
                asm("vmv.v.i", f"v{_RESULTS[row]}", 0)
            with asm.times(groups, layout.groups):
                self._scales(scale, columns)
                self._group(inputs, code, columns)
            asm.add(a, a, (rows - 1) * layout.in_features)
        for row in range(rows):
            asm("flw", "fa0", f"{4 * row}({row_scale})")
            asm("vfmul.vf", f"v{_RESULTS[row]}", f"v{_RESULTS[row]}", "fa0")
            asm("vse32.v", f"v{_RESULTS[row]}", f"({target})")
            asm.add(target, target, self.out_row)
        asm.add(row_scale, row_scale, 4 * rows)

    def _scales(self, scale: str, columns: str) -> None:
        """v28 to v31 = scales of a group as float32."""
        asm = self.asm
        retype(asm, 16, "m2")
        asm("vle16.v", "v24", f"({scale})")
        asm("vfwcvt.f.f.v", "v28", "v24")
        asm("slli", SCRATCH, columns, 1)
        asm("add", scale, scale, SCRATCH)

    def _group(self, inputs: list[str], code: str, columns: str) -> None:
        """Products of a group, in pieces that are summed before they meet the scale."""
        asm, size = self.asm, self.layout.group or self.layout.in_features
        pieces, rest = divmod(size, self.length)
        with asm.registers("pieces") as (left,):
            if pieces > 1:
                with asm.times(left, pieces):
                    self._piece(self.length, inputs, code, columns)
            else:
                self._piece(self.length, inputs, code, columns)
        if rest:
            self._piece(rest, inputs, code, columns)

    def _piece(self, length: int, inputs: list[str], code: str, columns: str) -> None:
        """Results += sum of so many products x scale; vtype is e32, m4 behind it."""
        asm = self.asm
        retype(asm, 32, "m4")
        for row in range(len(inputs)):
            asm("vmv.v.i", f"v{_SUMS[row]}", 0)
        chunk = gcd(length, _CHUNK)
        with asm.registers("chunks") as (left,), asm.times(left, length // chunk):
            (self._nibbles if self.layout.bits == 4 else self._bytes)(chunk, inputs, code, columns)
            for pointer in inputs:
                asm.add(pointer, pointer, chunk)
        retype(asm, 32, "m4")
        for row in range(len(inputs)):
            sums, results = f"v{_SUMS[row]}", f"v{_RESULTS[row]}"
            asm("vfcvt.f.x.v", sums, sums)
            asm("vfmul.vv", sums, sums, "v28")
            asm("vfadd.vv", results, results, sums)

    def _nibbles(self, chunk: int, inputs: list[str], code: str, columns: str) -> None:
        """Sums += products of `chunk` inputs with int4, in 16 bits first."""
        asm = self.asm
        retype(asm, 8, "m1")
        with asm.registers("x0 x1 y0 y1") as scalars:
            for index in range(0, chunk, 2):
                turn = index // 2 % 2
                codes, low, high = (f"v{some[turn]}" for some in (_CODES, _LOW, _HIGH))
                asm("vle8.v", codes, f"({code})")
                asm("add", code, code, columns)
                pairs = [scalars[2 * row : 2 * row + 2] for row in range(len(inputs))]
                for pointer, pair in zip(inputs, pairs, strict=True):
                    for place, scalar in enumerate(pair):
                        asm("lb", scalar, f"{index + place}({pointer})")
                asm("vsll.vi", low, codes, 4)
                asm("vsra.vi", low, low, 4)
                asm("vsra.vi", high, codes, 4)
                for row, (first, second) in enumerate(pairs):
                    sums = f"v{_SHORT[row]}"
                    # the first product replaces what was there
                    asm("vwmacc.vx" if index else "vwmul.vx", sums, *((first, low) if index else (low, first)))
                    asm("vwmacc.vx", sums, second, high)
        retype(asm, 16, "m2")
        for row in range(len(inputs)):
            asm("vwadd.wv", f"v{_SUMS[row]}", f"v{_SUMS[row]}", f"v{_SHORT[row]}")

    def _bytes(self, chunk: int, inputs: list[str], code: str, columns: str) -> None:
        """Sums += products of `chunk` inputs with int8."""
        asm = self.asm
        retype(asm, 16, "m2")
        with asm.registers("x y") as scalars:
            for index in range(chunk):
                codes, wide = f"v{_CODES[index % 2]}", f"v{_WIDE[index % 2]}"
                asm("vle8.v", codes, f"({code})")
                asm("add", code, code, columns)
                for pointer, scalar in zip(inputs, scalars, strict=False):
                    asm("lb", scalar, f"{index}({pointer})")
                asm("vsext.vf2", wide, codes)
                for row, scalar in zip(range(len(inputs)), scalars, strict=False):
                    asm("vwmacc.vx", f"v{_SUMS[row]}", scalar, wide)
