"""What products share whose weights are packed by columns of C: their sizes and their arrays."""

from __future__ import annotations

from dataclasses import dataclass

from archsim.formats import IntegerFormat
from archsim.kernels.base import Array, WeightKernel
from archsim.kernels.rvv.target import RvvTarget
from archsim.kernels.rvv.weights import ColumnLayout, column_layout


@dataclass(frozen=True)
class ColumnMatMul(WeightKernel):
    """out float32 [rows, out_features] = codes int8 [rows, in_features] x W^T x scales float32 [rows].

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

    def columns(self) -> ColumnLayout:
        """Sizes of the packed weights, and where their scales are."""
        return column_layout(self.name, self.form, self.out_features, self.in_features, self.target.columns)

    def arrays(self) -> dict[str, Array]:
        return {
            "codes": Array((self.rows, self.in_features), "i1"),
            "scales": Array((self.rows,), "f4"),
            "weights": Array((self.columns().nbytes,), "u1"),
            "out": Array((self.rows, self.width or self.out_features), "f4", written=True),
        }
