"""Documentation of an extension in LaTeX: a document of its own that needs packages of every installation only."""

from __future__ import annotations

import re

from archsim.isa.diagram import bit_cells
from archsim.isa.documentation import Block, Code, Diagram, Facts, Heading, Items, Paragraph, Table, document
from archsim.isa.spec import Instruction, Isa

_PREAMBLE = r"""\documentclass[10pt,a4paper]{article}
\usepackage[utf8]{inputenc}
\usepackage[margin=20mm]{geometry}
\usepackage{array,longtable}
\usepackage[hidelinks]{hyperref}
\setlength{\parindent}{0pt}\setlength{\parskip}{4pt}\setlength{\tabcolsep}{4pt}
\raggedright\renewcommand{\labelitemi}{--}
\newcommand{\bit}[1]{{\tiny #1}}
\begin{document}
"""
_SECTIONS = {1: "section*", 2: "subsection*", 3: "subsubsection*"}
_ESCAPES = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "*": r"{*}", "'": r"'",
    "\N{MULTIPLICATION SIGN}": r"\ensuremath{\times}", "\N{LESS-THAN OR EQUAL TO}": r"\ensuremath{\leq}",
    "\N{GREATER-THAN OR EQUAL TO}": r"\ensuremath{\geq}", "\N{RIGHTWARDS ARROW}": r"\ensuremath{\to}",
    "\N{MINUS SIGN}": r"\ensuremath{-}", "\N{GREEK SMALL LETTER MU}": r"\ensuremath{\mu}",
    "\N{MICRO SIGN}": r"\ensuremath{\mu}", "\N{EN DASH}": "--",
}  # fmt: skip
_LATIN = 0x17F
"""Largest character that the fonts have."""


def latex(isa: Isa, extension: str, facts: Facts | None = None, where: str = "") -> str:
    """The documentation of one extension; arguments and errors as those of documentation.document."""
    body = "\n".join(_text(block) for block in document(isa, extension, facts, where))
    return f"{_PREAMBLE}{body}\n\\end{{document}}\n"


def _text(block: Block) -> str:
    match block:
        case Heading(level, text, anchor):
            mark = f"\\hypertarget{{{_anchor(anchor)}}}{{}}" if anchor else ""
            # a heading stays with what follows it
            return f"\\par\\filbreak\\{_SECTIONS[level]}{{{mark}{escaped(text)}}}\n"
        case Paragraph(text):
            return f"{_inline(text)}\\par\n"
        case Items(texts):
            items = "\n".join(f"\\item {_inline(text)}" for text in texts)
            return f"\\begin{{itemize}}\n{items}\n\\end{{itemize}}\n"
        case Code(text, _):
            # verbatim has no escapes: what would end it or has no glyph is written otherwise
            safe = "".join(c if c == "\n" or 32 <= ord(c) < 127 else "?" for c in text).replace("\\end", "\\ end")
            return f"\\begin{{footnotesize}}\\begin{{verbatim}}\n{safe}\n\\end{{verbatim}}\\end{{footnotesize}}\n"
        case Diagram(instruction):
            return _diagram(instruction)
        case Table():
            return _table(block)


def escaped(text: str) -> str:
    """Text with the characters that mean something to TeX written out; those without a glyph as ?."""
    return "".join(_ESCAPES.get(c, c if ord(c) <= _LATIN and c.isprintable() else "?") for c in text)


def _inline(text: str) -> str:
    parts = re.split(r"`([^`]+)`", text)
    # dots and slashes may end a line, so that long expressions fit
    return "".join(f"\\texttt{{{escaped(part)}}}" if index % 2 else escaped(part) for index, part in enumerate(parts))


def _anchor(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]", "-", name)


def _table(table: Table) -> str:
    count = len(table.head)
    shares = {2: (0.3, 0.6), 3: (0.25, 0.3, 0.38), 5: (0.1, 0.4, 0.1, 0.1, 0.2)}.get(count)
    if table.link and count == 3:
        shares = (0.36, 0.44, 0.1)
    widths = shares or ((0.3, 0.28, *[0.36 / (count - 2)] * (count - 2)) if table.link else [0.92 / count] * count)
    columns = "".join(f">{{\\raggedright\\arraybackslash}}p{{{width:.3f}\\textwidth}}" for width in widths)
    rows = [" & ".join(f"\\textbf{{{_inline(cell)}}}" for cell in table.head) + r" \\ \hline\endhead"]
    for row in table.rows:
        cells = [_inline(cell) for cell in row]
        if table.link:
            name = row[0].strip("`").split(" ")[0]
            cells[0] = f"\\hyperlink{{{_anchor(name)}}}{{{cells[0]}}}"
        rows.append(" & ".join(cells) + r" \\")
    return f"{{\\small\\begin{{longtable}}{{{columns}}}\n" + "\n".join(rows) + "\n\\end{longtable}}\n"


def _diagram(instruction: Instruction) -> str:
    cells = bit_cells(instruction)
    columns, numbers, fields = [], [], []
    for high, low, text in cells:
        width = 0.84 * (high - low + 1) / 32
        columns.append(f">{{\\centering\\arraybackslash}}p{{{width:.4f}\\textwidth}}")
        ends = f"\\bit{{{high}}}\\hfill\\bit{{{low}}}" if high > low else f"\\bit{{{high}}}"
        numbers.append(f"\\multicolumn{{1}}{{p{{{width:.4f}\\textwidth}}}}{{{ends}}}")
        size = "\\tiny" if len(text) / (high - low + 1) > 1.6 else "\\scriptsize"
        fields.append(f"{size}\\texttt{{{escaped(text)}}}")
    return (
        "{\\setlength{\\tabcolsep}{1pt}\\noindent\\begin{tabular}{|" + "|".join(columns) + "|}\n"
        + " & ".join(numbers) + " \\\\ \\hline\n" + " & ".join(fields) + " \\\\ \\hline\n\\end{tabular}}\\par\n"
    )  # fmt: skip
