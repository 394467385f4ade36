"""Where a vision transformer's sequence is put together: patches and their positions, and the class token."""

from __future__ import annotations

from dataclasses import dataclass

from archsim.kernels.assembly import Assembly
from archsim.kernels.base import Array, Placement
from archsim.kernels.rows import ROW_BARRIERS, RowKernel, each_row, load_row, store_row, vector
from archsim.kernels.target import Target


@dataclass(frozen=True)
class Patches(RowKernel):
    """x float32 [images x (patches + 1), features] = patch + positions, and the last row of positions by itself.

    Attributes:
        rows: patches of all images, out of a product.
        patches: of each image; `positions` float16 has one row for each, and one for the class token.
    """

    name: str
    target: Target
    rows: int
    features: int
    patches: int

    def arrays(self) -> dict[str, Array]:
        images = self.rows // self.patches
        return {
            "patches": Array((self.rows, self.features), "f4", pitch=self.target.pitch(4 * self.features)),
            "positions": Array((self.patches + 1, self.features), "f2"),
            "x": Array((images * (self.patches + 1), self.features), "f4", written=True),
        }

    def buffers(self, tiling: int) -> dict[str, int]:
        row = 4 * self.features
        inputs = self.loaded(tiling, patch=row, place=row // 2)
        return inputs | self.stored(tiling, row=row) | {"added": row}

    def emit(self, asm: Assembly, tiling: int, place: Placement) -> None:
        dram, pads, size = place.dram, place.pads, 4 * self.features

        def load(row: str, buffer: int) -> None:
            barrier = ROW_BARRIERS[buffer]
            pitch = self.target.pitch(size)
            load_row(asm, barrier, dram["patches"], row, size, pads[f"patch{buffer}"], pitch)
            with asm.registers("number") as (number,):
                asm.li(number, self.patches)
                asm("remu", number, row, number)
                load_row(asm, barrier, dram["positions"], number, size // 2, pads[f"place{buffer}"])

        def work(row: str, buffer: int) -> None:
            number, barrier = self.outlet(tiling, buffer)
            asm.wait(barrier)
            asm.csr("qvl", self.features)
            vector(asm, "qv.h2f", pads["added"], pads[f"place{buffer}"])
            vector(asm, "qv.add", pads[f"row{number}"], pads[f"patch{buffer}"], pads["added"])
            with asm.registers("target") as (target,):
                # each image before it has one row more
                asm.li(target, self.patches)
                asm("divu", target, row, target)
                asm("add", target, target, row)
                store_row(asm, barrier, dram["x"], target, size, pads[f"row{number}"])

        each_row(asm, self.target, self.rows, tiling, load, work)
        self._class_tokens(asm, place)

    def _class_tokens(self, asm: Assembly, place: Placement) -> None:
        """The last row of each image, one image at a time."""
        dram, pads, size = place.dram, place.pads, 4 * self.features
        images = self.rows // self.patches

        def load(row: str, buffer: int) -> None:
            with asm.registers("number") as (number,):
                asm.li(number, self.patches)
                load_row(asm, ROW_BARRIERS[0], dram["positions"], number, size // 2, pads["place0"])

        def work(row: str, buffer: int) -> None:
            asm.csr("qvl", self.features)
            vector(asm, "qv.h2f", pads["row0"], pads["place0"])
            barrier, last = self.outlet(1, 0)[1], dram["x"] + size * self.patches
            store_row(asm, barrier, last, row, size, pads["row0"], size * (self.patches + 1))

        each_row(asm, self.target, images, 1, load, work)
