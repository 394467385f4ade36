"""Views of archsim run: what its options ask for, gathered while a program runs and given out when it has ended."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from archsim.common.errors import SimulationError

PipelineFile = Annotated[
    Path | None, typer.Option("--pipeline", help="Write a pipeline diagram (Kanata log), which Konata opens.")
]
TimelineFile = Annotated[
    Path | None, typer.Option("--timeline", help="Write a timeline (trace events), which ui.perfetto.dev opens.")
]
AnnotateFile = Annotated[
    str | None, typer.Option("--annotate", help="Write a listing with each instruction's cost (- for standard output).")
]
TopDown = Annotated[bool, typer.Option("--topdown", help="Print where issue slots went, by class and cause.")]
CriticalPath = Annotated[
    bool, typer.Option("--critical-path", help="Print the critical path (180 bytes of disk per instruction).")
]
HtmlFile = Annotated[Path | None, typer.Option("--html", help="Write one self-contained page of figures.")]
ViewStart = Annotated[
    int, typer.Option("--view-start", min=0, help="Instructions of each hart that pipeline and timeline leave out.")
]
ViewLimit = Annotated[
    int, typer.Option("--view-limit", min=1, help="Instructions that pipeline and timeline show, over all harts.")
]


PAGE_PATH = 1_000_000
"""Instructions up to which a page has the critical path without --critical-path: longer runs take their time for it."""


@dataclass(frozen=True)
class ViewOptions:
    """What was asked for."""

    pipeline: Path | None = None
    timeline: Path | None = None
    annotate: str | None = None
    topdown: bool = False
    critical_path: bool = False
    html: Path | None = None
    start: int = 0
    limit: int = 1
    json: bool = False

    @property
    def follow(self) -> bool:
        """Whether the run must be followed instruction by instruction."""
        return bool(self.pipeline or self.timeline or self.annotate or self.critical_path or self.html)


@dataclass(frozen=True)
class Shown:
    """What views have to say.

    Attributes:
        data: what --json prints beside the result.
        lines: for people.
    """

    data: dict[str, Any]
    lines: list[str]


class RunViews:
    """The views of one run.

    Args:
        options: what is asked for.
        path: the program's file, for its source lines.
        program, isa, design: what runs, with which instructions, on what.

    Attributes:
        consumers: to be given to run().
    """

    def __init__(self, options: ViewOptions, path: Path, program: Any, isa: Any, design: Any) -> None:
        self.options, self.design = options, design
        self.consumers: list[Any] = []
        self.writers: list[Any] = []
        self.costs: Any = None
        self.utilisation: Any = None
        self.store: Any = None
        self._files = ExitStack()
        if not options.follow:
            return
        from archsim.machine.predecode import text_of
        from archsim.traces.listing import Listing

        self.listing = Listing(program, isa, text_of(program), _source_lines(path, program))
        self._open()

    def _open(self) -> None:
        """Make a consumer of every view."""
        from archsim.common.errors import InputError
        from archsim.report.annotate import Costs
        from archsim.traces.kanata import KanataWriter
        from archsim.traces.perfetto import PerfettoWriter
        from archsim.traces.utilisation import Utilisation
        from archsim.traces.view_store import ViewStore
        from archsim.traces.window import Window

        options, harts = self.options, self.design.cores
        files = [file.resolve() for file in (options.pipeline, options.timeline, options.html) if file is not None]
        if len(set(files)) < len(files):
            raise InputError("two views would go into one file", remedy="give each its own")
        for file, writer in ((options.pipeline, KanataWriter), (options.timeline, PerfettoWriter)):
            if file is not None:
                stream = self._files.enter_context(file.open("w", encoding="utf-8"))
                window = Window(harts, options.start, options.limit)
                self.writers.append(writer(stream, self.listing, window, self.design))
        if options.annotate or options.html:
            self.costs = Costs()
        if options.html:
            self.utilisation = Utilisation(harts)
        if options.critical_path or options.html:
            self.store = ViewStore(harts, None if options.critical_path else PAGE_PATH)
        self.consumers = [
            *self.writers, *(one for one in (self.costs, self.utilisation, self.store) if one is not None),
        ]  # fmt: skip

    def __enter__(self) -> RunViews:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        """Close files. Those of a program that failed are whole, and show what led there."""
        if kind is not None and issubclass(kind, SimulationError):
            for writer in self.writers:
                writer.finish(None)
        if self.store is not None:
            self.store.close()
        self._files.close()

    def finish(self, result: Any) -> Shown:
        """Write files, and give what is to be printed.

        Args:
            result: the RunResult.
        """
        from archsim.report.topdown import topdown, topdown_lines

        if result.fidelity == "functional":
            return Shown({}, [])
        tree = topdown(result.to_dict())
        shown = Shown({"topdown": tree.to_dict(tree.slots)}, [])
        if self.options.topdown:
            shown.lines.extend(["", *topdown_lines(tree)])
        if self.options.follow:
            self._followed(result, tree, shown)
        return shown

    def _followed(self, result: Any, tree: Any, shown: Shown) -> None:
        """Finish what followed the run."""
        options = self.options
        for writer in self.writers:
            writer.finish(result)
            if writer.window.note():
                shown.lines.append(f"{writer.stream.name}: {writer.window.note()} (--view-start, --view-limit)")
        path, annotation = self._path(result), self._annotation(result)
        if options.critical_path and path is not None:
            shown.data["critical_path"] = path.to_dict(self.listing)
            shown.lines.extend(["", *path.lines(self.listing)])
        if options.annotate and annotation is not None:
            shown.data["annotation"] = annotation.to_dict()
            if options.annotate != "-" or not options.json:
                _write_lines(options.annotate, annotation.text())
        if options.html is not None:
            from archsim.report.run_page import write_run_page

            options.html.parent.mkdir(parents=True, exist_ok=True)
            write_run_page(options.html, self.design, result, tree, annotation, path, self.utilisation, self.listing)
            shown.lines.append(f"page: {options.html}")

    def _path(self, result: Any) -> Any:
        from archsim.report.critical_path import Walk

        if self.store is None or not self.store.is_whole:
            return None
        return Walk(self.store, self.design, self.listing.is_barrier).path(result.cycles)

    def _annotation(self, result: Any) -> Any:
        from archsim.report.annotate import Annotation

        return Annotation.of(self.costs, self.listing, result) if self.costs is not None else None


def _source_lines(path: Path, program: Any) -> Any:
    """Source lines of an ELF file; a warning where they are damaged."""
    from archsim.machine.debug_lines import NO_LINES, source_lines

    if program.headers is None:
        return NO_LINES
    try:
        return source_lines(path)
    except ValueError as error:
        warning = "the debug information is damaged, source lines are left out"
        print(f"archsim: warning: {path}: {warning}: {error}", file=sys.stderr)
        return NO_LINES


def _write_lines(target: str, lines: Iterable[str]) -> None:
    if target == "-":
        for line in lines:
            print(line)
        return
    with Path(target).open("w", encoding="utf-8") as stream:
        stream.writelines(f"{line}\n" for line in lines)
