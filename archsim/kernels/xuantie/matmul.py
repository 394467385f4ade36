"""C = (int8 activations x row scales) x quantised weights, multiplied by mmacc.w.b."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from archsim.formats import Packed
from archsim.kernels.assembly import Assembly
from archsim.kernels.base import Placement
from archsim.kernels.rvv.column_matmul import ColumnMatMul
from archsim.kernels.xuantie.target import XuanTieTarget
from archsim.kernels.xuantie.weights import TileLayout, pack_tiles


@dataclass(frozen=True)
class MatMul(ColumnMatMul):
    """The product; W is packed by weights.pack_tiles.

    Vectors bring activations into the scratchpad, and weights as int8, piece by piece; tiles multiply them; vectors
    scale the sums and add them up, as reference.matmul does. A tiling is the number of rows of C worked on at once.

    Raises:
        InputError: rows are of no whole pairs, groups and tiles.
    """

    target: XuanTieTarget

    def __post_init__(self) -> None:
        self.layout()

    def layout(self) -> TileLayout:
        """How the weights lie."""
        return TileLayout(self.columns(), self.target.row_bytes)

    def packing(self, tiling: int) -> TileLayout:
        return self.layout()

    def pack(self, weights: Packed, tiling: int) -> np.ndarray:
        return pack_tiles(weights, self.layout())

    def tilings(self) -> Sequence[int]:
        """A tile's rows, or fewer where the scratchpad is small."""
        sizes = [min(self.target.tile, self.rows)]
        while sizes[-1] > 1:
            sizes.append(sizes[-1] // 2)
        return sizes

    @property
    def stride(self) -> int:
        """Bytes from one activation row to the next: an odd number of tile rows spreads them over the banks."""
        return self.target.row_bytes * (-(-self.in_features // self.target.row_bytes) | 1)

    def buffers(self, tiling: int) -> dict[str, int]:
        columns, layout = self.target.columns, self.layout()
        longest = max(piece.length for piece in (layout.piece, layout.rest) if piece)
        sizes = {"activations": tiling * self.stride, "results": 4 * tiling * columns, "sums": 4 * tiling * columns}
        sizes["scales"] = 2 * columns * layout.columns.groups
        return sizes | {f"weights{number}": columns * longest for number in range(2)}

    def emit(self, asm: Assembly, tiling: int, place: Placement) -> None:
        from archsim.kernels.xuantie.matmul_writer import MatMulWriter

        MatMulWriter(self, asm, tiling, place).emit()
