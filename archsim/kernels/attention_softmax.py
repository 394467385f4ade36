"""The middle of attention: rows of scores become rows of int8 weights of the values."""

from __future__ import annotations

from archsim.kernels.assembly import Assembly
from archsim.kernels.attention import Attention, Tiling
from archsim.kernels.base import LOAD_BARRIERS, Placement

SCALES_BARRIER = LOAD_BARRIERS[1]
"""On it the values' scales arrive."""


class SoftmaxWriter:
    """Emits codes = exp(scores - maximum) * value scales, quantised per row, and the rows' factors."""

    def __init__(self, kernel: Attention, asm: Assembly, tiling: Tiling, place: Placement) -> None:
        self.kernel, self.asm, self.tiling, self.place = kernel, asm, tiling, place
        self.shape, self.target = kernel.shape, kernel.target

    def emit(self, length: str) -> None:
        """Exponentials times value scales, quantised; `scales` = what turns their integer products into outputs.

        Each step goes over all rows before the next one starts: rows do not wait for each other.
        """
        asm, pads = self.asm, self.place.pads
        self._each_row(length, "qv.max", "largest", "scores")
        self._each_row(length, "qv.exps", "scores", "scores", "largest")
        self._each_row(length, "qv.sum", "sums", "scores")
        asm.wait(SCALES_BARRIER)
        self._apply_value_scales(length)
        self._each_row(length, "qv.amax", "largest", "scores")
        self._clear_tails(length)
        if self.kernel.window:
            self._clear_heads(length)
        self._each_row(length, "qv.quant", "codes", "scores", "largest")
        asm.csr("qvl", 1)
        with asm.registers("left largest scale sum factor") as (left, largest, scale, total, factor):
            asm.pad(largest, pads["largest"])
            asm.pad(scale, pads["scales"])
            asm.pad(total, pads["sums"])
            asm.pad(factor, asm.constant(1 / 127))
            with asm.times(left, self.tiling.rows):
                asm("qv.muls", largest, largest, factor)
                asm("qv.divs", scale, largest, total)
                asm.add(scale, scale, 4)
                asm.add(largest, largest, self.target.granule)
                asm.add(total, total, self.target.granule)

    def _each_row(self, length: str, mnemonic: str, *names: str) -> None:
        """A row instruction on each row's part of the named buffers, over the tokens that the row sees."""
        asm, tiling = self.asm, self.tiling
        own = list(dict.fromkeys(names))
        with (
            asm.registers("valid tokens heads") as (valid, tokens, heads),
            asm.registers(" ".join(own)) as pointers,
            asm.registers(" ".join(f"{name}_pitch" for name in own)) as pitches,
        ):
            for name, pointer, pitch in zip(own, pointers, pitches, strict=True):
                asm.pad(pointer, self.place.pads[name] + (self.kernel.score_start if name == "scores" else 0))
                asm.li(pitch, self._pitch(name))
            steps = [{"scores": 4, "codes": 1}.get(name, 0) for name in own]
            self._first_valid(valid, length)
            with asm.times(tokens, tiling.tokens):
                asm.csr("qvl", valid)
                with asm.times(heads, tiling.heads):
                    asm(mnemonic, *(pointers[own.index(name)] for name in names))
                    for pointer, pitch in zip(pointers, pitches, strict=True):
                        asm("add", pointer, pointer, pitch)
                if self.kernel.window:
                    self._next_seen(valid, {p: step for p, step in zip(pointers, steps, strict=True) if step})
                else:
                    asm.add(valid, valid, int(self.kernel.causal))

    def _next_seen(self, valid: str, steps: dict[str, int]) -> None:
        """The next row sees one key more, until a window is full; then it begins one key later.

        Args:
            steps: bytes of a key in the rows that registers point to.
        """
        asm = self.asm
        slides, done = asm.label("slides"), asm.label("seen")
        with asm.registers("window") as (window,):
            asm.li(window, self.kernel.window)
            asm.jump_if("bge", valid, window, slides)
        asm.add(valid, valid, 1)
        asm("j", done)
        asm.place(slides)
        for pointer, step in steps.items():
            asm.add(pointer, pointer, step)
        asm.place(done)

    def _pitch(self, name: str) -> int:
        """Bytes from row to row of a buffer; single numbers have granules of their own, so that rows do not wait."""
        kernel = self.kernel
        return {"scores": kernel.score_pitch, "codes": kernel.code_pitch}.get(name, self.target.granule)

    def _first_valid(self, valid: str, length: str) -> None:
        """valid = tokens that the first row sees."""
        self.asm.add(valid, length, 1 - self.tiling.tokens if self.kernel.causal else 0)

    def _clear_tails(self, length: str) -> None:
        """Zeros behind each row's codes, up to whole tiles."""
        asm, tiling, trowb = self.asm, self.tiling, self.target.trowb
        with asm.registers("rest codes pitch tokens heads") as (rest, codes, pitch, tokens, heads):
            self._first_valid(rest, length)
            asm.pad(codes, self.place.pads["codes"])
            asm("add", codes, codes, rest)
            asm.add(pitch, length, trowb - 1)
            asm("andi", pitch, pitch, -trowb)
            asm("sub", rest, pitch, rest)
            asm.li(pitch, self.kernel.code_pitch)
            with asm.times(tokens, tiling.tokens):
                asm.csr("qvl", rest)
                with asm.times(heads, tiling.heads):
                    asm("qv.zero", codes)
                    asm("add", codes, codes, pitch)
                asm.add(rest, rest, -int(self.kernel.causal))
                asm.add(codes, codes, int(self.kernel.causal))

    def _clear_heads(self, length: str) -> None:
        """Zeros before each row's codes, where its window begins later than the block's keys."""
        asm, tiling = self.asm, self.tiling
        with asm.registers("valid before codes tokens heads pitch") as (valid, before, codes, tokens, heads, pitch):
            self._first_valid(valid, length)
            asm.li(before, 0)
            asm.pad(codes, self.place.pads["codes"])
            asm.li(pitch, self.kernel.code_pitch)
            with asm.times(tokens, tiling.tokens):
                with asm.times(heads, tiling.heads):
                    with asm.unless("beqz", before):
                        asm.csr("qvl", before)
                        asm("qv.zero", codes)
                    asm("add", codes, codes, pitch)
                self._next_seen(valid, {before: 1})

    def _apply_value_scales(self, length: str) -> None:
        """scores *= value scales, a piece of tokens at a time."""
        asm, pads, piece = self.asm, self.place.pads, self.kernel.piece
        with asm.registers("done size half row scales left") as (done, size, half, row, scales, left):
            loop = asm.label("pieces")
            asm.li(done, 0)
            asm.pad(scales, pads["piece"])
            asm.place(loop)
            asm("sub", size, length, done)
            asm.minimum(size, size, piece)
            asm.csr("qvl", size)
            asm("slli", half, done, 1)
            asm.pad(row, pads["v_scales"])
            asm("add", half, half, row)
            asm("qv.h2f", scales, half)
            asm("slli", half, done, 2)
            asm.pad(row, pads["scores"] + self.kernel.score_start)
            asm("add", row, row, half)
            with asm.times(left, self.tiling.rows):
                asm("qv.mul", row, row, scales)
                asm.add(row, row, self.kernel.score_pitch)
            asm.add(done, done, piece)
            if self.kernel.span > piece:
                asm.jump_if("blt", done, length, loop)
