"""Attention over a quantised KV cache: what it is, and how it may be cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt

from archsim.common.errors import InputError
from archsim.kernels.assembly import Assembly
from archsim.kernels.base import Array, Kernel, Placement
from archsim.kernels.heads import Heads
from archsim.kernels.target import Target

ACCUMULATORS = 4
_MOST_STEPS = 2
"""Tile rows that a head may span."""
_CHUNKS = (512, 256, 128, 64, 32, 16)
_PIECE = 1024
"""Tokens whose value scales are held as float32 at once."""


@dataclass(frozen=True)
class Tiling:
    """Query rows worked on together (tokens x heads of a group), and tokens of the cache per transfer."""

    tokens: int
    heads: int
    chunk: int

    @property
    def rows(self) -> int:
        return self.tokens * self.heads


@dataclass(frozen=True)
class Attention(Kernel):
    """out float32 [rows, heads * head_dim] = softmax(q K^T / sqrt(head_dim)) V over the cache, per head.

    With `causal` a token sees the cache up to its own position, else all of `context`. Scores are float32; their
    exponentials are multiplied by the values' scales and quantised per row to int8 before they meet the values.

    Attributes:
        first: token of the cache that `context` counts from: what a window leaves out of a decoded token's sight.
        window: keys that each token of a prompt sees at most, itself included; 0: all.
        scaled: scores are divided by sqrt(head_dim).
        relative: float32 numbers `bias` [heads, context + tokens - 1] are added to scores, by key less query, from
            that of the last query and the first key on.
    """

    name: str
    target: Target
    shape: Heads
    causal: bool
    first: int = 0
    scaled: bool = True
    relative: bool = False
    window: int = 0

    def __post_init__(self) -> None:
        if self.shape.head_dim > _MOST_STEPS * self.target.trowb:
            raise InputError(
                f"op {self.name!r}: head_dim {self.shape.head_dim} is more than {_MOST_STEPS} tile rows",
                remedy=f"set parameters.TROWB to {self.shape.head_dim // _MOST_STEPS} or more",
            )

    def arrays(self) -> dict[str, Array]:
        shape = self.shape
        width = shape.heads * shape.head_dim
        out = Array((shape.rows, width), "f4", written=True, pitch=self.target.pitch(4 * width))
        bias = {"bias": Array((shape.heads, self.bias_width), "f4")} if self.relative else {}
        return {**shape.queries(written=False), **shape.cache(written=False), **bias, "out": out}

    @property
    def factor(self) -> float:
        return 1 / sqrt(self.shape.head_dim) if self.scaled else 1.0

    @property
    def bias_width(self) -> int:
        """Biases of a head: for each distance of a key from a query."""
        return self.shape.context + self.shape.tokens - 1

    @property
    def span(self) -> int:
        """Keys that a block of query rows sees at most."""
        context = self.shape.context
        return min(context, self.window + self.target.tm - 1) if self.window else context

    def bias_row(self, tiling: Tiling) -> int:
        """Bytes of a head's biases for a block of queries."""
        return 4 * (self.shape.context + tiling.tokens - 1)

    def tilings(self) -> Sequence[Tiling]:
        """Query rows from a full accumulator down to one, long transfers of an even number of tiles first."""
        result = []
        rows = min(self.target.tm, self.shape.group * self.shape.tokens)
        least = max(2 * self.target.tn, self.target.trowb)
        chunks = [chunk for chunk in _CHUNKS if chunk >= least] or [least]
        while rows:
            tokens, heads = self._cut(rows)
            result += [Tiling(tokens, heads, chunk) for chunk in chunks]
            rows = tokens * heads // 2
        return result

    def part(self) -> Attention:
        """A group of heads per core, and a sequence's last tokens."""
        shape = self.shape
        groups, tokens = min(shape.kv_heads, self.target.cores), min(shape.tokens, 2 * self.target.tm)
        small = replace(shape, heads=shape.group * groups, kv_heads=groups, rows=tokens, batch=1)
        return self if small == shape else replace(self, shape=small)

    def nest(self, tiling: Tiling) -> list[str]:
        shape, causal = self.shape, ", those that the last of them sees" if self.causal else ""
        blocks = -(-shape.tokens // tiling.tokens) * -(-shape.group // tiling.heads)
        chunks = f"    for chunk in 0..{-(-shape.context // tiling.chunk) - 1}: {tiling.chunk}"
        return [
            f"for group in 0..{shape.batch * shape.kv_heads - 1}: a key and value head ({self.target.cores} cores)",
            f"  for rows in 0..{blocks - 1}: {tiling.tokens} tokens x {tiling.heads} query heads stay",
            f"{chunks} keys, double-buffered from DRAM{causal}",
            "      scores = rows x keys, maximum so far",
            "    powers = exp(scores - maximum) x scales of the values, int8",
            f"{chunks} values, double-buffered from DRAM{causal}",
            "      accumulators += powers x values",
            "    scale, store",
        ]

    def _cut(self, rows: int) -> tuple[int, int]:
        """Tokens and heads of at most `rows` query rows: all heads of a group for some tokens, or equal parts of it."""
        group = self.shape.group
        if rows >= group:
            return min(self.shape.tokens, rows // group), group
        return 1, -(-group // -(-group // rows))

    # -- sizes

    @property
    def feature_tiles(self) -> int:
        """Accumulators used at once for the output's features."""
        tiles = -(-self.shape.head_dim // self.target.tn)
        return -(-tiles // -(-tiles // ACCUMULATORS))

    @property
    def feature_passes(self) -> int:
        return -(-self.shape.head_dim // (self.feature_tiles * self.target.tn))

    @property
    def out_pitch(self) -> int:
        """Bytes of a staged output row: head_dim float32, padded to whole accumulators."""
        return 4 * self.feature_passes * self.feature_tiles * self.target.tn

    @property
    def score_start(self) -> int:
        """Bytes before the scores in their row: room for the tile that is stored before there is one."""
        return self.target.align(4 * self.target.tn)

    @property
    def score_pitch(self) -> int:
        """Bytes from one row of scores to the next: an odd number of stored tile rows spreads them over the banks."""
        return self.score_start * (-(-self.span * 4 // self.score_start) + 1 | 1)

    @property
    def code_pitch(self) -> int:
        """Bytes from one row of quantised scores to the next."""
        return self.target.trowb * (-(-self.span // self.target.trowb) | 1)

    def value_pitch(self, tiling: Tiling) -> int:
        """Bytes from one feature's values to the next in a transfer's buffer."""
        return self.target.trowb * (tiling.chunk // self.target.trowb | 1)

    def key_scales_offset(self, tiling: Tiling) -> int:
        """Where a chunk's key scales stand in its buffer: behind the keys and a tile that is read ahead."""
        return self.target.align((tiling.chunk + self.target.tn) * self.shape.head_dim)

    def buffers(self, tiling: Tiling) -> dict[str, int]:
        shape, rows = self.shape, tiling.rows
        keys = self.key_scales_offset(tiling) + 2 * (tiling.chunk + self.target.tn)
        values = self.feature_tiles * self.target.tn * self.value_pitch(tiling)
        sizes = {"stream0": max(keys, values), "stream1": max(keys, values)}
        sizes |= {"scores": rows * self.score_pitch, "codes": rows * self.code_pitch}
        sizes |= {"q": rows * shape.head_dim, "out": rows * self.out_pitch}
        sizes |= {"v_scales": 2 * self.span, "piece": 4 * self.piece}
        sizes |= {"q_scales": 4 * rows, "scales": 4 * rows}
        if self.relative:
            sizes["bias"] = tiling.heads * self.bias_row(tiling)
        return sizes | {"largest": self.target.granule * rows, "sums": self.target.granule * rows}

    @property
    def piece(self) -> int:
        return min(_PIECE, self.span)

    def emit(self, asm: Assembly, tiling: Tiling, place: Placement) -> None:
        from archsim.kernels.attention_writer import AttentionWriter

        AttentionWriter(self, asm, tiling, place).emit()
