"""archsim sweep: many points of a grid, stored as they finish."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
    from archsim.cli.output import print_json, print_table
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
    short = headline(frame, frame.attrs["varying"])
    print_table([str(c) for c in short.columns], [[_cell(v) for v in row] for row in short.itertuples(index=False)])
    best = pareto(frame[frame["error"].isna()], frame.attrs["objectives"])
    print(f"Pareto front ({', '.join(f'{k} {v}' for k, v in frame.attrs['objectives'].items())}): {len(best)} points")
    print_table(
        [str(c) for c in short.columns if c in best],
        [[_cell(v) for v in row] for row in headline(best, frame.attrs["varying"]).itertuples(index=False)],
    )


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.5g}"
    return "" if value is None else str(value)
