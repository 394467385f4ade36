"""C = (int8 activations x row scales) x quantised weights: a scalar of the input times a vector of output columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from archsim.formats import IntegerFormat, Packed
from archsim.kernels.assembly import Assembly
from archsim.kernels.base import Array, Placement, WeightKernel
from archsim.kernels.rvv.base import RvvKernel
from archsim.kernels.rvv.target import RvvTarget
from archsim.kernels.rvv.weights import ColumnLayout, column_layout, pack_columns


@dataclass(frozen=True)
class MatMul(RvvKernel, WeightKernel):
    """out float32 [rows, out_features] = codes int8 [rows, in_features] x W^T x scales float32 [rows].

    W is packed by weights.pack_columns. Products of a group, at most target.STEP of them, are summed as integers; the
    sum meets the group's scale and is added to what there is, group by group, in float32 (reference.matmul).

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
        from archsim.kernels.rvv.matmul_writer import MatMulWriter

        MatMulWriter(self, asm, place).emit()
