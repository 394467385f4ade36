"""SpacemiT's matrix instructions on a workbench: geometry, registers, products."""

from __future__ import annotations

import numpy as np

from archsim.machine.workbench import Workbench
from tests.machine.vector_bench import Array, as_bytes, bench, elements

# VLEN -> (rows and columns of C, bytes of a row of A): 256 is SpacemiT's A60, 1024 its A100
GEOMETRY = {128: (2, 8), 256: (4, 8), 512: (4, 16), 1024: (8, 16)}
WIDTHS = {"": 8, ".i4": 4}


def smt(vlen: int) -> Workbench:
    machine = bench(vlen, "xsmt")
    machine.execute("vsetvli t0, zero, e8, m1, ta, ma")
    return machine


def write(machine: Workbench, register: int, raw: Array) -> None:
    """Put bytes into a register and those behind it."""
    machine.registers("V").reshape(-1)[register * machine.registers("V").shape[1] :][: len(raw)] = raw


def read(machine: Workbench, register: int, count: int = 2) -> Array:
    return machine.registers("V")[register : register + count].reshape(-1).copy()


def product(machine: Workbench, text: str, vd: int, expected: Array, m: int) -> None:
    """Execute, and compare int32 C with its value before plus `expected`; what is behind C stays."""
    before = read(machine, vd)
    assert machine.execute(text) == 0
    c = elements(before, "i32")
    c[: m * m] += expected.reshape(-1)
    assert np.array_equal(read(machine, vd), as_bytes(c.astype(np.int32), "i32"))
