"""archsim run: an ELF or assembly program on a design."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from archsim.cli.run_views import (
    AnnotateFile,
    CriticalPath,
    HtmlFile,
    PipelineFile,
    RunViews,
    TimelineFile,
    TopDown,
    ViewLimit,
    ViewOptions,
    ViewStart,
)


def register(app: typer.Typer) -> None:
    app.command(name="run")(run)


def load_program(path: Path, isa: Any) -> Any:
    """A program from an ELF file or from assembly source (told apart by the first bytes)."""
    return elf_program(path) or assembled(path, isa)


def elf_program(path: Path) -> Any:
    """The program of an ELF file, None if it is no such file."""
    from archsim.common.errors import InputError
    from archsim.machine.elf import load_elf

    try:
        with path.open("rb") as stream:
            head = stream.read(4)
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror}", file=path, remedy="check the path") from None
    return load_elf(path) if head == b"\x7fELF" or path.suffix in (".elf", ".out", ".o") else None


def assembled(path: Path, isa: Any) -> Any:
    """The program of an assembly source."""
    from archsim.common.errors import InputError

    try:
        source = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError("is neither an ELF file nor assembly text", file=path, remedy="check the file") from None
    return isa.assemble(source, str(path))


def prepare(path: Path, design: Any, isa: list[str], arguments: list[str], vlen: int | None) -> tuple[Any, Any]:
    """A program out of an ELF file or assembly source, and the instruction set it runs with."""
    from archsim.common.errors import InputError
    from archsim.isa.load import load_isa
    from archsim.machine.instruction_set import instruction_set_for

    program = elf_program(path)
    if program is not None:
        return program, instruction_set_for(program, design, isa, vlen)
    if arguments or vlen:
        raise InputError("arguments and --vlen are for ELF programs", remedy="take them out")
    instruction_set = load_isa(*design.isa, *isa, parameters=design.parameters)
    return assembled(path, instruction_set), instruction_set


def run(
    program: Annotated[Path, typer.Argument(help="ELF executable or assembly source.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="Arguments of the program, after --.")] = None,
    design: Annotated[str, typer.Option(help="Design name or YAML file.")] = "edge-npu",
    isa: Annotated[list[str] | None, typer.Option(help="More extensions (name or YAML file), beside the design's.")] = (
        None
    ),
    vlen: Annotated[int | None, typer.Option(help="Bits of a vector register, for ELF programs.")] = None,
    functional: Annotated[bool, typer.Option("--functional", help="Values only, no timing.")] = False,
    addresses: Annotated[bool, typer.Option("--addresses", help="Time without holding bulk data.")] = False,
    allow: Annotated[list[Path] | None, typer.Option(help="File or folder that the program may read.")] = None,
    allow_write: Annotated[list[Path] | None, typer.Option(help="File or folder that it may read and change.")] = None,
    stdin: Annotated[bool, typer.Option("--stdin", help="Let it read this command's standard input.")] = False,
    trace: Annotated[
        str | None, typer.Option(help="Write a commit log as Spike does (- for standard error); implies --functional.")
    ] = None,
    record: Annotated[Path | None, typer.Option(help="Write an instruction trace for 'archsim replay'.")] = None,
    max_instructions: Annotated[int | None, typer.Option(min=1, help="Stop after so many instructions.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Change a design field: FIELD=VALUE.")] = None,
    topdown: TopDown = False,
    annotate: AnnotateFile = None,
    critical_path: CriticalPath = False,
    pipeline: PipelineFile = None,
    timeline: TimelineFile = None,
    html: HtmlFile = None,
    view_start: ViewStart = 0,
    view_limit: ViewLimit = 200_000,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Run a program and pass its exit code on. Example: archsim run prog.elf --functional -- input.txt"""
    from archsim.cli.output import parse_settings, print_json, spinner
    from archsim.common.errors import InputError
    from archsim.design import load_design
    from archsim.machine.environment import Options
    from archsim.machine.run import run as run_program

    functional = functional or trace is not None
    if functional and addresses:
        raise InputError("--functional (or --trace) and --addresses exclude each other", remedy="choose one")
    chosen = load_design(design, parse_settings(set_ or []))
    loaded, instruction_set = prepare(program, chosen, isa or [], arguments or [], vlen)
    options = Options(
        tuple(arguments or []), tuple(allow or []), tuple(allow_write or []), 0 if stdin else b"", echo=not json
    )
    wanted = ViewOptions(pipeline, timeline, annotate, topdown, critical_path, html, view_start, view_limit, json)
    if functional and (wanted.follow or topdown):
        raise InputError("a functional run has no times to show", remedy="take --functional and --trace out")
    views = RunViews(wanted, program, loaded, instruction_set, chosen)
    with views, _log(trace) as log, spinner(f"running {program}") as say:
        result = run_program(
            loaded,
            chosen,
            isa=instruction_set,
            fidelity="functional" if functional else "addresses" if addresses else "timed",
            record=record is not None,
            max_instructions=max_instructions,
            options=options,
            progress=lambda count, _: say(f"running {program}: {count:,} instructions"),
            log=log,
            views=views.consumers,
        )
        say(f"views of {program}")
        shown = views.finish(result)
    if record is not None:
        from archsim.traces.archsim_trace import save_trace

        save_trace(record, result.trace, isa=instruction_set.name.split("+"), parameters=instruction_set.parameters)
    if json:
        texts = {"stdout": result.stdout, "stderr": result.stderr}
        decoded = {name: text.decode(errors="replace") for name, text in texts.items()}
        print_json({**result.to_dict(), **decoded, **shown.data})
    else:
        print("\n".join([summary(result), *shown.lines]), file=sys.stderr)
    sys.exit(result.exit_code)


@contextmanager
def _log(target: str | None) -> Iterator[TextIO | None]:
    """Where the commit log goes."""
    if target is None:
        yield None
    elif target == "-":
        yield sys.stderr
    else:
        with Path(target).open("w", encoding="utf-8") as stream:
            yield stream


def summary(result: Any) -> str:
    """Counts, time, energy and stalls of a run as text."""
    lines = [f"{result.instructions:,} instructions"]
    if result.fidelity != "functional":
        lines[0] += f", {result.cycles:,} cycles, {result.time_s:.4g} s, {result.energy.total:.4g} J on {result.design}"
        stalls = sorted(result.stalls.items(), key=lambda item: -item[1])
        lines.append(f"busy {result.busy_cycles:,}" + "".join(f", {name} {count:,}" for name, count in stalls))
    if result.failed_test:
        lines.append(f"test {result.failed_test} failed")
    for number, count in result.unknown_calls.items():
        lines.append(f"system call {number} is not there: answered {count} times with ENOSYS")
    return "\n".join(lines)
