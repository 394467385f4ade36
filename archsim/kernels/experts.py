"""Rows of experts: copies of the rows of their tokens, and their results added to the stream."""

from __future__ import annotations

from dataclasses import dataclass

from archsim.kernels.assembly import Assembly
from archsim.kernels.base import Array, Placement
from archsim.kernels.rows import ROW_BARRIERS, RowKernel, each_row, load_row, store_row, vector
from archsim.kernels.target import Target


@dataclass(frozen=True)
class _ExpertRows(RowKernel):
    """Rows `first`, ... of the list of slots: those of one expert.

    Attributes:
        top_k: slots of a token.
        tokens: rows of the tokens.
    """

    name: str
    target: Target
    rows: int
    features: int
    first: int
    top_k: int
    tokens: int

    def slot(self, asm: Assembly, place: Placement, register: str, row: str) -> None:
        """register = slot of a row."""
        asm.element(register, place.dram["slots"] + 4 * self.first, row, 4)
        asm("lw", register, f"0({register})")

    def token(self, asm: Assembly, place: Placement, register: str, row: str) -> None:
        """register = token of a row."""
        self.slot(asm, place, register, row)
        with asm.registers("count") as (count,):
            asm.li(count, self.top_k)
            asm("divu", register, register, count)

    def slots(self) -> Array:
        return Array((self.tokens * self.top_k,), "i4")


class Gather(_ExpertRows):
    """Copies of the expert's tokens' rows: codes int8 [tokens, features] and scales to own_codes and own_scales."""

    def arrays(self) -> dict[str, Array]:
        return {
            "slots": self.slots(),
            "codes": Array((self.tokens, self.features), "i1"),
            "scales": Array((self.tokens,), "f4"),
            "own_codes": Array((self.rows, self.features), "i1", written=True),
            "own_scales": Array((self.rows,), "f4", written=True),
        }

    def buffers(self, tiling: int) -> dict[str, int]:
        return self.loaded(tiling, codes=self.features, scale=4)

    def emit(self, asm: Assembly, tiling: int, place: Placement) -> None:
        dram, pads = place.dram, place.pads

        def load(row: str, buffer: int) -> None:
            # rows leave from the buffers that they arrive in
            asm.wait(self.outlet(tiling, buffer)[1])
            with asm.registers("token") as (token,):
                self.token(asm, place, token, row)
                load_row(asm, ROW_BARRIERS[buffer], dram["codes"], token, self.features, pads[f"codes{buffer}"])
                load_row(asm, ROW_BARRIERS[buffer], dram["scales"], token, 4, pads[f"scale{buffer}"])

        def work(row: str, buffer: int) -> None:
            barrier = self.outlet(tiling, buffer)[1]
            store_row(asm, barrier, dram["own_codes"], row, self.features, pads[f"codes{buffer}"])
            store_row(asm, barrier, dram["own_scales"], row, 4, pads[f"scale{buffer}"])

        each_row(asm, self.target, self.rows, tiling, load, work)


class Scatter(_ExpertRows):
    """x float32 [tokens, features] += gate * done of the expert's rows, done float32 [rows, features] of a product."""

    def arrays(self) -> dict[str, Array]:
        return {
            "x": Array((self.tokens, self.features), "f4", written=True),
            "done": Array((self.rows, self.features), "f4", pitch=self.target.pitch(4 * self.features)),
            "slots": self.slots(),
            "gates": Array((self.tokens, self.top_k), "f4"),
        }

    def buffers(self, tiling: int) -> dict[str, int]:
        row = 4 * self.features
        return self.loaded(tiling, x=row, done=row, gate=4) | self.stored(tiling, sum_row=row)

    def emit(self, asm: Assembly, tiling: int, place: Placement) -> None:
        dram, pads, size = place.dram, place.pads, 4 * self.features

        def load(row: str, buffer: int) -> None:
            barrier = ROW_BARRIERS[buffer]
            load_row(asm, barrier, dram["done"], row, size, pads[f"done{buffer}"], self.target.pitch(size))
            with asm.registers("slot") as (slot,):
                self.slot(asm, place, slot, row)
                load_row(asm, barrier, dram["gates"], slot, 4, pads[f"gate{buffer}"])
                self.token(asm, place, slot, row)
                load_row(asm, barrier, dram["x"], slot, size, pads[f"x{buffer}"])

        def work(row: str, buffer: int) -> None:
            number, barrier = self.outlet(tiling, buffer)
            asm.wait(barrier)
            asm.csr("qvl", self.features)
            done = pads[f"done{buffer}"]
            vector(asm, "qv.muls", done, done, pads[f"gate{buffer}"])
            vector(asm, "qv.add", pads[f"sum_row{number}"], pads[f"x{buffer}"], done)
            with asm.registers("token") as (token,):
                self.token(asm, place, token, row)
                store_row(asm, barrier, dram["x"], token, size, pads[f"sum_row{number}"])

        each_row(asm, self.target, self.rows, tiling, load, work)
