"""archsim compare: the same workload on several designs, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archsim.cli.simulate import (
    Activations,
    Batch,
    Context,
    Dim,
    Fresh,
    Json,
    Kv,
    Mapping,
    Model,
    Phase,
    Set,
    Tokens,
    Weights,
)


def register(app: typer.Typer) -> None:
    app.command()(compare)


def compare(
    model: Model,
    more: Annotated[list[str] | None, typer.Argument(help="Further designs, after --designs A.", hidden=True)] = None,
    designs: Annotated[list[str] | None, typer.Option(help="Designs: names or YAML files, one or more.")] = None,
    phase: Phase = "decode",
    batch: Batch = 1,
    context: Context = None,
    weights: Weights = None,
    activations: Activations = "int8",
    kv: Kv = "int8",
    tokens: Tokens = 128,
    mapping: Mapping = "estimate",
    dim: Dim = None,
    set_: Set = None,
    html: Annotated[Path | None, typer.Option(help="Write one self-contained page of figures here.")] = None,
    fresh: Fresh = False,
    json: Json = False,
) -> None:
    """Designs side by side. Example: archsim compare llama-3-8b --designs edge-npu server-npu --html compare.html"""
    import sys

    from archsim.cli.output import parse_dims, parse_settings, print_json, print_table
    from archsim.explore.comparison import compare as compare_designs
    from archsim.models.load import default_context, default_weights
    from archsim.report.headline import headline

    context = context or default_context(model, tokens - 1 if phase == "request" else 0)
    names = [*(designs or []), *(more or [])] or ["edge-npu", "server-npu", "edge-npu-int8"]
    results = compare_designs(
        model,
        names,
        phase=phase,
        batch=batch,
        context=context,
        weights=weights or default_weights(model),
        activations=activations,
        kv=kv,
        mapping=mapping,
        tokens=tokens,
        overrides=parse_settings(set_ or []),
        **parse_dims(dim or []),
        fresh=fresh,
        progress=lambda text: print(text, file=sys.stderr),
    )
    if html is not None:
        from archsim.report.page import write_page

        html.parent.mkdir(parents=True, exist_ok=True)
        write_page(html, results)
    if json:
        print_json(results)
    else:
        columns = [dict(headline(result)) for result in results]
        rows = [
            (name, *(column.get(name, "") for column in columns))
            for name in dict.fromkeys(name for column in columns for name in column)
        ]
        # an ONNX file says itself what runs
        one = results[0]
        sizes = f"{one['phase']}, context {one['context']}, batch {one['batch']}"
        title = f"{model}, {sizes}, weights {one['weights']}, KV {one['kv']}"
        print_table(["figure", *(result["design"] for result in results)], rows, title)
    if html is not None:
        print(f"page: {html}", file=sys.stderr if json else sys.stdout)
