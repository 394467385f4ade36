"""archsim simulate: a whole model on a design."""

from __future__ import annotations

from typing import Annotated, Any

import typer

Model = Annotated[str, typer.Argument(help="Model name, config.json, folder, GGUF or ONNX file.")]
Phase = Annotated[str, typer.Option(help="prefill (read the prompt), decode (one more token), or request: both.")]
Batch = Annotated[int, typer.Option(min=1, help="Sequences at once.")]
Context = Annotated[
    int | None,
    typer.Option(
        min=1, help="Tokens: of the prompt, or in the KV cache (decode); 2048, or as many as the model is made for."
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(help="Weights format, or mixed:PLAN.yaml; int4-g128, or int8-channel for floats of an ONNX file."),
]
Activations = Annotated[str, typer.Option(help="Activations format.")]
Kv = Annotated[str, typer.Option(help="KV cache format: int8, or turboquant-2, -3 or -4.")]
Tokens = Annotated[int, typer.Option(min=1, help="Tokens that a request generates.")]
EveryLayer = Annotated[bool, typer.Option("--every-layer", help="Run all layers, not equal ones once.")]
Mapping = Annotated[
    str, typer.Option(help="How tilings are chosen: estimate, or search, which runs the best few of each op (stored).")
]
Dim = Annotated[list[str] | None, typer.Option(help="Fix a dimension of an ONNX file: NAME=VALUE.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="Change a design field: FIELD=VALUE.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Do not take results from the store.")]


def register(app: typer.Typer) -> None:
    app.command()(simulate)


def simulate(
    model: Model,
    design: Annotated[str, typer.Option(help="Design name or YAML file.")] = "edge-npu",
    phase: Phase = "decode",
    batch: Batch = 1,
    context: Context = None,
    weights: Weights = None,
    activations: Activations = "int8",
    kv: Kv = "int8",
    tokens: Tokens = 128,
    mapping: Mapping = "estimate",
    every_layer: EveryLayer = False,
    dim: Dim = None,
    set_: Set = None,
    fresh: Fresh = False,
    json: Json = False,
) -> None:
    """A model on a design. Example: archsim simulate llama-3-8b --design edge-npu --phase decode --context 2048"""
    from archsim.cli.output import parse_dims, parse_settings, print_json, share_bar
    from archsim.explore.point import evaluate_point
    from archsim.models.load import default_context, default_weights

    point = {
        "model": model,
        "design": design,
        "phase": phase,
        "batch": batch,
        "context": context or default_context(model, tokens - 1 if phase == "request" else 0),
        "weights": weights or default_weights(model),
        "activations": activations,
        "kv": kv,
        "mapping": mapping,
        "tokens": tokens,
        "every_layer": every_layer,
        "overrides": parse_settings(set_ or []),
        **parse_dims(dim or []),
    }
    with share_bar(f"{model} on {design}") as say:
        result = evaluate_point(point, fresh=fresh, progress=say)
    if json:
        print_json(result)
    else:
        print_result(result)


def print_result(result: dict[str, Any]) -> None:
    """Tables of one simulation: totals, then each op."""
    from archsim.cli.output import print_table
    from archsim.report.headline import headline

    formats = f"weights {result['weights']}, KV {result['kv']}"
    title = f"{result['model']}, {result['phase']}, context {result['context']}, batch {result['batch']}, {formats}"
    print_table(["figure", result["design"]], headline(result), title)
    mixed = len({op["layers"] for op in result["ops"]}) > 2
    rows = [
        (
            op["op"],
            op["weights"],
            *([op["layers"]] if mixed else []),
            str(op["times"]),
            f"{op['cycles']:,}",
            f"{100 * op['cycles'] * op['times'] / result['cycles']:.1f} %",
            op["bound"],
            f"{100 * op['roofline_cycles'] / op['cycles']:.0f} %" if op["roofline_cycles"] and op["cycles"] else "",
        )
        for op in _merged(result["ops"])
    ]
    columns = ["op", "weights", *(["layers"] if mixed else []), "times", "cycles each", "share of time", "bound by"]
    print_table([*columns, "of roofline"], rows)


def _merged(ops: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Ops of a request's decode steps at several contexts as one row each, with their means."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for number, op in enumerate(ops):
        phase, slash, name = op["op"].rpartition("/")
        rows.setdefault(f"decode/{name}" if phase.startswith("decode") and slash else f"{number}", []).append(op)
    return [_mean(name, some) if len(some) > 1 else some[0] for name, some in rows.items()]


def _mean(name: str, ops: list[dict[str, Any]]) -> dict[str, Any]:
    times = sum(op["times"] for op in ops)
    means = {field: sum(op[field] * op["times"] for op in ops) / times for field in ("cycles", "roofline_cycles")}
    return {**ops[0], **means, "op": name, "times": times, "cycles": round(means["cycles"])}
