"""archsim map: how an op of a model is mapped onto a design, found by search."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from archsim.cli.simulate import Activations, Batch, Context, Fresh, Json, Kv, Set, Weights


def register(app: typer.Typer) -> None:
    app.command("map")(map_op)


def map_op(
    op: Annotated[str, typer.Argument(help="Op of the model, as in the table of archsim simulate.")],
    design: Annotated[str, typer.Option(help="Design name or YAML file.")] = "edge-npu",
    model: Annotated[str, typer.Option(help="Model name, config.json or folder.")] = "llama-3-8b",
    phase: Annotated[str, typer.Option(help="prefill or decode.")] = "decode",
    batch: Batch = 1,
    context: Context = None,
    weights: Weights = None,
    activations: Activations = "int8",
    kv: Kv = "int8",
    objective: Annotated[str, typer.Option(help="What is least: cycles or energy.")] = "cycles",
    set_: Set = None,
    fresh: Fresh = False,
    json: Json = False,
) -> None:
    """The mapping of an op. Example: archsim map gate_up --design edge-npu --phase prefill --context 512"""
    from archsim.cli.output import bar, parse_settings, print_json
    from archsim.explore.map_point import evaluate_map
    from archsim.models.load import default_context, default_weights

    point = {
        "op": op,
        "model": model,
        "design": design,
        "phase": phase,
        "batch": batch,
        "context": context or default_context(model),
        "weights": weights or default_weights(model),
        "activations": activations,
        "kv": kv,
        "objective": objective,
        "overrides": parse_settings(set_ or []),
    }
    with bar(f"map {op}") as say:
        found = evaluate_map(point, fresh=fresh, progress=lambda done, total: say(done, total, ""))
    if json:
        print_json({**point, **found})
    else:
        _print(found, design)


def _print(found: dict[str, Any], design: str) -> None:
    from archsim.cli.output import print_table
    from archsim.common.units import show

    print("\n".join(found["nest"]), end="\n\n")
    # a design without a scratchpad has none of it in use
    size = found["scratchpad_bytes"] or 1
    rows = [(name, f"{count:,}", f"{100 * count / size:.1f} %") for name, count in found["buffers"].items()]
    used = sum(found["buffers"].values())
    rows.append((f"in use of {show(found['scratchpad_bytes'], 'B')}", f"{used:,}", f"{100 * used / size:.1f} %"))
    print_table(["scratchpad", "bytes", "share"], rows)
    bound = found["bound_cycles"]
    figures = [("cycles, the op alone", f"{found['cycles']:,}"), ("energy", show(found["energy_j"], "J"))]
    if bound:
        figures.append(("lower bound of the tiling", f"{bound:,.0f} ({100 * bound / found['cycles']:.0f} %)"))
    figures += [("tilings that fit", f"{found['candidates']:,}"), ("of these run", f"{len(found['trials']):,}")]
    print_table([found["kernel"], design], figures)
    piece = "" if found["trials_whole"] else ", on a piece of the op that shows which is fastest"
    tried = [
        (_words(trial["tiling"]), f"{trial['cycles']:,}", show(trial["energy_j"], "J")) for trial in found["trials"]
    ]
    print_table(["tiling", "cycles", "energy"], tried, f"tilings tried{piece}")


def _words(tiling: Any) -> str:
    return ", ".join(f"{name} {value}" for name, value in tiling.items()) if isinstance(tiling, dict) else str(tiling)
