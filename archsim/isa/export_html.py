"""Documentation of an extension as one HTML page that needs nothing else."""

from __future__ import annotations

import html
import re

from archsim.isa.diagram import bit_cells
from archsim.isa.documentation import Block, Code, Diagram, Facts, Heading, Items, Paragraph, Table, document
from archsim.isa.spec import Instruction, Isa

_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto 6rem; max-width: 1060px; padding: 0 1.25rem;
       color: #1d2433; }
h1 { font-size: 1.65rem; line-height: 1.25; }
h2 { font-size: 1.25rem; margin-top: 2.5rem; }
h3 { font-size: 1.05rem; margin-top: 2rem; }
h3[id] { font-family: ui-monospace, monospace; font-size: 1.15rem; margin-top: 3rem; padding-top: 1rem;
         border-top: 1px solid #d8dde8; }
code, pre { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .86em; }
code { background: #f1f4f9; border-radius: 3px; padding: .08em .3em; }
pre { background: #f6f8fb; border: 1px solid #e1e6ef; border-radius: 5px; padding: .7rem .9rem; overflow-x: auto;
      line-height: 1.45; }
a { color: #1b5fb4; text-decoration: none; } a code { background: none; padding: 0; }
a:hover { text-decoration: underline; }
table.facts { border-collapse: collapse; margin: .8rem 0 1.2rem; }
table.facts th, table.facts td { border-bottom: 1px solid #e1e6ef; padding: .28rem .8rem .28rem 0; text-align: left;
                                 vertical-align: top; }
table.facts th { color: #5a6579; font-weight: 600; font-size: .86em; }
table.facts td:nth-child(n+4) { white-space: nowrap; }
.wide { overflow-x: auto; }
table.bits { border-collapse: collapse; table-layout: fixed; width: 100%; margin: .8rem 0 1.2rem; }
table.bits.short { width: 55%; }
table.bits td { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 12.5px; padding: 0;
                text-align: center; overflow: hidden; white-space: nowrap; }
table.bits tr.number td { color: #6a7488; font-size: 10.5px; height: 1.3em; }
table.bits tr.number td span { float: left; margin-left: 2px; } table.bits tr.number td span + span { float: right;
                               margin: 0 2px 0 0; }
table.bits tr.field td { border: 1px solid #7d88a0; height: 2.2em; }
table.bits td.operand { background: #e3eefc; color: #123e78; font-weight: 600; }
table.bits td.fixed { letter-spacing: .06em; }
table.bits td.narrow { font-size: 10px; letter-spacing: 0; }
table.bits td.upright span { display: inline-block; writing-mode: vertical-rl; transform: rotate(180deg);
                              font-size: 10.5px; padding: .4em 0; vertical-align: middle; line-height: 1; }
"""
_NARROW, _UPRIGHT = 3.3, 4.6
"""Characters per bit above which a cell's text gets smaller, or stands upright."""


def html_page(isa: Isa, extension: str, facts: Facts | None = None, where: str = "") -> str:
    """The documentation of one extension; arguments and errors as those of documentation.document."""
    blocks = list(document(isa, extension, facts, where))
    title = next(block.text for block in blocks if isinstance(block, Heading))
    body = "\n".join(_text(block) for block in blocks)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>\n<body>\n{body}\n'
        "</body></html>\n"
    )


def _text(block: Block) -> str:
    match block:
        case Heading(level, text, anchor):
            mark = f' id="{html.escape(anchor)}"' if anchor else ""
            return f"<h{level}{mark}>{html.escape(text)}</h{level}>"
        case Paragraph(text):
            return f"<p>{_inline(text)}</p>"
        case Items(texts):
            return f"<ul>{''.join(f'<li>{_inline(text)}</li>' for text in texts)}</ul>"
        case Code(text, _):
            return f"<pre>{html.escape(text)}</pre>"
        case Diagram(instruction):
            return _diagram(instruction)
        case Table():
            return _table(block)


def _inline(text: str) -> str:
    """Escaped text with what stands in backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def _table(table: Table) -> str:
    head = "".join(f"<th>{_inline(cell)}</th>" for cell in table.head)
    rows = []
    for row in table.rows:
        cells = [_inline(cell) for cell in row]
        if table.link:
            name = html.escape(row[0].strip("`").split(" ")[0])
            cells[0] = f'<a href="#{name}">{cells[0]}</a>'
        rows.append(f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    return f'<div class="wide"><table class="facts"><tr>{head}</tr>{"".join(rows)}</table></div>'


def _diagram(instruction: Instruction) -> str:
    numbers, fields = [], []
    for high, low, text in bit_cells(instruction):
        width = high - low + 1
        ends = f"<span>{high}</span><span>{low}</span>" if width > 1 else str(high)
        numbers.append(f'<td colspan="{width}">{ends}</td>')
        kind = "fixed" if set(text) <= set("01") else "operand"
        density = len(text) / width
        size = " upright" if density > _UPRIGHT else " narrow" if density > _NARROW else ""
        fields.append(f'<td colspan="{width}" class="{kind}{size}"><span>{html.escape(text)}</span></td>')
    short = " short" if instruction.width == 16 else ""
    columns = "<col>" * instruction.width
    return (
        f'<table class="bits{short}"><colgroup>{columns}</colgroup><tr class="number">{"".join(numbers)}</tr>'
        f'<tr class="field">{"".join(fields)}</tr></table>'
    )
