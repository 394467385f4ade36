"""int8 matrix products on any matrix extension: one skeleton, and a small inner part per instruction set.

C[M, N] (int32) = A[M, K] (int8) x B[N, K]^T (int8). A block of rows of A is brought into the scratchpad (or read
through the cache), blocks of columns of B stream past it in chunks of the depth, double-buffered, and C goes back by
the DMA. Arrays are laid out beforehand, and padded with zeros to whole blocks, as weights are packed offline.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from archsim.common.errors import InputError
from archsim.isa.program import SCRATCHPAD_BASE

FIRST = 1 << 20
"""Address of A in DRAM."""


@dataclass(frozen=True)
class Shape:
    """Sizes of a product: M rows of A, N rows of B, depth K."""

    m: int
    n: int
    k: int

    @property
    def macs(self) -> int:
        return self.m * self.n * self.k


@dataclass
class Part(ABC):
    """What one instruction set does with a block in the scratchpad.

    Attributes:
        rows, columns: of a block of C.
        depth: elements of K that a step takes.
        chunk: elements of K that a buffer holds.
        resident: whether A's block lies in the scratchpad (else the hart reads it through its cache).
    """

    rows: int
    columns: int
    depth: int
    chunk: int
    resident: bool = True

    @abstractmethod
    def pack_a(self, a: np.ndarray) -> np.ndarray:
        """int8 [rows, K] as it shall lie in memory."""

    @abstractmethod
    def pack_b(self, b: np.ndarray) -> np.ndarray:
        """int8 [columns, chunk] as it shall lie in memory."""

    @abstractmethod
    def prologue(self) -> list[str]:
        """Lines before everything."""

    @abstractmethod
    def clear(self) -> list[str]:
        """Lines that clear the block of C."""

    @abstractmethod
    def multiply(self) -> list[str]:
        """Lines for a chunk: s4 is where its B begins, a0 where A goes on (to be left at the next chunk's A).

        t0 to t6 and a1 to a7 are free.
        """

    @abstractmethod
    def store(self, stride: int) -> list[str]:
        """Lines that put C into the scratchpad at s6 and on its way to DRAM at s7, `stride` bytes a row, on b2."""


@dataclass
class Gemm:
    """A product on an instruction set.

    Attributes:
        shape: as asked for.
        part: what the instruction set does.
        padded: sizes in whole blocks and chunks.
        text: the program.
    """

    shape: Shape
    part: Part
    scratchpad: int
    padded: Shape = field(init=False)
    text: str = field(init=False)

    def __post_init__(self) -> None:
        part, shape = self.part, self.shape
        if min(shape.m, shape.n, shape.k) < 1:
            raise InputError(f"a product of {shape.m} x {shape.n} x {shape.k}", remedy="use sizes from 1")
        # an even number of chunks: the two buffers keep their places in the loop
        part.chunk = min(part.chunk, _up(-(-shape.k // 2), part.depth))
        self.padded = Shape(_up(shape.m, part.rows), _up(shape.n, part.columns), _up(shape.k, 2 * part.chunk))
        self.buffer = part.columns * part.chunk
        self.a_bytes = part.rows * self.padded.k if part.resident else 0
        self.c_bytes = part.rows * part.columns * 4
        needed = 2 * self.buffer + self.a_bytes + self.c_bytes
        if needed > self.scratchpad:
            raise InputError(
                f"a block of {part.rows} x {self.padded.k} and two buffers of {self.buffer} bytes take {needed} bytes",
                remedy=f"use a scratchpad larger than {self.scratchpad} bytes, or a smaller K",
            )
        self.a, self.b = FIRST, FIRST + _up(self.padded.m * self.padded.k, 4096)
        self.c = self.b + _up(self.padded.n * self.padded.k, 4096)
        self.text = "\n".join(self._program()) + "\n"

    def memory(self, a: np.ndarray, b: np.ndarray) -> dict[int, np.ndarray]:
        """Contents of DRAM for A (int8 [M, K]) and B (int8 [N, K])."""
        part, padded = self.part, self.padded
        whole_a = _padded(a, padded.m, padded.k)
        whole_b = _padded(b, padded.n, padded.k)
        rows = [part.pack_a(whole_a[i : i + part.rows]) for i in range(0, padded.m, part.rows)]
        chunks = [
            part.pack_b(whole_b[j : j + part.columns, k : k + part.chunk])
            for j in range(0, padded.n, part.columns)
            for k in range(0, padded.k, part.chunk)
        ]
        flat = [np.concatenate([np.ascontiguousarray(one).reshape(-1) for one in some]) for some in (rows, chunks)]
        return {self.a: flat[0], self.b: flat[1]}

    def result(self, run: Any) -> np.ndarray:
        """C out of a run's memory: int32 [M, N]."""
        raw = run.read(self.c, 4 * self.padded.m * self.padded.n)
        return np.frombuffer(raw, np.int32).reshape(self.padded.m, self.padded.n)[: self.shape.m, : self.shape.n]

    def _program(self) -> list[str]:
        part, padded = self.part, self.padded
        chunks = padded.k // part.chunk
        blocks = padded.n // part.columns
        lines = [
            *part.prologue(),
            "csrwi qdrows, 1",
            f"li s0, {SCRATCHPAD_BASE}",
            f"li s2, {SCRATCHPAD_BASE + self.buffer}",
            f"li s6, {SCRATCHPAD_BASE + 2 * self.buffer}",
            f"li s8, {SCRATCHPAD_BASE + 2 * self.buffer + self.c_bytes}",
            f"li s9, {self.a}",
            f"li s7, {self.c}",
            f"li s10, {padded.m // part.rows}",
            "rows:",
            f"li s3, {self.b}",
            f"li s11, {blocks * chunks}",
        ]
        if part.resident:
            lines += [*_row(self.a_bytes), "qt.dma.ld b3, s9, s8"]
        lines += [*_row(self.buffer), *self._fetch("b0", "s0"), *self._fetch("b1", "s2")]
        if part.resident:
            lines += ["qt.bar.wait b3"]
        lines += [f"li s5, {blocks}", "columns:", *part.clear(), "mv a0, s8" if part.resident else "mv a0, s9"]
        lines += [f"li s1, {chunks // 2}", "chunks:"]
        for barrier, place in (("b0", "s0"), ("b1", "s2")):
            lines += [f"qt.bar.wait {barrier}", f"mv s4, {place}", *part.multiply()]
            # the transfer waits until the buffer's last reader is through
            lines += [f"blez s11, no_{barrier}", *_row(self.buffer), *self._fetch(barrier, place), f"no_{barrier}:"]
        lines += ["addi s1, s1, -1", "bnez s1, chunks", "qt.bar.wait b2", *part.store(4 * padded.n)]
        lines += [f"li t0, {4 * part.columns}", "add s7, s7, t0", "addi s5, s5, -1", "bnez s5, columns"]
        lines += [f"li t0, {4 * padded.n * (part.rows - 1)}", "add s7, s7, t0"]
        lines += [f"li t0, {part.rows * padded.k}", "add s9, s9, t0", "qt.bar.wait b2"]
        lines += ["addi s10, s10, -1", "bnez s10, rows", "li a0, 0", "li a7, 93", "ecall"]
        return lines

    def _fetch(self, barrier: str, place: str) -> list[str]:
        """Start the next chunk's transfer into a buffer (its shape is set)."""
        size = [f"li t0, {self.buffer}", "add s3, s3, t0"]
        return [f"qt.dma.ld {barrier}, s3, {place}", *size, "addi s11, s11, -1"]


def _row(size: int) -> list[str]:
    """Shape of a transfer of one row."""
    return ["csrwi qdrows, 1", f"li t0, {size}", "csrw qdrowb, t0"]


def send(rows: int, row_bytes: int, stride: int, pad_stride: int) -> list[str]:
    """Shape of a transfer of rows."""
    values = {"qdrows": rows, "qdrowb": row_bytes, "qddst": stride, "qdsst": pad_stride}
    return [line for name, value in values.items() for line in (f"li t0, {value}", f"csrw {name}, t0")]


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def _padded(array: np.ndarray, rows: int, columns: int) -> np.ndarray:
    result = np.zeros((rows, columns), np.int8)
    result[: array.shape[0], : array.shape[1]] = array
    return result
