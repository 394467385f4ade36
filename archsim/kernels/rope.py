"""Rotary positions, and the new tokens' keys and values into the KV cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archsim.kernels.assembly import Assembly
from archsim.kernels.base import Array, Kernel, Placement
from archsim.kernels.heads import Heads
from archsim.kernels.target import Target


@dataclass(frozen=True)
class RopeKv(Kernel):
    """qkv float32 [rows, (heads + 2 kv_heads) * head_dim] to quantised queries and cache entries.

    Queries and keys are rotated by the half-split rule (x1 cos - x2 sin, x2 cos + x1 sin); cos and sin come from
    `table` float32 [positions, rotary], first half cos. Each head of a token is quantised by itself. Values go into
    the cache transposed, a group of tokens at a time. A tiling is the number of tokens in a group. Without heads, or
    without kv_heads, there are no such outputs.

    Attributes:
        turned: leading features of a head that are rotated; None: all; 0: none, and no table.
    """

    name: str
    target: Target
    shape: Heads
    turned: int | None = None

    @property
    def rotary(self) -> int:
        """Features of a head that are rotated."""
        return self.shape.head_dim if self.turned is None else self.turned

    def arrays(self) -> dict[str, Array]:
        shape = self.shape
        return {
            "qkv": Array((shape.rows, self.width), "f4", pitch=self.target.pitch(4 * self.width)),
            **({"table": Array((shape.context, self.rotary), "f4")} if self.rotary else {}),
            **(shape.queries(written=True) if shape.heads else {}),
            **(shape.cache(written=True) if shape.kv_heads else {}),
        }

    @property
    def width(self) -> int:
        return (self.shape.heads + 2 * self.shape.kv_heads) * self.shape.head_dim

    def tilings(self) -> Sequence[int]:
        """Groups as large as a tile, unless cores would then stand idle; smaller ones take less room."""
        tm, shape = self.target.tm, self.shape
        wanted = max(min(tm, 16), -(-shape.rows // self.target.cores))
        sizes = [min(tm, shape.tokens, wanted)]
        while sizes[-1] > 1:
            sizes.append(sizes[-1] // 2)
        return sizes

    def buffers(self, tiling: int) -> dict[str, int]:
        shape = self.shape
        head, values = shape.head_dim, shape.kv_heads * shape.head_dim
        both = shape.heads + shape.kv_heads
        every = both + shape.kv_heads
        sizes = {f"product{index}": 2 * self.rotary for index in range(8)}
        sizes |= {"values": tiling * values, "transposed": values * tiling}
        for index in range(min(2, tiling)):
            sizes |= {
                f"qkv{index}": 4 * self.width,
                f"angles{index}": 4 * self.rotary,
                f"codes{index}": both * head,
                f"scales{index}": 4 * every,
                f"halves{index}": 4 * shape.kv_heads,
            }
        return sizes | {"largest": 4 * every}

    def emit(self, asm: Assembly, tiling: int, place: Placement) -> None:
        from archsim.kernels.rope_writer import RopeWriter

        RopeWriter(self, asm, tiling, place).emit()
