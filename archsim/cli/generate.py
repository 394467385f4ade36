"""archsim generate: a small model generates text, every instruction of it simulated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archsim.cli.simulate import Set

if TYPE_CHECKING:
    from archsim.mapping.generation import Token

_BYTES = 256
"""Vocabulary of models whose tokens are bytes."""
_PROMPT = "def __init__(self"


def register(app: typer.Typer) -> None:
    app.command()(generate)


def generate(
    model: Annotated[str, typer.Argument(help="Folder of safetensors, GGUF file, or reference, which ships.")] = (
        "reference"
    ),
    design: Annotated[str, typer.Option(help="Design name or YAML file.")] = "edge-npu",
    prompt: Annotated[
        str | None, typer.Option(help=f"Text, for models whose tokens are bytes; otherwise {_PROMPT!r}.")
    ] = None,
    prompt_tokens: Annotated[str | None, typer.Option(help="Token numbers instead, as in 1,15043.")] = None,
    tokens: Annotated[int, typer.Option(min=1, help="Tokens to generate.")] = 32,
    weights: Annotated[str, typer.Option(help="Weights format, or mixed:PLAN.yaml.")] = "int4-g64",
    kv: Annotated[str, typer.Option(help="KV cache format: int8, turboquant-2, -3 or -4.")] = "int8",
    top_k: Annotated[int, typer.Option(min=1, help="Draw from the K most likely tokens; 1 is greedy.")] = 1,
    temperature: Annotated[float, typer.Option(help="Logits are divided by it before a draw.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws.")] = 0,
    fidelity: Annotated[str, typer.Option(help="timed, or functional, which counts no cycles.")] = "timed",
    set_: Set = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Text of a model on a simulated chip. Example: archsim generate --design edge-npu --tokens 24"""
    from archsim.accuracy.load import load_llama
    from archsim.cli.output import parse_settings, print_json, print_table
    from archsim.common.errors import InputError
    from archsim.design import load_design
    from archsim.mapping.generation import Generator, Sampling

    llama, chip = load_llama(model), load_design(design, parse_settings(set_ or []))
    is_text = llama.config.vocab == _BYTES
    if prompt_tokens is None and not is_text:
        raise InputError("the model's tokens are not bytes", remedy="give --prompt-tokens NUMBER,NUMBER,...")
    if prompt_tokens is not None and prompt is not None:
        raise InputError("a prompt and tokens of one are too much", remedy="give --prompt or --prompt-tokens")
    text = _PROMPT if prompt is None else prompt
    given = list(text.encode()) if prompt_tokens is None else _numbers(prompt_tokens)
    sampling = Sampling(top_k, temperature, seed)
    generator = Generator(llama, chip, weights, len(given) + tokens - 1, fidelity, kv, sampling)
    show = _printer(is_text, quiet=json)
    made: list[Token] = []
    for token in generator.generate(given, tokens):
        # the prompt with the first token: what is wrong with it, or with the design, has been said by then
        show([token.token] if made else [*given, token.token])
        made.append(token)
    if json:
        settings = {"model": model, "design": chip.name, "weights": weights, "activations": "int8", "kv": kv}
        words = {"text": bytes(token.token for token in made).decode(errors="replace")} if is_text else {}
        each = [dict(vars(token)) for token in made]
        print_json({**settings, "fidelity": fidelity, "prompt": given, **words, **_totals(made), "tokens": each})
        return
    print()
    print_table(["", chip.name], _rows(_totals(made)))


def _numbers(text: str) -> list[int]:
    from archsim.common.errors import InputError

    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"--prompt-tokens {text!r} are no numbers", remedy="write them as in 1,15043") from None


def _printer(is_text: bool, quiet: bool) -> Callable[[Sequence[int]], None]:
    """Prints tokens as they come; bytes that are part of a character wait for the rest."""
    import codecs

    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def show(numbers: Sequence[int]) -> None:
        if not quiet:
            text = decoder.decode(bytes(numbers)) if is_text else " ".join(map(str, numbers)) + " "
            print(text, end="", flush=True)

    return show


def _totals(made: Sequence[Token]) -> dict[str, Any]:
    """Figures of the whole; decode steps are all tokens but the first."""
    steps = made[1:]
    seconds = sum(token.time_s for token in steps)
    if not made[0].cycles:
        # a functional run has no times
        untimed = dict.fromkeys(("ttft_s", "tpot_s", "tokens_per_s", "energy_per_token_j", "energy_j", "cycles"))
        return {**untimed, "instructions": sum(token.instructions for token in made), "dram_bytes": None}
    return {
        "ttft_s": made[0].time_s,
        "tpot_s": seconds / len(steps) if steps else 0.0,
        "tokens_per_s": len(steps) / seconds if seconds else 0.0,
        "energy_per_token_j": sum(token.energy_j for token in steps) / len(steps) if steps else 0.0,
        "energy_j": sum(token.energy_j for token in made),
        "cycles": sum(token.cycles for token in made),
        "instructions": sum(token.instructions for token in made),
        "dram_bytes": sum(token.dram_bytes for token in made),
    }


def _rows(totals: dict[str, Any]) -> list[tuple[str, str]]:
    from archsim.common.units import show

    rows = [("instructions", f"{totals['instructions']:,}")]
    if not totals["cycles"]:
        return rows
    return [
        ("time to first token", show(totals["ttft_s"], "s")),
        ("time per output token", show(totals["tpot_s"], "s")),
        ("tokens per second", f"{totals['tokens_per_s']:,.0f}"),
        ("energy per decoded token", show(totals["energy_per_token_j"], "J")),
        ("cycles", f"{totals['cycles']:,}"),
        *rows,
        ("DRAM traffic", show(totals["dram_bytes"], "B")),
    ]
