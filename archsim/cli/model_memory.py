"""archsim model memory: bytes of weights and KV cache by class of tensor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from archsim.cli.model import Json, Name, app

if TYPE_CHECKING:
    from archsim.models.memory import ClassMemory


@app.command()
def memory(
    name: Name,
    weights: Annotated[str, typer.Option(help="A format, or a GGUF file type such as q4_k_m.")] = "int4-g128",
    kv: Annotated[str, typer.Option(help="Format of the KV cache.")] = "int8",
    context: Annotated[int | None, typer.Option(min=1, help="Tokens of each sequence.")] = None,
    batch: Annotated[int, typer.Option(min=1, help="Sequences.")] = 1,
    json: Json = False,
) -> None:
    """Bytes by class of tensor. Example: archsim model memory llama-2-70b --weights q4_k_m --kv int8 --context 4096"""
    from archsim.cli.output import print_json, print_table
    from archsim.models import load_model
    from archsim.models.load import DEFAULT_WEIGHTS, default_context
    from archsim.models.memory import model_memory

    model, context = load_model(name), context or default_context(name)
    # a file of a model has formats of its own
    result = model_memory(model.config, model.weights if weights == DEFAULT_WEIGHTS else weights, kv, context, batch)
    sums = (result.weights, result.kv_cache, result.total)
    weights = model.weights.name if weights == DEFAULT_WEIGHTS else weights
    if json:
        classes = [_entry(part) for part in result.classes]
        question = {"model": model.name, "weights": weights, "kv": kv, "context": context, "batch": batch}
        print_json({**question, "classes": classes} | {f"{part.name}_memory": _entry(part) for part in sums})
        return
    columns = ["tensors", "formats", "elements", "bytes", "bits each", "FP16 bytes", "compression"]
    rows = [_row(part) for part in result.classes] + [_row(part) for part in sums if part.name != "kv_cache"]
    print_table(columns, rows, left=2)


def _entry(part: ClassMemory) -> dict[str, Any]:
    return {
        "name": part.name,
        "formats": list(part.formats),
        "elements": part.elements,
        "bytes": part.nbytes,
        "bits_per_element": part.bits_per_element,
        "fp16_bytes": part.fp16_bytes,
        "compression": part.compression,
    }


def _row(part: ClassMemory) -> tuple[str, ...]:
    numbers = (f"{part.elements:,}", f"{part.nbytes:,}", f"{part.bits_per_element:.4f}", f"{part.fp16_bytes:,}")
    return (part.name, ", ".join(part.formats), *numbers, f"{part.compression:.2f}")
