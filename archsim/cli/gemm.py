"""archsim gemm: the same int8 matrix products on several instruction sets."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer


def register(app: typer.Typer) -> None:
    app.command()(gemm)


def gemm(
    designs: Annotated[list[str] | None, typer.Option(help="Designs of one core (default: the five gemm-*).")] = None,
    shape: Annotated[list[str] | None, typer.Option(help="A product as MxNxK; may be given again.")] = None,
    layer: Annotated[str, typer.Option(help="Model whose layer's products are run, where no --shape is given.")] = (
        "llama-3-8b"
    ),
    tokens: Annotated[int, typer.Option(help="Tokens (rows of A) of the layer's products.", min=1)] = 16,
    check: Annotated[bool, typer.Option("--check", help="Compute values, too, and compare with numpy.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """int8 products on several instruction sets, side by side. Example: archsim gemm --shape 16x256x512 --check"""
    import sys

    from archsim.cli.output import print_json, print_table
    from archsim.explore.gemm_comparison import DESIGNS, compare_gemm, layer_shapes

    shapes = {text: _shape(text) for text in shape} if shape else layer_shapes(layer, tokens)
    rows = compare_gemm(designs or DESIGNS, shapes, check=check, progress=lambda text: print(text, file=sys.stderr))
    if json:
        print_json(rows)
        return
    title = f"{', '.join(shapes)} of {layer}, {tokens} tokens" if not shape else ", ".join(shapes)
    print_table(
        ["design", "instructions", "MACs/instruction", "cycles", "utilisation", "DRAM", "energy", "scalar", "matrix",
         "vector", "SRAM + tiles", "DRAM energy"],
        [_row(row) for row in rows],
        f"int8 products: {title}",
    )  # fmt: skip


def _shape(text: str) -> Any:
    from archsim.common.errors import InputError
    from archsim.kernels.gemm import Shape

    match = re.fullmatch(r"(\d{1,7})x(\d{1,7})x(\d{1,7})", text)
    if match is None:
        raise InputError(f"shape {text!r} is no MxNxK", remedy="write it as in 16x4096x4096")
    return Shape(*(int(number) for number in match.groups()))


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    energy = row["energy"]
    local = energy["scratchpad"] + energy["tile_registers"] + energy["l1"]
    joules = (row["energy_j"], energy["scalar"], energy["matrix"], energy["vector"], local, energy["dram"])
    return (
        row["design"],
        f"{row['instructions']:,}",
        f"{row['macs'] / row['instructions']:.0f}",
        f"{row['cycles']:,}",
        f"{100 * row['utilisation']:.1f} %",
        f"{row['dram_bytes'] / 1e6:.1f} MB",
        *(f"{1e3 * value:.2f} mJ" for value in joules),
    )
