"""Systolic arrays against SCALE-Sim: programs of tile multiplies whose cycles are the compute cycles it reports."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from archsim.common.errors import InputError, unknown
from archsim.kernels.dataflow import DATAFLOWS, DataflowGemm
from archsim.kernels.gemm import Shape
from archsim.validation.suite import Progress, Row, Suite, number, size_of

if TYPE_CHECKING:
    from archsim.isa.spec import Isa
    from archsim.machine.result import RunResult

DESIGN = "systolic-ideal"
PAD_STEP = 64 << 20
"""Bytes that the scratchpad's size is a multiple of: banks x width of the design."""
INSIDE = ("idle", "scratchpad", "bank_conflict")
"""Causes, besides operands, for which the array waits for something else than itself."""


@dataclass(frozen=True)
class Layer:
    """A row of the reference: a product on an array of `rows` x `columns`."""

    dataflow: str
    rows: int
    columns: int
    shape: Shape

    @property
    def name(self) -> str:
        return f"{self.dataflow} {self.rows}x{self.columns}: {self.shape.m} x {self.shape.k} x {self.shape.n}"


@dataclass(frozen=True)
class Time:
    """A layer's time on the array.

    Attributes:
        cycles: number of the cycle with the last result, the first multiply's first being 0, as SCALE-Sim counts.
        waits: cause -> cycles in which the array waited for something else than itself, the start left out.
    """

    cycles: int
    waits: dict[str, int]


def simulate(rows: list[dict[str, str]], progress: Progress) -> list[Row]:
    """Run every layer with serial folds, as the reference has them, and with what hides their fill and drain."""
    layers = [layer_of(row) for row in rows]
    references = [number(row, "compute_cycles") for row in rows]
    results = []
    for done, (row, layer, reference) in enumerate(zip(rows, layers, references, strict=True)):
        progress(done, len(rows), layer.name)
        try:
            results.append(_row(layer, reference))
        except InputError as error:
            raise InputError(error.message, remedy=error.remedy, line=int(row["line"])) from None
    return results


def layer_of(row: dict[str, str]) -> Layer:
    """What a row of the reference asks for.

    Raises:
        InputError: a field is wrong; names the line.
    """
    line = int(row["line"])
    if row["dataflow"] not in DATAFLOWS:
        raise unknown("dataflow", row["dataflow"], DATAFLOWS, line=line)
    match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", row["array"])
    if match is None:
        raise InputError(f"array is {row['array']!r}, not ROWSxCOLUMNS", line=line, remedy="write it as in 16x16")
    shape = Shape(size_of(row, "M"), size_of(row, "N"), size_of(row, "K"))
    return Layer(row["dataflow"], int(match[1]), int(match[2]), shape)


def run_layer(layer: Layer, *, folds: str = "serial", double_buffered: bool = False) -> Time:
    """Run a layer's program on the ideal design with its array."""
    from archsim.design import load_design
    from archsim.machine.run import run

    isa, tile = _instruction_set()
    gemm = DataflowGemm(layer.shape, layer.dataflow, layer.rows, layer.columns, tile)
    design = load_design(
        DESIGN,
        {
            "core.matrix.kind": f"systolic_{layer.dataflow}",
            "core.matrix.rows": layer.rows,
            "core.matrix.columns": layer.columns,
            "core.matrix.folds": folds,
            "core.matrix.double_buffered": double_buffered,
            "core.scratchpad.size": f"{max(16, -(-gemm.nbytes // PAD_STEP)) * PAD_STEP} B",
        },
    )
    program = isa.assemble(gemm.text, "layer.s")
    return time_of(run(program, design, isa=isa, fidelity="addresses"))


def time_of(run: RunResult) -> Time:
    """When the array worked in a run, and what it waited for meanwhile."""
    begin, end = run.unit_spans["matrix"]
    causes = run.unit_stalls["matrix"]
    waits = {cause: cycles for cause, cycles in causes.items() if cause in INSIDE or cause.startswith("operand_")}
    # up to its first multiply the array waits for the first tiles
    before = begin
    for cause in sorted(waits, key=lambda name: name != "idle"):
        taken = min(before, waits[cause])
        waits[cause] -= taken
        before -= taken
    return Time(end - begin - 1, {cause: cycles for cause, cycles in waits.items() if cycles})


@cache
def _instruction_set() -> tuple[Isa, tuple[int, int, int]]:
    from archsim.design import load_design
    from archsim.machine.run import isa_of

    isa = isa_of(load_design(DESIGN))
    return isa, (isa.parameters["TM"], isa.parameters["TN"], isa.parameters["TROWB"])


def _row(layer: Layer, reference: float) -> Row:
    serial = run_layer(layer)
    buffered = run_layer(layer, double_buffered=True)
    overlapped = run_layer(layer, folds="overlapped", double_buffered=True)
    preload, fill = serial.cycles - buffered.cycles, buffered.cycles - overlapped.cycles
    detail: dict[str, Any] = {
        "matrix_stalls": serial.waits,
        "double_buffered_cycles": buffered.cycles,
        "overlapped_cycles": overlapped.cycles,
        "hidden_preload_cycles": preload,
        "hidden_fill_and_drain_cycles": fill,
        "overlapped_matrix_stalls": overlapped.waits,
    }
    # serial folds shift in whole arrays, others only the rows in use
    ragged = layer.dataflow != "os" and layer.shape.k % layer.rows
    names = "preload", "fill, drain, unused rows" if ragged else "fill and drain"
    hidden = [f"{what} {cycles:,}" for what, cycles in zip(names, (preload, fill), strict=True) if cycles]
    note = f"overlapped {overlapped.cycles:,}" + (f": hides {'; '.join(hidden)}" if hidden else ": one fold")
    if serial.waits:
        note = f"the array waited {sum(serial.waits.values())} cycles; {note}"
    kind = f"{layer.dataflow} {layer.rows}x{layer.columns}"
    return Row(layer.name, kind, "cycles", serial.cycles, reference, note, detail)


SUITE = Suite(
    "systolic",
    "compute cycles of systolic arrays (M x K x N, int8, bandwidth without limit) against SCALE-Sim",
    "systolic_cycles",
    ("dataflow", "array", "M", "K", "N", "compute_cycles"),
    simulate,
)
