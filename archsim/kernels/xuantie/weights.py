"""Weights as products on XuanTie's tiles read them: tiles of int8 as they lie in the scratchpad, int4 packed in halves.

Columns of C come in blocks, inputs in pieces whose products are summed before they meet a scale, pieces in chunks of a
tile's depth. A chunk of a block is int8 [columns, depth]; of int4, byte i holds number i in its low and number i + half
in its high half, so that two shifts make both halves. Behind the codes of all blocks stand the scales as in RVV's
layout. That makes just the bytes that the format has.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from archsim.common.errors import InputError
from archsim.formats import Packed
from archsim.kernels.rvv.target import STEP
from archsim.kernels.rvv.weights import ColumnLayout


@dataclass(frozen=True)
class Piece:
    """Inputs whose products are summed: `chunks` times `depth`."""

    chunks: int
    depth: int

    @property
    def length(self) -> int:
        return self.chunks * self.depth


@dataclass(frozen=True)
class TileLayout:
    """Weights in tiles.

    Attributes:
        columns: sizes, and where the scales are.
        row_bytes: of a tile's row.

    Raises:
        InputError: pieces are no whole chunks.
    """

    columns: ColumnLayout
    row_bytes: int

    def __post_init__(self) -> None:
        for piece in (self.piece, self.rest):
            if piece is not None and piece.depth % 2:
                raise InputError(
                    f"no tiles of {self.row_bytes} make {piece.length} inputs", remedy="use groups of 32, 64 or 128"
                )

    @property
    def piece(self) -> Piece:
        """All pieces but the last."""
        return _piece(min(self.columns.group or self.columns.in_features, STEP), self.row_bytes)

    @property
    def pieces(self) -> int:
        return self.columns.in_features // self.piece.length

    @property
    def rest(self) -> Piece | None:
        """The last piece of rows that share a scale, if it is shorter."""
        left = self.columns.in_features % self.piece.length
        return _piece(left, self.row_bytes) if left else None

    def depths(self) -> Iterator[tuple[int, int]]:
        """First input and depth of each chunk."""
        first = 0
        for piece in [self.piece] * self.pieces + ([self.rest] if self.rest else []):
            for _ in range(piece.chunks):
                yield first, piece.depth
                first += piece.depth


def _piece(length: int, row_bytes: int) -> Piece:
    """The fewest equal chunks that tiles can hold."""
    chunks = next(count for count in range(-(-length // row_bytes), length + 1) if length % count == 0)
    return Piece(chunks, length // chunks)


def pack_tiles(packed: Packed, layout: TileLayout) -> np.ndarray:
    """A quantised matrix in the layout: uint8 [bytes]."""
    own = layout.columns
    scales = np.broadcast_to(packed.scales, (own.out_features, own.groups))
    starts = range(0, own.out_features, own.columns)
    parts = [
        _chunk(packed.codes[first : first + own.columns, start : start + depth], own.bits)
        for first in starts
        for start, depth in layout.depths()
    ]
    parts += [np.ascontiguousarray(scales[first : first + own.columns].T).view(np.uint8).ravel() for first in starts]
    return np.concatenate(parts)


def _chunk(codes: np.ndarray, bits: int) -> np.ndarray:
    flat: np.ndarray = np.ascontiguousarray(codes).view(np.uint8).ravel()
    if bits == 8:
        return flat
    low, high = np.split(flat, 2)
    return low & 15 | high << 4
