"""archsim model: list, show and check models."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(help="Models: what there is, and whether yours is right.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Name = Annotated[str, typer.Argument(help="Model name, config.json, folder or GGUF file.")]
Weights = Annotated[str | None, typer.Option(help="Weights format.")]


@app.command("list")
def list_(json: Json = False) -> None:
    """What ships. Example: archsim model list"""
    from archsim.cli.output import print_json, print_table
    from archsim.common.resources import shipped
    from archsim.models import load_model

    models = [load_model(name) for name in shipped("workloads/models", ".yaml")]
    if json:
        print_json([{"name": model.name, "parameters": model.parameters} for model in models])
        return
    rows = [(m.name, f"{m.parameters / 1e9:.2f} G", str(m.config.layers), str(m.config.hidden)) for m in models]
    print_table(["model", "parameters", "layers", "hidden"], rows)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Model name, config.json, folder, GGUF or ONNX file.")],
    weights: Weights = None,
    phase: Annotated[str, typer.Option(help="prefill or decode.")] = "decode",
    batch: Annotated[int, typer.Option(min=1)] = 1,
    context: Annotated[int | None, typer.Option(min=1)] = None,
    dim: Annotated[list[str] | None, typer.Option(help="Fix a dimension of an ONNX file: NAME=VALUE.")] = None,
    json: Json = False,
) -> None:
    """A model's ops in one phase. Example: archsim model show llama-3-8b --phase decode"""
    from archsim.cli.output import parse_dims, print_json, print_table
    from archsim.models import load_model
    from archsim.models.load import default_context, default_weights
    from archsim.models.onnx.file import is_onnx
    from archsim.models.onnx.model import load_onnx

    weights, dims = weights or default_weights(name), parse_dims(dim or []).get("dims")
    if is_onnx(name):
        graph = load_onnx(name, weights, dims).graph
    else:
        graph = load_model(name, weights=weights).graph(phase, batch, context or default_context(name))
    layers = [("layer", kind.ops, len(kind.layers)) for kind in graph.kinds]
    parts = [("embed", graph.embed, 1), *layers, ("head", graph.head, 1)]
    rows = [
        {
            "part": part,
            "op": op.name,
            "kind": op.kind,
            "times": times,
            "macs": op.macs,
            "weight_bytes": op.weight_bytes,
            "attributes": dict(op.attributes),
        }
        for part, ops, times in parts
        for op in ops
    ]
    if json:
        print_json(rows)
        return
    columns = ["op", "part", "kind", "times", "MACs", "weight bytes"]
    print_table(
        columns,
        [
            (str(r["op"]), str(r["part"]), str(r["kind"]), str(r["times"]), f"{r['macs']:,}", f"{r['weight_bytes']:,}")
            for r in rows
        ],
    )


@app.command()
def check(name: Name) -> None:
    """Check a model configuration. Example: archsim model check ./config.json"""
    from archsim.models import load_model

    model = load_model(name)
    # a graph finds what the configuration alone does not tell, such as formats that do not divide rows
    model.graph("prefill", 1, model.config.max_positions if model.config.image else 1)
    print(f"{model.name}: no error; {model.parameters:,} parameters")
