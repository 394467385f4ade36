"""silu(gate) * up, quantised: rows are streamed in segments, because they are the longest of a layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archsim.kernels.assembly import HART, Assembly
from archsim.kernels.base import LOAD_BARRIERS, STORE_BARRIERS, Array, Kernel, Placement
from archsim.kernels.rows import quantise, store_row, vector
from archsim.kernels.target import Target

_OUT = STORE_BARRIERS[0]
_SEGMENTS = (2, 4, 8, 16, 32)


@dataclass(frozen=True)
class SiluMul(Kernel):
    """gate_up float32 [rows, 2 x features], gate first, to int8 codes [rows, features] with a scale per row.

    A tiling is the number of segments of a row (even, so that buffers alternate across rows too).
    """

    name: str
    target: Target
    rows: int
    features: int

    def arrays(self) -> dict[str, Array]:
        return {
            "gate_up": Array((self.rows, 2 * self.features), "f4"),
            "codes": Array((self.rows, self.features), "i1", read=False, written=True),
            "scales": Array((self.rows,), "f4", read=False, written=True),
        }

    def tilings(self) -> Sequence[int]:
        # segments of some KiB: long enough for full vectors, short enough that loads hide behind them
        wanted = 2 if self.features <= 4096 else 8
        return sorted(_SEGMENTS, key=lambda segments: (segments != wanted, segments))

    def buffers(self, tiling: int) -> dict[str, int]:
        segment = 4 * self._length(tiling)
        parts = {f"{name}{index}": segment for index in (0, 1) for name in ("gate", "up")}
        return {**parts, "row": 4 * self.features, "codes": self.features, "largest": 4, "scale": 4}

    def _length(self, tiling: int) -> int:
        """Elements of a segment: whole granules, so that segments of the row do not share any."""
        return -(-self.features // (16 * tiling)) * 16

    def _segments(self, tiling: int) -> list[tuple[int, int]]:
        """First element and length of each segment; the last ones may be empty."""
        length = self._length(tiling)
        starts = (min(index * length, self.features) for index in range(tiling))
        return [(start, min(length, self.features - start)) for start in starts]

    def emit(self, asm: Assembly, tiling: int, place: Placement) -> None:
        segments = self._segments(tiling)
        with asm.registers("row next end") as (row, after, end):
            asm("mv", row, HART)
            asm.li(end, self.rows)
            with asm.unless("bge", row, end):
                for index in (0, 1):
                    self._load(asm, place, row, segments[index], index)
            asm.run_deferred()
            done, loop = asm.label("rows_done"), asm.label("rows")
            asm.jump_if("bge", row, end, done)
            asm.place(loop)
            asm.add(after, row, self.target.cores)
            for index, segment in enumerate(segments):
                asm.wait(LOAD_BARRIERS[index % 2])
                self._work(asm, place, segment, index % 2)
                if index + 2 < len(segments):
                    self._load(asm, place, row, segments[index + 2], index % 2)
                elif self.rows > self.target.cores:
                    with asm.unless("bge", after, end):
                        self._load(asm, place, after, segments[index + 2 - len(segments)], index % 2)
            self._finish(asm, place, row)
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
            asm.element(dram, place.dram["gate_up"] + 4 * start, row, 8 * self.features)
            for name, offset in (("gate", 0), ("up", 4 * self.features)):
                asm.add(dram, dram, offset)
                asm.pad(pad, place.pads[f"{name}{buffer}"])
                asm("qt.dma.ld", f"b{LOAD_BARRIERS[buffer]}", dram, pad)

    def _work(self, asm: Assembly, place: Placement, segment: tuple[int, int], buffer: int) -> None:
        start, length = segment
        if not length:
            return
        part, gate, up = place.pads["row"] + 4 * start, place.pads[f"gate{buffer}"], place.pads[f"up{buffer}"]
        asm.csr("qvl", length)
        vector(asm, "qv.silu", gate, gate)
        vector(asm, "qv.mul", part, gate, up)

    def _finish(self, asm: Assembly, place: Placement, row: str) -> None:
        pads = place.pads
        asm.wait(_OUT)
        quantise(
            asm,
            source=pads["row"],
            features=self.features,
            codes=pads["codes"],
            largest=pads["largest"],
            scale=pads["scale"],
        )
        store_row(asm, _OUT, place.dram["codes"], row, self.features, pads["codes"])
        store_row(asm, _OUT, place.dram["scales"], row, 4, pads["scale"])
