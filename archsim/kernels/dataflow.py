"""int8 products out of the scratchpad in the order of a systolic array's dataflow, one fold after the other.

C[M, N] (int32) = A[M, K] (int8) x W[N, K]^T (int8). A and W are brought in whole, in tiles that are packed beforehand;
C goes back whole. A tile covers whole folds of an array of R x C: the held operand stays in its register while all that
meets it streams past, so that the array changes it as seldom as the dataflow allows. Accumulators stay in their
registers as long as there are enough of those, and spill to the scratchpad otherwise.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import Any

import numpy as np

from archsim.common.errors import InputError
from archsim.isa.program import SCRATCHPAD_BASE
from archsim.kernels.gemm import FIRST, Shape

DATAFLOWS = ("os", "ws", "is")
PAGE = 4096
"""Tiles begin at multiples of it, so that none shares a granule with another."""
ACTIVATIONS, WEIGHTS, ACCUMULATORS = ("t0", "t1", "t2", "t3"), ("t4", "t5", "t6", "t7"), ("ac0", "ac1", "ac2", "ac3")
MOST_MULTIPLIES, MOST_BYTES = 1 << 20, 8 << 30
"""The program is written out without loops, and the scratchpad holds everything."""
Block = tuple[int, int]


@dataclass
class DataflowGemm:
    """A product on an array.

    Attributes:
        shape: M, N, K.
        dataflow: os, ws or is: what the array holds (accumulators, weights, activations).
        rows, columns: of the array.
        tile: TM, TN and TROWB, the largest tile.
        text: the program.
        nbytes: of scratchpad that it takes.
    """

    shape: Shape
    dataflow: str
    rows: int
    columns: int
    tile: tuple[int, int, int]
    text: str = field(init=False)
    nbytes: int = field(init=False)

    def __post_init__(self) -> None:
        self.block = self._block()
        pairs = zip(_sizes(self.shape), _sizes(self.block), strict=True)
        self.counts = Shape(*(_up(size, part) for size, part in pairs))
        self.slots = {
            "a": _page(self.block.m * self.block.k),
            "w": _page(self.block.n * self.block.k),
            "c": _page(4 * self.block.m * self.block.n),
        }
        # a tile of zeros, all of A, all of W, all of C
        self.a = self.slots["c"]
        self.w = self.a + self.counts.m * self.counts.k * self.slots["a"]
        self.c = self.w + self.counts.n * self.counts.k * self.slots["w"]
        self.nbytes = self.c + self.counts.m * self.counts.n * self.slots["c"]
        multiplies = prod(_sizes(self.counts))
        if multiplies > MOST_MULTIPLIES or self.nbytes > MOST_BYTES:
            raise InputError(
                f"a product of {self.shape.m} x {self.shape.n} x {self.shape.k} on an array of {self.rows} x "
                f"{self.columns} takes {multiplies:,} tile multiplies and {self.nbytes:,} bytes of scratchpad",
                remedy=f"use sizes that take at most {MOST_MULTIPLIES:,} and {MOST_BYTES:,}",
            )
        self.text = "\n".join(_Writer(self).program()) + "\n"

    def _block(self) -> Shape:
        """Sizes of a tile: whole folds, and as many as a tile holds where that keeps the held operand in its place."""
        shape, (tm, tn, tk) = self.shape, self.tile
        most_rows = tm if self.dataflow == "os" else tk
        most_columns = tm if self.dataflow == "is" else tn
        for what, size, most in (("rows", self.rows, most_rows), ("columns", self.columns, most_columns)):
            if size > most:
                raise InputError(
                    f"an array of {size} {what} is never filled by tiles of {most}",
                    remedy=f"use at most {most} {what}",
                )
        if self.dataflow == "os":
            if shape.k <= tk:
                return Shape(_whole(tm, self.rows), _whole(tn, self.columns), shape.k)
            return Shape(self.rows, self.columns, _even(shape.k, tk))
        if self.dataflow == "ws":
            if shape.m <= tm:
                return Shape(shape.m, _whole(tn, self.columns), _whole(tk, self.rows))
            return Shape(_even(shape.m, tm), self.columns, self.rows)
        if shape.n <= tn:
            return Shape(_whole(tm, self.columns), shape.n, _whole(tk, self.rows))
        return Shape(self.columns, _even(shape.n, tn), self.rows)

    def steps(self) -> Iterator[tuple[int, int, int]]:
        """Tile multiplies in order, as numbers of their blocks along M, N and K."""
        ms, ns, ks = (range(count) for count in _sizes(self.counts))
        if self.dataflow == "os":
            yield from product(ms, ns, ks)
        elif self.dataflow == "ws":
            yield from ((m, n, k) for n, k, m in product(ns, ks, ms))
        else:
            yield from ((m, n, k) for m, k, n in product(ms, ks, ns))

    def part(self, m: int, n: int, k: int) -> Shape:
        """Sizes of the tile at a block."""
        numbers = (m, n, k)
        return Shape(
            *(
                min(block, size - number * block)
                for number, block, size in zip(numbers, _sizes(self.block), _sizes(self.shape), strict=True)
            )
        )

    def memory(self, a: np.ndarray, w: np.ndarray) -> dict[int, np.ndarray]:
        """Contents of DRAM for A (int8 [M, K]) and W (int8 [N, K])."""
        image = np.zeros(self.c, np.uint8)
        for whole, base, slot, block in (
            (a, self.a, self.slots["a"], self.block.m),
            (w, self.w, self.slots["w"], self.block.n),
        ):
            for row in range(0, whole.shape[0], block):
                for column in range(0, self.shape.k, self.block.k):
                    tile = np.ascontiguousarray(whole[row : row + block, column : column + self.block.k])
                    place = base + (row // block * self.counts.k + column // self.block.k) * slot
                    image[place : place + tile.size] = tile.view(np.uint8).reshape(-1)
        return {FIRST: image}

    def result(self, run: Any) -> np.ndarray:
        """C out of a run's memory: int32 [M, N]."""
        whole = np.zeros((self.shape.m, self.shape.n), np.int32)
        for m in range(self.counts.m):
            for n in range(self.counts.n):
                part = self.part(m, n, 0)
                place = FIRST + self.c + (m * self.counts.n + n) * self.slots["c"]
                tile = np.frombuffer(run.read(place, 4 * part.m * part.n), np.int32).reshape(part.m, part.n)
                whole[m * self.block.m :, n * self.block.n :][: part.m, : part.n] = tile
        return whole


