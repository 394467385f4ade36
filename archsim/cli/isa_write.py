"""archsim isa new, diff: start an extension file, and see what changed in one."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from archsim.cli.isa import DEFAULT, IsaNames, Json, app


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name of the extension, such as Xdot.")],
    opcode: Annotated[str, typer.Option("--opcode", help="Major opcode, such as custom-1.")] = "custom-0",
    isa: IsaNames = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write (default: print it).")] = None,
) -> None:
    """A commented extension file to start from: state, a CSR, an instruction of each kind with an example. Its
    encodings are free in what is loaded beside it. Example: archsim isa new Xdot -o xdot.yaml"""
    from archsim.common.errors import InputError
    from archsim.isa.load import load_isa
    from archsim.isa.starter import starter

    text = starter(name, opcode, load_isa(*(isa or DEFAULT)))
    if output is None:
        print(text, end="")
        return
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise InputError("is there already", file=output, remedy="name another file") from None


@app.command()
def diff(
    one: Annotated[str, typer.Argument(metavar="A", help="An extension: shipped name or YAML file.")],
    two: Annotated[str, typer.Argument(metavar="B", help="What it became.")],
    json: Json = False,
) -> None:
    """What changed from one extension to another: parameters, state, encodings, operations, timing.
    Example: archsim isa diff xqt my_xqt.yaml"""
    from archsim.cli.output import print_json, print_table
    from archsim.isa.difference import difference

    found = difference(one, two)
    if json:
        print_json([asdict(entry) for entry in found])
        return
    if found:
        rows = [(x.change, f"{x.kind} {x.name}".strip(), x.part, x.before, x.after) for x in found]
        print_table(["change", "of", "part", "before", "after"], rows, left=5)
    count = {change: sum(x.change == change for x in found) for change in ("added", "removed", "changed")}
    print(", ".join(f"{number} {change}" for change, number in count.items()))
