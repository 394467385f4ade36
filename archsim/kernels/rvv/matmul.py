"""C = (int8 activations x row scales) x quantised weights: a scalar of the input times a vector of output columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from archsim.formats import Packed
from archsim.kernels.assembly import Assembly
from archsim.kernels.base import Placement
from archsim.kernels.rvv.base import RvvKernel
from archsim.kernels.rvv.column_matmul import ColumnMatMul
from archsim.kernels.rvv.weights import ColumnLayout, pack_columns


@dataclass(frozen=True)
class MatMul(RvvKernel, ColumnMatMul):
    """The product; W is packed by weights.pack_columns.

    Products of a group, at most target.STEP of them, are summed as integers; the sum meets the group's scale and is
    added to what there is, group by group, in float32 (reference.matmul).
    """

    def __post_init__(self) -> None:
        self.layout()

    def layout(self) -> ColumnLayout:
        """How the weights lie."""
        return self.columns()

    def packing(self, tiling: Any) -> ColumnLayout:
        return self.layout()

    def pack(self, weights: Packed, tiling: Any) -> np.ndarray:
        return pack_columns(weights, self.layout())

    def emit(self, asm: Assembly, tiling: Any, place: Placement) -> None:
        from archsim.kernels.rvv.matmul_writer import MatMulWriter

        MatMulWriter(self, asm, place).emit()
