"""archsim simulate: a whole model on a design."""

from __future__ import annotations

from typing import Annotated, Any

import typer

Model = Annotated[str, typer.Argument(help="Model name, config.json or folder.")]
Phase = Annotated[str, typer.Option(help="prefill (read the prompt) or decode (one more token).")]
Batch = Annotated[int, typer.Option(min=1, help="Sequences at once.")]
Context = Annotated[int, typer.Option(min=1, help="Tokens: of the prompt (prefill), or in the KV cache (decode).")]
Weights = Annotated[str, typer.Option(help="Weights format.")]
Activations = Annotated[str, typer.Option(help="Activations format.")]
Kv = Annotated[str, typer.Option(help="KV cache format.")]
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

    print_table(["figure", result["design"]], [(name, text) for name, text in figures(result)])
    rows = [
        (
            op["op"],
            str(op["times"]),
            f"{op['cycles']:,}",
            f"{100 * op['cycles'] * op['times'] / result['cycles']:.1f} %",
        )
        for op in result["ops"]
    ]
    print_table(["op", "times", "cycles each", "share of time"], rows)


def figures(result: dict[str, Any]) -> list[tuple[str, str]]:
    """What people compare, as text with units."""
    from archsim.common.units import show

    stalls = sorted(result["stalls"].items(), key=lambda item: -item[1])[:3]
    share = result["hart_cycles"] or 1
    rows = [
        ("time", show(result["time_s"], "s")),
        ("tokens per second", f"{result['tokens_per_s']:.4g}"),
        ("energy per token", show(result["energy_per_token_j"], "J")),
        ("power", show(result["energy_j"] / result["time_s"], "W")),
        ("DRAM read", show(result["dram_read_bytes"], "B")),
        ("DRAM bandwidth used", f"{100 * result['dram_utilization']:.1f} %"),
        ("matrix unit busy", f"{100 * result['matrix_utilization']:.1f} %"),
        ("SRAM peak per core", show(result["sram_peak_bytes"], "B")),
        ("main stalls", ", ".join(f"{name} {100 * count / share:.0f} %" for name, count in stalls) or "none"),
    ]
    if result.get("ttft_s"):
        rows.insert(1, ("time to first token", show(result["ttft_s"], "s")))
    return rows
