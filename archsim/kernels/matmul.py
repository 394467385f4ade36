"""C = (int8 activations x row scales) x quantised weights: weights stream through two buffers, activations stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from archsim.kernels.assembly import HART, Assembly
from archsim.kernels.base import LOAD_BARRIERS, STREAM_BARRIERS, WEIGHT_BARRIERS, Array, Kernel, Placement
from archsim.kernels.layout import WeightLayout, weight_layout
from archsim.kernels.target import Target

ACCUMULATORS = 4
_WHOLE_DEPTH = 15
"""log2 of a group that is longer than any tile row."""


@dataclass(frozen=True)
class Tiling:
    """Activation rows kept in the scratchpad, and steps of weights per chunk."""

    rows: int
    steps: int


@dataclass(frozen=True)
class MatMul(Kernel):
    """out float32 [rows, out_features] = codes int8 [rows, in_features] x W^T x scales float32 [rows].

    W is int4 or int8 with a float16 scale per group of input features, packed by layout.pack_weights. Output features
    are dealt to cores in blocks of TN. Sums run over groups in ascending order, in float32.

    Attributes:
        bits, group: of the weights; group 0 is one scale per output feature.
    """

    name: str
    target: Target
    rows: int
    in_features: int
    out_features: int
    bits: int
    group: int

    def layout(self, steps: int | None = None) -> WeightLayout:
        """The layout of the weights with chunks of at most `steps` steps."""
        return weight_layout(self.target, self.out_features, self.in_features, self.bits, self.group, steps)

    def arrays(self) -> dict[str, Array]:
        return self.arrays_of(Tiling(self.rows, self.most_steps))

    def arrays_of(self, tiling: Tiling) -> dict[str, Array]:
        """Arrays with the weights as a tiling's chunks have them."""
        return {
            "codes": Array((self.rows, self.in_features), "i1"),
            "scales": Array((self.rows,), "f4"),
            "weights": Array((self.layout(tiling.steps).nbytes,), "u1"),
            "out": Array((self.rows, self.out_features), "f4", read=False, written=True, pitch=self.out_pitch),
        }

    @property
    def out_pitch(self) -> int:
        """Bytes from row to row of the output."""
        return self.target.pitch(4 * self.out_features)

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
        per_step = layout.step_bytes + (0 if layout.per_channel else layout.scale_bytes)
        steps = min(layout.chunk, nbytes // per_step)
        while steps and self.layout(steps).chunk_bytes > nbytes:
            steps -= 1
        return steps

    def with_chunks(self, tiling: Tiling, nbytes: int) -> Tiling:
        """A tiling with the longest chunks that fit weight buffers of `nbytes`."""
        return replace(tiling, steps=self.steps_within(nbytes))

    def _stride(self, tiling: Tiling) -> int:
        """Bytes from one activation row to the next: an odd number of tile rows spreads them over the banks."""
        layout = self.layout(tiling.steps)
        return layout.step * (layout.chunks * layout.chunk | 1)

    def buffers(self, tiling: Tiling) -> dict[str, int]:
        stage = 4 * self.target.tn * tiling.rows
        return {
            "activations": self._stride(tiling) * tiling.rows,
            "scales": 4 * tiling.rows,
            "stage0": stage,
            "stage1": stage,
        }

    def prologue(self, asm: Assembly, tiling: Tiling, place: Placement) -> None:
        """Start the first two weight transfers; may stand anywhere after the last use of the weight buffers."""
        _Writer(self, asm, tiling, place).prologue()

    def emit(self, asm: Assembly, tiling: Tiling, place: Placement) -> None:
        """The body; `prologue` must have been emitted before it."""
        asm.run_deferred()
        _Writer(self, asm, tiling, place).body()


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


class _Writer:
    """Emits one matmul."""

    def __init__(self, kernel: MatMul, asm: Assembly, tiling: Tiling, place: Placement) -> None:
        self.kernel, self.asm, self.place, self.target = kernel, asm, place, kernel.target
        self.grid = grid_of(kernel, tiling.rows)
        self.rows = self.grid.rows
        self.layout = kernel.layout(tiling.steps)
        self.stride = kernel._stride(tiling)
        self.tile_rows = self.grid.tile_rows(self.target.tm)
        last = self.rows - self.tile_rows
        self.tops = [min(index * self.tile_rows, last) for index in range(self.grid.tiles(self.target.tm))]

    def share(self, register: str) -> str:
        """The core's place among those that share columns: the hart's number, or `register` set to it."""
        if self.grid.row_shares == 1:
            return HART
        self.asm.li(register, self.grid.row_shares)
        self.asm("divu", register, HART, register)
        return register

    # -- the stream of weight chunks of this core

    def start(self, pointer: str, left: str, total: str, own: str | None) -> None:
        """Set the stream to its first chunk: DRAM address, chunks left to load, in all, and left of the block."""
        asm, layout = self.asm, self.layout
        share = self.share(pointer)
        whole, rest = divmod(layout.blocks, self.grid.columns)
        if rest:
            asm("slti", total, share, rest)
            asm.add(total, total, whole)
        else:
            asm.li(total, whole)
        if layout.chunks > 1:
            asm.mul(total, total, layout.chunks)
        asm("mv", left, total)
        asm.element(pointer, self.place.dram["weights"], share, layout.block_bytes)
        if own:
            asm.li(own, layout.chunks)

    def advance(self, pointer: str, left: str, own: str | None) -> None:
        """Go on to the next chunk."""
        asm, layout, others = self.asm, self.layout, (self.grid.columns - 1) * self.layout.block_bytes
        asm.add(left, left, -1)
        asm.add(pointer, pointer, layout.chunk_bytes + (0 if own else others))
        if own:
            asm.add(own, own, -1)
            with asm.unless("bnez", own):
                asm.li(own, layout.chunks)
                asm.add(pointer, pointer, others)

    def load(self, pointer: str, left: str, own: str | None, buffer: int) -> None:
        """Start the next chunk's transfer, if there is one."""
        asm = self.asm
        with asm.unless("blez", left), asm.registers("pad") as (pad,):
            asm.pad(pad, self.place.weights[buffer])
            asm.shape(1, self.layout.chunk_bytes)
            asm("qt.dma.ld", f"b{WEIGHT_BARRIERS[buffer]}", pointer, pad)
            self.advance(pointer, left, own)

    @property
    def _own(self) -> str:
        """The counter of a block's chunks is needed only where blocks are cut and do not adjoin."""
        return " own" if self.layout.chunks > 1 and self.grid.columns > 1 else ""

    def prologue(self) -> None:
        with self.asm.registers("pointer left total" + self._own) as (pointer, left, total, *own):
            self.start(pointer, left, total, own[0] if own else None)
            for buffer in (0, 1):
                self.load(pointer, left, own[0] if own else None, buffer)

    # -- passes over blocks of rows

    def body(self) -> None:
        """All passes of this core; the weights of the first were started before it."""
        asm, grid = self.asm, self.grid
        asm.csr("qfmt", self._format())
        asm.csr("qtm", self.tile_rows)
        asm.csr("qtn", self.target.tn)
        asm.csr("qtk", self.layout.step)
        with asm.registers("number row passes") as (number, row, passes):
            asm.li(number, 0)
            if grid.row_shares > 1:
                asm.li(number, grid.row_shares)
                asm("remu", number, HART, number)
            loop, done = asm.label("pass"), asm.label("passes_done")
            asm.place(loop)
            self._first_row(number, row)
            self._load_rows(row)
            self._pass(row)
            if grid.passes > grid.row_shares:
                asm.add(number, number, grid.row_shares)
                asm.li(passes, grid.passes)
                asm.jump_if("bge", number, passes, done)
                self.prologue()
                asm("j", loop)
                asm.place(done)
        asm.wait(*STREAM_BARRIERS)

    def _first_row(self, number: str, row: str) -> None:
        """row = first activation row of a pass."""
        asm, last = self.asm, self.kernel.rows - self.rows
        asm.mul(row, number, self.rows)
        if self.grid.passes * self.rows > self.kernel.rows:
            with asm.registers("last") as (limit,):
                asm.li(limit, last)
                with asm.unless("blt", row, limit):
                    asm("mv", row, limit)

    @property
    def unpacks(self) -> bool:
        """Whether int4 codes must become int8 before they are multiplied."""
        return self.layout.bits == 4 and not self.target.int4

    def _format(self) -> int:
        glog2 = min(self.layout.group, self.layout.step).bit_length() - 1 if self.layout.group else _WHOLE_DEPTH
        return glog2 << 14 | int(self.layout.bits == 4 and not self.unpacks)

    def _load_rows(self, row: str) -> None:
        asm, dram, pads, depth = self.asm, self.place.dram, self.place.pads, self.kernel.in_features
        with asm.registers("dram pad") as (source, pad):
            asm.element(source, dram["codes"], row, depth)
            asm.pad(pad, pads["activations"])
            asm.shape(self.rows, depth, depth, self.stride)
            asm("qt.dma.ld", f"b{LOAD_BARRIERS[0]}", source, pad)
            asm.element(source, dram["scales"], row, 4)
            asm.pad(pad, pads["scales"])
            asm.shape(1, 4 * self.rows)
            asm("qt.dma.ld", f"b{LOAD_BARRIERS[0]}", source, pad)

    def _pass(self, row: str) -> None:
        asm, own = self.asm, self._own
        names = "pointer left total out column inner" + own
        with asm.registers(names) as (pointer, left, total, out, column, inner, *rest):
            counter = rest[0] if rest else None
            self.start(pointer, left, total, counter)
            for _ in (0, 1):
                self.advance(pointer, left, counter)
            asm.li(inner, self.layout.chunks)
            width = 4 * self.target.tn
            asm.mul(column, self.share(column), width)
            asm.element(out, self.place.dram["out"], row, self.kernel.out_pitch)
            asm("add", out, out, column)
            asm.wait(LOAD_BARRIERS[0])
            state = (pointer, left, counter, out, column, inner)
            with (
                asm.registers(" ".join(f"a{index}" for index in range(len(self.tops)))) as rows,
                asm.unless("blez", total),
            ):
                self._first_block(rows)
                asm.alternate(total, lambda buffer: self._chunk(buffer, rows, *state))

    def _first_block(self, rows: list[str]) -> None:
        """Accumulators and activation pointers at the start of a block."""
        for index, (pointer, top) in enumerate(zip(rows, self.tops, strict=True)):
            self.asm("qt.zeroa", f"ac{index}")
            self.asm.pad(pointer, self.place.pads["activations"] + top * self.stride)

    def _chunk(
        self,
        buffer: int,
        rows: list[str],
        pointer: str,
        left: str,
        counter: str | None,
        out: str,
        column: str,
        inner: str,
    ) -> None:
        asm = self.asm
        asm.wait(WEIGHT_BARRIERS[buffer])
        self._steps(self.place.weights[buffer], rows)
        self.load(pointer, left, counter, buffer)
        if self.layout.chunks == 1:
            self._store_block(buffer, out, column)
            self._first_block(rows)
            return
        asm.add(inner, inner, -1)
        with asm.unless("bnez", inner):
            asm.li(inner, self.layout.chunks)
            self._store_block(buffer, out, column)
            self._first_block(rows)

    # -- the multiplications of a chunk

    def _steps(self, weights: int, rows: list[str]) -> None:
        """All steps of a chunk at a scratchpad offset: a loop of some of them, then the rest."""
        asm, layout = self.asm, self.layout
        # few accumulators: many steps side by side, so that the loop itself costs little
        unroll = min(layout.chunk, 4 if len(rows) == 1 else 2)
        names = "codes scales end row_bytes scale_stride stride step" + (" depth" if self.unpacks else "")
        with asm.registers(names) as (codes, scales, end, row_bytes, scale_stride, stride, step, *depth):
            if depth:
                asm.li(depth[0], layout.step)
            asm.pad(codes, weights)
            asm.add(scales, codes, layout.chunk * layout.step_bytes)
            asm.li(row_bytes, layout.row_bytes)
            asm.li(scale_stride, 2 * layout.scales_per_step)
            asm.li(stride, self.stride)
            asm.li(step, layout.step_bytes)
            emit = _Steps(self, codes, scales, rows, row_bytes, scale_stride, stride, step, *depth)
            if layout.per_channel:
                asm("qt.lds", "sc0", scales, scale_stride)
            loops, rest = divmod(layout.chunk, unroll)
            if loops == 1:
                loops, rest = 0, layout.chunk
            if loops:
                asm.add(end, codes, loops * unroll * layout.step_bytes)
                label = asm.label("steps")
                asm.place(label)
                for index in range(unroll):
                    emit.step(index)
                asm.jump_if("blt", codes, end, label)
            for index in range(rest):
                emit.step(index)

    def _store_block(self, buffer: int, out: str, column: str) -> None:
        """Scale the accumulators by rows, and send them to DRAM by way of a staging buffer."""
        asm, kernel, width = self.asm, self.kernel, 4 * self.target.tn
        barrier = STREAM_BARRIERS[buffer]
        ragged = kernel.out_features % self.target.tn
        with asm.registers("address stage stride") as (address, stage, stride):
            asm.li(stride, width)
            asm.wait(barrier)
            for index, top in enumerate(self.tops):
                asm.pad(address, self.place.pads["scales"] + 4 * top)
                asm("qt.mulr", f"ac{index}", address)
                asm.pad(stage, self.place.pads[f"stage{buffer}"] + top * width)
                asm("qt.sta", f"ac{index}", stage, stride)
            asm.pad(stage, self.place.pads[f"stage{buffer}"])
            if ragged:
                asm.li(address, 4 * kernel.out_features)
                asm("sub", address, address, column)
                with asm.unless("blt", address, stride):
                    asm("mv", address, stride)
            asm.shape(self.rows, address if ragged else width, kernel.out_pitch, width)
            asm("qt.dma.st", f"b{barrier}", out, stage)
        asm.add(out, out, width * self.grid.columns)
        asm.add(column, column, width * self.grid.columns)


@dataclass
class _Steps:
    """Emits one step: load its scales and weights, and for each accumulator its activations, and multiply.

    Tile and scale registers alternate, so that the loads of a step run beside the multiplications of the one before.
    """

    writer: _Writer
    codes: str
    scales: str
    rows: list[str]
    row_bytes: str
    scale_stride: str
    stride: str
    step_bytes: str
    depth: str = ""
    used: int = 0

    def step(self, index: int) -> None:
        """Emit step `index` of the unrolled ones."""
        asm, layout = self.writer.asm, self.writer.layout
        weights, scale = f"t{index % 2}", "sc0" if layout.per_channel else f"sc{index % 4}"
        if not layout.per_channel:
            asm("qt.lds", f"sc{index % 4}", self.scales, self.scale_stride)
            asm.add(self.scales, self.scales, layout.scale_bytes)
        if self.depth:
            # without int4 in the unit the format is int8, and packed codes come as rows half as deep
            asm.csr("qtk", self.row_bytes)
            asm("qt.ldw", weights, self.codes, self.row_bytes)
            asm.csr("qtk", self.depth)
            asm("qt.unpk", f"t{2 + index % 2}", weights)
            weights = f"t{2 + index % 2}"
        else:
            asm("qt.ldw", weights, self.codes, self.row_bytes)
        asm("add", self.codes, self.codes, self.step_bytes)
        for accumulator, pointer in enumerate(self.rows):
            tile = f"t{4 + self.used % 4}"
            self.used += 1
            asm("qt.ld", tile, pointer, self.stride)
            asm.add(pointer, pointer, layout.step)
            asm("qt.mma.s", f"ac{accumulator}", tile, weights, scale)
