"""The second half of attention: int8 weights of the tokens times the values, features a few accumulators at a time."""

from __future__ import annotations

from archsim.kernels.assembly import Assembly
from archsim.kernels.attention import Attention, Tiling
from archsim.kernels.attention_window import first_key
from archsim.kernels.base import STORE_BARRIERS, STREAM_BARRIERS, Placement

_OUT = STORE_BARRIERS[0]


class ValuesWriter:
    """Emits out rows = (codes x values) * scales.

    Values stream by once per pass over features, in chunks of tokens. Of the stream, registers hold `pointer`, the
    next address to load from, `left`, tokens not loaded in its pass, `base`, the address its pass began at, and
    `passes`, passes not loaded to their end.
    """

    def __init__(self, kernel: Attention, asm: Assembly, tiling: Tiling, place: Placement) -> None:
        self.kernel, self.asm, self.tiling, self.place = kernel, asm, tiling, place
        self.pitch = kernel.value_pitch(tiling)
        self.features = kernel.feature_tiles * kernel.target.tn
        self.passes = kernel.feature_passes

    def begin(self, pair: str, query: str, length: str, pointer: str, left: str, base: str, passes: str) -> None:
        """Start the first two loads."""
        asm, shape = self.asm, self.kernel.shape
        asm.element(base, self.place.dram["v"] + self.kernel.first, pair, shape.capacity * shape.head_dim)
        if self.kernel.window:
            first_key(asm, self.kernel, query, left)
            asm("add", base, base, left)
        asm("mv", pointer, base)
        asm("mv", left, length)
        asm.li(passes, self.passes)
        for buffer in (0, 1):
            self._load(buffer, length, pointer, left, base, passes)

    def _load(self, buffer: int, length: str, pointer: str, left: str, base: str, passes: str) -> None:
        """Start the next load, if there is one: the pass's features as rows of a chunk of tokens."""
        asm, shape, chunk = self.asm, self.kernel.shape, self.tiling.chunk
        last = shape.head_dim - (self.passes - 1) * self.features
        with asm.unless("blez", passes), asm.registers("tokens pad rows") as (tokens, pad, rows):
            asm.minimum(tokens, left, chunk)
            asm.pad(pad, self.place.pads[f"stream{buffer}"])
            if last != self.features:
                asm.li(rows, last)
                asm.add(pad, passes, -1)
                with asm.unless("beqz", pad):
                    asm.li(rows, self.features)
                asm.pad(pad, self.place.pads[f"stream{buffer}"])
            asm.shape(rows if last != self.features else last, tokens, shape.capacity, self.pitch)
            asm("qt.dma.ld", f"b{STREAM_BARRIERS[buffer]}", pointer, pad)
            asm.add(pointer, pointer, chunk)
            asm.add(left, left, -chunk)
            with asm.unless("bgtz", left):
                asm.add(base, base, self.features * shape.capacity)
                asm("mv", pointer, base)
                asm("mv", left, length)
                asm.add(passes, passes, -1)

    def emit(self, length: str, *stream: str) -> None:
        """All passes, staged into the out buffer."""
        asm, pads, chunk = self.asm, self.place.pads, self.tiling.chunk
        with asm.registers("count todo codes target") as (count, todo, codes, target):
            asm.add(count, length, chunk - 1)
            asm("srli", count, count, chunk.bit_length() - 1)
            asm.mul(count, count, self.passes)
            asm.csr("qtk", self.kernel.target.trowb)
            asm.pad(target, pads["out"])
            self._begin_pass(length, todo, codes)
            asm.wait(_OUT)

            def chunk_of(buffer: int) -> None:
                asm.wait(STREAM_BARRIERS[buffer])
                self._multiply(buffer, todo, codes)
                self._load(buffer, length, *stream)
                asm.add(todo, todo, -chunk)
                with asm.unless("bgtz", todo):
                    self._finish_pass(target)
                    self._begin_pass(length, todo, codes)

            asm.alternate(count, chunk_of)

    def _begin_pass(self, length: str, todo: str, codes: str) -> None:
        asm = self.asm
        asm("mv", todo, length)
        asm.pad(codes, self.place.pads["codes"])
        for index in range(self.kernel.feature_tiles):
            asm("qt.zeroa", f"ac{index}")

    def _multiply(self, buffer: int, todo: str, codes: str) -> None:
        """The chunk's tokens, a tile row at a time."""
        asm, kernel = self.asm, self.kernel
        trowb, tn, tiles = kernel.target.trowb, kernel.target.tn, kernel.feature_tiles
        base = self.place.pads[f"stream{buffer}"]
        names = "count code_pitch pitch " + " ".join(f"v{index}" for index in range(tiles))
        with asm.registers(names) as (count, code_pitch, pitch, *values):
            asm.minimum(count, todo, self.tiling.chunk)
            asm.add(count, count, trowb - 1)
            asm("srli", count, count, trowb.bit_length() - 1)
            asm.li(code_pitch, kernel.code_pitch)
            asm.li(pitch, self.pitch)
            for index, pointer in enumerate(values):
                asm.pad(pointer, base + index * tn * self.pitch)

            def step(parity: int) -> None:
                asm("qt.ld", f"t{parity}", codes, code_pitch)
                asm.add(codes, codes, trowb)
                for index, pointer in enumerate(values):
                    tile = f"t{2 + (parity * tiles + index) % 6}"
                    asm("qt.ldw", tile, pointer, pitch)
                    asm.add(pointer, pointer, trowb)
                    asm("qt.mma", f"ac{index}", f"t{parity}", tile)

            asm.alternate(count, step)

    def _finish_pass(self, target: str) -> None:
        """Scale the accumulators and stage them."""
        asm, tn = self.asm, self.kernel.target.tn
        with asm.registers("scales pitch") as (scales, pitch):
            asm.pad(scales, self.place.pads["scales"])
            asm.li(pitch, self.kernel.out_pitch)
            for index in range(self.kernel.feature_tiles):
                asm("qt.cvtf", f"ac{index}")
                asm("qt.mulr", f"ac{index}", scales)
            for index in range(self.kernel.feature_tiles):
                asm("qt.sta", f"ac{index}", target, pitch)
                asm.add(target, target, 4 * tn)
