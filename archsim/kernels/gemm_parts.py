"""The inner parts of int8 matrix products: xqt, XuanTie, SpacemiT, Zvvm, plain RVV."""

from __future__ import annotations

from typing import Any

import numpy as np

from archsim.common.errors import InputError
from archsim.kernels.gemm import Gemm, Part, Shape, send


class Tiles(Part):
    """Square tiles and four accumulators: a tile of A meets four of B. Rows of A and B lie as they are."""

    def __init__(self, tile: int, row_bytes: int, chunk: int) -> None:
        super().__init__(tile, 4 * tile, row_bytes, chunk)
        self.tile = tile

    def pack_a(self, a: np.ndarray) -> np.ndarray:
        """Step by step of the depth, so that a step's tile is one block."""
        return a.reshape(self.rows, -1, self.depth).transpose(1, 0, 2)

    def pack_b(self, b: np.ndarray) -> np.ndarray:
        return b.reshape(self.columns, -1, self.depth).transpose(1, 0, 2)

    def steps(self, load_a: str, loads_b: list[str], multiplies: list[str]) -> list[str]:
        """A loop over the chunk's depth: a0 and s4 go on, a1 holds the stride."""
        block = self.tile * self.depth
        lines = [f"li a1, {self.depth}", f"li a2, {block}", f"li a3, {self.chunk // self.depth}", "1:", load_a]
        lines += ["add a0, a0, a2"]
        for load, multiply in zip(loads_b, multiplies, strict=True):
            lines += [load, multiply, "add s4, s4, a2"]
        return [*lines, "addi a3, a3, -1", "bnez a3, 1b"]

    def rows_out(self, store: str, stride: int) -> list[str]:
        """Four accumulators side by side into rows of the block at s6, and the block to DRAM."""
        width = 4 * self.columns
        lines = [f"li a1, {width}", "mv a2, s6"]
        for number in range(4):
            lines += [store.format(number), f"addi a2, a2, {4 * self.tile}"]
        return [*lines, *send(self.rows, width, stride, width), "qt.dma.st b2, s7, s6"]


class Xqt(Tiles):
    """qt.mma on tiles of TM x TROWB bytes."""

    def prologue(self) -> list[str]:
        values = {"qfmt": 0, "qtm": self.tile, "qtn": self.tile, "qtk": self.depth}
        return [line for name, value in values.items() for line in (f"li t0, {value}", f"csrw {name}, t0")]

    def clear(self) -> list[str]:
        return [f"qt.zeroa ac{number}" for number in range(4)]

    def multiply(self) -> list[str]:
        loads = [f"qt.ldw t{2 + number}, s4, a1" for number in range(4)]
        return self.steps("qt.ld t0, a0, a1", loads, [f"qt.mma ac{n}, t0, t{2 + n}" for n in range(4)])

    def store(self, stride: int) -> list[str]:
        return self.rows_out("qt.sta ac{}, a2, a1", stride)


class XuanTie(Tiles):
    """mmacc.w.b on tiles of TRLEN bits: one tile register for A, three that take turns for B."""

    def prologue(self) -> list[str]:
        return [f"msettile{name}i {value}" for name, value in (("m", self.tile), ("n", self.tile), ("k", self.depth))]

    def clear(self) -> list[str]:
        return [f"mzero acc{number}" for number in range(4)]

    def multiply(self) -> list[str]:
        loads = [f"mlbe8 tr{1 + number % 3}, (s4), a1" for number in range(4)]
        return self.steps("mlae8 tr0, (a0), a1", loads, [f"mmacc.w.b acc{n}, tr{1 + n % 3}, tr0" for n in range(4)])

    def store(self, stride: int) -> list[str]:
        return self.rows_out("msce32 acc{}, (a2), a1", stride)


