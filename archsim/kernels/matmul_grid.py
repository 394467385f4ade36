"""How cores share a matmul, and what that costs."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot

from archsim.kernels.layout import WeightLayout
from archsim.kernels.target import Target

ACCUMULATORS = 4
_STEP_INSTRUCTIONS, _TILE_INSTRUCTIONS, _CHUNK_INSTRUCTIONS, _BLOCK_INSTRUCTIONS = 6, 3, 40, 60
"""Counted in programs of matmul_writer and matmul_steps, roughly; they only rank tilings."""


@dataclass(frozen=True)
class Grid:
    """How cores share a matmul: `row_shares` groups of cores deal out passes over rows, each its blocks of columns.

    Attributes:
        rows: activation rows of a pass.
        passes: blocks of `rows` activation rows; the last overlaps the one before, so that all are as long.
        columns: cores that share the column blocks of a pass.
    """

    rows: int
    passes: int
    row_shares: int
    columns: int

    def tiles(self, tm: int) -> int:
        """Accumulators that a pass's rows take."""
        return -(-self.rows // tm)

    def tile_rows(self, tm: int) -> int:
        """Rows of each of them; the last overlaps the one before, so that all have as many."""
        return -(-self.rows // self.tiles(tm))


@dataclass(frozen=True)
class Cost:
    """Cycles of a matmul.

    Attributes:
        matrix, tile_lsu, dram, link: that the busiest core's matrix unit and tile loads, all DRAM channels, and the
            busiest core's way to them take at least.
        hart: that the hart's instructions take, roughly.
        serial: that nothing overlaps with, roughly: a pass's first loads, a block's last products.
    """

    matrix: float
    tile_lsu: float
    dram: float
    link: float
    hart: float
    serial: float

    @property
    def bound(self) -> float:
        """No run takes fewer."""
        return max(self.matrix, self.tile_lsu, self.dram, self.link)

    @property
    def estimate(self) -> float:
        """What a run takes, roughly: parts that take nearly as long as the longest get in its way."""
        return hypot(self.matrix, self.tile_lsu, self.dram, self.link, self.hart) + self.serial


def cost_of(target: Target, layout: WeightLayout, grid: Grid, in_features: int) -> Cost:
    """The cost of weights that stream past blocks of rows of `in_features` int8."""
    passes = -(-grid.passes // grid.row_shares)
    blocks = -(-layout.blocks // grid.columns)
    tiles, tile_rows = grid.tiles(target.tm), grid.tile_rows(target.tm)
    steps = passes * blocks * layout.chunks * layout.chunk
    rate = target.formats.get(layout.code.unit_format) or target.formats["int8"]
    multiply = max(tile_rows * target.tn * layout.step / (target.macs_per_cycle * rate), target.weight_cycles)
    scales = 0 if layout.per_channel else layout.scale_bytes / layout.scale_steps
    loaded = layout.step_bytes + scales + tiles * tile_rows * layout.step
    own = passes * (blocks * layout.block_bytes + grid.rows * in_features)
    moved = grid.passes * (layout.nbytes + grid.columns * grid.rows * in_features)
    # two sets of accumulators take turns: what is finished drains while the next is multiplied
    drains = blocks if 2 * tiles > ACCUMULATORS else 1
    results = 4 * tiles * tile_rows * target.tn
    ends = passes * drains * (target.drain_cycles + results / target.vector_bytes_per_cycle)
    first = passes * (grid.rows * in_features + layout.chunk_bytes) * target.cores / target.dram_bytes_per_cycle
    return Cost(
        matrix=steps * tiles * multiply,
        tile_lsu=steps * loaded / target.tile_bytes_per_cycle,
        dram=moved / target.dram_bytes_per_cycle,
        link=own / target.link_bytes_per_cycle,
        hart=steps * (_STEP_INSTRUCTIONS + _TILE_INSTRUCTIONS * tiles)
        + passes * blocks * (layout.chunks * _CHUNK_INSTRUCTIONS + _BLOCK_INSTRUCTIONS),
        serial=ends + first,
    )
