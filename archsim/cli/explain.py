"""archsim explain: which resource of a design limits a program."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from archsim.cli.simulate import Json, Set


def register(app: typer.Typer) -> None:
    app.command()(explain)


def explain(
    program: Annotated[Path, typer.Argument(help="ELF executable, assembly source, or recorded trace.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="Arguments of the program, after --.")] = None,
    design: Annotated[str, typer.Option(help="Design name or YAML file.")] = "edge-npu",
    isa: Annotated[list[str] | None, typer.Option(help="More extensions (name or YAML file), beside the design's.")] = (
        None
    ),
    addresses: Annotated[bool, typer.Option("--addresses", help="Time without holding bulk data.")] = False,
    allow: Annotated[list[Path] | None, typer.Option(help="File or folder that the program may read.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="List what saves nothing or cannot be changed, too.")] = False,
    set_: Set = None,
    json: Json = False,
) -> None:
    """Run with each resource doubled and unlimited; list cycles saved. Example: archsim explain dot.s --design edge-npu

    What is unlimited is as good as its fields and the design's rules allow. Savings do not add up.
    """
    from archsim.cli.output import bar, parse_settings, print_json, print_table
    from archsim.design import load_design
    from archsim.explore.explain import explain as explain_program

    chosen = load_design(design, parse_settings(set_ or []))
    run = _run(program, chosen, isa or [], arguments or [], allow or [], addresses)
    with bar(f"explain {program.name}") as progress:
        found = explain_program(chosen, run, progress=progress)
    if json:
        print_json({"program": str(program), "design": chosen.name, **found.to_dict()})
        return
    shown = [row for row in found.rows if all_ or row[1] != found.cycles]
    print(f"{found.cycles:,} cycles on {chosen.name}; with more of one resource:")
    print_table(["resource", "step", "from", "to", "cycles", "saved", ""], [_row(*row, found.cycles) for row in shown])
    without = len(found.rows) - len(shown)
    if all_:
        reasons = [(one.resource.name, one.step, one.reason) for one in found.skipped]
        print_table(["resource", "step", "not tried, because it"], reasons, left=3)
    else:
        print(f"{without} other changes save nothing, {len(found.skipped)} cannot be made (--all lists them)")


def _row(change: Any, cycles: int, before: int) -> tuple[str, ...]:
    saved = before - cycles
    share = f"{100 * saved / max(1, before):.1f} %"
    return change.resource.name, change.step, change.before, change.after, f"{cycles:,}", f"{saved:,}", share


def _run(
    path: Path, design: Any, isa: list[str], arguments: list[str], allow: list[Path], addresses: bool
) -> Callable[[Any], int]:
    """A function that gives the program's cycles on a design."""
    from archsim.cli.run import prepare
    from archsim.common.errors import InputError
    from archsim.machine.environment import Options
    from archsim.machine.run import run
    from archsim.traces.detect import known_format
    from archsim.traces.load import replay_trace

    if known_format(path) is not None:
        if isa or arguments or allow:
            raise InputError("--isa, --allow and arguments are for programs", remedy="take them out")
        return lambda variant: replay_trace(path, variant)[0].cycles
    program, instruction_set = prepare(path, design, isa, arguments, None)
    options = Options(tuple(arguments), tuple(allow))
    fidelity = "addresses" if addresses else "timed"
    return lambda variant: run(program, variant, isa=instruction_set, fidelity=fidelity, options=options).cycles
