"""One kernel as a program of its own: for tests, notebooks and measurements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from archsim.common.errors import InputError
from archsim.kernels.assembly import Assembly
from archsim.kernels.base import Array, Kernel, Placement
from archsim.kernels.fitting import fit_together
from archsim.kernels.matmul import MatMul

if TYPE_CHECKING:
    from archsim.machine.result import RunResult

FIRST_TENSOR = 1 << 20
_ALIGNMENT = 4096


def place_arrays(arrays: Mapping[str, Array], base: int = FIRST_TENSOR) -> dict[str, int]:
    """Addresses for arrays, one after the other on pages of their own."""
    addresses = {}
    for name, array in arrays.items():
        addresses[name] = base
        base += -(-max(1, array.nbytes) // _ALIGNMENT) * _ALIGNMENT
    return addresses


@dataclass(frozen=True)
class Alone:
    """A kernel placed alone: its source text, tiling and addresses."""

    kernel: Kernel
    tiling: Any
    arrays: dict[str, Array]
    place: Placement
    source: str


def write_alone(kernel: Kernel, tiling: Any = None) -> Alone:
    """The program of one kernel.

    Args:
        tiling: one of kernel.tilings(); by default the fastest that fits.

    Raises:
        InputError: none fits the scratchpad.
    """
    if tiling is None:
        _, (tiling,) = fit_together([kernel], kernel.target.scratchpad // 4)
    weights, arrays = 0, kernel.arrays()
    if isinstance(kernel, MatMul):
        weights, arrays = kernel.target.align(kernel.layout(tiling.steps).chunk_bytes), kernel.arrays_of(tiling)
    first = kernel.target.constants
    pads = kernel.assign(tiling, first + 2 * weights)
    place = Placement(place_arrays(arrays), pads, (first, first + weights))
    asm = Assembly()
    if isinstance(kernel, MatMul):
        kernel.prologue(asm, tiling, place)
    kernel.emit(asm, tiling, place)
    return Alone(kernel, tiling, arrays, place, asm.text())


def run_alone(
    kernel: Kernel,
    design: Any,
    inputs: Mapping[str, np.ndarray],
    *,
    tiling: Any = None,
    fidelity: str = "timed",
) -> tuple[dict[str, np.ndarray], RunResult]:
    """Run one kernel on a design.

    Args:
        inputs: contents of the arrays it reads; what is missing is zero.

    Returns:
        The arrays it writes (none for fidelity "addresses"), and the run's result.

    Raises:
        InputError: an input has another size than the kernel's array.
        SimulationError: the program trapped.
    """
    from archsim.machine.run import isa_of, run

    alone = write_alone(kernel, tiling)
    memory = {}
    for name, values in inputs.items():
        try:
            memory[alone.place.dram[name]] = alone.arrays[name].store(values)
        except ValueError as error:
            raise InputError(f"input {name!r}: {error}", remedy=f"give shape {alone.arrays[name].shape}") from None
    program = isa_of(design).assemble(alone.source, f"{kernel.name}.s")
    if fidelity == "addresses":
        # only what addresses are computed from
        kept = {alone.place.dram[name] for name, array in alone.arrays.items() if array.dtype == "i4"}
        memory = {address: values for address, values in memory.items() if address in kept}
    result = run(program, design, fidelity=fidelity, memory=memory)
    outputs = {}
    for name, array in alone.arrays.items():
        if array.written and fidelity != "addresses":
            outputs[name] = array.load(result.read(alone.place.dram[name], array.nbytes))
    return outputs, result
