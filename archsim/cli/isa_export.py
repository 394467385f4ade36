"""archsim isa export and import: an extension in other formats, and others' encodings as an extension."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from archsim.cli.isa import IsaNames, app

_TO = "c-header, insn-macros, opcodes, udb, markdown, html or latex"


@app.command("export")
def export(
    extension: Annotated[str, typer.Argument(help="Extension: a shipped name or a YAML file.")],
    to: Annotated[str, typer.Option("--to", help=f"Format: {_TO}.")],
    isa: IsaNames = None,
    design: Annotated[str | None, typer.Option("--design", help="Time and energy on it, in documentation.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File (udb: or folder) to write.")] = None,
) -> None:
    """An extension for compilers, assemblers, other tools and readers. Example: archsim isa export xqt --to c-header"""
    from archsim.common.errors import InputError, unknown
    from archsim.isa.exports import CODE, DOCUMENTS, udb_files

    if to not in CODE and to not in DOCUMENTS:
        raise unknown("format", to, [*CODE, *DOCUMENTS])
    if design is not None and to not in DOCUMENTS:
        raise InputError(f"--design says nothing to {to}", remedy=f"use it with {', '.join(DOCUMENTS)}")
    loaded, name, facts, where = _loaded(extension, isa, design)
    if output is not None and to == "udb" and (output.is_dir() or not output.suffix):
        output.mkdir(parents=True, exist_ok=True)
        for file, text in udb_files(loaded, name).items():
            (output / file).write_text(text, encoding="utf-8")
        return
    text = CODE[to](loaded, name) if to in CODE else DOCUMENTS[to](loaded, name, facts, where)
    _write(text, output)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A riscv-opcodes file, or UDB instruction files (a file or folder).")],
    from_: Annotated[str, typer.Option("--from", help="Format: opcodes or udb.")],
    name: Annotated[str | None, typer.Option("--name", help="Name of the extension.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write.")] = None,
) -> None:
    """Encodings of others as an extension file. Example: archsim isa import rv_zvdot4a --from opcodes -o dot.yaml"""
    from archsim.common.errors import unknown
    from archsim.isa.extension_text import extension_text
    from archsim.isa.import_opcodes import import_opcodes
    from archsim.isa.import_udb import import_udb

    importers = {"opcodes": import_opcodes, "udb": import_udb}
    if from_ not in importers:
        raise unknown("format", from_, importers)
    _write(extension_text(importers[from_](file, name)), output)


def _write(text: str, output: Path | None) -> None:
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, encoding="utf-8")


def _loaded(extension: str, isa: list[str] | None, design: str | None) -> tuple[Any, str, dict[str, Any], str]:
    """An instruction set that holds an extension, the extension's own name, and facts about it on a design."""
    from archsim.common.resources import find
    from archsim.common.yamlfile import load_yaml
    from archsim.isa.load import load_isa

    path = find("extension", extension, "isa")
    name = str(load_yaml(path).get("extension"))
    if design is not None:
        from archsim.report.instruction_facts import instruction_facts

        loaded, facts, where = instruction_facts(design, name, path, isa)
        return loaded, name, facts, where
    names = list(isa or ["rv64im", "zicsr"])
    loaded = load_isa(*names)
    if name not in loaded.extensions:
        loaded = load_isa(*names, extension)
    return loaded, name, {}, ""
