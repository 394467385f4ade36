"""What else comes from an extension's YAML: headers, macros, encodings, documentation, a schema for editors."""

from __future__ import annotations

from collections.abc import Callable

from archsim.isa.export_c_header import c_header
from archsim.isa.export_html import html_page
from archsim.isa.export_insn_macros import insn_macros
from archsim.isa.export_latex import latex
from archsim.isa.export_markdown import markdown
from archsim.isa.export_opcodes import opcodes
from archsim.isa.export_udb import udb, udb_files
from archsim.isa.json_schema import json_schema
from archsim.isa.spec import Isa

CODE: dict[str, Callable[[Isa, str], str]] = {
    "c-header": c_header,
    "insn-macros": insn_macros,
    "opcodes": opcodes,
    "udb": udb,
}
"""Exporters of encodings by name: of (instruction set, extension)."""

DOCUMENTS: dict[str, Callable[..., str]] = {"markdown": markdown, "html": html_page, "latex": latex}
"""Exporters of documentation by name: of (instruction set, extension, facts on a design, the design in words)."""

__all__ = [
    "CODE", "DOCUMENTS", "c_header", "html_page", "insn_macros", "json_schema", "latex", "markdown", "opcodes", "udb",
    "udb_files",
]  # fmt: skip
