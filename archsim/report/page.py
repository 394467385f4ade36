"""One self-contained HTML page of a comparison: plotly is embedded, nothing is fetched."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from archsim.report import figures
from archsim.report.headline import headline

_STYLE = """
body { font-family: system-ui, sans-serif; margin: 2rem auto; max-width: 1320px; padding: 0 1rem; color: #223; }
h1 { font-size: 1.5rem; } p.what { color: #556; }
table { border-collapse: collapse; margin: 1rem 0 2rem; }
th, td { padding: .35rem .9rem; border-bottom: 1px solid #dde; }
th { text-align: left; } td { text-align: right; } td:first-child { text-align: left; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(560px, 1fr)); gap: 1rem; }
.grid > div { min-width: 0; }
"""


def write_page(path: Path, results: Sequence[dict[str, Any]]) -> None:
    """Write the comparison of results (dictionaries as --json prints them) to an HTML file."""
    first = results[0]
    title = f"{first['model']}: {', '.join(str(r['design']) for r in results)}"
    what = (
        f"{first['phase']}, batch {first['batch']}, context {first['context']}, weights {first['weights']}, "
        f"activations {first['activations']}, KV cache {first['kv']}"
    )
    drawn = [
        figures.throughput(results),
        figures.operations(results),
        figures.energy(results),
        figures.stalls(results),
        figures.occupancy(results),
        figures.roofline(results),
    ]
    parts = [
        figure.to_html(full_html=False, include_plotlyjs="inline" if index == 0 else False, config={"responsive": True})
        for index, figure in enumerate(drawn)
    ]
    cells = "".join(f"<div>{part}</div>" for part in parts)
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{html.escape(title)}</h1>"
        f'<p class="what">{html.escape(what)}</p>{_table(results)}<div class="grid">{cells}</div></body></html>'
    )
    path.write_text(page, encoding="utf-8")


def _table(results: Sequence[dict[str, Any]]) -> str:
    columns = [dict(headline(result)) for result in results]
    names = dict.fromkeys(name for column in columns for name in column)
    head = "".join(f"<th>{html.escape(str(r['design']))}</th>" for r in results)
    body = "".join(
        f"<tr><td>{name}</td>{''.join(f'<td>{html.escape(column.get(name, str()))}</td>' for column in columns)}</tr>"
        for name in names
    )
    return f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table>"
