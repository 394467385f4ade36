"""int8 products on systolic arrays against other simulators and against Gemmini's RTL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archsim.common.errors import InputError, unknown
from archsim.kernels.dataflow import DATAFLOWS
from archsim.kernels.gemm import Shape
from archsim.kernels.gemm_stream import StreamGemm
from archsim.validation.suite import Progress, Row, Suite, number, size_of
from archsim.validation.systolic import DESIGN as IDEAL
from archsim.validation.systolic import Layer, run_layer

if TYPE_CHECKING:
    from archsim.machine.result import RunResult

FOLDS = ("serial", "overlapped")
IDEAL_SIDE = 128
"""Rows and columns of the array where bandwidth has no limit: that which the other simulators were run with."""
BLOCKS = (1, 2, 4)
"""In how many blocks of rows the program is tried; the fastest counts, as the others' mappers choose theirs."""
NOTES = {
    ("ZigZag", IDEAL, 1): "16 cycles for each of 1,024 folds: its weights are not shifted in row by row",
    ("Gemmini RTL", "gemmini", None): "the reference counts what its host issues, too",
}
"""By peer, design and M (None: any)."""


def simulate(rows: list[dict[str, str]], progress: Progress) -> list[Row]:
    """Run every product as a program."""
    cases = [(row, _case(row), number(row, "cycles")) for row in rows]
    results = []
    for done, (row, (shape, dataflow, folds), reference) in enumerate(cases):
        name = f"{row['peer']} {dataflow} {shape.m} x {shape.k} x {shape.n}"
        progress(done, len(cases), name)
        try:
            cycles, detail = run_product(shape, dataflow, folds, row["design"])
        except InputError as error:
            if error.file is not None:
                raise
            raise InputError(error.message, remedy=error.remedy, line=int(row["line"])) from None
        about = row["peer"], row["design"]
        note = NOTES.get((*about, shape.m)) or NOTES.get((*about, None), "")
        results.append(Row(name, f"{row['peer']}, {row['design']}", "cycles", cycles, reference, note, detail))
    return results


def _case(row: dict[str, str]) -> tuple[Shape, str, str]:
    line = int(row["line"])
    for column, known in (("dataflow", DATAFLOWS), ("folds", FOLDS)):
        if row[column] not in known:
            raise unknown(column, row[column], known, line=line)
    return Shape(size_of(row, "M"), size_of(row, "N"), size_of(row, "K")), row["dataflow"], row["folds"]


def run_product(shape: Shape, dataflow: str, folds: str, name: str) -> tuple[int, dict[str, Any]]:
    """Cycles of a product on a design, and what is worth knowing of the run.

    On the ideal design they are the array's own; elsewhere those of the whole program, transfers included.
    """
    if name == IDEAL:
        layer = Layer(dataflow, IDEAL_SIDE, IDEAL_SIDE, shape)
        time = run_layer(layer, folds=folds, double_buffered=folds == "overlapped")
        return time.cycles, {"matrix_stalls": time.waits}
    runs = {blocks: _run_stream(shape, dataflow, folds, name, blocks) for blocks in BLOCKS if blocks <= shape.m}
    blocks = min(runs, key=lambda count: runs[count].cycles)
    run = runs[blocks]
    detail = {
        "least_row_blocks": blocks,
        "units": run.units,
        "unit_stalls": run.unit_stalls,
        "dram_bytes": run.dram_read_bytes + run.dram_write_bytes,
    }
    return run.cycles, detail


def _run_stream(shape: Shape, dataflow: str, folds: str, name: str, blocks: int) -> RunResult:
    from archsim.design import load_design
    from archsim.machine.run import isa_of, run

    design = load_design(name)
    if design.cores != 1 or "xqt" not in design.isa or not design.core.matrix.kind.startswith("systolic"):
        raise InputError(
            f"design {name} is not one core with xqt and a systolic array", remedy="name one that is: systolic-128"
        )
    fields = {"kind": f"systolic_{dataflow}", "folds": folds, "double_buffered": folds == "overlapped"}
    design = load_design(name, {f"core.matrix.{field}": value for field, value in fields.items()})
    isa = isa_of(design)
    tile = (isa.parameters["TM"], isa.parameters["TN"], isa.parameters["TROWB"])
    gemm = StreamGemm(shape, tile, design.core.scratchpad.size, blocks)
    return run(isa.assemble(gemm.text, "product.s"), design, isa=isa, fidelity="addresses")


SUITE = Suite(
    "matrix",
    "int8 products (M x K x N) against SCALE-Sim, ZigZag, ONNXim on a 128 x 128 array, and against Gemmini's RTL",
    "gemm_cycles",
    ("peer", "M", "K", "N", "dataflow", "folds", "design", "cycles"),
    simulate,
)
