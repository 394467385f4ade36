"""int8 products whose weights stream past from DRAM: activations stay, results leave as int8, everything overlaps.

C[M, N] (int8, saturated) = A[M, K] (int8) x W[N, K]^T (int8) on xqt tiles. A block of rows of A is brought in once,
step by step of the depth, while it is first used; the next block comes in behind the last columns of the one before.
Tiles of W pass through four slots. A tile of A meets four of W, one for each accumulator; an accumulator that is done
is narrowed and stored while others are at work. The program is written out, without loops.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from archsim.common.errors import InputError
from archsim.isa.program import SCRATCHPAD_BASE
from archsim.kernels.gemm import FIRST, Shape

PAGE = 4096
"""Areas begin at multiples of it, so that none shares a granule with another."""
GRANULE = 64
"""Bytes whose order between units designs keep as one: tiles on their way do not share any."""
SLOTS, ACCUMULATORS = 4, 4
WEIGHT_BARRIERS, ACTIVATION_BARRIERS, STORE_BARRIERS = ("b0", "b1", "b2", "b3"), ("b4", "b5"), ("b6", "b7")
ACTIVATIONS, WEIGHTS, RESULTS = ("t0", "t1"), ("t2", "t3", "t4", "t5"), ("t6", "t7")
STORE_LAG = 5
"""Multiplies between an accumulator's last one and the store of its result: loads of weights overtake it meanwhile."""
SMALL = 4096
"""Bytes of a tile below which the four of a step are moved at once."""


@dataclass(frozen=True)
class Step:
    """One multiply: blocks of rows, of columns and of the depth."""

    row: int
    column: int
    depth: int


@dataclass
class StreamGemm:
    """A product.

    Attributes:
        shape: M, N, K.
        tile: TM, TN and TROWB, the largest tile.
        scratchpad: bytes there are.
        blocks: of rows, at least; there are more where a tile or the scratchpad asks for them.
        text: the program.
    """

    shape: Shape
    tile: tuple[int, int, int]
    scratchpad: int
    blocks: int = 1
    text: str = field(init=False)

    def __post_init__(self) -> None:
        shape, (most_rows, self.width, self.step) = self.shape, self.tile
        self.depths, self.columns = _up(shape.k, self.step), _up(shape.n, self.width)
        self.weight_bytes = self.width * self.step
        self.together = ACCUMULATORS if self.weight_bytes < SMALL else 1
        blocks = max(self.blocks, _up(shape.m, most_rows))
        self._place(blocks)
        while self.nbytes > self.scratchpad and self.height > 1:
            blocks += 1
            self._place(blocks)
        if self.nbytes > self.scratchpad:
            raise InputError(
                f"a row of {shape.k} elements, its weights and its results take {self.nbytes} bytes of scratchpad",
                remedy=f"use a scratchpad larger than {self.scratchpad} bytes, or a smaller K",
            )
        self.text = "\n".join(_Writer(self).program()) + "\n"

    def _place(self, blocks: int) -> None:
        """Lay out DRAM and scratchpad for so many blocks of rows."""
        self.height = _up(self.shape.m, blocks)
        self.blocks = _up(self.shape.m, self.height)
        self.activation_bytes = self.height * self.step
        self.activation_slot = _up(self.activation_bytes, GRANULE) * GRANULE
        self.result_bytes = self.height * self.width
        # scratchpad: two blocks of A, or the only one; slots of W; results of the accumulators
        self.pad_w = min(2, self.blocks) * _page(self.activation_slot * self.depths)
        self.slot_bytes = _page(self.weight_bytes * self.together)
        self.pad_c = self.pad_w + SLOTS * self.slot_bytes
        self.nbytes = self.pad_c + ACCUMULATORS * _page(self.result_bytes)
        # DRAM: tiles of A by block and depth; of W by four columns, depth, column; of C by block and column
        self.dram_w = FIRST + _page(self.blocks * self.depths * self.activation_bytes)
        groups = _up(self.columns, ACCUMULATORS)
        self.dram_c = self.dram_w + _page(groups * ACCUMULATORS * self.depths * self.weight_bytes)

    def steps(self) -> Iterator[Step]:
        """Multiplies in order."""
        for row in range(self.blocks):
            for first in range(0, self.columns, ACCUMULATORS):
                for depth in range(self.depths):
                    for column in range(first, min(first + ACCUMULATORS, self.columns)):
                        yield Step(row, column, depth)

    def part(self, step: Step) -> Shape:
        """Sizes of the tiles of a step."""
        shape = self.shape
        return Shape(
            min(self.height, shape.m - step.row * self.height),
            min(self.width, shape.n - step.column * self.width),
            min(self.step, shape.k - step.depth * self.step),
        )

    def weights_at(self, column: int, depth: int) -> int:
        """DRAM address of a tile of W."""
        group, place = divmod(column, ACCUMULATORS)
        return self.dram_w + ((group * self.depths + depth) * ACCUMULATORS + place) * self.weight_bytes

    def memory(self, a: np.ndarray, w: np.ndarray) -> dict[int, np.ndarray]:
        """Contents of DRAM for A (int8 [M, K]) and W (int8 [N, K])."""
        image = np.zeros(self.dram_c - FIRST, np.uint8)

        def put(tile: np.ndarray, address: int) -> None:
            flat = np.ascontiguousarray(tile).view(np.uint8).reshape(-1)
            image[address - FIRST : address - FIRST + flat.size] = flat

        for depth in range(self.depths):
            part = slice(depth * self.step, (depth + 1) * self.step)
            for row in range(self.blocks):
                tile = a[row * self.height : (row + 1) * self.height, part]
                put(tile, FIRST + (row * self.depths + depth) * self.activation_bytes)
            for column in range(self.columns):
                put(w[column * self.width : (column + 1) * self.width, part], self.weights_at(column, depth))
        return {FIRST: image}

    def result(self, run: Any) -> np.ndarray:
        """C out of a run's memory: int8 [M, N]."""
        whole = np.zeros((self.shape.m, self.shape.n), np.int8)
        for row in range(self.blocks):
            for column in range(self.columns):
                part = self.part(Step(row, column, 0))
                raw = run.read(self.results_at(row, column), part.m * part.n)
                tile = np.frombuffer(raw, np.int8).reshape(part.m, part.n)
                whole[row * self.height :, column * self.width :][: part.m, : part.n] = tile
        return whole

    def results_at(self, row: int, column: int) -> int:
        """DRAM address of a tile of C."""
        return self.dram_c + (row * self.columns + column) * self.result_bytes