class _Writer:
    """Writes the program: registers are handed out by last use, and loaded only when they hold something else."""

    def __init__(self, gemm: DataflowGemm) -> None:
        self.gemm = gemm
        self.lines: list[str] = []
        self.csrs: dict[str, int] = {}
        self.held: dict[str, OrderedDict[str, Block | None]] = {
            name: OrderedDict.fromkeys(registers)
            for name, registers in (("a", ACTIVATIONS), ("w", WEIGHTS), ("c", ACCUMULATORS))
        }
        self.stored: set[Block] = set()

    def program(self) -> list[str]:
        gemm, lines = self.gemm, self.lines
        lines += [f"li s0, {SCRATCHPAD_BASE}", f"li s1, {FIRST}", "csrwi qfmt, 0"]
        self._move("ld", 0, gemm.c)
        for m, n, k in gemm.steps():
            part = gemm.part(m, n, k)
            a, a_loaded = self._take("a", (m, k))
            w, w_loaded = self._take("w", (n, k))
            c, c_loaded = self._take("c", (m, n))
            self._sizes(part)
            if not w_loaded:
                self._tile("qt.ldw", w, gemm.w + (n * gemm.counts.k + k) * gemm.slots["w"], part.k)
            if not a_loaded:
                self._tile("qt.ld", a, gemm.a + (m * gemm.counts.k + k) * gemm.slots["a"], part.k)
            if not c_loaded:
                self._tile("qt.lda", c, self._place((m, n)) if (m, n) in self.stored else 0, 4 * part.n)
            lines.append(f"qt.mma {c}, {a}, {w}")
        for register, block in self.held["c"].items():
            if block is not None:
                self._store(register, block)
        self._move("st", gemm.c, gemm.nbytes - gemm.c)
        return [*lines, "li a0, 0", "li a7, 93", "ecall"]

    def _take(self, kind: str, block: Block) -> tuple[str, bool]:
        """A register for a tile, and whether the tile is in it already."""
        held = self.held[kind]
        for register, content in held.items():
            if content == block:
                held.move_to_end(register)
                return register, True
        register, content = held.popitem(last=False)
        if kind == "c" and content is not None:
            self._store(register, content)
        held[register] = block
        return register, False

    def _place(self, block: Block) -> int:
        return self.gemm.c + (block[0] * self.gemm.counts.n + block[1]) * self.gemm.slots["c"]

    def _store(self, register: str, block: Block) -> None:
        part = self.gemm.part(*block, 0)
        self._csr("qtm", part.m)
        self._csr("qtn", part.n)
        self._tile("qt.sta", register, self._place(block), 4 * part.n)
        self.stored.add(block)

    def _sizes(self, part: Shape) -> None:
        self._csr("qtm", part.m)
        self._csr("qtn", part.n)
        self._csr("qtk", part.k)

    def _tile(self, what: str, register: str, offset: int, stride: int) -> None:
        """A load or store of adjoining rows at an offset into the scratchpad."""
        self.lines += [f"li a1, {offset}", "add a1, a1, s0", f"li a2, {stride}", f"{what} {register}, a1, a2"]

    def _csr(self, name: str, value: int) -> None:
        if self.csrs.get(name) != value:
            self.csrs[name] = value
            self.lines += [f"li a0, {value}", f"csrw {name}, a0"]

    def _move(self, what: str, offset: int, size: int) -> None:
        """A transfer of whole pages at the same offset in DRAM and scratchpad, and its end."""
        self.lines += [f"li a0, {size // PAGE}", "csrw qdrows, a0", f"li a0, {PAGE}"]
        self.lines += [f"csrw {name}, a0" for name in ("qdrowb", "qddst", "qdsst")]
        self.lines += [f"li a0, {offset}", "add a1, a0, s1", "add a2, a0, s0"]
        self.lines += [f"qt.dma.{what} b0, a1, a2", "qt.bar.wait b0"]


def _sizes(shape: Shape) -> tuple[int, int, int]:
    return shape.m, shape.n, shape.k


def _up(size: int, part: int) -> int:
    return -(-size // part)


def _page(size: int) -> int:
    return _up(size, PAGE) * PAGE


def _whole(most: int, unit: int) -> int:
    """The largest multiple of a unit up to `most`."""
    return most // unit * unit


def _even(size: int, most: int) -> int:
    """The size of the fewest equal parts of at most `most`."""
    return _up(size, _up(size, most))
