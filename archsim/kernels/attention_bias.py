"""Relative positions in attention: biases of scores, one for each distance of a key from a query."""

from __future__ import annotations

from archsim.kernels.assembly import Assembly
from archsim.kernels.attention import Attention, Tiling
from archsim.kernels.base import STORE_BARRIERS, Placement

_BIAS = STORE_BARRIERS[1]


class BiasWriter:
    """Emits scores += biases for a block of query rows that all see `context` keys.

    A head's biases lie in the order of key less query: those of one query adjoin, and those of the query before it
    begin one number later.
    """

    def __init__(self, kernel: Attention, asm: Assembly, tiling: Tiling, place: Placement) -> None:
        self.kernel, self.asm, self.tiling, self.place = kernel, asm, tiling, place
        self.shape = kernel.shape

    def load(self, query: str) -> None:
        """Start the load of the biases of the block's heads, for the distances that its queries have."""
        asm, shape, tiling = self.asm, self.shape, self.tiling
        row = 4 * self.kernel.bias_width
        with asm.registers("token head size") as (token, head, size):
            # query = row * heads + head; its token counts within its sequence
            asm.li(size, shape.heads)
            asm("remu", head, query, size)
            asm("divu", token, query, size)
            asm.li(size, shape.tokens)
            asm("remu", token, token, size)
            asm.element(head, self.place.dram["bias"], head, row)
            # the block's last query stands tokens - 1 - (token + tiling.tokens - 1) before the last of all
            asm("slli", token, token, 2)
            asm("sub", head, head, token)
            asm.add(head, head, 4 * (shape.tokens - tiling.tokens))
            asm.pad(size, self.place.pads["bias"])
            asm.shape(tiling.heads, self.kernel.bias_row(tiling), row, self.kernel.bias_row(tiling))
            asm("qt.dma.ld", f"b{_BIAS}", head, size)

    def add(self) -> None:
        """Add them to the scores, row by row."""
        asm, tiling, kernel = self.asm, self.tiling, self.kernel
        asm.wait(_BIAS)
        asm.csr("qvl", self.shape.context)
        with asm.registers("scores bias first tokens heads") as (scores, bias, first, tokens, heads):
            asm.pad(scores, self.place.pads["scores"] + kernel.score_start)
            asm.pad(first, self.place.pads["bias"] + 4 * (tiling.tokens - 1))
            with asm.times(tokens, tiling.tokens):
                asm("mv", bias, first)
                with asm.times(heads, tiling.heads):
                    asm("qv.add", scores, scores, bias)
                    asm.add(scores, scores, kernel.score_pitch)
                    asm.add(bias, bias, kernel.bias_row(tiling))
                asm.add(first, first, -4)