class _Writer:
    """Writes the program: s0 is the scratchpad; CSRs are set when they change."""

    def __init__(self, gemm: StreamGemm) -> None:
        self.gemm = gemm
        self.lines = [f"li s0, {SCRATCHPAD_BASE}", "csrwi qfmt, 0", "csrwi qdrows, 1"]
        self.csrs: dict[str, int] = {}
        self.fetched = 0
        """Transfers of weights that have been started."""
        self.done: list[tuple[int, Step]] = []
        """Accumulators to be narrowed: their last multiply and its step."""
        self.stores: list[tuple[int, Step, int]] = []
        """Results to be stored: their last multiply and its step, their number."""
        self.results = 0

    def program(self) -> list[str]:
        gemm = self.gemm
        steps = list(gemm.steps())
        # what is moved at once: the first step of each transfer of weights
        self.fetches = [step for step in steps if gemm.together == 1 or step.column % ACCUMULATORS == 0]
        for depth in range(min(2, gemm.depths)):
            self._fetch_activations(0, depth)
            if depth == 0:
                self._fetch_weights()
        for _ in range(SLOTS - 1):
            self._fetch_weights()
        used = 0
        for number, step in enumerate(steps):
            part = gemm.part(step)
            place = step.column % ACCUMULATORS
            if place == 0:
                self._activations(step, part)
            first = gemm.together == 1 or place == 0
            if first:
                self.lines.append(f"qt.bar.wait {WEIGHT_BARRIERS[used % SLOTS]}")
                slot = gemm.pad_w + used % SLOTS * gemm.slot_bytes
                used += 1
            weights = WEIGHTS[number % len(WEIGHTS)]
            self._sizes(part)
            self._tile("qt.ldw", weights, slot + (0 if gemm.together == 1 else place * gemm.weight_bytes), part.k)
            last_of_slot = gemm.together == 1 or place == ACCUMULATORS - 1 or step.column == gemm.columns - 1
            if last_of_slot:
                self._fetch_weights()
            if step.depth == 0:
                while any(other.column % ACCUMULATORS == place for _, other in self.done):
                    self._store()
                self._sizes(part)
                self.lines.append(f"qt.zeroa ac{place}")
            self.lines.append(f"qt.mma ac{place}, {ACTIVATIONS[step.depth % 2]}, {weights}")
            if step.depth == gemm.depths - 1:
                self.done.append((number, step))
                self._narrow()
            while self.stores and self.stores[0][0] + STORE_LAG <= number:
                self._store()
        while self.stores:
            self._store()
        waits = [f"qt.bar.wait {barrier}" for barrier in STORE_BARRIERS]
        return [*self.lines, *waits, "li a0, 0", "li a7, 93", "ecall"]

    def _activations(self, step: Step, part: Shape) -> None:
        """The activation tile of a step: awaited with the first columns, then the next ones are sent for."""
        gemm = self.gemm
        first = step.column < ACCUMULATORS
        if first:
            self.lines.append(f"qt.bar.wait {ACTIVATION_BARRIERS[step.depth % 2]}")
            if step.row == 0 and step.depth + 2 < gemm.depths:
                self._fetch_activations(0, step.depth + 2)
        self._csr("qtm", part.m)
        self._csr("qtk", part.k)
        self._tile("qt.ld", ACTIVATIONS[step.depth % 2], self._activations_at(step.row, step.depth), part.k)
        if step.column + ACCUMULATORS >= gemm.columns and step.row + 1 < gemm.blocks:
            self._fetch_activations(step.row + 1, step.depth)

    def _activations_at(self, row: int, depth: int) -> int:
        gemm = self.gemm
        return row % 2 * _page(gemm.activation_slot * gemm.depths) + depth * gemm.activation_slot

    def _fetch_activations(self, row: int, depth: int) -> None:
        gemm = self.gemm
        dram = FIRST + (row * gemm.depths + depth) * gemm.activation_bytes
        self._move("ld", ACTIVATION_BARRIERS[depth % 2], dram, self._activations_at(row, depth), gemm.activation_bytes)

    def _fetch_weights(self) -> None:
        gemm = self.gemm
        if self.fetched == len(self.fetches):
            return
        step, slot = self.fetches[self.fetched], self.fetched % SLOTS
        size = gemm.weight_bytes * min(gemm.together, gemm.columns - step.column)
        dram = gemm.weights_at(step.column, step.depth)
        self._move("ld", WEIGHT_BARRIERS[slot], dram, gemm.pad_w + slot * gemm.slot_bytes, size)
        self.fetched += 1

    def _narrow(self) -> None:
        """Narrow accumulators that are done, as long as there are registers for the results."""
        while self.done and len(self.stores) < len(RESULTS):
            number, step = self.done.pop(0)
            self._sizes(self.gemm.part(step))
            self.lines.append(f"qt.mvat {RESULTS[self.results % 2]}, ac{step.column % ACCUMULATORS}")
            self.stores.append((number, step, self.results))
            self.results += 1

    def _store(self) -> None:
        """Store the oldest result and send it to DRAM."""
        gemm = self.gemm
        _, step, number = self.stores.pop(0)
        part, barrier = gemm.part(step), STORE_BARRIERS[number % 2]
        place = gemm.pad_c + number % ACCUMULATORS * _page(gemm.result_bytes)
        if number >= 2:
            # what lies there, or went the same way, has left
            self.lines.append(f"qt.bar.wait {barrier}")
        self._csr("qtm", part.m)
        self._csr("qtk", part.n)
        self._tile("qt.st", RESULTS[number % 2], place, part.n)
        self._move("st", barrier, gemm.results_at(step.row, step.column), place, part.m * part.n)
        self._narrow()

    def _sizes(self, part: Shape) -> None:
        for name, value in (("qtm", part.m), ("qtn", part.n), ("qtk", part.k)):
            self._csr(name, value)

    def _tile(self, what: str, register: str, offset: int, stride: int) -> None:
        """A load or store of adjoining rows at an offset into the scratchpad."""
        self.lines += [f"li a1, {offset}", "add a1, a1, s0", f"li a2, {stride}", f"{what} {register}, a1, a2"]

    def _move(self, what: str, barrier: str, dram: int, offset: int, size: int) -> None:
        self._csr("qdrowb", size)
        self.lines += [f"li a1, {dram}", f"li a2, {offset}", "add a2, a2, s0", f"qt.dma.{what} {barrier}, a1, a2"]

    def _csr(self, name: str, value: int) -> None:
        if self.csrs.get(name) != value:
            self.csrs[name] = value
            self.lines += [f"li a0, {value}", f"csrw {name}, a0"]


def _up(size: int, part: int) -> int:
    return -(-size // part)


def _page(size: int) -> int:
    return _up(size, PAGE) * PAGE
