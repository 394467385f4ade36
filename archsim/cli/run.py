"""archsim run: an ELF or assembly program on a design."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer


def register(app: typer.Typer) -> None:
    app.command(name="run")(run)


def load_program(path: Path, isa: Any) -> Any:
    """A program from an ELF file or from assembly source (told apart by the first bytes)."""
    from archsim.common.errors import InputError
    from archsim.machine.elf import load_elf

    try:
        head = path.read_bytes()[:4]
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror}", file=path, remedy="check the path") from None
    if head == b"\x7fELF" or path.suffix in (".elf", ".out", ".o"):
        return load_elf(path)
    try:
        source = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError("is neither an ELF file nor assembly text", file=path, remedy="check the file") from None
    return isa.assemble(source, str(path))


def run(
    program: Annotated[Path, typer.Argument(help="ELF executable or assembly source.")],
    design: Annotated[str, typer.Option(help="Design name or YAML file.")] = "edge-npu",
    isa: Annotated[list[str] | None, typer.Option(help="More extensions (name or YAML file), beside the design's.")] = (
        None
    ),
    functional: Annotated[bool, typer.Option("--functional", help="Values only, no timing.")] = False,
    addresses: Annotated[bool, typer.Option("--addresses", help="Time without holding bulk data.")] = False,
    record: Annotated[Path | None, typer.Option(help="Write an instruction trace for 'archsim replay'.")] = None,
    max_instructions: Annotated[int | None, typer.Option(help="Stop after so many instructions.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Change a design field: FIELD=VALUE.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Run a program and pass its exit code on. Example: archsim run dot.s --design edge-npu"""
    from archsim.cli.output import parse_settings, print_json, spinner
    from archsim.common.errors import InputError
    from archsim.design import load_design
    from archsim.isa.load import load_isa
    from archsim.machine.environment import Options
    from archsim.machine.run import run as run_program

    if functional and addresses:
        raise InputError("--functional and --addresses exclude each other", remedy="choose one")
    chosen = load_design(design, parse_settings(set_ or []))
    instruction_set = load_isa(*chosen.isa, *(isa or []), parameters=chosen.parameters)
    loaded = load_program(program, instruction_set)
    fidelity = "functional" if functional else "addresses" if addresses else "timed"
    with spinner(f"running {program}") as say:
        result = run_program(
            loaded,
            chosen,
            isa=instruction_set,
            fidelity=fidelity,
            record=record is not None,
            max_instructions=max_instructions,
            options=Options(echo=not json),
            progress=lambda count: say(f"running {program}: {count:,} instructions"),
        )
    if record is not None:
        from archsim.traces.archsim_trace import save_trace

        save_trace(record, result.trace, isa=[*chosen.isa, *(isa or [])], parameters=chosen.parameters)
    if json:
        print_json({**result.to_dict(), "stdout": result.stdout.decode(errors="replace")})
    else:
        print(summary(result), file=sys.stderr)
    sys.exit(result.exit_code)


def summary(result: Any) -> str:
    """Counts, time, energy and stalls of a run as text."""
    lines = [f"{result.instructions:,} instructions"]
    if result.fidelity != "functional":
        lines[0] += f", {result.cycles:,} cycles, {result.time_s:.4g} s, {result.energy.total:.4g} J on {result.design}"
        stalls = sorted(result.stalls.items(), key=lambda item: -item[1])
        lines.append(f"busy {result.busy_cycles:,}" + "".join(f", {name} {count:,}" for name, count in stalls))
    for number, count in result.unknown_calls.items():
        lines.append(f"system call {number} is not there: answered {count} times with ENOSYS")
    return "\n".join(lines)
