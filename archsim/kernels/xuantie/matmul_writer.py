"""The program of a product on XuanTie's tiles: rows in passes, columns in blocks, inputs in pieces.

While tiles multiply a piece, vectors unpack the next one; then they scale the sums.
"""

from __future__ import annotations

from archsim.kernels.assembly import SCRATCH, Assembly
from archsim.kernels.base import Placement
from archsim.kernels.rvv.emit import retype, shape, strips
from archsim.kernels.xuantie.matmul import MatMul
from archsim.kernels.xuantie.weights import Piece

_ACCUMULATORS = 4
_WEIGHTS = ("tr2", "tr3")
"""Tiles of weights take turns; tr0 and tr1 hold those of the activations."""


class MatMulWriter:
    """Emits a MatMul."""

    def __init__(self, kernel: MatMul, asm: Assembly, tiling: int, place: Placement) -> None:
        self.kernel, self.asm, self.most, self.place = kernel, asm, tiling, place
        self.layout, self.target = kernel.layout(), kernel.target
        self.row = 4 * self.target.columns
        self.out_row = 4 * (kernel.width or kernel.out_features)

    def emit(self) -> None:
        asm, kernel = self.asm, self.kernel
        with asm.registers("left rows a row_scale out") as (left, rows, a, row_scale, out):
            asm.li(left, kernel.rows)
            asm.li(a, self.place.dram["codes"])
            asm.li(row_scale, self.place.dram["scales"])
            asm.li(out, self.place.dram["out"] + 4 * kernel.first)
            again = asm.label("pass")
            asm.place(again)
            asm.minimum(rows, left, self.most)
            asm("msettilem", rows)
            self._activations(a, rows)
            self._blocks(rows, row_scale, out)
            asm("slli", SCRATCH, rows, 2)
            asm("add", row_scale, row_scale, SCRATCH)
            asm.mul(SCRATCH, rows, self.out_row)
            asm("add", out, out, SCRATCH)
            asm("sub", left, left, rows)
            asm.jump_if("bnez", left, again)

    def _activations(self, a: str, rows: str) -> None:
        """A pass's rows into the scratchpad; the pointer goes behind them."""
        asm, size = self.asm, self.kernel.in_features
        with asm.registers("left pad row") as (left, pad, row):
            asm.pad(row, self.place.pads["activations"])
            with asm.times(left, rows):
                asm("mv", pad, row)
                with strips(asm, size, 8, "m8", {a: 1, pad: 1}):
                    asm("vle8.v", "v8", f"({a})")
                    asm("vse8.v", "v8", f"({pad})")
                asm.add(row, row, self.kernel.stride)

    def _blocks(self, rows: str, row_scale: str, out: str) -> None:
        """All columns of a pass."""
        asm, layout = self.asm, self.layout.columns
        with asm.registers("code scale target left columns") as (code, scale, target, left, columns):
            asm.li(code, self.place.dram["weights"])
            asm.li(scale, self.place.dram["weights"] + layout.code_bytes)
            asm("mv", target, out)
            asm.li(left, layout.out_features)
            again = asm.label("block")
            asm.place(again)
            asm.minimum(columns, left, layout.columns)
            self._clear(rows, columns)
            self._pieces(rows, columns, code, scale)
            self._finish(rows, columns, row_scale, target)
            asm("slli", SCRATCH, columns, 2)
            asm("add", target, target, SCRATCH)
            asm("sub", left, left, columns)
            asm.jump_if("bnez", left, again)

    def _clear(self, rows: str, columns: str) -> None:
        asm = self.asm
        shape(asm, columns, 32, "m4")
        asm("vmv.v.i", "v8", 0)
        with asm.registers("left result") as (left, result):
            asm.pad(result, self.place.pads["results"])
            with asm.times(left, rows):
                asm("vse32.v", "v8", f"({result})")
                asm.add(result, result, self.row)

    def _finish(self, rows: str, columns: str, row_scale: str, target: str) -> None:
        """Results times row scales to memory."""
        asm = self.asm
        shape(asm, columns, 32, "m4")
        with asm.registers("left result scale out") as (left, result, scale, out):
            asm.pad(result, self.place.pads["results"])
            asm("mv", scale, row_scale)
            asm("mv", out, target)
            with asm.times(left, rows):
                asm("vle32.v", "v8", f"({result})")
                asm("flw", "fa0", f"0({scale})")
                asm("vfmul.vf", "v8", "v8", "fa0")
                asm("vse32.v", "v8", f"({out})")
                asm.add(result, result, self.row)
                asm.add(scale, scale, 4)
                asm.add(out, out, self.out_row)

    # -- the pieces of a block

    def _pieces(self, rows: str, columns: str, code: str, scale: str) -> None:
        """Results += products with a block's weights; `code` and `scale` go behind them."""
        asm, layout = self.asm, self.layout
        # a rest shares the scale of the pieces before it
        shared = (layout.columns.group or layout.columns.in_features) // layout.piece.length + bool(layout.rest)
        self._copy_scales(columns, scale)
        with asm.registers("left use same input own") as (left, use, same, a, own):
            asm.pad(a, self.place.pads["activations"])
            asm.pad(own, self.place.pads["scales"])
            asm.li(left, layout.pieces)
            asm.li(use, layout.pieces - 1)
            asm.li(same, shared)
            self._unpack(layout.piece, columns, code, 0)

            def piece(buffer: int) -> None:
                self._multiply(layout.piece, rows, columns, a, buffer)
                with asm.unless("beqz", use):
                    asm.add(use, use, -1)
                    self._unpack(layout.piece, columns, code, 1 - buffer)
                self._scale(rows, columns, own)
                asm.add(same, same, -1)
                with asm.unless("bnez", same):
                    asm.li(same, shared)
                    asm("slli", SCRATCH, columns, 1)
                    asm("add", own, own, SCRATCH)

            asm.alternate(left, piece)
            if layout.rest:
                self._unpack(layout.rest, columns, code, 0)
                self._multiply(layout.rest, rows, columns, a, 0)
                self._scale(rows, columns, own)

    def _copy_scales(self, columns: str, scale: str) -> None:
        """A block's scales into the scratchpad; the pointer goes behind them."""
        asm = self.asm
        with asm.registers("pad count") as (pad, count):
            asm.pad(pad, self.place.pads["scales"])
            asm.mul(count, columns, self.layout.columns.groups)
            with strips(asm, count, 16, "m8", {scale: 2, pad: 2}):
                asm("vle16.v", "v8", f"({scale})")
                asm("vse16.v", "v8", f"({pad})")

    def _unpack(self, piece: Piece, columns: str, code: str, buffer: int) -> None:
        """A piece's weights as int8 into a buffer; `code` goes behind them."""
        asm = self.asm
        with asm.registers("left target count far") as (left, target, count, far):
            asm.pad(target, self.place.pads[f"weights{buffer}"])
            if self.layout.columns.bits == 8:
                asm.mul(count, columns, piece.length)
                with strips(asm, count, 8, "m8", {code: 1, target: 1}):
                    asm("vle8.v", "v8", f"({code})")
                    asm("vse8.v", "v8", f"({target})")
                return
            with asm.times(left, piece.chunks):
                asm.mul(count, columns, piece.depth // 2)
                asm("add", far, target, count)
                again = asm.label("halves")
                asm.place(again)
                self._unpack_two(code, target, far, count)
                asm.jump_if("bnez", count, again)
                asm("mv", target, far)

    def _unpack_two(self, code: str, target: str, far: str, count: str) -> None:
        """Two groups of eight registers of int4, or what is left: low halves to `target`, high ones to `far`.

        The port moves one way at a time, so that one wait for main memory should serve many bytes.
        """
        asm, groups = self.asm, (("v0", "v16"), ("v8", "v24"))
        with asm.registers("l0 l1") as lengths:
            for length, (codes, _) in zip(lengths, groups, strict=True):
                asm("vsetvli", length, count, "e8", "m8", "tu", "ma")
                asm("vle8.v", codes, f"({code})")
                asm("sub", count, count, length)
                asm("add", code, code, length)
            for length, (codes, low) in zip(lengths, groups, strict=True):
                asm("vsetvli", "zero", length, "e8", "m8", "tu", "ma")
                asm("vsll.vi", low, codes, 4)
                asm("vsra.vi", low, low, 4)
                asm("vse8.v", low, f"({target})")
                asm("vsra.vi", codes, codes, 4)
                asm("vse8.v", codes, f"({far})")
                asm("add", target, target, length)
                asm("add", far, far, length)

    def _multiply(self, piece: Piece, rows: str, columns: str, a: str, buffer: int) -> None:
        """Sums of a piece's products to the scratchpad; `a` goes behind the piece."""
        asm, tile = self.asm, self.target.tile
        asm("msettileki", piece.depth)
        with asm.registers("stride depth left count b sums chunk") as (stride, depth, left, count, b, sums, chunk):
            asm.li(stride, self.kernel.stride)
            asm.li(depth, piece.depth)
            held = piece.chunks <= 2
            for number in range(piece.chunks if held else 0):
                asm.add(b, a, number * piece.depth)
                asm(f"mlae8 tr{number}, ({b}), {stride}")
            asm("mv", left, columns)
            asm.pad(b, self.place.pads[f"weights{buffer}"])
            asm.pad(sums, self.place.pads["sums"])
            again, done = asm.label("tile"), asm.label("tiles_done")
            asm.place(again)
            for number in range(_ACCUMULATORS):
                asm.minimum(count, left, tile)
                asm("msettilen", count)
                asm(f"mzero acc{number}")
                asm("mv", chunk, b)
                for part in range(piece.chunks):
                    weights, inputs = _WEIGHTS[part % 2], f"tr{part}" if held else "tr0"
                    if not held:
                        asm.add(SCRATCH, a, part * piece.depth)
                        asm(f"mlae8 tr0, ({SCRATCH}), {stride}")
                    asm(f"mlbe8 {weights}, ({chunk}), {depth}")
                    asm(f"mmacc.w.b acc{number}, {weights}, {inputs}")
                    if part < piece.chunks - 1:
                        asm.mul(SCRATCH, columns, piece.depth)
                        asm("add", chunk, chunk, SCRATCH)
                asm.li(SCRATCH, self.row)
                asm(f"msce32 acc{number}, ({sums}), {SCRATCH}")
                asm.add(b, b, tile * piece.depth)
                asm.add(sums, sums, 4 * tile)
                asm("sub", left, left, count)
                asm.jump_if("beqz", left, done)
            asm("j", again)
            asm.place(done)
            asm.add(a, a, piece.length)

    def _scale(self, rows: str, columns: str, scale: str) -> None:
        """Results += sums x scales."""
        asm = self.asm
        shape(asm, columns, 16, "m2")
        asm("vle16.v", "v4", f"({scale})")
        asm("vfwcvt.f.f.v", "v28", "v4")
        retype(asm, 32, "m4")
        with asm.registers("left sums result") as (left, sums, result):
            asm.pad(sums, self.place.pads["sums"])
            asm.pad(result, self.place.pads["results"])
            with asm.times(left, rows):
                asm("vle32.v", "v8", f"({sums})")
                asm("vle32.v", "v12", f"({result})")
                asm("vfcvt.f.x.v", "v8", "v8")
                asm("vfmul.vv", "v8", "v8", "v28")
                asm("vfadd.vv", "v12", "v12", "v8")
                asm("vse32.v", "v12", f"({result})")
                asm.add(sums, sums, self.row)
                asm.add(result, result, self.row)
