"""archsim formats: number formats and their names."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(help="Number formats: their names, and what they cost.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_(json: Json = False) -> None:
    """Families of names, and bits of an example of each. Example: archsim formats list"""
    from archsim.cli.output import print_json, print_table
    from archsim.formats import parse_format
    from archsim.formats.names import FAMILIES

    if json:
        print_json([{"grammar": f.grammar, "about": f.about, "examples": list(f.examples)} for f in FAMILIES])
        return
    examples = [parse_format(family.examples[0]) for family in FAMILIES]
    bits = [f"{form.name}: {form.bits_per_weight(4096, 4096):.4f}" for form in examples]
    rows = [(f.grammar, f.about, text) for f, text in zip(FAMILIES, bits, strict=True)]
    print_table(["names", "what", "bits per weight, 4096 x 4096"], rows, left=3)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Name of a format.")],
    rows: Annotated[int, typer.Option(min=1, help="Rows of the matrix.")] = 4096,
    columns: Annotated[int, typer.Option(min=1, help="Columns of the matrix.")] = 4096,
    json: Json = False,
) -> None:
    """What a format stores of a matrix. Example: archsim formats show int4-g128-asym"""
    from archsim.cli.output import print_json, print_table
    from archsim.formats import parse_format

    form = parse_format(name)
    storage = form.storage(rows, columns)
    if json:
        arrays = [
            {"name": key, "shape": list(stored.shape), "dtype": stored.dtype.__name__, "bytes": stored.nbytes}
            for key, stored in storage.items()
        ]
        size = {"rows": rows, "columns": columns, "bytes": form.nbytes(rows, columns)}
        bits = {"bits": form.bits, "bits_per_weight": form.bits_per_weight(rows, columns)}
        print_json({"name": form.name, **bits, **size, "arrays": arrays})
        return
    table = [
        (key, stored.dtype.__name__, " x ".join(map(str, stored.shape)), f"{stored.nbytes:,}")
        for key, stored in storage.items()
    ]
    title = f"{form.name}, {rows} x {columns}: {form.bits_per_weight(rows, columns):.4f} bits per weight"
    print_table(["array", "elements", "shape", "bytes"], table, title, left=2)
