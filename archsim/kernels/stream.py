"""A program in which every core moves bytes of its own between main memory and its scratchpad, as fast as it can."""

from __future__ import annotations

from collections.abc import Sequence

from archsim.isa.program import SCRATCHPAD_BASE


def stream_text(addresses: Sequence[int], block: int, buffers: int, blocks: int, *, write: bool = False) -> str:
    """Assembly text of the program (rv64im, zicsr, xqdma).

    Args:
        addresses: where the stream of each hart begins. Every hart goes through all of them, so that none is ahead.
        block: bytes of a transfer.
        buffers: transfers that are queued or on their way, each with a barrier and bytes of the scratchpad: 2 to 8.
        blocks: transfers of a stream, a multiple of `buffers`.
        write: whether to memory.
    """
    if not 2 <= buffers <= 8 or blocks % buffers:
        raise ValueError(f"{blocks} transfers over {buffers} buffers")
    way = "st" if write else "ld"
    lines = ["csrr t0, mhartid", "li s1, 0"]
    for hart, address in enumerate(addresses):
        # all ones for the hart itself, 0 for others
        lines += [f"li t1, {hart}", "xor t1, t1, t0", "seqz t1, t1", "neg t1, t1", f"li t2, {address}"]
        lines += ["and t1, t1, t2", "or s1, s1, t1"]
    lines += [
        f"li s2, {block}", "li t1, 1", "csrw qdrows, t1", "csrw qdrowb, s2", "csrw qddst, s2", "csrw qdsst, s2",
        f"li s3, {blocks // buffers}", f"li s0, {SCRATCHPAD_BASE}",
    ]  # fmt: skip
    steps = []
    for number in range(buffers):
        steps += [f"qt.bar.wait b{number}", f"qt.dma.{way} b{number}, s1, s4", "add s1, s1, s2", "add s4, s4, s2"]
    lines += ["round:", "mv s4, s0", *steps, "addi s3, s3, -1", "bnez s3, round"]
    lines += [f"qt.bar.wait b{number}" for number in range(buffers)]
    return "\n".join([*lines, "li a0, 0", "li a7, 93", "ecall", ""])
