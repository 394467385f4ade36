"""The program of a matmul: passes over blocks of activation rows, in each a stream of weight chunks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from archsim.kernels.assembly import HART, Assembly
from archsim.kernels.base import LOAD_BARRIERS, STREAM_BARRIERS, WEIGHT_BARRIERS, Placement
from archsim.kernels.matmul import MatMul, Tiling
from archsim.kernels.matmul_grid import ACCUMULATORS
from archsim.kernels.matmul_steps import emit_constants, emit_steps, number_format

_BIAS_SCALES = "sc6"
"""Multiplications load it anew before they use it."""


@dataclass(frozen=True)
class _Stream:
    """Registers of a pass.

    Attributes:
        pointer, left, counter: of the stream of weight chunks: DRAM address, chunks left to load, and, where it is
            needed, left of the block.
        out, column: of the next block: address of its output, byte of its first column.
        inner: chunks left to multiply of the block.
    """

    pointer: str
    left: str
    counter: str | None
    out: str
    column: str
    inner: str


class MatMulWriter:
    """Emits one matmul."""

    def __init__(self, kernel: MatMul, asm: Assembly, tiling: Tiling, place: Placement) -> None:
        self.kernel, self.asm, self.place, self.target = kernel, asm, place, kernel.target
        self.grid = kernel.grid(tiling)
        self.rows = self.grid.rows
        self.layout = kernel.layout(tiling.steps)
        self.stride = kernel.stride
        self.tile_rows = self.grid.tile_rows(self.target.tm)
        last = self.rows - self.tile_rows
        self.tops = [min(index * self.tile_rows, last) for index in range(self.grid.tiles(self.target.tm))]
        # where they suffice, accumulators take turns: a block is multiplied while the one before is scaled and stored
        self.sets = 2 if 2 * len(self.tops) <= ACCUMULATORS else 1

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
        asm.csr("qfmt", number_format(self.layout, self.kernel.unpacks))
        asm.csr("qtm", self.tile_rows)
        asm.csr("qtn", self.target.tn)
        asm.csr("qtk", self.layout.step)
        emit_constants(asm, self.layout)
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
            asm.element(out, self.place.dram["out"] + 4 * self.kernel.first, row, self.kernel.out_pitch)
            asm("add", out, out, column)
            if self.kernel.bias:
                with asm.unless("blez", total):
                    self._load_bias(column)
            asm.wait(LOAD_BARRIERS[0])
            stream = _Stream(pointer, left, counter, out, column, inner)
            with (
                asm.registers(" ".join(f"a{index}" for index in range(len(self.tops)))) as rows,
                asm.unless("blez", total),
            ):
                self._first_block(rows)
                if self.sets == 1:
                    self._clear(0)
                    asm.alternate(total, lambda buffer: self._chunk(buffer, rows, stream))
                else:
                    self._in_turns(total, rows, stream)

    def _first_block(self, rows: list[str]) -> None:
        """Activation pointers at the start of a block."""
        for pointer, top in zip(rows, self.tops, strict=True):
            self.asm.pad(pointer, self.place.pads["activations"] + top * self.stride)

    def _clear(self, turn: int) -> None:
        for index in range(len(self.tops)):
            self.asm("qt.zeroa", f"ac{turn * len(self.tops) + index}")

    def _chunk(self, buffer: int, rows: list[str], stream: _Stream) -> None:
        """A chunk and, with a block's last one, the end of the block."""
        self._multiply(buffer, 0, rows, stream)
        with self._last_chunk(stream):
            self._store_block(0, buffer, stream)
            self._clear(0)
            self._first_block(rows)

    @contextmanager
    def _last_chunk(self, stream: _Stream) -> Iterator[None]:
        """The block of code is for the last chunk of a block of weights."""
        if self.layout.chunks == 1:
            yield
            return
        self.asm.add(stream.inner, stream.inner, -1)
        with self.asm.unless("bnez", stream.inner):
            self.asm.li(stream.inner, self.layout.chunks)
            yield

    def _in_turns(self, total: str, rows: list[str], stream: _Stream) -> None:
        """All chunks of a pass, with two sets of accumulators.

        A block is stored behind the next one's first chunk: loads of weights do not wait for its products meanwhile.
        """
        asm = self.asm
        places = [(0, 0), (1, 1)] if self.layout.chunks == 1 else [(0, 0), (1, 0), (0, 1), (1, 1)]
        labels = {place: asm.label("chunk") for place in places}
        ends, done = [asm.label("last") for _ in range(2)], asm.label("done")
        with asm.registers("finished") as (finished,):
            for turn in (0, 1):
                self._clear(turn)
            asm.li(finished, 0)
            for buffer, turn in places:
                asm.place(labels[buffer, turn])
                self._multiply(buffer, turn, rows, stream)
                with asm.unless("beqz", finished):
                    asm.li(finished, 0)
                    self._store_block(1 - turn, 1 - turn, stream)
                    self._clear(1 - turn)
                asm.add(total, total, -1)
                with self._last_chunk(stream):
                    asm.li(finished, 1)
                    self._first_block(rows)
                    asm.jump_if("beqz", total, ends[turn])
                    asm("j", labels[1 - buffer, 1 - turn])
                if (1 - buffer, turn) in labels:
                    asm("j", labels[1 - buffer, turn])
            for turn, end in enumerate(ends):
                asm.place(end)
                self._store_block(turn, turn, stream)
                if turn == 0:
                    asm("j", done)
            asm.place(done)

    def _multiply(self, buffer: int, turn: int, rows: list[str], stream: _Stream) -> None:
        """The steps of a chunk, whose buffer the next but one then takes."""
        asm, weights = self.asm, self.place.weights[buffer]
        asm.wait(WEIGHT_BARRIERS[buffer])
        emit_steps(asm, self.kernel, self.layout, self.stride, weights, rows, turn * len(self.tops), buffer)
        self.load(stream.pointer, stream.left, stream.counter, buffer)

    # -- finished blocks

    def _store_block(self, turn: int, stage_number: int, stream: _Stream) -> None:
        """Scale a set of accumulators by rows, and send them to DRAM by way of a staging buffer."""
        asm, kernel, width = self.asm, self.kernel, 4 * self.target.tn
        barrier, pads = STREAM_BARRIERS[stage_number], self.place.pads
        ragged = kernel.out_features % self.target.tn
        with asm.registers("address stage stride") as (address, stage, stride):
            asm.li(stride, width)
            asm.wait(barrier)
            if kernel.bias:
                self._read_bias(address, stage)
            for index, top in enumerate(self.tops):
                accumulator = f"ac{turn * len(self.tops) + index}"
                asm.pad(address, pads["scales"] + 4 * top)
                asm("qt.mulr", accumulator, address)
                if kernel.bias:
                    asm("qt.bias", accumulator, accumulator, _BIAS_SCALES)
                asm.pad(stage, pads[f"stage{stage_number}"] + top * width)
                asm("qt.sta", accumulator, stage, stride)
            asm.pad(stage, pads[f"stage{stage_number}"])
            if ragged:
                asm.li(address, 4 * kernel.out_features)
                asm("sub", address, address, stream.column)
                with asm.unless("blt", address, stride):
                    asm("mv", address, stride)
            asm.shape(self.rows, address if ragged else width, kernel.out_pitch, width)
            asm("qt.dma.st", f"b{barrier}", stream.out, stage)
        for register in (stream.out, stream.column):
            asm.add(register, register, width * self.grid.columns)
        if kernel.bias:
            with asm.registers("end") as (end,):
                asm.li(end, width * self.layout.blocks)
                with asm.unless("bge", stream.column, end):
                    self._load_bias(stream.column)

    # -- biases: those of a block arrive while the block is multiplied

    def _load_bias(self, column: str) -> None:
        """Start the load of the numbers of the block at a column (4 bytes each there, 2 of them here)."""
        asm = self.asm
        with asm.registers("dram pad") as (source, pad):
            asm("srli", source, column, 1)
            asm.add(source, source, self.place.dram["bias"])
            asm.pad(pad, self.place.pads["bias"])
            asm.shape(1, 2 * self.target.tn)
            asm("qt.dma.ld", f"b{LOAD_BARRIERS[1]}", source, pad)

    def _read_bias(self, address: str, stride: str) -> None:
        """Numbers of the block into a scale register that no multiplication holds anything in any more."""
        asm = self.asm
        asm.wait(LOAD_BARRIERS[1])
        asm.pad(address, self.place.pads["bias"])
        asm.li(stride, 2)
        asm("qt.lds", _BIAS_SCALES, address, stride)
