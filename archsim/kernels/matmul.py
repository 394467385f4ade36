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
from archsim.kernels.matmul_grid import ACCUMULATORS, Cost, Grid, cost_of
from archsim.kernels.target import Target
from archsim.kernels.weight_code import SUPER_BLOCK, WeightCode, coded

_PART_BLOCKS = 8
"""Blocks of columns per core that show how fast a tiling is."""


@dataclass(frozen=True)
class Tiling:
    """Activation rows kept in the scratchpad, steps of weights per chunk, and groups of cores that deal out passes."""

    rows: int
    steps: int
    row_shares: int = 1


@dataclass(frozen=True)
class MatMul(WeightKernel):
    """out float32 [rows, out_features] = codes int8 [rows, in_features] x W^T x scales float32 [rows].

    W is packed by layout.pack_weights. Output features are dealt to cores in blocks of TN. Sums run over groups of
    input features in ascending order, in float32; reference.matmul says what each code's instruction adds for one.

    Attributes:
        code: of the weights.
        first, width: the outputs are columns from `first` on of an array that is `width` wide; 0: all of their own.
        bias: whether float16 numbers [out_features], padded to whole blocks, are added to the outputs.

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
    bias: bool = False

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
        bias = {"bias": Array((self.layout().blocks * self.target.tn,), "f2")} if self.bias else {}
        return {
            "codes": Array((self.rows, self.in_features), "i1"),
            "scales": Array((self.rows,), "f4"),
            "weights": Array((self.layout(tiling.steps).nbytes,), "u1"),
            **bias,
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
        """Rows from four accumulators' worth down to one, best by estimate first; chunks are chosen by the plan."""
        tm, rows = self.target.tm, self.rows
        sizes = [min(rows, count * tm) for count in range(ACCUMULATORS, 0, -1)]
        while sizes[-1] > 1:
            sizes.append(sizes[-1] // 2)
        every = [
            Tiling(size, self.most_steps, share) for size in dict.fromkeys(sizes) for share in self._row_shares(size)
        ]
        return sorted(every, key=lambda tiling: self.cost(tiling).estimate)

    def _row_shares(self, rows: int) -> list[int]:
        """Numbers of groups of cores that may share passes of so many rows, the busiest of which has least to do."""
        passes, cores, blocks = -(-self.rows // rows), self.target.cores, self.layout().blocks
        shares = [count for count in range(1, min(cores, passes) + 1) if cores % count == 0]
        work = {count: -(-passes // count) * -(-blocks // (cores // count)) for count in shares}
        return [count for count in shares if work[count] == min(work.values())]

    def grid(self, tiling: Tiling) -> Grid:
        """How cores share the work of a tiling."""
        passes = -(-self.rows // tiling.rows)
        return Grid(-(-self.rows // passes), passes, tiling.row_shares, self.target.cores // tiling.row_shares)

    def cost(self, tiling: Tiling) -> Cost:
        """Cycles of a tiling, by bounds and estimate."""
        return cost_of(self.target, self.layout(tiling.steps), self.grid(tiling), self.in_features)

    def bound(self, tiling: Tiling) -> float:
        return self.cost(tiling).bound

    def estimate(self, tiling: Tiling) -> float:
        return self.cost(tiling).estimate

    def every_tiling(self) -> Sequence[Tiling]:
        """Rows, groups of cores, and chunks of every length that pads no more than a longer one."""
        unit, most = self.layout().scale_steps, self.most_steps
        lengths = [steps for steps in range(unit, most + 1, unit) if self.layout(steps).chunk == steps]
        return [replace(tiling, steps=steps) for tiling in self.tilings() for steps in lengths]

    def part(self) -> MatMul:
        """The first columns: each core has a few blocks of them."""
        columns = _PART_BLOCKS * self.target.cores * self.target.tn
        return replace(self, out_features=columns, first=0, width=0) if columns < self.out_features else self

    def nest(self, tiling: Tiling) -> list[str]:
        grid, layout, tm = self.grid(tiling), self.layout(tiling.steps), self.target.tm
        tiles, size = grid.tiles(tm), layout.chunk_bytes
        dealt = f"{grid.row_shares} groups of cores deal them out" if grid.row_shares > 1 else ""
        columns = f"{grid.columns} cores deal them out" if grid.columns > 1 else ""
        return [
            f"for pass in 0..{grid.passes - 1}: {_also(f'{grid.rows} activation rows stay in the scratchpad', dealt)}",
            f"  for block in 0..{layout.blocks - 1}: {_also(f'{layout.tn} output features', columns)}",
            f"    for chunk in 0..{layout.chunks - 1}: {size} B of {self.code.name} weights, double-buffered from DRAM",
            f"      for step in 0..{layout.chunk - 1}: {layout.step} input features",
            f"        for tile in 0..{tiles - 1}: accumulator of {grid.tile_rows(tm)} x {layout.tn} += rows x weights",
            f"    scale rows, store {grid.rows} x {layout.tn} float32",
        ]

    def extra_bytes(self, tiling: Tiling) -> int:
        """Two weight buffers."""
        return 2 * self.target.align(self.layout(tiling.steps).chunk_bytes)

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
            # scale registers take eight numbers of 2 bytes where weights have short groups, and use the first
            **({"bias": 2 * self.target.tn + 14} if self.bias else {}),
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


def _also(text: str, more: str) -> str:
    return f"{text}; {more}" if more else text
