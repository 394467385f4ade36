"""The vector unit against Ara: utilisation of float64 kernels over sizes and lanes, on designs ara-N."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from archsim.common.errors import InputError
from archsim.design import load_design
from archsim.isa.load import load_isa
from archsim.kernels.vector_float import VectorKernel, axpy, dot_product, matmul
from archsim.machine.run import run
from archsim.validation.suite import Progress, Row, Suite, number

LARGEST = 512
"""Sizes of matrices beyond this would overlap in memory."""
LONGEST = 1 << 18
"""The same for vectors."""
FLOP_PER_LANE = 2
"""Floating-point operations of a lane per cycle: one fused multiply-add of 64 bits."""


def _matmul(n: int) -> VectorKernel:
    values = np.random.default_rng(n).standard_normal((2, n, n))
    return matmul(values[0], values[1])


def _vectors(n: int) -> np.ndarray:
    return np.random.default_rng(n).standard_normal((2, n))


KERNELS: dict[str, tuple[Callable[[int], VectorKernel], int, float]] = {
    "fmatmul": (_matmul, LARGEST, 0.0),
    "daxpy": (lambda n: axpy(1.5, *_vectors(n)), LONGEST, 24.0),
    "fdotproduct": (lambda n: dot_product(*_vectors(n)), LONGEST, 16.0),
}
"""Kernel -> its generator, the largest size, bytes that an element moves (0: limited by arithmetic)."""
NOTES = {
    "rtl": "a third party's run of the RTL, each size once, from cold caches",
    "TVLSI": "an older Ara (RVV 0.5) with kernels of its own",
}


def simulate(rows: list[dict[str, str]], progress: Progress) -> list[Row]:
    """Run each row's kernel on the design with its lanes.

    Raises:
        InputError: a row names a kernel, a size or lanes that there are not, or a utilisation out of 0 to 1.
    """
    checked = [_checked(row) for row in rows]
    result = []
    for index, (row, (kernel, n, lanes, reference)) in enumerate(zip(rows, checked, strict=True)):
        name = f"{kernel} n={n}, {lanes} lanes"
        progress(index, len(rows), name)
        result.append(_row(name, kernel, n, lanes, reference, row["source"]))
    return result


def _checked(row: dict[str, str]) -> tuple[str, int, int, float]:
    line = int(row["line"])
    kernel = row["kernel"]
    if kernel not in KERNELS:
        raise InputError(f"there is no kernel {kernel!r}", line=line, remedy=f"use one of {', '.join(KERNELS)}")
    n, lanes, reference = (number(row, column) for column in ("n", "lanes", "utilization"))
    largest = KERNELS[kernel][1]
    if n != int(n) or not 1 <= n <= largest:
        raise InputError(f"n is {row['n']}", line=line, remedy=f"use a whole number up to {largest}")
    if lanes not in (2, 4, 8, 16):
        raise InputError(f"lanes is {row['lanes']}", line=line, remedy="use 2, 4, 8 or 16: there are designs for these")
    if not 0 < reference <= 1:
        raise InputError(f"utilization is {row['utilization']}", line=line, remedy="use a fraction of 1")
    try:
        KERNELS[kernel][0](int(n))
    except InputError as error:
        raise InputError(error.message, line=line, remedy=error.remedy) from None
    return kernel, int(n), int(lanes), reference


def _row(name: str, kernel: str, n: int, lanes: int, reference: float, source: str) -> Row:
    design = load_design(f"ara-{lanes}")
    isa = load_isa(*design.isa, parameters=design.parameters)
    make, _, element_bytes = KERNELS[kernel]
    built = make(n)
    result = run(isa.assemble(built.source), design, isa=isa, memory=built.operands)
    peak = float(FLOP_PER_LANE * lanes)
    if element_bytes:
        # what the memory port lets through
        peak = min(peak, built.operations / (n * element_bytes) * design.core.vector.memory_width)
    utilization = built.operations / result.cycles / peak
    detail = {
        "cycles": result.cycles,
        "reference_cycles": built.operations / peak / reference,
        "instructions": result.instructions,
        "stalls": result.stalls,
    }
    return Row(name, f"{kernel}, {source}", "utilization", utilization, reference, NOTES.get(source, ""), detail)


SUITE = Suite(
    "vector",
    "float64 kernels on designs ara-N against published utilisation of Ara",
    "ara_kernels",
    ("kernel", "n", "lanes", "utilization", "source"),
    simulate,
)
