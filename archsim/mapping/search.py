"""The mapping of an op by search: all tilings that fit, in the order of their estimates; the simulator decides.

Whose lower bound is no better than the best run so far is not run, nor what comes after `most` runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archsim.common.errors import InputError
from archsim.common.units import show
from archsim.kernels.alone import write_alone
from archsim.kernels.base import Kernel

if TYPE_CHECKING:
    from archsim.design.spec import Design

MOST_RUNS = 12
OBJECTIVES = {"cycles": "cycles", "energy": "energy_j"}
"""What may be least, and the field of a trial that has it."""


@dataclass(frozen=True)
class Trial:
    """A tiling that was run, its cycles, and the joules of the whole chip meanwhile."""

    tiling: Any
    cycles: int
    energy_j: float


@dataclass(frozen=True)
class Mapping:
    """What a search has chosen.

    Attributes:
        cycles, energy_j: of the op alone, with nothing fetched before it.
        candidates: tilings that fit the scratchpad.
        trials: those that were run, in that order, on kernel.part().
    """

    kernel: Kernel
    tiling: Any
    cycles: int
    energy_j: float
    candidates: int
    trials: tuple[Trial, ...]

    @property
    def bound(self) -> float:
        """Cycles that no run of the tiling takes fewer of."""
        return self.kernel.bound(self.tiling)

    @property
    def buffers(self) -> dict[str, int]:
        """Bytes of scratchpad by buffer, on granules of their own."""
        target = self.kernel.target
        weights = self.kernel.extra_bytes(self.tiling)
        own = {name: target.align(size) for name, size in self.kernel.buffers(self.tiling).items()}
        return {"constants": target.constants} | ({"weights (2 buffers)": weights} if weights else {}) | own


def scratchpad_bytes(kernel: Kernel, tiling: Any) -> int:
    """Bytes of scratchpad of a tiling where the op runs alone."""
    return kernel.target.constants + kernel.extra_bytes(tiling) + kernel.pad_bytes(tiling)


def fitting_tilings(kernel: Kernel) -> list[Any]:
    """All tilings that fit, those with the least estimate first.

    Raises:
        InputError: none does; the message says how much would.
    """
    every = kernel.every_tiling()
    fitting = [tiling for tiling in every if scratchpad_bytes(kernel, tiling) <= kernel.target.scratchpad]
    if not fitting:
        least = min(scratchpad_bytes(kernel, tiling) for tiling in every)
        raise InputError(
            f"op {kernel.name!r}: none of {len(every)} tilings fits a scratchpad of "
            f"{show(kernel.target.scratchpad, 'B')}; the smallest takes {show(least, 'B')}",
            remedy=f"set core.scratchpad.size to {-(-least // 1024)} KiB or more",
        )
    return sorted(fitting, key=kernel.estimate)


def run_tiling(kernel: Kernel, tiling: Any, design: Design) -> Trial:
    """The op alone, simulated.

    Raises:
        SimulationError: the program trapped.
    """
    from archsim.machine.run import isa_of, run

    program = isa_of(design).assemble(write_alone(kernel, tiling).source, f"{kernel.name}.s")
    done = run(program, design, fidelity="addresses")
    return Trial(tiling, done.cycles, done.energy.total)


def search(
    kernel: Kernel,
    design: Design,
    most: int = MOST_RUNS,
    progress: Callable[[int, int], None] | None = None,
    objective: str = "cycles",
) -> Mapping:
    """The best tiling.

    Args:
        most: tilings to run at most.
        progress: called with the number of each run and of all that may follow.
        objective: cycles, or energy: what is least.

    Raises:
        InputError: nothing fits the scratchpad, or there is no such objective.
        SimulationError: a program trapped.
    """
    if objective not in OBJECTIVES:
        raise InputError(f"unknown objective {objective!r}", remedy=f"use {' or '.join(OBJECTIVES)}")
    part, tilings = kernel.part(), fitting_tilings(kernel)
    trials: list[Trial] = []
    for number, tiling in enumerate(tilings[:most], start=1):
        if progress:
            progress(number, min(most, len(tilings)))
        if objective != "cycles" or not trials or part.bound(tiling) < min(trial.cycles for trial in trials):
            trials.append(run_tiling(part, tiling, design))
    best = min(trials, key=lambda trial: getattr(trial, OBJECTIVES[objective]))
    whole = best if part is kernel else run_tiling(kernel, best.tiling, design)
    return Mapping(kernel, best.tiling, whole.cycles, whole.energy_j, len(tilings), tuple(trials))
