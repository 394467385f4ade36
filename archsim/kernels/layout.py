"""The tiled layout of packed weights: what one DMA brings is contiguous, what one instruction loads is contiguous.

Output features are cut into blocks of TN, input features into steps of one tile row. A chunk is a block's next
`chunk` steps: for each step TN rows of codes, then for each step the scales [TN][scales per step] as float16, padded
to 64 bytes. A block's chunks follow each other, and so do the blocks. Ragged edges are zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from archsim.kernels.target import GROUPS_PER_TILE, Target

CHUNK_ALIGNMENT = 64


@dataclass(frozen=True)
class WeightLayout:
    """Sizes of the tiled layout of weights [out_features, in_features].

    Attributes:
        bits: of a code, 4 or 8.
        group: codes that share a scale, a power of two; 0 for one scale per output feature.
        step: codes of a tile row that one multiply takes.
        chunk: steps of a chunk.
        chunks: chunks of a block.
    """

    out_features: int
    in_features: int
    bits: int
    group: int
    tn: int
    step: int
    chunk: int
    chunks: int

    @property
    def blocks(self) -> int:
        return -(-self.out_features // self.tn)

    @property
    def per_channel(self) -> bool:
        return self.group == 0

    @property
    def scales_per_step(self) -> int:
        """Scales in a row of a step; a group longer than a step has its scale in each."""
        return max(1, self.step // self.group) if self.group else 1

    @property
    def row_bytes(self) -> int:
        """Bytes of a tile row of codes."""
        return self.step * self.bits // 8

    @property
    def step_bytes(self) -> int:
        """Bytes of a step's codes."""
        return self.tn * self.row_bytes

    @property
    def scale_bytes(self) -> int:
        """Bytes of a step's scales."""
        return 2 * self.tn * self.scales_per_step

    @property
    def chunk_bytes(self) -> int:
        steps_of_scales = 1 if self.per_channel else self.chunk
        size = self.chunk * self.step_bytes + steps_of_scales * self.scale_bytes
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


def weight_layout(
    target: Target, out_features: int, in_features: int, bits: int, group: int, most_steps: int | None = None
) -> WeightLayout:
    """The layout on a target with chunks of at most `most_steps` steps (default: a block is one chunk).

    Of chunks from half of that on, it takes the longest that pads least.
    """
    step = step_of(target, group)
    steps = -(-in_features // step)
    most = min(steps, most_steps or steps)
    chunk = min(range((most + 1) // 2, most + 1), key=lambda size: (-(-steps // size) * size, -size))
    return WeightLayout(out_features, in_features, bits, group, target.tn, step, chunk, -(-steps // chunk))


def pack_weights(codes: np.ndarray, scales: np.ndarray, layout: WeightLayout) -> bytes:
    """Put quantised weights into the tiled layout.

    Args:
        codes: int8 [out_features, in_features].
        scales: float16 [out_features, groups].

    Returns:
        `layout.nbytes` bytes.
    """
    padded = np.zeros((layout.blocks * layout.tn, layout.depth), np.int8)
    padded[: codes.shape[0], : codes.shape[1]] = codes
    # [block, row, chunk, step, code] to [block, chunk, step, row, code]
    tiles = padded.reshape(layout.blocks, layout.tn, layout.chunks, layout.chunk, layout.step).transpose(0, 2, 3, 1, 4)
    stored: np.ndarray = tiles.view(np.uint8)
    if layout.bits == 4:
        stored = stored[..., 0::2] & 15 | stored[..., 1::2] << 4
    result = np.zeros((layout.blocks, layout.chunks, layout.chunk_bytes), np.uint8)
    size = layout.chunk * layout.step_bytes
    result[:, :, :size] = stored.reshape(layout.blocks, layout.chunks, size)
    tail = _tile_scales(scales, layout).view(np.uint8)
    result[:, :, size : size + tail.shape[2]] = tail
    return result.tobytes()


def _tile_scales(scales: np.ndarray, layout: WeightLayout) -> np.ndarray:
    """float16 [blocks, chunks, scales of a chunk]."""
    rows = layout.blocks * layout.tn
    if layout.per_channel:
        padded = np.zeros((rows, 1), np.float16)
        padded[: scales.shape[0]] = scales
        return np.repeat(padded.reshape(layout.blocks, 1, layout.tn), layout.chunks, axis=1)
    spread = np.repeat(scales, max(1, layout.group // layout.step), axis=1)
    columns = layout.chunks * layout.chunk * layout.scales_per_step
    padded = np.zeros((rows, columns), np.float16)
    kept = min(columns, spread.shape[1])
    padded[: scales.shape[0], :kept] = spread[:, :kept]
    shape = layout.blocks, layout.tn, layout.chunks, layout.chunk, layout.scales_per_step
    tiles = padded.reshape(shape).transpose(0, 2, 3, 1, 4)
    return np.ascontiguousarray(tiles.reshape(layout.blocks, layout.chunks, -1))
