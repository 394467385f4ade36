"""Sliding windows in attention: where the keys of a block of query rows begin."""

from __future__ import annotations

from archsim.kernels.assembly import Assembly
from archsim.kernels.attention import Attention


def first_key(asm: Assembly, kernel: Attention, query: str, start: str) -> None:
    """start = the first key that a block's first row sees; `query` = index of its first (row, head)."""
    shape = kernel.shape
    with asm.registers("size") as (size,):
        asm.li(size, shape.heads)
        asm("divu", start, query, size)
        asm.li(size, shape.tokens)
        asm("remu", start, start, size)
        asm.add(start, start, shape.position + 1 - kernel.window)
        # max(start, 0): its bits where the sign is 0
        asm("srai", size, start, 63)
        asm("not", size, size)
        asm("and", start, start, size)
