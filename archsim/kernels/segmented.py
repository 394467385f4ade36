"""Rows that are streamed in segments, because they are the longest of a layer: worked on, joined, and quantised."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from archsim.kernels.assembly import HART, Assembly
from archsim.kernels.base import STORE_BARRIERS, Array, Kernel, Placement
from archsim.kernels.rows import ROW_BARRIERS, quantise_and_store

_OUT = STORE_BARRIERS[0]
_FINEST = 64
"""Most segments of a row."""


@dataclass(frozen=True)
class Segments:
    """How a row is cut: so many segments, a multiple of the buffers that they pass through."""

    count: int
    buffers: int


class SegmentedRows(Kernel):
    """Rows of one or two parts, float32, to int8 codes [rows, features] with a scale per row.

    Attributes:
        source: the array of the rows.
        parts: names of a row's parts, each `features` long.
    """

    rows: int
    features: int
    source: ClassVar[str]

    @property
    @abstractmethod
    def parts(self) -> tuple[str, ...]: ...

    @abstractmethod
    def work(self, asm: Assembly, target: int, *parts: int) -> None:
        """Emit the work on a segment of qvl elements: scratchpad offsets of its result and of its parts."""

    @property
    def pitch(self) -> int:
        """Bytes from row to row."""
        return self.target.pitch(4 * len(self.parts) * self.features)

    def arrays(self) -> dict[str, Array]:
        return {
            self.source: Array((self.rows, len(self.parts) * self.features), "f4", pitch=self.pitch),
            "codes": Array((self.rows, self.features), "i1", written=True),
            "scales": Array((self.rows,), "f4", written=True),
        }

    def tilings(self) -> Sequence[Segments]:
        """Segments of some KiB through four buffers, then ever finer ones through two."""
        wanted = 4 if self.features <= 4096 else 8
        finer = [Segments(2**power, 2) for power in range(2, _FINEST.bit_length())]
        return [Segments(wanted, 4), *finer]

    def buffers(self, tiling: Segments) -> dict[str, int]:
        segment = 4 * self._length(tiling)
        parts = {f"{name}{index}": segment for index in range(tiling.buffers) for name in self.parts}
        return {**parts, "row": 4 * self.features, "codes0": self.features, "largest": 4, "scale0": 4}

    def _length(self, tiling: Segments) -> int:
        """Elements of a segment: whole granules, so that segments of the row do not share any."""
        return -(-self.features // (16 * tiling.count)) * 16

    def _segments(self, tiling: Segments) -> list[tuple[int, int]]:
        """First element and length of each segment; the last ones may be empty."""
        length = self._length(tiling)
        starts = (min(index * length, self.features) for index in range(tiling.count))
        return [(start, min(length, self.features - start)) for start in starts]

    def emit(self, asm: Assembly, tiling: Segments, place: Placement) -> None:
        segments, ahead = self._segments(tiling), tiling.buffers - 1
        with asm.registers("row next end") as (row, after, end):
            asm("mv", row, HART)
            asm.li(end, self.rows)
            with asm.unless("bge", row, end):
                for index in range(ahead):
                    self._load(asm, place, row, segments[index], index)
            asm.run_deferred()
            done, loop = asm.label("rows_done"), asm.label("rows")
            asm.jump_if("bge", row, end, done)
            asm.place(loop)
            asm.add(after, row, self.target.cores)
            for index, segment in enumerate(segments):
                buffer = (index + ahead) % tiling.buffers
                if index + ahead < len(segments):
                    self._load(asm, place, row, segments[index + ahead], buffer)
                elif self.rows > self.target.cores:
                    with asm.unless("bge", after, end):
                        self._load(asm, place, after, segments[index + ahead - len(segments)], buffer)
                asm.wait(ROW_BARRIERS[index % tiling.buffers])
                self._work(asm, place, segment, index % tiling.buffers)
            asm.wait(_OUT)
            quantise_and_store(
                asm, place, row, source=place.pads["row"], features=self.features, number=0, barrier=_OUT
            )
            asm("mv", row, after)
            asm.jump_if("blt", row, end, loop)
            asm.place(done)
        asm.wait(_OUT)

    def _load(self, asm: Assembly, place: Placement, row: str, segment: tuple[int, int], buffer: int) -> None:
        start, length = segment
        if not length:
            return
        asm.shape(1, 4 * length)
        with asm.registers("dram pad") as (dram, pad):
            asm.element(dram, place.dram[self.source] + 4 * start, row, self.pitch)
            for number, name in enumerate(self.parts):
                if number:
                    asm.add(dram, dram, 4 * self.features)
                asm.pad(pad, place.pads[f"{name}{buffer}"])
                asm("qt.dma.ld", f"b{ROW_BARRIERS[buffer]}", dram, pad)

    def _work(self, asm: Assembly, place: Placement, segment: tuple[int, int], buffer: int) -> None:
        start, length = segment
        if not length:
            return
        asm.csr("qvl", length)
        self.work(asm, place.pads["row"] + 4 * start, *(place.pads[f"{name}{buffer}"] for name in self.parts))
