"""The tokens that may come next: where a row of logits is largest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archsim.kernels.assembly import HART, Assembly
from archsim.kernels.base import Array, Kernel, Placement
from archsim.kernels.target import Target

_LEAST = -(1 << 31)


@dataclass(frozen=True)
class TopK(Kernel):
    """tokens int32 [rows, k] = indices of the k largest of logits float32 [rows, features], largest first.

    Of equal ones the first comes first. The first hart's scalar unit does it: bits of a float32, the lower 31 turned
    over where it is negative, are integers in the same order (but for -0, which comes before 0). `keys` int32 [rows, k]
    are these integers, kept in order by insertion.
    """

    name: str
    target: Target
    rows: int
    features: int
    k: int = 1

    def arrays(self) -> dict[str, Array]:
        return {
            "logits": Array((self.rows, self.features), "f4", pitch=self.pitch),
            "tokens": Array((self.rows, self.k), "i4", written=True),
            "keys": Array((self.rows, self.k), "i4", written=True),
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
        names = "left pointer tokens keys"
        with asm.unless("bnez", HART), asm.registers(names) as (left, pointer, tokens, keys):
            for register, name in ((pointer, "logits"), (tokens, "tokens"), (keys, "keys")):
                asm.li(register, place.dram[name])
            with asm.times(left, self.rows):
                self._row(asm, pointer, tokens, keys)
                asm.add(tokens, tokens, 4 * self.k)
                asm.add(keys, keys, 4 * self.k)

    def _row(self, asm: Assembly, pointer: str, tokens: str, keys: str) -> None:
        with asm.registers("least at key mask") as (least, at, key, mask):
            asm.li(least, _LEAST)
            for place in range(self.k):
                asm("sw", least, f"{4 * place}({keys})")
                asm("sw", "zero", f"{4 * place}({tokens})")
            asm.li(at, 0)
            again, less = asm.label("logit"), asm.label("less")
            asm.place(again)
            asm("lw", key, f"0({pointer})")
            asm("sraiw", mask, key, 31)
            asm("srliw", mask, mask, 1)
            asm("xor", key, key, mask)
            asm.jump_if("bge", least, key, less)
            self._insert(asm, tokens, keys, key, at)
            asm("lw", least, f"{4 * (self.k - 1)}({keys})")
            asm.place(less)
            asm.add(pointer, pointer, 4)
            asm.add(at, at, 1)
            asm.li(mask, self.features)
            asm.jump_if("blt", at, mask, again)
            asm.add(pointer, pointer, self.pitch - 4 * self.features)

    def _insert(self, asm: Assembly, tokens: str, keys: str, key: str, at: str) -> None:
        """Move smaller ones a place back, the last of them out, and put a key where they were."""
        with asm.registers("key_place token_place first other") as (key_place, token_place, first, other):
            asm.add(key_place, keys, 4 * (self.k - 1))
            asm.add(token_place, tokens, 4 * (self.k - 1))
            asm("mv", first, keys)
            move, found = asm.label("move"), asm.label("found")
            asm.place(move)
            asm.jump_if("bge", first, key_place, found)
            asm("lw", other, f"-4({key_place})")
            asm.jump_if("bge", other, key, found)
            asm("sw", other, f"0({key_place})")
            asm("lw", other, f"-4({token_place})")
            asm("sw", other, f"0({token_place})")
            asm.add(key_place, key_place, -4)
            asm.add(token_place, token_place, -4)
            asm("j", move)
            asm.place(found)
            asm("sw", key, f"0({key_place})")
            asm("sw", at, f"0({token_place})")
