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
        figures.traffic(results),
        figures.roofline(results),
    ]
    path.write_text(page_of(title, what, _table(results), drawn), encoding="utf-8")


def page_of(title: str, what: str, head: str, drawn: Sequence[Any], tail: str = "") -> str:
    """A whole page.

    Args:
        title, what: text.
        head, tail: HTML above and below the figures.
        drawn: plotly figures.
    """
    parts = [
        figure.to_html(full_html=False, include_plotlyjs="inline" if index == 0 else False, config={"responsive": True})
        for index, figure in enumerate(drawn)
    ]
    cells = "".join(f"<div>{part}</div>" for part in parts)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{html.escape(title)}</h1>"
        f'<p class="what">{html.escape(what)}</p>{head}<div class="grid">{cells}</div>{tail}</body></html>'
    )


def table_of(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as HTML; the first column is text, the others are figures."""
    head = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _table(results: Sequence[dict[str, Any]]) -> str:
    columns = [dict(headline(result)) for result in results]
    names = dict.fromkeys(name for column in columns for name in column)
    rows = [(name, *(column.get(name, "") for column in columns)) for name in names]
    return table_of(["", *(str(r["design"]) for r in results)], rows)
