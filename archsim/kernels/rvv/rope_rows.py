"""Rotary positions of queries, keys and values that stay float32: what a cache of codes is made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archsim.kernels.assembly import SCRATCH, Assembly
from archsim.kernels.base import Array, Placement
from archsim.kernels.heads import Heads
from archsim.kernels.rvv.base import RvvKernel
from archsim.kernels.rvv.emit import each_row
from archsim.kernels.rvv.rope import load_halves, require_heads, rotate_halves
from archsim.kernels.rvv.target import RvvTarget


@dataclass(frozen=True)
class RopeRows(RvvKernel):
    """qkv float32 [rows, (heads + 2 kv_heads) * head_dim] to its parts q, k and v, float32.

    Queries and keys are rotated by the half-split rule (x1 cos - x2 sin, x2 cos + x1 sin); cos and sin come from
    `table` float32 [positions, head_dim], first half cos.

    Raises:
        InputError: registers do not hold a head.
    """

    name: str
    target: RvvTarget
    shape: Heads

    def __post_init__(self) -> None:
        require_heads(self.name, self.target, self.shape)

    @property
    def heads(self) -> dict[str, int]:
        """Heads of each output."""
        return {"q": self.shape.heads, **dict.fromkeys("kv", self.shape.kv_heads)}

    def arrays(self) -> dict[str, Array]:
        own = self.shape
        return {
            "qkv": Array((own.rows, sum(self.heads.values()) * own.head_dim), "f4"),
            "table": Array((own.context, own.head_dim), "f4"),
            **{name: Array((own.rows, count * own.head_dim), "f4", True) for name, count in self.heads.items()},
        }

    def emit(self, asm: Assembly, tiling: Any, place: Placement) -> None:
        own = self.shape
        with asm.registers("x angles left q k v") as (x, angles, left, *targets):
            asm.li(x, place.dram["qkv"])
            for name, target in zip(self.heads, targets, strict=True):
                asm.li(target, place.dram[name])
            with each_row(asm, own.rows) as row:
                asm.li(angles, own.tokens)
                asm("remu", angles, row, angles)
                asm.element(angles, place.dram["table"] + 4 * own.head_dim * own.position, angles, 4 * own.head_dim)
                for (name, count), target in zip(self.heads.items(), targets, strict=True):
                    with asm.times(left, count):
                        self._head(asm, x, "" if name == "v" else angles, target)

    def _head(self, asm: Assembly, x: str, angles: str, target: str) -> None:
        """A head, rotated if there are angles, to its output; both pointers go on."""
        half = self.shape.head_dim // 2
        if angles:
            rotate_halves(asm, x, angles, half)
        else:
            load_halves(asm, x, half)
        asm("vse32.v", "v8", f"({target})")
        asm.add(SCRATCH, target, 4 * half)
        asm("vse32.v", "v12", f"({SCRATCH})")
        asm.add(x, x, 8 * half)
        asm.add(target, target, 8 * half)
