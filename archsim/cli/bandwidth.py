"""archsim bandwidth: what cores get of main memory when all of them stream."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

INTERLEAVES = ("64 B", "256 B", "1 KiB", "4 KiB", "16 KiB", "64 KiB")


def register(app: typer.Typer) -> None:
    app.command()(bandwidth)


def bandwidth(
    design: Annotated[str, typer.Option(help="Design name or YAML file.")] = "octa-npu",
    interleave: Annotated[list[str] | None, typer.Option(help="Bytes in one channel, as '256 B'; again for more.")] = (
        None
    ),
    pattern: Annotated[
        list[str] | None,
        typer.Option(help="apart, staggered (a row further each), together, or same (all one stream)."),
    ] = None,
    size: Annotated[str, typer.Option(help="Bytes that each core streams.")] = "4 MiB",
    write: Annotated[bool, typer.Option("--write", help="Write instead of read.")] = False,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Change a design field: FIELD=VALUE.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write figures to this page.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """All cores stream at once: total, fairness, effect of interleave. Example: archsim bandwidth --design octa-npu"""
    import sys

    from archsim.cli.output import parse_settings, print_json, print_table
    from archsim.common.units import show, whole
    from archsim.explore.bandwidth import sweep_interleave

    rows: list[dict[str, Any]] = []
    for each in pattern or ["apart"]:
        rows += sweep_interleave(
            design, interleave or list(INTERLEAVES), pattern=each, size=whole(size, "B"), write=write,
            overrides=parse_settings(set_ or []),
        )  # fmt: skip
    if html is not None:
        _page(html, design, rows)
        print(f"page: {html}", file=sys.stderr)
    if json:
        print_json(rows)
        return
    print_table(
        ["pattern", "interleave", "all cores", "of peak", "fairness", "slowest core", "row hits", "read latency"],
        [
            (
                row["pattern"],
                show(row["interleave_bytes"], "B"),
                show(row["total_bytes_per_s"], "B/s"),
                f"{100 * row['share']:.1f} %",
                f"{row['fairness']:.3f}",
                f"{100 * row['slowest_share']:.0f} % of mean",
                f"{100 * row['row_hit_rate']:.1f} %",
                show(row["read_latency_s"], "s"),
            )
            for row in rows
        ],
        f"{design}: every core {'writes' if write else 'reads'} {size}",
    )


def _page(file: Path, design: str, rows: list[dict[str, Any]]) -> None:
    from archsim.report.bandwidth_figures import by_core, by_interleave
    from archsim.report.page import page_of

    text = page_of(
        f"Main memory of {design}", "All cores stream at once.", "", [by_interleave(rows), by_core(rows)], ""
    )
    file.write_text(text, encoding="utf-8")
