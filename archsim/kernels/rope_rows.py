"""Rotary positions of queries, keys and values that stay float32: what a cache of codes is made from."""

from __future__ import annotations

from dataclasses import dataclass

from archsim.kernels.assembly import Assembly
from archsim.kernels.base import Array, Placement
from archsim.kernels.heads import Heads
from archsim.kernels.rows import ROW_BARRIERS, RowKernel, each_row, load_row, store_row, vector
from archsim.kernels.target import Target


@dataclass(frozen=True)
class RopeRows(RowKernel):
    """qkv float32 [rows, (heads + 2 kv_heads) * head_dim] to its parts q, k and v, float32.

    Queries and keys are rotated by the half-split rule (x1 cos - x2 sin, x2 cos + x1 sin); cos and sin come from
    `table` float32 [positions, head_dim], first half cos.
    """

    name: str
    target: Target
    shape: Heads

    @property
    def rows(self) -> int:  # type: ignore[override]
        return self.shape.rows

    @property
    def widths(self) -> dict[str, int]:
        """Numbers of a row of each output."""
        shape = self.shape
        return {"q": shape.heads * shape.head_dim, **dict.fromkeys("kv", shape.kv_heads * shape.head_dim)}

    def arrays(self) -> dict[str, Array]:
        shape, width = self.shape, sum(self.widths.values())
        return {
            "qkv": Array((shape.rows, width), "f4", pitch=self.target.pitch(4 * width)),
            "table": Array((shape.context, shape.head_dim), "f4"),
            **{name: Array((shape.rows, own), "f4", written=True) for name, own in self.widths.items()},
        }

    def buffers(self, tiling: int) -> dict[str, int]:
        size = 4 * sum(self.widths.values())
        inputs = self.loaded(tiling, qkv=size, angles=4 * self.shape.head_dim)
        return inputs | self.stored(tiling, turned=size) | {"products": 8 * self.shape.head_dim}

    def emit(self, asm: Assembly, tiling: int, place: Placement) -> None:
        shape, pads, widths = self.shape, place.pads, self.widths
        size = 4 * sum(widths.values())

        def load(row: str, buffer: int) -> None:
            barrier = ROW_BARRIERS[buffer]
            load_row(asm, barrier, place.dram["qkv"], row, size, pads[f"qkv{buffer}"], self.target.pitch(size))
            first = place.dram["table"] + 4 * shape.head_dim * shape.position
            with asm.registers("token") as (token,):
                asm.li(token, shape.tokens)
                asm("remu", token, row, token)
                load_row(asm, barrier, first, token, 4 * shape.head_dim, pads[f"angles{buffer}"])

        def work(row: str, buffer: int) -> None:
            number, barrier = self.outlet(tiling, buffer)
            source, target = pads[f"qkv{buffer}"], pads[f"turned{number}"]
            asm.wait(barrier)
            asm.csr("qvl", shape.head_dim // 2)
            for head in range(shape.heads + shape.kv_heads):
                at = 4 * shape.head_dim * head
                self._turn(asm, source + at, target + at, pads[f"angles{buffer}"], pads["products"])
            at = 4 * (widths["q"] + widths["k"])
            asm.csr("qvl", widths["v"])
            vector(asm, "qv.muls", target + at, source + at, asm.constant(1.0))
            for name, width in widths.items():
                store_row(asm, barrier, place.dram[name], row, 4 * width, target)
                target += 4 * width

        each_row(asm, self.target, self.rows, tiling, load, work)

    def _turn(self, asm: Assembly, source: int, target: int, angles: int, products: int) -> None:
        """A head's two halves; all operands are scratchpad offsets."""
        half = 2 * self.shape.head_dim
        cos, sin = angles, angles + half
        one, two = products, products + half
        vector(asm, "qv.mul", one, source, cos)
        vector(asm, "qv.mul", two, source + half, sin)
        vector(asm, "qv.sub", target, one, two)
        vector(asm, "qv.mul", one, source + half, cos)
        vector(asm, "qv.mul", two, source, sin)
        vector(asm, "qv.add", target + half, one, two)
