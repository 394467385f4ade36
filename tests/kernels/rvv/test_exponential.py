"""Exponentials of vectors: every float32 is that of numpy's float64, rounded."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from archsim.kernels.assembly import Assembly
from archsim.kernels.rvv.emit import strips
from archsim.kernels.rvv.exponential import exponentials, powers_of_two, prepare, prepare_powers_of_two
from archsim.machine.run import isa_of, run
from tests.kernels.checking import design_of
from tests.kernels.rvv.checking import DESIGN

BASE = 1 << 20
SPECIAL = (0.0, -0.0, 1.0, -1.0, 88.72283, 88.72284, 127.99999, 128.0, -103.97, -103.98, -126.0, -149.0, -150.0,
           -151.0, 1e-45, -1e-45, 1e38, -1e38, np.inf, -np.inf)  # fmt: skip


@pytest.mark.parametrize(
    "start, apply, wanted",
    [(prepare, exponentials, np.exp), (prepare_powers_of_two, powers_of_two, np.exp2)],
    ids=["e", "2"],
)
def test_they_are_rounded_correctly(
    start: Callable[[Assembly], None], apply: Callable[[Assembly, str], None], wanted: np.ufunc
) -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate(
        [SPECIAL, rng.uniform(-155, 130, 100_000), rng.normal(size=50_000), rng.normal(size=50_000) / 1000]
    ).astype(np.float32)
    asm = Assembly()
    start(asm)
    with asm.registers("pointer") as (pointer,):
        asm.li(pointer, BASE)
        with strips(asm, len(values), 32, "m2", {pointer: 4}):
            asm("vle32.v", "v8", f"({pointer})")
            apply(asm, "v8")
            asm("vse32.v", "v8", f"({pointer})")
    design = design_of(DESIGN)
    program = isa_of(design).assemble(asm.text(), "exponentials.s")
    done = run(program, design, fidelity="functional", memory={BASE: values})
    found = np.frombuffer(done.read(BASE, values.nbytes), np.float32)
    with np.errstate(over="ignore", under="ignore"):
        expected = wanted(values.astype(np.float64)).astype(np.float32)
    np.testing.assert_array_equal(found, expected)
