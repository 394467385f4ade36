"""One self-contained HTML page about one run: where its cycles went, over time and by instruction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from archsim.common.units import show
from archsim.report import run_figures
from archsim.report.annotate import Annotation, Cost
from archsim.report.critical_path import CriticalPath
from archsim.report.page import page_of, table_of
from archsim.report.topdown import Node
from archsim.traces.listing import Listing
from archsim.traces.utilisation import Utilisation

_ROWS = 25
"""Instructions and functions that tables list."""


def write_run_page(
    file: Path,
    design: Any,
    result: Any,
    tree: Node,
    annotation: Annotation,
    path: CriticalPath | None,
    utilisation: Utilisation,
    listing: Listing,
) -> None:
    """Write the page.

    Args:
        file: where to.
        design, result: a Design and the RunResult on it.
        tree, annotation, path, utilisation: the views of that run; path None where the run is too long for it.
        listing: its program.
    """
    drawn = [
        run_figures.slots(tree),
        *([run_figures.critical(path)] if path is not None else []),
        run_figures.units(utilisation, result.cycles, design.clock),
        run_figures.bandwidth(result, design),
        *([run_figures.roofline(result.roofline)] if result.macs and result.roofline["macs_per_dram_byte"] else []),
        run_figures.waits(result.harts),
        run_figures.unit_waits(result),
        run_figures.energy(result.energy.components),
    ]
    if set(result.traffic) - {"other"}:
        drawn.append(run_figures.traffic(result.traffic, "DRAM bytes by tensor"))
    if result.regions:
        drawn.append(run_figures.traffic(result.region_traffic, "DRAM bytes by region"))
        drawn.append(run_figures.regions(result.regions, design.clock))
    name = Path(listing.program.name).name
    what = f"{design.name}: {design.cores} core{'s' if design.cores > 1 else ''} at {show(design.clock, 'Hz')}"
    tail = (
        f"<h2>Functions</h2>{_functions(annotation)}<h2>Instructions with most cycles</h2>"
        f"{_instructions(annotation)}<h2>Instructions on the critical path</h2>{_path(path, listing)}"
    )
    file.write_text(page_of(f"{name} on {design.name}", what, _headline(result, design), drawn, tail), encoding="utf-8")


def _headline(result: Any, design: Any) -> str:
    moved = result.dram_read_bytes + result.dram_write_bytes
    peak = design.memory.peak_bytes_per_s * result.time_s
    rows = [
        ("cycles", f"{result.cycles:,}"),
        ("time", show(result.time_s, "s")),
        ("instructions", f"{result.instructions:,}"),
        ("instructions per cycle and hart", f"{result.instructions / max(1, result.hart_cycles):.3g}"),
        ("multiply-accumulates", f"{sum(result.macs.values()):,}"),
        ("energy", show(result.energy.total, "J")),
        ("DRAM read and written", show(moved, "B")),
        ("DRAM bandwidth used", f"{100 * moved / peak:.1f} %" if peak else ""),
        ("DRAM row hits", f"{100 * result.dram['row_hit_rate']:.1f} %"),
        ("DRAM reads in flight", f"{result.dram['outstanding_reads']:.1f} on average"),
    ]
    return table_of(["", "run"], rows)


def _cost(cost: Cost, total: int) -> tuple[str, ...]:
    stalls = sorted(cost.stalls.items(), key=lambda item: -item[1])[:3]
    return (
        f"{cost.executions:,}",
        f"{cost.cycles:,}",
        f"{100 * cost.cycles / max(1, total):.1f}",
        show(cost.energy_j, "J"),
        ", ".join(f"{name} {cycles:,}" for name, cycles in stalls),
    )


_COST = ["executions", "cycles", "%", "energy", "longest waits"]


def _functions(annotation: Annotation) -> str:
    total = annotation.total.cycles
    rows = [(name or "(no symbol)", *_cost(cost, total)) for name, cost in list(annotation.functions().items())[:_ROWS]]
    rows.append(("(no instruction)", *_cost(annotation.elsewhere, total)))
    return table_of(["function", *_COST], rows)


def _instructions(annotation: Annotation) -> str:
    longest = sorted(annotation.lines, key=lambda line: -line[1].cycles)[:_ROWS]
    total = annotation.total.cycles
    return table_of(
        ["instruction", *_COST, "where"],
        [
            (f"{line.address:x}: {line.text}", *_cost(cost, total), _place(line.source, line.function))
            for line, cost in longest
        ],
    )


def _place(source: tuple[str, int] | None, function: str) -> str:
    return f"{Path(source[0]).name}:{source[1]}" if source else function


def _path(path: CriticalPath | None, listing: Listing) -> str:
    if path is None:
        return "<p>Left out of a run this long: ask for it with --critical-path.</p>"
    rows = [
        (
            f"{listing[slot].address:x}: {listing[slot].text}" if slot >= 0 else "",
            resource,
            f"{cycles:,}",
            f"{100 * cycles / max(1, path.cycles):.1f}",
        )
        for (slot, resource), cycles in list(path.instructions.items())[:_ROWS]
    ]
    return table_of(["instruction", "resource", "cycles", "%"], rows)
