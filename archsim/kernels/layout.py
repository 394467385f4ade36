"""The tiled layout of packed weights: what one DMA brings is contiguous, what one instruction loads is contiguous.

Output features are cut into blocks of TN, input features into steps of one tile row. A chunk is a block's next
`chunk` steps: for each step TN rows of codes; then for each load of scales, which serves a step (or the steps of a
super block), TN rows of scales, and TN of zero points; padded to 64 bytes. A block's chunks follow each other, and so
do the blocks. Ragged edges are weights of zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from archsim.kernels.target import GROUPS_PER_TILE, Target
from archsim.kernels.weight_code import SUPER_BLOCK, CodedWeights, WeightCode

CHUNK_ALIGNMENT = 64


@dataclass(frozen=True)
class WeightLayout:
    """Sizes of the tiled layout of weights [out_features, in_features].

    Attributes:
        code: of the weights.
        step: codes of a tile row that one multiply takes.
        chunk: steps of a chunk.
        chunks: chunks of a block.
    """

    out_features: int
    in_features: int
    code: WeightCode
    tn: int
    step: int
    chunk: int
    chunks: int

    @property
    def blocks(self) -> int:
        return -(-self.out_features // self.tn)

    @property
    def per_channel(self) -> bool:
        return self.code.group == 0

    @property
    def scales_per_row(self) -> int:
        """Scales in a tile row of one load; a group longer than a step has its scale in each."""
        return max(1, self.step // self.code.group) if self.code.group else 1

    @property
    def scale_steps(self) -> int:
        """Steps that a load of scales serves."""
        return scale_steps(self.code, self.step)

    @property
    def row_bytes(self) -> int:
        """Bytes of a tile row of codes."""
        return self.code.row_bytes(self.step)

    @property
    def step_bytes(self) -> int:
        """Bytes of a step's codes."""
        return self.tn * self.row_bytes

    @property
    def scale_row_bytes(self) -> int:
        """Bytes of a tile row of scales."""
        return self.scales_per_row * self.code.scale_bytes

    @property
    def scale_bytes(self) -> int:
        """Bytes of a load of scales, zero points included."""
        return self.code.scale_parts * self.tn * self.scale_row_bytes

    @property
    def chunk_bytes(self) -> int:
        loads = 1 if self.per_channel else self.chunk // self.scale_steps
        size = self.chunk * self.step_bytes + loads * self.scale_bytes
        return -(-size // CHUNK_ALIGNMENT) * CHUNK_ALIGNMENT

    @property
    def block_bytes(self) -> int:
        return self.chunks * self.chunk_bytes

    @property
    def nbytes(self) -> int:
        return self.blocks * self.block_bytes

    @property
    def depth(self) -> int:
        """Input features with padding to whole steps and chunks."""
        return self.chunks * self.chunk * self.step


def step_of(target: Target, group: int) -> int:
    """Codes one multiply takes: a tile row, or as many as a scale register has scales for."""
    return min(target.trowb, GROUPS_PER_TILE * group) if group else target.trowb


def scale_steps(code: WeightCode, step: int) -> int:
    """Steps that a load of scales serves: those of a super block, or one."""
    return max(1, SUPER_BLOCK // step) if code.multiply == "qt.mma.k4" else 1


def weight_layout(
    target: Target, out_features: int, in_features: int, code: WeightCode, most_steps: int | None = None
) -> WeightLayout:
    """The layout on a target with chunks of at most `most_steps` steps (default: a block is one chunk).

    Of chunks from half of that on, it takes the longest that pads least.
    """
    step = step_of(target, code.group)
    unit = scale_steps(code, step)
    loads = -(-in_features // (step * unit))
    most = max(1, min(loads, (most_steps or loads * unit) // unit))
    chunk = min(range((most + 1) // 2, most + 1), key=lambda size: (-(-loads // size) * size, -size))
    return WeightLayout(out_features, in_features, code, target.tn, step, chunk * unit, -(-loads // chunk))


def pack_weights(weights: CodedWeights, layout: WeightLayout) -> bytes:
    """Put quantised weights into the tiled layout.

    Returns:
        `layout.nbytes` bytes.
    """
    rows, columns = weights.codes.shape
    padded = np.zeros((layout.blocks * layout.tn, layout.depth), np.uint8)
    padded[:rows] = weights.filler[:, None]
    padded[:rows, :columns] = weights.codes
    packed = layout.code.pack(padded.reshape(-1, layout.step))
    # [block, row, chunk, step, byte] to [block, chunk, step, row, byte]
    tiles = packed.reshape(layout.blocks, layout.tn, layout.chunks, layout.chunk, -1).transpose(0, 2, 3, 1, 4)
    result = np.zeros((layout.blocks, layout.chunks, layout.chunk_bytes), np.uint8)
    size = layout.chunk * layout.step_bytes
    result[:, :, :size] = tiles.reshape(layout.blocks, layout.chunks, size)
    tail = _tile_scales(weights.scales, layout)
    result[:, :, size : size + tail.shape[2]] = tail
    return result.tobytes()


def _tile_scales(scales: np.ndarray, layout: WeightLayout) -> np.ndarray:
    """uint8 [blocks, chunks, bytes of a chunk's scales] of uint8 [parts, rows, groups, bytes]."""
    parts, rows, _, width = scales.shape
    if layout.per_channel:
        loads, spread = 1, scales
    else:
        loads = layout.chunk // layout.scale_steps
        spread = np.repeat(scales, max(1, layout.code.group // (layout.step * layout.scale_steps)), axis=2)
    held = layout.scales_per_row * loads * (1 if layout.per_channel else layout.chunks)
    padded = np.zeros((parts, layout.blocks * layout.tn, held, width), np.uint8)
    kept = min(held, spread.shape[2])
    padded[:, :rows, :kept] = spread[:, :, :kept]
    shape = parts, layout.blocks, layout.tn, -1, loads, layout.scale_row_bytes
    # [part, block, row, chunk, load, byte] to [block, chunk, load, part, row, byte]
    tiles = padded.reshape(shape).transpose(1, 3, 4, 0, 2, 5)
    joined = tiles.reshape(layout.blocks, tiles.shape[1], -1)
    return np.repeat(joined, layout.chunks, axis=1) if layout.per_channel else np.ascontiguousarray(joined)
