"""Pooling: the largest, or the mean, of each channel over windows of an image."""

from __future__ import annotations

from dataclasses import dataclass

from archsim.kernels.assembly import Assembly
from archsim.kernels.base import Array, Placement
from archsim.kernels.rows import ROW_BARRIERS, RowKernel, each_row, store_row, vector
from archsim.kernels.target import Target
from archsim.kernels.window import DESCRIPTOR_BYTES, Window, WindowWriter


@dataclass(frozen=True)
class Pool(RowKernel):
    """Images of pixels, float32, to pooled pixels float32 [windows, channels].

    The pixels of a window that lie in the image meet in rising order, as m = m + max(x - m, 0) or s = s + x; a mean is
    s x (1 / size), so that padding counts as zeros.

    Attributes:
        largest: else the mean.
    """

    name: str
    target: Target
    window: Window
    largest: bool

    @property
    def rows(self) -> int:  # type: ignore[override]
        return self.window.rows

    @property
    def features(self) -> int:
        return self.window.channels

    def arrays(self) -> dict[str, Array]:
        pitch = self.target.pitch(4 * self.features)
        out = Array((self.rows, self.features), "f4", written=True, pitch=pitch)
        return {"images": self.window.array(self.target), "out": out}

    def buffers(self, tiling: int) -> dict[str, int]:
        pixel = self.window.pixel
        inputs = self.loaded(tiling, window=self.window.size * pixel)
        return inputs | self.stored(tiling, row=pixel) | {"more": pixel, "table": DESCRIPTOR_BYTES}

    def part(self) -> Pool:
        """All of it: its time is in how windows lie in an image."""
        return self

    def emit(self, asm: Assembly, tiling: int, place: Placement) -> None:
        pads, pixel = place.pads, self.window.pixel
        writer = WindowWriter(asm, self.target, self.window, place.dram["images"], pads["table"])
        writer.begin()

        def load(row: str, buffer: int) -> None:
            writer.pack(row, pads[f"window{buffer}"], ROW_BARRIERS[buffer])

        def work(row: str, buffer: int) -> None:
            number, barrier = self.outlet(tiling, buffer)
            asm.wait(barrier)
            out = pads[f"row{number}"]
            first, more = pads[f"window{buffer}"], pads["more"]
            if self.window.padded:
                with writer.located(row) as found:
                    asm("mul", found.rows, found.rows, found.columns)
                    self._reduce(asm, found.rows, found.columns, first, out, more)
            else:
                with asm.registers("left at") as (left, at):
                    asm.li(left, self.window.size)
                    self._reduce(asm, left, at, first, out, more)
            store_row(asm, barrier, place.dram["out"], row, pixel, out, self.target.pitch(pixel))

        each_row(asm, self.target, self.rows, tiling, load, work)

    def _reduce(self, asm: Assembly, left: str, at: str, first: int, out: int, more: int) -> None:
        """`left` pixels from `first` on into `out`; uses up left and at."""
        asm.csr("qvl", self.features)
        # a copy
        vector(asm, "qv.muls", out, first, asm.constant(1.0))
        asm.pad(at, first)
        asm.add(left, left, -1)
        with asm.unless("blez", left), asm.registers("total other") as (total, other):
            asm.pad(total, out)
            asm.pad(other, more)
            with asm.times(left, left):
                asm.add(at, at, self.window.pixel)
                if self.largest:
                    asm("qv.sub", other, at, total)
                    asm("qv.relu", other, other)
                asm("qv.add", total, total, other if self.largest else at)
        if not self.largest:
            asm.csr("qvl", self.features)
            vector(asm, "qv.muls", out, out, asm.constant(1 / self.window.size))
