"""Run a kernel on a design and compare every array it writes with what it must be, bit for bit."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from archsim.design import load_design
from archsim.kernels.alone import run_alone
from archsim.kernels.base import Kernel
from archsim.kernels.target import Target, target_of

DESIGNS = ("edge-npu", "edge-npu-int8", "server-npu")


@cache
def design_of(name: str) -> Any:
    """A shipped design, loaded once."""
    return load_design(name)


def target(name: str) -> Target:
    return target_of(design_of(name))


def check(
    kernel: Kernel, design: Any, inputs: dict[str, np.ndarray], expected: dict[str, np.ndarray], tiling: Any = None
) -> None:
    """Outputs of a timed run equal `expected` bit for bit, and a run that holds no values takes the same cycles."""
    outputs, timed = run_alone(kernel, design, inputs, tiling=tiling)
    for name, values in expected.items():
        np.testing.assert_array_equal(outputs[name].reshape(values.shape), values, err_msg=name, strict=True)
    _, addresses = run_alone(kernel, design, inputs, tiling=tiling, fidelity="addresses")
    assert addresses.cycles == timed.cycles
    assert timed.busy_cycles + sum(timed.stalls.values()) == timed.hart_cycles
    for unit, busy in timed.units.items():
        assert busy + sum(timed.unit_stalls[unit].values()) == timed.hart_cycles, unit