class Spacemit(Part):
    """smt.vmadot on vector registers: two tiles of A meet four of B; C takes eight pairs of registers.

    A and B are packed in tiles of SMT_M rows x SMT_K bytes, one register each.
    """

    def __init__(self, tile: int, depth: int, chunk: int) -> None:
        super().__init__(2 * tile, 4 * tile, 2 * depth, chunk)
        self.tile, self.tile_depth = tile, depth

    def pack_a(self, a: np.ndarray) -> np.ndarray:
        return a.reshape(2, self.tile, -1, self.tile_depth).transpose(2, 0, 1, 3)

    def pack_b(self, b: np.ndarray) -> np.ndarray:
        return b.reshape(4, self.tile, -1, self.tile_depth).transpose(2, 0, 1, 3)

    def prologue(self) -> list[str]:
        return []

    def clear(self) -> list[str]:
        lines = [f"li t1, {self.tile * self.tile}", "vsetvli zero, t1, e32, m2, ta, ma"]
        lines += [f"vmv.v.i v{2 * number}, 0" for number in range(8)]
        return [*lines, f"li t1, {self.tile * self.tile_depth}", "vsetvli zero, t1, e8, m1, ta, ma"]

    def multiply(self) -> list[str]:
        size = self.tile * self.tile_depth
        lines = [f"li a2, {size}", f"li a3, {self.chunk // self.depth}", "1:"]
        # two steps with registers of their own, so that loads run beside multiplications
        for first_a, first_b in ((16, 18), (22, 24)):
            for register in (first_a, first_a + 1):
                lines += [f"vle8.v v{register}, (a0)", "add a0, a0, a2"]
            for register in range(first_b, first_b + 4):
                lines += [f"vle8.v v{register}, (s4)", "add s4, s4, a2"]
            for row in range(2):
                for column in range(4):
                    lines.append(f"smt.vmadot v{2 * (4 * row + column)}, v{first_a + row}, v{first_b + column}")
        return [*lines, "addi a3, a3, -1", "bnez a3, 1b"]

    def store(self, stride: int) -> list[str]:
        size = self.tile * self.tile
        lines = [f"li t1, {size}", "vsetvli zero, t1, e32, m2, ta, ma", "mv a2, s6", f"li a3, {4 * size}"]
        for number in range(8):
            lines += [f"vse32.v v{2 * number}, (a2)", "add a2, a2, a3"]
        lines += [*send(self.tile, 4 * self.tile, stride, 4 * self.tile), "mv a2, s6"]
        for row in range(2):
            lines += [f"li a4, {row * self.tile * stride}", "add a4, a4, s7"]
            for _ in range(4):
                lines += ["qt.dma.st b2, a4, a2", "add a2, a2, a3", f"addi a4, a4, {4 * self.tile}"]
        return lines


