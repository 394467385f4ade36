"""archsim simulate: a whole model on a design."""

from __future__ import annotations

from typing import Annotated, Any

import typer

Model = Annotated[str, typer.Argument(help="Model name, config.json or folder.")]
Phase = Annotated[str, typer.Option(help="prefill (read the prompt) or decode (one more token).")]
Batch = Annotated[int, typer.Option(min=1, help="Sequences at once.")]
Context = Annotated[int, typer.Option(min=1, help="Tokens: of the prompt (prefill), or in the KV cache (decode).")]
Weights = Annotated[str, typer.Option(help="Weights format, or mixed:PLAN.yaml.")]
Activations = Annotated[str, typer.Option(help="Activations format.")]
Kv = Annotated[str, typer.Option(help="KV cache format: int8, or turboquant-2, -3 or -4.")]
Mapping = Annotated[
    str, typer.Option(help="How tilings are chosen: estimate, or search, which runs the best few of each op (stored).")
]
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
    context: Context = 2048,
    weights: Weights = "int4-g128",
    activations: Activations = "int8",
    kv: Kv = "int8",
    mapping: Mapping = "estimate",
    set_: Set = None,
    fresh: Fresh = False,
    json: Json = False,
) -> None:
    """A model on a design. Example: archsim simulate llama-3-8b --design edge-npu --phase decode --context 2048"""
    from archsim.cli.output import parse_settings, print_json, spinner
    from archsim.explore.point import evaluate_point

    point = {
        "model": model,
        "design": design,
        "phase": phase,
        "batch": batch,
        "context": context,
        "weights": weights,
        "activations": activations,
        "kv": kv,
        "mapping": mapping,
        "overrides": parse_settings(set_ or []),
    }
    with spinner(f"simulating {model} on {design}"):
        result = evaluate_point(point, fresh=fresh)
    if json:
        print_json(result)
    else:
        print_result(result)


def print_result(result: dict[str, Any]) -> None:
    """Tables of one simulation: totals, then each op."""
    from archsim.cli.output import print_table
    from archsim.report.headline import headline

    print_table(["figure", result["design"]], headline(result))
    mixed = len({op["layers"] for op in result["ops"]}) > 2
    rows = [
        (
            op["op"],
            op["weights"],
            *([op["layers"]] if mixed else []),
            str(op["times"]),
            f"{op['cycles']:,}",
            f"{100 * op['cycles'] * op['times'] / result['cycles']:.1f} %",
        )
        for op in result["ops"]
    ]
    print_table(["op", "weights", *(["layers"] if mixed else []), "times", "cycles each", "share of time"], rows)
