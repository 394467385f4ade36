"""Grouped attention heads and the KV cache: shapes that the kernels around it share."""

from __future__ import annotations

from dataclasses import dataclass

from archsim.kernels.base import Array


@dataclass(frozen=True)
class Heads:
    """Shape of grouped attention, and of the cache.

    Attributes:
        rows: tokens worked on, rows / batch of each sequence.
        context: length of each sequence with the new tokens, which are its last.
        capacity: tokens the cache has room for.
    """

    rows: int
    batch: int
    heads: int
    kv_heads: int
    head_dim: int
    context: int
    capacity: int

    @property
    def tokens(self) -> int:
        """New tokens of each sequence."""
        return self.rows // self.batch

    @property
    def position(self) -> int:
        """Position of the first new token."""
        return self.context - self.tokens

    @property
    def group(self) -> int:
        """Query heads that share a key and value head."""
        return self.heads // self.kv_heads

    def queries(self, *, written: bool) -> dict[str, Array]:
        """Quantised queries: codes [rows, heads * head_dim] and float32 scales [rows, heads]."""
        width = self.heads * self.head_dim
        return {
            "q": Array((self.rows, width), "i1", written),
            "q_scales": Array((self.rows, self.heads), "f4", written),
        }

    def cache(self, *, written: bool, transposed: str = "v") -> dict[str, Array]:
        """Keys and values [batch, kv_heads, capacity, head_dim], float16 scales [batch, kv_heads, capacity].

        Args:
            transposed: k or v: which of them is [batch, kv_heads, head_dim, capacity].
        """
        outer = self.batch, self.kv_heads
        arrays = {}
        for name in "kv":
            inner = (self.head_dim, self.capacity) if name == transposed else (self.capacity, self.head_dim)
            arrays[name] = Array((*outer, *inner), "i1", written)
            arrays[f"{name}_scales"] = Array((*outer, self.capacity), "f2", written)
        return arrays
