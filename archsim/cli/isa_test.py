"""archsim isa test: execute the examples that instructions carry."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from archsim.cli.isa import Json, Names, app


@app.command()
def test(
    names: Names,
    isa: Annotated[list[str] | None, typer.Option("--isa", help="Extensions to load beside each of them.")] = None,
    json: Json = False,
) -> None:
    """Execute the examples of extensions: state before, one instruction, state after. Exit code 1 if one fails.
    Example: archsim isa test zba my_extension.yaml"""
    from archsim.cli.output import print_json
    from archsim.machine.examples import run_examples

    outcomes = run_examples(names, isa or [])
    failed = [outcome for outcome in outcomes if not outcome.passed]
    if json:
        print_json(
            {
                "passed": len(outcomes) - len(failed),
                "failed": len(failed),
                "examples": [{**asdict(outcome), "passed": outcome.passed} for outcome in outcomes],
            }
        )
    else:
        for outcome in failed:
            print(f"{outcome.file}:{outcome.line}: {outcome.instruction}, example {outcome.name}: failed")
            for difference in outcome.differences:
                print(f"    {difference}")
        print(f"{len(outcomes) - len(failed)} passed, {len(failed)} failed")
    if failed:
        raise typer.Exit(1)
