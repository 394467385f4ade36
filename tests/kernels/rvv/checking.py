"""Run a kernel of RVV on a design and compare every array it writes with what it must be, bit for bit."""

from __future__ import annotations

import numpy as np

from archsim.kernels.alone import run_alone
from archsim.kernels.base import Kernel
from archsim.kernels.rvv.target import RvvTarget, rvv_target_of
from tests.kernels.checking import design_of

DESIGN = "edge-rvv"


def target() -> RvvTarget:
    return rvv_target_of(design_of(DESIGN))


def check(kernel: Kernel, inputs: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    """Outputs of a functional run equal `expected` bit for bit."""
    outputs, _ = run_alone(kernel, design_of(DESIGN), inputs, fidelity="functional")
    for name, values in expected.items():
        np.testing.assert_array_equal(outputs[name].reshape(values.shape), values, err_msg=name, strict=True)


def floats(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)
