"""Attention over a cache of TurboQuant's codes: keys and values are multiplied as codes, never decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2, sqrt

import numpy as np

from archsim.common.errors import InputError
from archsim.kernels.assembly import Assembly
from archsim.kernels.base import Array, Kernel, Placement
from archsim.kernels.heads import Heads
from archsim.kernels.target import Target
from archsim.kernels.turboquant import CODE_FORMATS, CodedCache

BLOCK = 16
"""Tokens whose scores are a tile, and dimensions of an accumulator of the output."""
QUERY_TILES = 2
_CHUNKS = (512, 256, 128, 64, 32, 16)


@dataclass(frozen=True)
class CodedAttention(Kernel):
    """out float32 [rows, heads * head_dim] = softmax(q K^T / sqrt(head_dim)) V of q float32 [rows, heads * head_dim].

    A token sees the cache up to its own position. Queries are rotated as keys are, and rounded to float16. Per block of
    16 tokens: scores are product sums times norms of keys; the maximum so far, by which sums and results so far are
    scaled; exponentials, rounded to float16, and their sum; these times norms of values, rounded to float16, times
    levels of values. Results are divided by the sum and rotated back. A tiling is the number of tokens per transfer.

    Raises:
        InputError: tiles or unit cannot multiply such vectors.
    """

    name: str
    target: Target
    shape: Heads
    bits: int

    def __post_init__(self) -> None:
        self.cache.require(self.name, self.shape.context)
        target, unit = self.target, f"cb{self.bits}"
        for broken, problem, remedy in (
            (self.bits not in CODE_FORMATS, f"has codes of {self.bits} bits", "use 2 to 4 bits"),
            (
                not {unit, "fp16"} <= set(target.formats),
                f"needs a matrix unit that multiplies {unit} and fp16",
                "add them to core.matrix.formats, or use the design edge-npu-formats",
            ),
            (
                self.shape.head_dim > QUERY_TILES * self.step or self.shape.head_dim % (4 * BLOCK) != 0,
                f"has heads of {self.shape.head_dim}",
                f"use heads of {4 * BLOCK} to {QUERY_TILES * self.step}, or raise parameters.TROWB",
            ),
            (
                target.tn < BLOCK or target.tm < self.shape.group,
                f"needs tiles of {self.shape.group} x {BLOCK}",
                "raise parameters.TM and TN",
            ),
        ):
            if broken:
                raise InputError(f"op {self.name!r} over TurboQuant's codes {problem}", remedy=remedy)

    @property
    def cache(self) -> CodedCache:
        """Of all sequences, which are to it as more heads."""
        shape = self.shape
        return CodedCache(self.bits, shape.head_dim, shape.batch * shape.kv_heads, shape.capacity)

    @property
    def step(self) -> int:
        """Coordinates that one multiply takes: a tile row of float16."""
        return self.target.trowb // 2

    @property
    def factor(self) -> np.float32:
        """In front of exp2."""
        return np.float32(log2(np.e) / sqrt(self.shape.head_dim))

    @property
    def out_pitch(self) -> int:
        """Bytes from row to row of the output."""
        return self.target.pitch(4 * self.shape.heads * self.shape.head_dim)

    def arrays(self) -> dict[str, Array]:
        shape, cache = self.shape, self.cache
        width = shape.heads * shape.head_dim
        keys, values = ({f"{name}_{own}": array for own, array in cache.arrays(written=False).items()} for name in "kv")
        out = Array((shape.rows, width), "f4", written=True, pitch=self.out_pitch)
        return {"q": Array((shape.rows, width), "f4"), **cache.constants(), **keys, **values, "out": out}

    def tilings(self) -> Sequence[int]:
        wanted = -(-self.shape.context // BLOCK) * BLOCK
        return [chunk for chunk in _CHUNKS if chunk <= max(wanted, BLOCK)]

    def buffers(self, tiling: int) -> dict[str, int]:
        shape, cache = self.shape, self.cache
        numbers = shape.group * shape.head_dim
        sizes = {"signs": shape.group * cache.sign_bytes, "levels": 64, "q": 4 * numbers, "halves": 2 * numbers}
        sizes |= {"out": 4 * numbers, "p": 64 * shape.group, "norms": 4 * BLOCK}
        # a number per row: they are read and written by different units
        sizes |= dict.fromkeys(("sums", "factors", "block_sums"), 4 * shape.group)
        for buffer in (0, 1):
            tokens = tiling + BLOCK
            sizes |= {f"{name}_codes{buffer}": tokens * cache.code_bytes for name in "kv"}
            sizes |= {f"{name}_norms{buffer}": 2 * tokens for name in "kv"}
        return sizes

    def emit(self, asm: Assembly, tiling: int, place: Placement) -> None:
        from archsim.kernels.coded_attention_writer import CodedAttentionWriter

        CodedAttentionWriter(self, asm, tiling, place).emit()
