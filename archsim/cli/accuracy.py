"""archsim accuracy: what number formats do to a model's loss."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from archsim.accuracy.loss import Loss
    from archsim.accuracy.measure import Experiment, Measurement
    from archsim.formats import Format


def register(app: typer.Typer) -> None:
    app.command()(accuracy)


def accuracy(
    model: Annotated[str, typer.Argument(help="Folder of safetensors, GGUF file, or reference, which ships.")] = (
        "reference"
    ),
    weights: Annotated[str, typer.Option(help="Format of all layers' matrices, or mixed:PLAN.yaml.")] = "fp16",
    activations: Annotated[str, typer.Option(help="Format of the inputs of these matrices.")] = "fp32",
    kv: Annotated[str, typer.Option(help="Format of the KV cache, or KEYS,VALUES.")] = "fp16",
    method: Annotated[
        str, typer.Option(help="rtn, gptq, lsq, awq, smoothquant, hadamard, llm-int8; joined by +, as hadamard+gptq.")
    ] = "rtn",
    text: Annotated[Path | None, typer.Option(help="Text to predict, or token numbers (.npy).")] = None,
    calibration: Annotated[Path | None, typer.Option(help="Text that methods look at, likewise.")] = None,
    outliers: Annotated[int, typer.Option(min=0, help="Channels behind each norm made 32 times as large.")] = 0,
    steps: Annotated[int, typer.Option(min=1, help="Of training, with lsq.")] = 128,
    seed: Annotated[int, typer.Option(min=0, help="Of the order of windows in training.")] = 0,
    plan: Annotated[
        Path | None, typer.Option(help="Write a plan of mixed precision by sensitivity, and measure it.")
    ] = None,
    budget: Annotated[str, typer.Option(help="Of the plan: bits per weight, or a format that costs as much.")] = "4",
    design: Annotated[
        str | None, typer.Option(help="The plan's price is time on this design, not bits: --budget names a format.")
    ] = None,
    ladder: Annotated[
        bool, typer.Option("--ladder", help="Many formats and methods, and whether what is published holds.")
    ] = False,
    html: Annotated[Path | None, typer.Option(help="Write the ladder's figures to this page.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Loss with quantised weights, activations, cache. Example: archsim accuracy --weights int3-g64 --method gptq"""
    from dataclasses import replace

    from archsim.accuracy.experiment import load_experiment
    from archsim.accuracy.measure import LEARNED, Setting
    from archsim.accuracy.qat import Training
    from archsim.cli.accuracy_ladder import print_ladder, run_ladder
    from archsim.cli.output import bar, print_json, print_table
    from archsim.common.errors import InputError

    for given, of in ((design, "--plan" if plan is None else ""), (html, "" if ladder else "--ladder")):
        if given is not None and of:
            raise InputError(f"{given} is for {of}, which is not there", remedy=f"add {of}")
    experiment = replace(load_experiment(model, text, calibration, outliers), training=Training(steps=steps, seed=seed))
    if ladder:
        result_of_all = run_ladder(model, experiment, html)
        print_json(result_of_all) if json else print_ladder(result_of_all)
        return
    if plan is not None:
        _write_plan(experiment, plan, budget, design)
        weights = f"mixed:{plan}"
    with bar("measuring") as say:
        # of all methods, training is what takes long enough to tell
        experiment = replace(experiment, training=Training(steps, seed, say))
        result = experiment.measure(Setting(weights, activations, kv, method))
    if json:
        trained = {"training_steps": steps, "seed": seed} if LEARNED in method.split("+") else {}
        print_json({"model": model, "outlier_channels": outliers, **trained, **entry(result)})
        return
    rows = [
        ("loss, nats per token", _interval(result.loss)),
        ("more than at full precision", _interval(result.difference)),
        ("perplexity", f"{result.loss.perplexity:.4f}"),
        ("bits per token", f"{result.loss.bits:.4f}"),
        ("bits per weight", f"{result.weight_bits:.4f}"),
        ("bits per cached number", f"{result.kv_bits:.4f}"),
    ]
    title = f"{model}: weights {weights}, activations {activations}, KV cache {kv}, {method}"
    print_table(["", f"{len(result.losses)} windows, 95 % confidence"], rows, title)


def _write_plan(experiment: Experiment, file: Path, budget: str, design: str | None) -> None:
    import sys

    from archsim.accuracy.experiment import measure_sensitivity
    from archsim.accuracy.mixed import plan_by_sensitivity, plan_under
    from archsim.cli.output import bar
    from archsim.common.errors import InputError
    from archsim.models.weight_plan import write_plan

    bits, uniform = _budget(budget, design)
    if not file.parent.is_dir():
        raise InputError(f"{file}: there is no folder {file.parent}", remedy="make it, or write elsewhere")
    with bar("sensitivity") as say:
        sensitivity = measure_sensitivity(experiment, say)
    if uniform is None:
        formats = plan_by_sensitivity(sensitivity, bits)
    elif design is None:
        sizes = sensitivity.sizes.values()
        nbytes = sum(uniform.nbytes(rows, columns) for rows, columns in sizes)
        formats = plan_by_sensitivity(sensitivity, 8 * nbytes / sum(rows * columns for rows, columns in sizes))
    else:
        from archsim.design import load_design
        from archsim.explore.precision import decode_cycles

        with bar("cycles") as say:
            prices = decode_cycles(load_design(design), sensitivity.sizes, {*sensitivity.formats, uniform}, say)
        allowed = sum(prices[name, uniform.name] for name in sensitivity.sizes)
        formats = plan_under(sensitivity, prices, allowed, f"{allowed:,.0f} cycles, those of {uniform.name},")
        taken = sum(prices[name, form.name] for name, form in formats.items())
        print(f"{taken:,.0f} of {allowed:,.0f} cycles on {design}", file=sys.stderr)
    write_plan(file, formats)
    print(f"plan: {file}", file=sys.stderr)


def _budget(text: str, design: str | None) -> tuple[float, Format | None]:
    """Bits per weight, or a format whose cost is the budget."""
    from archsim.common.errors import InputError
    from archsim.formats import parse_format

    try:
        bits = float(text)
    except ValueError:
        return 0.0, parse_format(text)
    if not math.isfinite(bits):
        raise InputError(f"--budget {text} is no number of bits", remedy="give bits per weight, or a format")
    if design is not None:
        raise InputError(
            f"--budget {text} is bits, but with --design the price is time",
            remedy="name the format whose time is the budget, as in --budget int4-g64",
        )
    return bits, None


def entry(result: Measurement) -> dict[str, Any]:
    """A measurement, for JSON; losses in nats per token."""
    return {
        **result.setting._asdict(),
        "loss_nats": result.loss.mean,
        "loss_standard_error": result.loss.error,
        "loss_interval_95": list(result.loss.interval),
        "difference_nats": result.difference.mean,
        "difference_standard_error": result.difference.error,
        "perplexity": result.loss.perplexity,
        "bits_per_token": result.loss.bits,
        "bits_per_weight": result.weight_bits,
        "bits_per_cached_number": result.kv_bits,
        "windows": len(result.losses),
    }


def _interval(loss: Loss) -> str:
    low, high = loss.interval
    return f"{loss.mean:.4f} ({low:.4f} to {high:.4f})"
