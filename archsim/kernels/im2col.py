"""A convolution's windows as the rows of a matrix product (im2col: Chellapilla et al., 2006), quantised."""

from __future__ import annotations

from dataclasses import dataclass

from archsim.kernels.assembly import Assembly
from archsim.kernels.base import Array, Placement
from archsim.kernels.rows import ROW_BARRIERS, RowKernel, each_row, quantise_and_store
from archsim.kernels.target import Target
from archsim.kernels.window import DESCRIPTOR_BYTES, Window, WindowWriter


@dataclass(frozen=True)
class Im2Col(RowKernel):
    """Windows of float32 images to int8 codes [windows, size x channels] with a scale per window.

    Every number is loaded once for each window that it is in, and padding is 0. In a row, numbers have the order
    (row, column, channel), or with planes (channel, row, column).
    """

    name: str
    target: Target
    window: Window

    @property
    def rows(self) -> int:  # type: ignore[override]
        return self.window.rows

    @property
    def features(self) -> int:
        return self.window.size * self.window.channels

    def arrays(self) -> dict[str, Array]:
        return {
            "images": self.window.array(self.target),
            "codes": Array((self.rows, self.features), "i1", written=True),
            "scales": Array((self.rows,), "f4", written=True),
        }

    def buffers(self, tiling: int) -> dict[str, int]:
        inputs = self.loaded(tiling, window=4 * self.features)
        return inputs | self.stored(tiling, codes=self.features, scale=4) | {"largest": 4, "table": DESCRIPTOR_BYTES}

    def part(self) -> Im2Col:
        """All of it: its time is in how windows lie in an image."""
        return self

    def emit(self, asm: Assembly, tiling: int, place: Placement) -> None:
        pads = place.pads
        writer = WindowWriter(asm, self.target, self.window, place.dram["images"], pads["table"])
        writer.begin()

        def load(row: str, buffer: int) -> None:
            writer.gather(row, pads[f"window{buffer}"], ROW_BARRIERS[buffer])

        def work(row: str, buffer: int) -> None:
            number, barrier = self.outlet(tiling, buffer)
            asm.wait(barrier)
            source = pads[f"window{buffer}"]
            quantise_and_store(asm, place, row, source=source, features=self.features, number=number, barrier=barrier)

        each_row(asm, self.target, self.rows, tiling, load, work)
