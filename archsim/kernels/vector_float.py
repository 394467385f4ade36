"""Kernels of float64 on RVV: a blocked matrix product of outer products, a * x + y, and a dot product.

The product follows the scheme of Ara's benchmark fmatmul (pulp-platform/ara apps/fmatmul): a block of rows of C stays
in vector registers; a row of B is loaded while the one before it is multiplied by a column of A, element by element
(vfmacc.vf), and every scalar of A is loaded just after the one before it has been used. Blocks are of 4 rows of four
registers, 8 of two, or 16 of one, so that rows of C fit.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from archsim.common.errors import InputError

A, B, C = 0x10_0000, 0x40_0000, 0x70_0000
"""Addresses of operands and result in main memory."""
EXIT = ["li a0, 0", "li a7, 93", "ecall"]


@dataclass(frozen=True)
class VectorKernel:
    """A program and what it computes with.

    Attributes:
        source: assembly.
        operations: floating-point operations (a fused multiply-add counts twice).
        shape: of the float64 result, which stands at C.
        operands: address -> float64 array; the program wants them in memory.
    """

    source: str
    operations: int
    shape: tuple[int, ...]
    operands: dict[int, np.ndarray] = field(default_factory=dict)


def block_rows(n: int) -> int:
    """Rows of C in registers at once, as Ara's benchmark chooses them."""
    if n <= 64:
        return 4 if n <= 4 else 8 if n <= 8 else 16
    return 8 if n <= 128 else 4


def matmul(a: np.ndarray, b: np.ndarray) -> VectorKernel:
    """C = A @ B of square float64 matrices.

    Raises:
        InputError: n is no multiple of the block, or not even.
    """
    n = len(a)
    rows = block_rows(n)
    if n < 4 or n % rows:
        raise InputError(f"n is {n}", remedy=f"use a multiple of {rows}")
    registers = 16 // rows
    lines = [f"li s0, {A}", f"li s1, {B}", f"li s2, {C}", f"li s3, {8 * n}", f"li s4, {n}", "columns:"]
    # s4 columns are left; s0 is the first row of A, s1 and s2 point to the columns of B and C
    lines += [f"vsetvli s5, s4, e64, m{registers}, ta, ma", "mv s6, s0", "mv s7, s2", f"li s8, {n // rows}", "rows:"]
    lines += _block(n, rows, registers)
    lines += [f"li t1, {8 * n * rows}", "add s6, s6, t1", "add s7, s7, t1", "addi s8, s8, -1", "bnez s8, rows"]
    lines += ["slli t1, s5, 3", "add s1, s1, t1", "add s2, s2, t1", "sub s4, s4, s5", "bnez s4, columns"]
    return VectorKernel("\n".join([*lines, *EXIT]) + "\n", 2 * n**3, (n, n), {A: a, B: b})


def _block(n: int, rows: int, registers: int) -> list[str]:
    """A block of rows of C: s6 points to rows of A, s7 to rows of C."""
    sums = [f"v{registers * row}" for row in range(rows)]
    even, odd = f"v{16}", f"v{16 + registers}"
    lines = [f"vmv.v.i {register}, 0" for register in sums]
    lines += ["mv t2, s1", f"vle64.v {even}, (t2)", "add t2, t2, s3", "mv t0, s6"]
    for row in range(rows):
        lines += [f"fld f{row}, 0(t0)", "add t0, t0, s3"]
    lines += ["mv s9, s6", f"li s10, {n // 2 - 1}"]
    if n > 2:
        lines += ["pair:", *_step(sums, even, odd), *_step(sums, odd, even), "addi s10, s10, -1", "bnez s10, pair"]
    lines += [*_step(sums, even, odd), "mv t3, s7"]
    for row, register in enumerate(sums):
        lines += [f"vfmacc.vf {register}, f{row}, {odd}", f"vse64.v {register}, (t3)", "add t3, t3, s3"]
    return lines


def _step(sums: list[str], row_of_b: str, next_row: str) -> list[str]:
    """A row of B times a column of A; the next of both are loaded."""
    lines = ["addi s9, s9, 8", "mv t0, s9"]
    for row, register in enumerate(sums):
        lines += [f"vfmacc.vf {register}, f{row}, {row_of_b}", f"fld f{row}, 0(t0)", "add t0, t0, s3"]
        if row == 0:
            lines += [f"vle64.v {next_row}, (t2)", "add t2, t2, s3"]
    return lines


def axpy(factor: float, x: np.ndarray, y: np.ndarray) -> VectorKernel:
    """C = factor * x + y, in groups of eight registers."""
    lines = [f"li s0, {A}", f"li s1, {B}", f"li s2, {C}", f"li s4, {len(x)}", f"li t0, {A - 8}", "fld f0, 0(t0)", "1:"]
    lines += ["vsetvli s5, s4, e64, m8, ta, ma", "vle64.v v0, (s0)", "vle64.v v8, (s1)", "vfmacc.vf v8, f0, v0"]
    lines += ["vse64.v v8, (s2)", "slli t1, s5, 3", "add s0, s0, t1", "add s1, s1, t1", "add s2, s2, t1"]
    lines += ["sub s4, s4, s5", "bnez s4, 1b"]
    operands = {A - 8: np.array([factor]), A: x, B: y}
    return VectorKernel("\n".join([*lines, *EXIT]) + "\n", 2 * len(x), x.shape, operands)


def dot_product(x: np.ndarray, y: np.ndarray) -> VectorKernel:
    """C[0] = the sum of x * y, in groups of eight registers and one reduction at the end."""
    lines = [f"li s0, {A}", f"li s1, {B}", f"li s2, {C}", f"li s4, {len(x)}", "vsetvli s5, s4, e64, m8, tu, ma"]
    lines += ["mv s6, s5", "vmv.v.i v16, 0", "1:", "vsetvli s5, s4, e64, m8, tu, ma", "vle64.v v0, (s0)"]
    lines += ["vle64.v v8, (s1)", "vfmacc.vv v16, v0, v8", "slli t1, s5, 3", "add s0, s0, t1", "add s1, s1, t1"]
    lines += ["sub s4, s4, s5", "bnez s4, 1b", "vsetvli zero, s6, e64, m8, ta, ma", "vmv.s.x v24, zero"]
    lines += ["vfredusum.vs v24, v16, v24", "vfmv.f.s f0, v24", "fsd f0, 0(s2)"]
    return VectorKernel("\n".join([*lines, *EXIT]) + "\n", 2 * len(x), (1,), {A: x, B: y})
