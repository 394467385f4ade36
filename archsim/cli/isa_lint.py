"""archsim isa lint: findings about extensions, and the space that they leave free."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from archsim.cli.isa import Json, Names, app

_RUNS = 10
"""Runs of free values that the table shows; JSON has all."""


@app.command()
def lint(
    names: Names,
    free: Annotated[bool, typer.Option("--free", help="Show what is left of each major opcode.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Leave out notes.")] = False,
    json: Json = False,
) -> None:
    """All that is wrong with extensions, alone and together: overlapping encodings, values that no word can give, bits
    that say nothing, names, missing meaning or timing. Exit code 1 if they cannot be loaded.
    Example: archsim isa lint rv64gcv my_extension.yaml --free"""
    from archsim.cli.output import print_json, print_table
    from archsim.isa.findings import SEVERITIES
    from archsim.isa.lint import lint as find

    report = find(*names)
    findings = [finding for finding in report.findings if not quiet or finding.severity != "note"]
    counts = {severity: sum(one.severity == severity for one in report.findings) for severity in SEVERITIES}
    if json:
        rooms = [_room(one) for one in report.rooms] if free else []
        print_json(
            {"counts": counts, "findings": [asdict(one) for one in findings], **({"free": rooms} if free else {})}
        )
    else:
        if findings:
            rows = [(one.severity, f"{Path(one.file).name}:{one.line}", one.rule, one.text) for one in findings]
            print_table(["severity", "place", "rule", "what"], rows, left=4)
        if free:
            _print_free(report.rooms)
        print(", ".join(f"{count} {severity}{'s' if count != 1 else ''}" for severity, count in counts.items()))
    if report.failed:
        raise typer.Exit(1)


def _room(room: Any) -> dict[str, Any]:
    return {
        "opcode": room.opcode,
        "name": room.name,
        "instructions": room.instructions,
        "used_words": room.used,
        "free_fraction": room.free_fraction,
        "free_funct3": list(room.funct3),
        "free_funct7": {str(funct3): list(values) for funct3, values in room.funct7.items()},
    }


def _print_free(rooms: Any) -> None:
    from archsim.cli.output import print_table
    from archsim.isa.space import ranges

    rows, partly = [], []
    for room in rooms:
        name, whole = f"{room.name} ({room.opcode:#04x})", ", ".join(map(str, room.funct3)) or "-"
        rows.append((name, str(room.instructions), str(room.used), f"{100 * room.free_fraction:.2f} %", whole))
        partly += [(name, str(key), ranges(values, _RUNS)) for key, values in room.funct7.items() if values]
    print_table(["major opcode", "instructions", "words used", "free", "free funct3"], rows)
    if partly:
        print_table(["major opcode", "funct3", "free funct7"], partly, left=3)


@app.command()
def schema() -> None:
    """The format of extension files as JSON Schema: editors complete and check with it. A file names it in its first
    line, as in: # yaml-language-server: $schema=extension.schema.json
    Example: archsim isa schema > extension.schema.json"""
    from archsim.cli.output import print_json
    from archsim.isa.json_schema import json_schema

    print_json(json_schema())
