"""C = (int8 activations x row scales) x quantised weights: weights stream through two buffers, activations stay."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from archsim.common.errors import InputError
from archsim.formats import Packed
from archsim.kernels.assembly import Assembly
from archsim.kernels.base import Array, Placement, WeightKernel
from archsim.kernels.layout import WeightLayout, pack_weights, weight_layout
from archsim.kernels.target import Target
from archsim.kernels.weight_code import SUPER_BLOCK, WeightCode, coded

ACCUMULATORS = 4


@dataclass(frozen=True)
class Tiling:
    """Activation rows kept in the scratchpad, and steps of weights per chunk."""

    rows: int
    steps: int


@dataclass(frozen=True)
class MatMul(WeightKernel):
    """out float32 [rows, out_features] = codes int8 [rows, in_features] x W^T x scales float32 [rows].

    W is packed by layout.pack_weights. Output features are dealt to cores in blocks of TN. Sums run over groups of
    input features in ascending order, in float32; reference.matmul says what each code's instruction adds for one.

    Attributes:
        code: of the weights.
        first, width: the outputs are columns from `first` on of an array that is `width` wide; 0: all of their own.

    Raises:
        InputError: the matrix unit cannot multiply them.
    """

    name: str
    target: Target
    rows: int
    in_features: int
    out_features: int
    code: WeightCode
    first: int = 0
    width: int = 0

    def __post_init__(self) -> None:
        for broken, problem, remedy in self._limits():
            if broken:
                raise InputError(f"op {self.name!r}: weights of format {self.code.name!r} {problem}", remedy=remedy)

    def _limits(self) -> Iterator[tuple[bool, str, str]]:
        """What a unit, a register or a row of weights cannot do: whether it is so, the words for it, the remedy."""
        code, target, step = self.code, self.target, self.layout().step
        unit = code.unit_format
        yield (
            unit not in target.formats and not code.unpackable,
            f"need a matrix unit that multiplies {unit}",
            f"add {unit} to core.matrix.formats, or use the design edge-npu-formats",
        )
        k_quant = code.multiply == "qt.mma.k4"
        yield (k_quant and not target.k_quants, "need the extension xqk", "add xqk to the design's isa")
        yield (
            k_quant and not SUPER_BLOCK // 4 <= step <= SUPER_BLOCK,
            f"need tile rows of {SUPER_BLOCK // 4} to {SUPER_BLOCK} bytes",
            f"set parameters.TROWB to {SUPER_BLOCK // 2}",
        )
        yield (
            code.multiply == "qt.mma.mx" and target.tm > target.tn,
            "need tiles with as many weight rows as activation rows",
            f"set parameters.TN to {target.tm}",
        )
        ragged = not code.group and self.in_features % step != 0
        yield (
            ragged and not code.has_zero,
            f"have no zero that fills rows of {self.in_features} up to whole tiles of {step}",
            "use one scale per group, as in binary-g64",
        )

    def layout(self, steps: int | None = None) -> WeightLayout:
        """The layout of the weights with chunks of at most `steps` steps."""
        return weight_layout(self.target, self.out_features, self.in_features, self.code, steps)

    def packing(self, tiling: Tiling) -> WeightLayout:
        return self.layout(tiling.steps)

    def pack(self, weights: Packed, tiling: Tiling) -> np.ndarray:
        return np.frombuffer(pack_weights(coded(weights), self.layout(tiling.steps)), np.uint8)

    def arrays(self) -> dict[str, Array]:
        return self.arrays_of(Tiling(self.rows, self.most_steps))

    def arrays_of(self, tiling: Tiling) -> dict[str, Array]:
        """Arrays with the weights as a tiling's chunks have them."""
        return {
            "codes": Array((self.rows, self.in_features), "i1"),
            "scales": Array((self.rows,), "f4"),
            "weights": Array((self.layout(tiling.steps).nbytes,), "u1"),
            "out": Array((self.rows, self.width or self.out_features), "f4", written=True, pitch=self.out_pitch),
        }

    @property
    def out_pitch(self) -> int:
        """Bytes from row to row of the output."""
        return self.target.pitch(4 * (self.width or self.out_features))

    @property
    def unpacks(self) -> bool:
        """Whether codes must become int8 before they are multiplied."""
        return self.code.unpackable and self.code.unit_format not in self.target.formats

    @property
    def most_steps(self) -> int:
        """Steps of a whole block."""
        return self.layout().chunk

    def tilings(self) -> Sequence[Tiling]:
        """Rows from four accumulators' worth down to one, fastest first; chunks are chosen by the plan."""
        tm, rows = self.target.tm, self.rows
        sizes = [min(rows, count * tm) for count in range(ACCUMULATORS, 0, -1)]
        while sizes[-1] > 1:
            sizes.append(sizes[-1] // 2)
        grids = {size: grid_of(self, size) for size in dict.fromkeys(sizes)}
        return [Tiling(size, self.most_steps) for size in sorted(grids, key=lambda size: self._cycles(grids[size]))]

    def _cycles(self, grid: Grid) -> tuple[float, float]:
        """Bounds that a grid sets: cycles by the slower of matrix units and DRAM, then by DRAM alone."""
        target, layout = self.target, self.layout()
        share = -(-grid.passes // grid.row_shares) * -(-layout.blocks // grid.columns)
        tile = max(grid.tile_rows(target.tm) * target.tn * layout.step / target.macs_per_cycle, target.weight_cycles)
        matrix = share * layout.chunk * grid.tiles(target.tm) * tile
        moved = grid.passes * (layout.nbytes + grid.columns * grid.rows * self.in_features)
        dram = moved / target.dram_bytes_per_cycle
        return max(matrix, dram), dram

    def steps_within(self, nbytes: int) -> int:
        """Largest steps per chunk whose chunk fits `nbytes`; 0 if none does."""
        layout = self.layout()
        unit = layout.scale_steps
        per_load = unit * layout.step_bytes + (0 if layout.per_channel else layout.scale_bytes)
        steps = min(layout.chunk, nbytes // per_load * unit)
        while steps and self.layout(steps).chunk_bytes > nbytes:
            steps -= unit
        return steps

    def with_chunks(self, tiling: Tiling, nbytes: int) -> Tiling:
        """A tiling with the longest chunks that fit weight buffers of `nbytes`."""
        return replace(tiling, steps=self.steps_within(nbytes))

    @property
    def stride(self) -> int:
        """Bytes from one activation row to the next: an odd number of tile rows spreads them over the banks."""
        return self.layout().step * (self.most_steps | 1)

    def buffers(self, tiling: Tiling) -> dict[str, int]:
        stage = 4 * self.target.tn * tiling.rows
        # where chunks pad the depth, zero weights meet what stands behind a row, or behind the last one
        beyond = self.layout(tiling.steps).depth
        return {
            "activations": self.stride * (tiling.rows - 1) + max(self.stride, beyond),
            "scales": 4 * tiling.rows,
            "stage0": stage,
            "stage1": stage,
        }

    def prologue(self, asm: Assembly, tiling: Tiling, place: Placement) -> None:
        """Start the first two weight transfers; may stand anywhere after the last use of the weight buffers."""
        from archsim.kernels.matmul_writer import MatMulWriter

        MatMulWriter(self, asm, tiling, place).prologue()

    def emit(self, asm: Assembly, tiling: Tiling, place: Placement) -> None:
        """The body; `prologue` must have been emitted before it."""
        asm.run_deferred()
        from archsim.kernels.matmul_writer import MatMulWriter

        MatMulWriter(self, asm, tiling, place).body()


@dataclass(frozen=True)
class Grid:
    """How cores share a matmul: `row_shares` groups of cores deal out passes over rows, each its blocks of columns.

    Attributes:
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


def grid_of(kernel: MatMul, most_rows: int) -> Grid:
    """The grid with the least work for the busiest core; of those the one that loads activations least often."""
    passes = -(-kernel.rows // most_rows)
    cores, blocks = kernel.target.cores, kernel.layout().blocks
    shares = [count for count in range(1, min(cores, passes) + 1) if cores % count == 0]
    work = {count: -(-passes // count) * -(-blocks // (cores // count)) for count in shares}
    best = min(shares, key=lambda count: (work[count], -count))
    return Grid(-(-kernel.rows // passes), passes, best, cores // best)
