"""Documentation of an extension in Markdown."""

from __future__ import annotations

import re

from archsim.isa.diagram import bit_diagram
from archsim.isa.documentation import Block, Code, Diagram, Facts, Heading, Items, Paragraph, Table, document
from archsim.isa.spec import Isa


def markdown(isa: Isa, extension: str, facts: Facts | None = None, where: str = "") -> str:
    """The documentation of one extension; arguments and errors as those of documentation.document."""
    return "\n".join(_text(block) for block in document(isa, extension, facts, where))


def _text(block: Block) -> str:
    match block:
        case Heading(level, text, _):
            return f"{'#' * level} {text}\n"
        case Paragraph(text):
            return f"{text}\n"
        case Items(texts):
            return "".join(f"- {text}\n" for text in texts)
        case Code(text, language):
            return f"```{language}\n{text}\n```\n"
        case Diagram(instruction):
            return f"```text\n{bit_diagram(instruction)}\n```\n"
        case Table():
            return _table(block)


def _table(table: Table) -> str:
    rows = [(_link(row[0]), *row[1:]) for row in table.rows] if table.link else table.rows
    lines = [table.head, tuple("---" for _ in table.head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines) + "\n"


def _link(text: str) -> str:
    """A link to an instruction's heading, by the anchor that GitHub gives it."""
    name = text.strip("`").split(" ")[0]
    return f"[{text}](#{re.sub(r'[^' + chr(92) + r'w-]', '', name.lower())})"
