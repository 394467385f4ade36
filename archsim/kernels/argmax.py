"""The next token of greedy decoding: where a row of logits is largest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archsim.kernels.assembly import HART, Assembly
from archsim.kernels.base import Array, Kernel, Placement
from archsim.kernels.target import Target


@dataclass(frozen=True)
class ArgMax(Kernel):
    """token int32 [rows] = index of the largest of logits float32 [rows, features], the first of equals.

    The first hart's scalar unit does it: bits of a float32, the lower 31 turned over where it is negative, are integers
    in the same order (but for -0, which comes before 0).
    """

    name: str
    target: Target
    rows: int
    features: int

    def arrays(self) -> dict[str, Array]:
        return {
            "logits": Array((self.rows, self.features), "f4", pitch=self.pitch),
            "token": Array((self.rows,), "i4", written=True),
        }

    @property
    def pitch(self) -> int:
        return self.target.pitch(4 * self.features)

    def tilings(self) -> Sequence[int]:
        return [1]

    def buffers(self, tiling: int) -> dict[str, int]:
        return {}

    def emit(self, asm: Assembly, tiling: int, place: Placement) -> None:
        asm.run_deferred()
        with asm.unless("bnez", HART), asm.registers("left pointer out") as (left, pointer, out):
            asm.li(pointer, place.dram["logits"])
            asm.li(out, place.dram["token"])
            with asm.times(left, self.rows):
                self._row(asm, pointer, out)

    def _row(self, asm: Assembly, pointer: str, out: str) -> None:
        with asm.registers("best index at number mask") as (best, index, at, number, mask):
            asm.li(best, -(1 << 31))
            asm.li(index, 0)
            asm.li(at, 0)
            again, less = asm.label("logit"), asm.label("less")
            asm.place(again)
            asm("lw", number, f"0({pointer})")
            asm("sraiw", mask, number, 31)
            asm("srliw", mask, mask, 1)
            asm("xor", number, number, mask)
            asm.jump_if("bge", best, number, less)
            asm("mv", best, number)
            asm("mv", index, at)
            asm.place(less)
            asm.add(pointer, pointer, 4)
            asm.add(at, at, 1)
            asm.li(mask, self.features)
            asm.jump_if("blt", at, mask, again)
            asm("sw", index, f"0({out})")
            asm.add(out, out, 4)
            asm.add(pointer, pointer, self.pitch - 4 * self.features)
