"""Attention over a cache of TurboQuant's codes in RVV: keys and values are multiplied as levels, never rotated back."""

from __future__ import annotations

from dataclasses import dataclass
from math import e, log2, sqrt
from typing import Any

from archsim.kernels.assembly import Assembly
from archsim.kernels.base import Array, Placement
from archsim.kernels.heads import Heads
from archsim.kernels.rvv.base import RvvKernel
from archsim.kernels.rvv.encode import require_codes
from archsim.kernels.rvv.target import RvvTarget
from archsim.kernels.turboquant import CodedCache

BLOCK = 16
"""Tokens that share a maximum."""


@dataclass(frozen=True)
class CodedAttention(RvvKernel):
    """out float32 [rows, heads * head_dim] = softmax(q K^T / sqrt(head_dim)) V of q float32 [rows, heads * head_dim].

    The arithmetic is that of kernels/coded_attention.py, step by step: scores in parts of 64 dimensions; per block of
    16 tokens the maximum so far, by which sums and results so far are scaled; exponentials rounded to float16; these
    times norms of values, rounded to float16, times levels of values.

    Raises:
        InputError: there is no kernel for such vectors, or no room in the cache.
    """

    name: str
    target: RvvTarget
    shape: Heads
    bits: int

    def __post_init__(self) -> None:
        require_codes(self.name, self.target, self.cache, self.shape.context)

    @property
    def cache(self) -> CodedCache:
        """Of all sequences, which are to it as more heads."""
        own = self.shape
        return CodedCache(self.bits, own.head_dim, own.batch * own.kv_heads, own.capacity)

    @property
    def factor(self) -> float:
        """In front of the power of two."""
        return log2(e) / sqrt(self.shape.head_dim)

    def arrays(self) -> dict[str, Array]:
        own, cache = self.shape, self.cache
        width, blocks = own.heads * own.head_dim, -(-own.context // BLOCK)
        keys, values = (
            {f"{name}_{part}": array for part, array in cache.arrays(written=False).items()} for name in "kv"
        )
        return {
            "q": Array((own.rows, width), "f4"),
            **cache.constants(),
            **keys,
            **values,
            "out": Array((own.rows, width), "f4", written=True),
            "turned": Array((own.head_dim,), "f4"),
            "scores": Array((own.context,), "f4"),
            "weighted": Array((own.context,), "f4"),
            "maxima": Array((blocks + 1,), "f4"),
            "factors": Array((blocks,), "f4"),
        }

    def emit(self, asm: Assembly, tiling: Any, place: Placement) -> None:
        from archsim.kernels.rvv.coded_attention_writer import CodedAttentionWriter

        CodedAttentionWriter(self, asm, place).emit()