class Zvvm(Spacemit):
    """vqmmacc.vv at lambda 4, which makes SpacemiT's tiles; a register of C holds four columns, row by row."""

    LAMBDA = 4

    def prologue(self) -> list[str]:
        # vtype: lambda field 3 (2**(3 - 1)), tail and mask agnostic, SEW 32, LMUL 1; vl counts columns times lambda
        return [f"li t1, {self.tile * self.LAMBDA}", "li t2, 3", "slli t2, t2, 60", "ori t2, t2, 0xD0",
                "vsetvl zero, t1, t2"]  # fmt: skip

    def clear(self) -> list[str]:
        return [f"vmv.v.i v{register}, 0" for register in range(16)]

    def multiply(self) -> list[str]:
        # whole registers load whatever vtype says
        lines = [line.replace("vle8.v", "vl1re8.v") for line in super().multiply()]
        return [line.replace("smt.vmadot", "vqmmacc.vv") for line in lines]

    def store(self, stride: int) -> list[str]:
        size, columns = 4 * self.tile * self.LAMBDA, self.LAMBDA
        lines = ["mv a2, s6", f"li a3, {size}"]
        for register in range(16):
            lines += [f"vs1r.v v{register}, (a2)", "add a2, a2, a3"]
        lines += [*send(self.tile, 4 * columns, stride, 4 * columns), "mv a2, s6"]
        for row in range(2):
            lines += [f"li a4, {row * self.tile * stride}", "add a4, a4, s7"]
            for _ in range(4 * self.tile // columns):
                lines += ["qt.dma.st b2, a4, a2", "add a2, a2, a3", f"addi a4, a4, {4 * columns}"]
        return lines


class Rvv(Part):
    """Plain RVV 1.0: a row of B (int8, widened to int16) times a scalar of A, added into int32 by vwmacc.vx.

    Eight rows of C stay in registers of two; the hart loads the scalars of A through its cache. B lies by columns.
    """

    def __init__(self, elements: int, chunk: int) -> None:
        super().__init__(8, elements, 8, chunk, resident=False)

    def pack_a(self, a: np.ndarray) -> np.ndarray:
        return a

    def pack_b(self, b: np.ndarray) -> np.ndarray:
        return b.T

    def prologue(self) -> list[str]:
        return []

    def clear(self) -> list[str]:
        lines = [f"li t1, {self.columns}", "vsetvli zero, t1, e32, m2, ta, ma"]
        lines += [f"vmv.v.i v{2 * row}, 0" for row in range(self.rows)]
        return [*lines, "vsetvli zero, t1, e16, m1, ta, ma"]

    def multiply(self) -> list[str]:
        # a0 is the first row; the others lie K bytes apart
        pointers = ["a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7"]
        lines = [f"li t1, {self.k}"]
        for one, other in zip(pointers[1:], pointers[:-1], strict=True):
            lines.append(f"add {one}, {other}, t1")
        lines += [f"li t2, {self.columns}", f"li t3, {self.chunk // self.depth}", "1:"]
        for step in range(self.depth):
            lines += [f"vle8.v v{24 + step % 2}, (s4)", "add s4, s4, t2"]
            lines.append(f"vsext.vf2 v{26 + step % 2}, v{24 + step % 2}")
            # four loads before their four uses, so that none waits for its load
            for half in (0, 4):
                scalars = dict(zip(("t4", "t5", "t6", "t0"), range(half, half + 4), strict=True))
                lines += [f"lb {scalar}, {step}({pointers[row]})" for scalar, row in scalars.items()]
                lines += [f"vwmacc.vx v{2 * row}, {scalar}, v{26 + step % 2}" for scalar, row in scalars.items()]
        lines += [f"addi {pointer}, {pointer}, {self.depth}" for pointer in pointers]
        return [*lines, "addi t3, t3, -1", "bnez t3, 1b"]

    def store(self, stride: int) -> list[str]:
        width = 4 * self.columns
        lines = [f"li t1, {self.columns}", "vsetvli zero, t1, e32, m2, ta, ma", "mv a2, s6", f"li a3, {width}"]
        for row in range(self.rows):
            lines += [f"vse32.v v{2 * row}, (a2)", "add a2, a2, a3"]
        return [*lines, *send(self.rows, width, stride, width), "qt.dma.st b2, s7, s6"]

    k: int = 0
    """Bytes from one row of A to the next."""


def gemm(shape: Shape, design: Any, isa: Any) -> Gemm:
    """The product for a design, on the first matrix extension that its instruction set has.

    Raises:
        InputError: the instruction set has none, or no transfers (Xqdma); a block does not fit the scratchpad.
    """
    parameters, size = isa.parameters, design.core.scratchpad.size
    if "Xqdma" not in isa.extensions:
        raise InputError(f"design {design.name} has no DMA instructions", remedy="add xqdma to its isa")
    if "Xqt" in isa.extensions:
        tile = min(parameters["TM"], parameters["TN"])
        return Gemm(shape, Xqt(tile, parameters["TROWB"], 1024), size)
    if "XTheadMatrix" in isa.extensions:
        return Gemm(shape, XuanTie(parameters["ROWNUM"], parameters["TRLEN"] // 8, 1024), size)
    if "Xsmt" in isa.extensions:
        return Gemm(shape, Spacemit(parameters["SMT_M"], parameters["SMT_K"], 1024), size)
    if "Zvvmm" in isa.extensions:
        # a C of two registers at lambda 4 and SEW 32
        if parameters["VLEN"] != 1024:
            raise InputError(f"design {design.name} has VLEN {parameters['VLEN']}", remedy="use 1024")
        return Gemm(shape, Zvvm(8, 16, 1024), size)
    if "V" in isa.extensions:
        part = Rvv(parameters["VLEN"] // 16, 256)
        part.chunk = min(part.chunk, -(-shape.k // 2 // part.depth) * part.depth or part.depth)
        part.k = -(-shape.k // (2 * part.chunk)) * 2 * part.chunk
        return Gemm(shape, part, size)
    raise InputError(
        f"design {design.name} has no matrix or vector instructions",
        remedy="add xqt, xtheadmatrix, xsmt, zvvmm or v to its isa",
    )
