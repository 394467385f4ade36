"""Windows of images: their geometry, and how one of them is gathered from DRAM."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from archsim.kernels.assembly import Assembly
from archsim.kernels.base import Array
from archsim.kernels.rows import vector
from archsim.kernels.target import Target

_DESCRIPTOR = ("from", "to", "size", "rows", "planes", "blocks", "from_row", "from_plane", "from_block",
               "to_row", "to_plane", "to_block")  # fmt: skip
"""Numbers of a descriptor of qt.dma.ld4, int64 each: from DRAM to the scratchpad."""
DESCRIPTOR_BYTES = 8 * len(_DESCRIPTOR)


@dataclass(frozen=True)
class Window:
    """The windows of a convolution or a pooling over images [images, channels, height, width].

    Attributes:
        kernel, strides: rows, columns.
        pads: top, left, bottom, right; each less than the kernel, so that every window meets the image.
        planes: images lie in memory channel by channel, row by row, and adjoin; else pixel by pixel, a pixel being a
            row of channels as a product writes it.
    """

    images: int
    channels: int
    height: int
    width: int
    kernel: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    planes: bool = False

    @property
    def out_height(self) -> int:
        return (self.height + self.pads[0] + self.pads[2] - self.kernel[0]) // self.strides[0] + 1

    @property
    def out_width(self) -> int:
        return (self.width + self.pads[1] + self.pads[3] - self.kernel[1]) // self.strides[1] + 1

    @property
    def rows(self) -> int:
        """Windows of all images."""
        return self.images * self.out_height * self.out_width

    @property
    def size(self) -> int:
        """Pixels of a window."""
        return self.kernel[0] * self.kernel[1]

    @property
    def padded(self) -> bool:
        return any(self.pads)

    def array(self, target: Target) -> Array:
        """The images in DRAM, float32."""
        if self.planes:
            return Array((self.images * self.channels * self.height, self.width), "f4")
        return Array((self.images * self.height * self.width, self.channels), "f4", pitch=target.pitch(self.pixel))

    @property
    def pixel(self) -> int:
        """Bytes of a pixel."""
        return 4 * self.channels


@dataclass(frozen=True)
class Place:
    """Registers with a window's place: its image, first row and column in it, how many, and how many lie before it."""

    image: str
    y: str
    x: str
    rows: str
    columns: str
    before: str


class WindowWriter:
    """Emits the gathering of windows.

    A window is one transfer, whose descriptor is rewritten for each.

    Args:
        base: address of the images.
        table: scratchpad offset of the descriptor.
    """

    def __init__(self, asm: Assembly, target: Target, window: Window, base: int, table: int) -> None:
        self.asm, self.target, self.window, self.base, self.table = asm, target, window, base, table

    @contextmanager
    def located(self, row: str) -> Iterator[Place]:
        """Find the window of number `row`; what lies in the padding is cut off."""
        asm, w = self.asm, self.window
        with asm.registers("image y x rows columns before size") as (image, y, x, rows, columns, before, size):
            self._divide(y, x, row, w.out_width, w.rows)
            self._divide(image, y, y, w.out_height, w.images * w.out_height)
            asm.li(before, 0)
            for at, many, axis, length, factor in (
                (y, rows, 0, w.height, w.kernel[1]),
                (x, columns, 1, w.width, 1),
            ):
                asm.mul(at, at, w.strides[axis])
                asm.add(at, at, -w.pads[axis])
                asm.li(many, w.kernel[axis])
                if w.padded:
                    self._clip(at, many, before, size, length, factor)
            yield Place(image, y, x, rows, columns, before)

    def _divide(self, quotient: str, rest: str, value: str, divisor: int, limit: int) -> None:
        """quotient, rest = divmod(value, divisor), of a value below a limit; `rest` may be the value's register."""
        asm = self.asm
        if divisor == limit:
            asm.li(quotient, 0)
            asm("mv", rest, value)
            return
        with asm.registers("product") as (product,):
            asm.li(product, divisor)
            asm("divu", quotient, value, product)
            # a product takes less time than a second division
            asm("mul", product, product, quotient)
            asm("sub", rest, value, product)

    def _clip(self, at: str, many: str, before: str, size: str, length: int, factor: int) -> None:
        """Leave out what precedes the image, and what follows it; `factor`: window pixels from one to the next."""
        asm = self.asm
        with asm.unless("bge", at, "zero"):
            asm("add", many, many, at)
            asm.mul(size, at, factor)
            asm("sub", before, before, size)
            asm.li(at, 0)
        asm.li(size, length)
        asm("sub", size, size, at)
        with asm.unless("bge", size, many):
            asm("mv", many, size)

    def begin(self) -> None:
        """Write what the descriptors of all windows have in common."""
        w, pitch = self.window, self.target.pitch(self.window.pixel)
        if w.planes:
            held = {"planes": w.channels, "from_row": 4 * w.width, "from_plane": 4 * w.height * w.width}
            held |= {"to_row": 4 * w.kernel[1], "to_plane": 4 * w.size}
        else:
            held = {"size": w.pixel, "from_row": pitch, "from_plane": w.width * pitch}
            held |= {"to_row": w.pixel, "to_plane": w.kernel[1] * w.pixel}
        with self.asm.registers("value") as (value,):
            for name, number in {**held, "blocks": 1}.items():
                self.asm.li(value, number)
                self._set(name, value)

    def _set(self, name: str, value: str) -> None:
        with self.asm.registers("table") as (table,):
            self.asm.pad(table, self.table)
            self.asm("sd", value, f"{8 * _DESCRIPTOR.index(name)}({table})")

    def gather(self, row: str, pad: int, barrier: int) -> None:
        """Start the transfer of a window to a scratchpad offset, in its full shape, with zeros for the padding.

        A window's numbers lie in the order (row, column, channel), or with planes (channel, row, column).
        """
        asm, w = self.asm, self.window
        with self.located(row) as place, asm.registers("local count") as (local, count):
            if w.padded:
                asm("mul", count, place.rows, place.columns)
                asm.li(local, w.size)
                with asm.unless("beq", count, local):
                    asm.csr("qvl", w.size * w.pixel)
                    vector(asm, "qv.zero", pad)
            asm.mul(count, place.before, 4 if w.planes else w.pixel)
            asm.pad(local, pad)
            asm("add", local, local, count)
            self._start(place, local, barrier)

    def pack(self, row: str, pad: int, barrier: int) -> None:
        """Start the transfer of a window's pixels that lie in the image, one after the other (not of planes)."""
        asm = self.asm
        with self.located(row) as place, asm.registers("local") as (local,):
            if self.window.padded:
                asm.mul(local, place.columns, self.window.pixel)
                self._set("to_plane", local)
            asm.pad(local, pad)
            self._start(place, local, barrier)

    def _start(self, place: Place, local: str, barrier: int) -> None:
        """Complete the descriptor, and start the transfer."""
        asm, w = self.asm, self.window
        self._set("to", local)
        if w.planes:
            self._set("rows", place.rows)
            asm("slli", local, place.columns, 2)
            self._set("size", local)
        else:
            self._set("rows", place.columns)
            self._set("planes", place.rows)
        asm.mul(local, place.image, (w.channels if w.planes else 1) * w.height)
        asm("add", local, local, place.y)
        asm.mul(local, local, w.width)
        asm("add", local, local, place.x)
        asm.element(local, self.base, local, 4 if w.planes else self.target.pitch(w.pixel))
        self._set("from", local)
        asm.pad(local, self.table)
        asm("qt.dma.ld4", f"b{barrier}", local)
