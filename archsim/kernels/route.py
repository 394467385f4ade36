"""The choice of experts: the largest logits of each row, what they weigh, and a list of rows for each expert."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archsim.kernels.assembly import HART, Assembly
from archsim.kernels.base import LOAD_BARRIERS, STORE_BARRIERS, Array, Kernel, Placement
from archsim.kernels.target import Target

_MOST_ROWS = 256
"""Of a block, whose softmax is taken at once."""


@dataclass(frozen=True)
class Route(Kernel):
    """The `top_k` largest logits float32 [rows, experts] of each row, and what they weigh.

    `gates` float32 [rows, top_k] are the softmax of the chosen logits, largest first (of equals the first;
    0 comes before -0).
    `slots` int32 [rows x top_k] list row x top_k + place among the chosen, by expert: those of expert e stand from the
    sum of `counts` before it on. Cores choose for blocks of rows, without branches that depend on logits; the first one
    then makes the list out of `chosen` int32 [rows, top_k], an array of the kernel's own.

    Attributes:
        counts: rows of each expert; logits must choose so (entries beyond an expert's own run into the next one's).
    """

    name: str
    target: Target
    rows: int
    experts: int
    top_k: int
    counts: tuple[int, ...]

    def arrays(self) -> dict[str, Array]:
        return {
            "logits": Array((self.rows, self.experts), "f4", pitch=self.pitch),
            "slots": Array((self.rows * self.top_k,), "i4", written=True),
            "gates": Array((self.rows, self.top_k), "f4", written=True),
            "chosen": Array((self.rows, self.top_k), "i4", written=True),
        }

    @property
    def pitch(self) -> int:
        """Bytes from row to row of the logits."""
        return self.target.pitch(4 * self.experts)

    def tilings(self) -> Sequence[int]:
        return [min(_MOST_ROWS, -(-self.rows // self.target.cores))]

    def buffers(self, tiling: int) -> dict[str, int]:
        return {"gates": 4 * self.top_k * tiling, "sum": 4, "next": 4 * self.experts}

    def emit(self, asm: Assembly, tiling: int, place: Placement) -> None:
        asm.run_deferred()
        names = "done many logits gate chosen"
        with asm.registers(names) as (done, many, logits, gate, chosen):
            loop, end = asm.label("block"), asm.label("blocks_done")
            asm.mul(done, HART, tiling)
            asm.place(loop)
            asm.li(many, self.rows)
            asm.jump_if("bge", done, many, end)
            asm("sub", many, many, done)
            asm.minimum(many, many, tiling)
            asm.element(logits, place.dram["logits"], done, self.pitch)
            for pointer, name in ((gate, "gates"), (chosen, "chosen")):
                asm.element(pointer, place.dram[name], done, 4 * self.top_k)
            self._choose(asm, many, logits, gate, chosen)
            self._softmax(asm, place, many, gate)
            asm.add(done, done, tiling * self.target.cores)
            asm("j", loop)
            asm.place(end)
        if self.target.cores > 1:
            asm("qt.sync")
        with asm.unless("bnez", HART):
            self._list(asm, place)

    def _choose(self, asm: Assembly, many: str, logits: str, gate: str, chosen: str) -> None:
        """Row by row the experts of the largest logits and, as gates, the logits themselves; pointers go on."""
        with asm.registers("left taken best index at") as (left, taken, best, index, at), asm.times(left, many):
            asm.li(taken, 0)
            for _ in range(self.top_k):
                self._largest(asm, logits, taken, best, index)
                asm.li(at, 1)
                asm("sll", at, at, index)
                asm("or", taken, taken, at)
                asm("sw", index, f"0({chosen})")
                asm("slli", at, index, 2)
                asm("add", at, at, logits)
                asm("lw", at, f"0({at})")
                asm("sw", at, f"0({gate})")
                asm.add(gate, gate, 4)
                asm.add(chosen, chosen, 4)
            asm.add(logits, logits, self.pitch)

    def _largest(self, asm: Assembly, logits: str, taken: str, best: str, index: str) -> None:
        """index = expert of the largest logit that is not taken.

        Bits of a float32, the lower 31 turned over where it is negative, are integers in the same order.
        """
        with asm.registers("at expert number mask") as (at, expert, number, mask):
            # less than the number of any float
            asm.li(best, -(1 << 32))
            asm.li(index, 0)
            asm.li(expert, 0)
            asm("mv", at, logits)
            loop = asm.label("logit")
            asm.place(loop)
            asm("lw", number, f"0({at})")
            asm("sraiw", mask, number, 31)
            asm("srliw", mask, mask, 1)
            asm("xor", number, number, mask)
            # what is taken becomes least
            asm("srl", mask, taken, expert)
            asm("andi", mask, mask, 1)
            asm("slli", mask, mask, 33)
            asm("sub", number, number, mask)
            # best, index = number, expert where number is larger
            asm("slt", mask, best, number)
            asm("sub", mask, "zero", mask)
            asm("xor", number, number, best)
            asm("and", number, number, mask)
            asm("xor", best, best, number)
            asm("xor", number, index, expert)
            asm("and", number, number, mask)
            asm("xor", index, index, number)
            asm.add(at, at, 4)
            asm.add(expert, expert, 1)
            asm.li(mask, self.experts)
            asm.jump_if("blt", expert, mask, loop)

    def _softmax(self, asm: Assembly, place: Placement, many: str, gate: str) -> None:
        """exp(gate - first) / sum of each row of a block; `gate` is behind its last one, and `many` is used up."""
        row = 4 * self.top_k
        with asm.registers("size pad at sum") as (size, pad, at, total):
            asm.mul(size, many, row)
            asm("sub", gate, gate, size)
            asm.pad(pad, place.pads["gates"])
            asm.pad(total, place.pads["sum"])
            asm.shape(1, size)
            asm("qt.dma.ld", f"b{LOAD_BARRIERS[0]}", gate, pad)
            asm.wait(LOAD_BARRIERS[0])
            asm.csr("qvl", self.top_k)
            asm("mv", at, pad)
            with asm.times(many, many):
                asm("qv.max", total, at)
                asm("qv.exps", at, at, total)
                asm("qv.sum", total, at)
                asm("qv.divs", at, at, total)
                asm.add(at, at, row)
            asm.shape(1, size)
            asm("qt.dma.st", f"b{STORE_BARRIERS[0]}", gate, pad)
            asm.wait(STORE_BARRIERS[0])

    def _list(self, asm: Assembly, place: Placement) -> None:
        """The slots of all rows, each to the next place of its expert."""
        total = self.rows * self.top_k
        with asm.registers("left slot chosen next expert at entry") as (left, slot, chosen, following, *spare):
            expert, at, entry = spare
            asm.pad(following, place.pads["next"])
            for number in range(self.experts):
                asm.li(entry, sum(self.counts[:number]))
                asm("sw", entry, f"{4 * number}({following})")
            asm.li(chosen, place.dram["chosen"])
            asm.li(slot, 0)
            with asm.times(left, total):
                asm("lw", expert, f"0({chosen})")
                asm("slli", expert, expert, 2)
                asm("add", expert, expert, following)
                asm("lw", entry, f"0({expert})")
                asm.add(at, entry, 1)
                asm("sw", at, f"0({expert})")
                asm.minimum(entry, entry, total - 1)
                asm.element(at, place.dram["slots"], entry, 4)
                asm("sw", slot, f"0({at})")
                asm.add(chosen, chosen, 4)
                asm.add(slot, slot, 1)
