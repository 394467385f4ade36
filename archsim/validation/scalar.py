"""Harts against published figures: benchmark programs of workloads/programs, each run on the core's design."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from archsim.common.errors import InputError, SimulationError, unknown
from archsim.common.resources import data_root
from archsim.validation.suite import Progress, Row, Suite, number

DHRYSTONES_PER_DMIPS = 1757
"""Dhrystones per second of the VAX-11/780, which counts as one million instructions per second."""


@dataclass(frozen=True)
class Measured:
    """One program on one core.

    Attributes:
        passes: per timed pass, what the program printed: cycles, instructions and iterations of that pass alone.
        clock: hertz.
        detail: figures of the whole run.
    """

    passes: tuple[Mapping[str, int], ...]
    clock: float
    detail: Mapping[str, Any]

    def per_iteration(self, count: str = "cycles", which: int = 0) -> float:
        """Cycles or instructions of an iteration of a pass."""
        return self.passes[which][count] / self.passes[which]["iterations"]


@dataclass(frozen=True)
class Quantity:
    """A figure that a program gives.

    Attributes:
        of: the figure, of a measurement.
        arguments: that the program is given; bare machines give none.
        passes: timed passes that it needs.
    """

    of: Callable[[Measured], float]
    arguments: tuple[str, ...] = ()
    passes: int = 1


_ANY = {
    "instructions per iteration": Quantity(lambda m: m.per_iteration("instructions")),
    "cycles per iteration": Quantity(lambda m: m.per_iteration()),
    "instructions per cycle": Quantity(lambda m: m.passes[0]["instructions"] / m.passes[0]["cycles"]),
}
_L2, _MEMORY = (str(256 << 10),), (str(16 << 20),)
BENCHMARKS: dict[str, dict[str, Quantity]] = {
    "coremark_like": {"CoreMark/MHz": Quantity(lambda m: 1e6 / m.per_iteration()), **_ANY},
    "dhrystone_like": {
        "DMIPS/MHz": Quantity(lambda m: 1e6 / DHRYSTONES_PER_DMIPS / m.per_iteration()),
        **_ANY,
    },
    "pointer_chase": {
        "L1 latency cycles": Quantity(lambda m: m.per_iteration()),
        "L2 latency cycles": Quantity(lambda m: m.per_iteration(), _L2),
        "memory latency cycles": Quantity(lambda m: m.per_iteration(), _MEMORY),
        "memory latency ns": Quantity(lambda m: m.per_iteration() / m.clock * 1e9, _MEMORY),
    },
    "mispredict": {  # random directions, half of them wrong, and regular ones
        "misprediction penalty cycles": Quantity(lambda m: 2 * (m.per_iteration() - m.per_iteration(which=1)), passes=2)
    },
    "branchy_sort": {"cycles per integer": Quantity(lambda m: m.per_iteration()), **_ANY},
    "matmul": {
        "int32 multiply-add cycles": Quantity(lambda m: m.per_iteration()),
        "double multiply-add cycles": Quantity(lambda m: m.per_iteration(which=1), passes=2),
        **_ANY,
    },
}
"""Program of workloads/programs -> quantity -> how it is measured. The pointer chase walks 16 or 256 KiB, or 16 MiB."""


def _simulate(rows: list[dict[str, str]], progress: Progress) -> list[Row]:
    wanted = []
    for row in rows:  # all of them first: a misspelt one is not found after minutes
        try:
            wanted.append((row, _quantity_of(row), number(row, "value")))
        except InputError as error:
            raise InputError(error.message, remedy=error.remedy, line=int(row["line"])) from None
    result = []
    measure = cache(_measure)
    for index, (row, quantity, value) in enumerate(wanted):
        core, benchmark = row["core"], row["benchmark"]
        progress(index, len(wanted), f"{core} {benchmark}")
        try:
            measured = measure(core, benchmark, quantity.arguments)
            if len(measured.passes) < quantity.passes:
                raise InputError(
                    f"{benchmark} gives {core} no {row['quantity']!r}",
                    remedy="remove the row, or add F and D to the core",
                )
        except InputError as error:
            raise InputError(error.message, remedy=error.remedy, line=int(row["line"])) from None
        except SimulationError as error:
            raise SimulationError(f"{benchmark} on {core}: {error}") from None
        detail = {**measured.detail, "source": row.get("source", "")}
        result.append(Row(core, benchmark, row["quantity"], quantity.of(measured), value, row.get("note", ""), detail))
    return result


def _quantity_of(row: Mapping[str, str]) -> Quantity:
    """How a reference row is measured.

    Raises:
        InputError: its core, benchmark or quantity is unknown.
    """
    from archsim.design import load_design

    load_design(row["core"])
    benchmark, quantity = row["benchmark"], row["quantity"]
    if benchmark not in BENCHMARKS:
        raise unknown("benchmark", benchmark, BENCHMARKS)
    if quantity not in BENCHMARKS[benchmark]:
        raise unknown(f"quantity of {benchmark}", quantity, BENCHMARKS[benchmark])
    return BENCHMARKS[benchmark][quantity]


def _measure(core: str, benchmark: str, arguments: Sequence[str]) -> Measured:
    """Run a program on a core.

    Raises:
        InputError: the core's instruction set lacks what the program is built for.
    """
    from archsim.design import load_design
    from archsim.machine.elf import load_elf
    from archsim.machine.environment import Options
    from archsim.machine.run import isa_of, run

    folder = data_root() / "workloads" / "programs"
    recipe = json.loads((folder / "builds.json").read_text(encoding="utf-8"))
    design = load_design(core)
    isa = isa_of(design)
    target = {32: "rv32im", 64: "rv64gc"}[isa.xlen]
    missing = [name for name in (*recipe["targets"][target]["extensions"], "Zicntr") if name not in isa.extensions]
    if missing:
        raise InputError(
            f"{core} lacks {', '.join(missing)}, for which {benchmark} is built", remedy="name a core that has it"
        )
    if arguments and target == "rv32im":
        raise InputError(
            f"{benchmark} takes no arguments on a bare machine as {core}", remedy="name a quantity that needs none"
        )
    program = load_elf(folder / target / f"{benchmark}.elf")
    done = run(program, design, options=Options(arguments=tuple(arguments)))
    passes = tuple(
        {name: int(count) for name, count in (pair.split("=") for pair in line.split())}
        for line in done.stdout.decode().splitlines()
    )
    timed = {name: sum(one[name] for one in passes) for name in ("cycles", "instructions")}
    detail = {
        "target": target,
        "compiler": recipe["compiler"],
        "flags": " ".join((*recipe["targets"][target]["flags"], *recipe["programs"][benchmark]["flags"])),
        "arguments": list(arguments),
        "passes": [dict(one) for one in passes],
        "instructions_per_cycle": timed["instructions"] / timed["cycles"],
        "instructions_per_iteration": passes[0]["instructions"] / passes[0]["iterations"],
        "whole_run": {
            "cycles": done.cycles,
            "instructions": done.instructions,
            "events": done.events,
            "stalls": done.stalls,
            "lost_slots": done.slots,
        },
    }
    return Measured(passes, design.clock, detail)


SUITE = Suite(
    "scalar",
    "cycles of harts on own CoreMark-like, Dhrystone-like and latency programs against published figures of the cores",
    "scalar_cores",
    ("core", "benchmark", "quantity", "value"),
    _simulate,
)
