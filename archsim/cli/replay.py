"""archsim replay: time a recorded instruction trace on a design."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from archsim.cli.simulate import Json, Set


def register(app: typer.Typer) -> None:
    app.command()(replay)


def replay(
    trace: Annotated[Path, typer.Argument(help="A trace of 'run --record', or a Spike commit log.")],
    design: Annotated[str, typer.Option(help="Design name or YAML file.")] = "edge-npu",
    set_: Set = None,
    json: Json = False,
) -> None:
    """Time a trace; its format is detected. Example: archsim replay dot.trace --design server-npu"""
    from archsim.cli.output import parse_settings, print_json, spinner
    from archsim.cli.run import summary
    from archsim.design import load_design
    from archsim.traces.load import replay_trace

    chosen = load_design(design, parse_settings(set_ or []))
    with spinner(f"replaying {trace}"):
        result, unknown = replay_trace(trace, chosen)
    if unknown:
        print(
            f"archsim: warning: {unknown} executed instructions are not in this design's instruction set, "
            "timed as one cycle each",
            file=sys.stderr,
        )
    if json:
        print_json({**result.to_dict(), "unknown_instructions": unknown})
    else:
        print(summary(result))
