"""Rotary positions of new tokens, and their keys and values into an int8 cache."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archsim.common.errors import InputError
from archsim.kernels.assembly import SCRATCH, Assembly
from archsim.kernels.base import Array, Placement
from archsim.kernels.heads import Heads
from archsim.kernels.rvv.base import RvvKernel
from archsim.kernels.rvv.emit import each_row, retype, shape
from archsim.kernels.rvv.quantise import inverse_of, scale_of
from archsim.kernels.rvv.target import RvvTarget


def require_heads(name: str, target: RvvTarget, shape: Heads) -> None:
    """Refuse heads that a group of four registers of float32 does not hold, or that have no halves.

    Raises:
        InputError: they are such.
    """
    if shape.head_dim > target.columns or shape.head_dim % 2:
        raise InputError(
            f"op {name!r}: heads of {shape.head_dim} have no kernel of RVV; even ones up to VLEN / 8 have",
            remedy=f"set parameters.VLEN to {1 << (8 * shape.head_dim - 1).bit_length()} or more",
        )


def rotate_halves(asm: Assembly, x: str, table: str, half: int) -> None:
    """v8 (m4) and v12 (m4) = the halves of a head, rotated; `half` numbers each.

    (x1 cos - x2 sin, x2 cos + x1 sin); cos and sin stand at `table`. It takes v8 to v31.
    """
    shape(asm, half, 32, "m4")
    with asm.registers("second") as (second,):
        for pointer, registers in ((x, ("v8", "v12")), (table, ("v16", "v20"))):
            asm.add(second, pointer, 4 * half)
            asm("vle32.v", registers[0], f"({pointer})")
            asm("vle32.v", registers[1], f"({second})")
    asm("vfmul.vv", "v24", "v8", "v16")
    asm("vfmul.vv", "v28", "v12", "v20")
    asm("vfmul.vv", "v12", "v12", "v16")
    asm("vfmul.vv", "v16", "v8", "v20")
    asm("vfsub.vv", "v8", "v24", "v28")
    asm("vfadd.vv", "v12", "v12", "v16")


def load_halves(asm: Assembly, x: str, half: int) -> None:
    """v8 (m4) and v12 (m4) = the halves of a head."""
    shape(asm, half, 32, "m4")
    asm("vle32.v", "v8", f"({x})")
    asm.add(SCRATCH, x, 4 * half)
    asm("vle32.v", "v12", f"({SCRATCH})")


TRANSPOSED = "k"
"""Of an int8 cache: scores run along tokens, results along dimensions."""


@dataclass(frozen=True)
class RopeKv(RvvKernel):
    """qkv float32 [rows, (heads + 2 kv_heads) * head_dim] to quantised queries and cache entries.

    Queries and keys are rotated by the half-split rule; `table` is float32 [positions, head_dim], first half cos. Each
    head of a token is quantised by itself.

    Raises:
        InputError: registers do not hold a head.
    """

    name: str
    target: RvvTarget
    shape: Heads

    def __post_init__(self) -> None:
        require_heads(self.name, self.target, self.shape)

    def arrays(self) -> dict[str, Array]:
        shape = self.shape
        width = (shape.heads + 2 * shape.kv_heads) * shape.head_dim
        return {
            "qkv": Array((shape.rows, width), "f4"),
            "table": Array((shape.context, shape.head_dim), "f4"),
            **shape.queries(written=True),
            **shape.cache(written=True, transposed=TRANSPOSED),
        }

    def emit(self, asm: Assembly, tiling: Any, place: Placement) -> None:
        dram, own = place.dram, self.shape
        with asm.registers("x angles q q_scale k k_scale v v_scale") as names:
            x, angles, q, q_scale, k, k_scale, v, v_scale = names
            asm.li(x, dram["qkv"])
            asm.li(q, dram["q"])
            asm.li(q_scale, dram["q_scales"])
            with each_row(asm, own.rows) as row, asm.registers("token sequence left") as (token, sequence, left):
                asm.li(token, own.tokens)
                asm("divu", sequence, row, token)
                asm("remu", token, row, token)
                asm.element(angles, dram["table"] + 4 * own.head_dim * own.position, token, 4 * own.head_dim)
                for name, pointer, scale, size in (("k", k, k_scale, 1), ("v", v, v_scale, own.head_dim)):
                    self._entry(asm, pointer, dram[name], sequence, token, size, own.head_dim)
                    self._entry(asm, scale, dram[f"{name}_scales"], sequence, token, 2, 2)
                with asm.times(left, own.heads):
                    rotate_halves(asm, x, angles, own.head_dim // 2)
                    self._quantise(asm, q, 1)
                    asm("fsw", "fa1", f"0({q_scale})")
                    asm.add(q_scale, q_scale, 4)
                    asm.add(q, q, own.head_dim)
                    asm.add(x, x, 4 * own.head_dim)
                with asm.times(left, own.kv_heads):
                    rotate_halves(asm, x, angles, own.head_dim // 2)
                    self._quantise(asm, k, own.capacity)
                    self._next(asm, x, k, k_scale)
                with asm.times(left, own.kv_heads):
                    load_halves(asm, x, own.head_dim // 2)
                    self._quantise(asm, v, 1)
                    self._next(asm, x, v, v_scale)

    def _entry(
        self, asm: Assembly, target: str, base: int, sequence: str, token: str, size: int, per_token: int
    ) -> None:
        """target = where a token's entry of a sequence's first head begins.

        Args:
            size: bytes from one token's entry to the next.
            per_token: bytes of an entry.
        """
        own = self.shape
        with asm.registers("offset") as (offset,):
            asm.mul(offset, sequence, own.kv_heads * own.capacity * per_token)
            asm.element(target, base + own.position * size, token, size)
            asm("add", target, target, offset)

    def _next(self, asm: Assembly, x: str, entry: str, scale: str) -> None:
        """Store a head's scale as float16; go on to the next head."""
        asm("fcvt.h.s", "fa1", "fa1")
        asm("fsh", "fa1", f"0({scale})")
        asm.add(scale, scale, 2 * self.shape.capacity)
        asm.add(entry, entry, self.shape.capacity * self.shape.head_dim)
        asm.add(x, x, 4 * self.shape.head_dim)

    def _quantise(self, asm: Assembly, codes: str, stride: int) -> None:
        """The head in v8 and v12 to codes, `stride` bytes apart; fa1 = its scale."""
        half = self.shape.head_dim // 2
        asm("vfsgnjx.vv", "v16", "v8", "v8")
        asm("vfsgnjx.vv", "v20", "v12", "v12")
        asm("vfmax.vv", "v16", "v16", "v20")
        asm("vfredmax.vs", "v24", "v16", "v16")
        asm("vfmv.f.s", "fa0", "v24")
        inverse_of(asm, "fa0", "fa1")
        with asm.registers("least step second") as (least, step, second):
            asm.li(least, -127)
            asm.li(step, stride)
            asm("mv", second, codes)
            for register in ("v8", "v12"):
                shape(asm, half, 32, "m4")
                asm("vfmul.vf", register, register, "fa1")
                asm("vfcvt.x.f.v", register, register)
                asm("vmax.vx", register, register, least)
                retype(asm, 16, "m2")
                asm("vnclip.wi", "v16", register, 0)
                retype(asm, 8, "m1")
                asm("vnclip.wi", "v18", "v16", 0)
                if stride == 1:
                    asm("vse8.v", "v18", f"({second})")
                else:
                    asm("vsse8.v", "v18", f"({second})", step)
                asm.add(second, second, half * stride)
        scale_of(asm, "fa0", "fa1")
