"""archsim sweep: many points of a grid, stored as they finish."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def register(app: typer.Typer) -> None:
    app.command()(sweep)


def sweep(
    spec: Annotated[Path, typer.Argument(help="Sweep specification (YAML).")],
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 2,
    out: Annotated[Path | None, typer.Option(help="Folder of the result store (default: ./archsim-results).")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write the table here, too.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
) -> None:
    """Run a sweep; started again it goes on where it was. Example: archsim sweep configs/sweeps/edge-sram.yaml"""
    from archsim.cli.output import print_json
    from archsim.common.resources import find
    from archsim.explore.pareto import pareto
    from archsim.explore.sweep import sweep as run_sweep
    from archsim.explore.table import headline

    path = find("sweep", str(spec), "configs/sweeps")
    frame = run_sweep(path, workers=workers, out=out or Path("archsim-results"), progress=True)
    if csv is not None:
        frame.to_csv(csv, index=False)
    if json:
        import json as json_module

        print_json(json_module.loads(frame.to_json(orient="records")))
        return
    varying, objectives = frame.attrs["varying"], frame.attrs["objectives"]
    _print(headline(frame, varying), "all points")
    if not objectives:
        return
    best = pareto(frame[frame["error"].isna()], objectives)
    _print(headline(best, varying), f"Pareto front: {', '.join(f'{name} {way}' for name, way in objectives.items())}")


def _print(frame: Any, title: str) -> None:
    from archsim.cli.output import print_table

    shown = frame.dropna(axis="columns", how="all")
    # the last two words of a design's field say enough
    columns = [".".join(str(name).split(".")[-2:]) for name in shown.columns]
    print_table(columns, [[_cell(value) for value in row] for row in shown.itertuples(index=False)], title)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.5g}"
    return "" if value is None else str(value)
