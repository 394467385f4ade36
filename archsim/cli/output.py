"""Printing: tables for people, JSON for scripts, progress on stderr."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, indent=2))


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], title: str | None = None, *, left: int = 1
) -> None:
    """A table on standard output; the first columns (`left` of them) are left-aligned, the others right."""
    import sys

    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index < left else "right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    # a pipe has no width: do not cut what it gets
    Console(width=None if sys.stdout.isatty() else 200).print(table)


@contextmanager
def spinner(text: str) -> Iterator[Any]:
    """A line on stderr while something long runs; gives a function that changes its text."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda words: None
        return
    with console.status(text) as status:
        yield status.update


@contextmanager
def bar(text: str) -> Iterator[Any]:
    """A progress bar on stderr; gives a function of (done, of how many, what is next)."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn(text),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)

        def say(done: int, total: int, what: str) -> None:
            progress.update(task, completed=done, total=total, description=what)

        yield say


def parse_settings(settings: Sequence[str]) -> dict[str, str]:
    """``--set core.scratchpad.size="1 MiB"`` options as a mapping.

    Raises:
        InputError: one has no '='.
    """
    from archsim.common.errors import InputError

    result = {}
    for setting in settings:
        key, separator, value = setting.partition("=")
        if not separator or not key.strip():
            raise InputError(f"--set {setting!r} is no assignment", remedy="write FIELD=VALUE")
        if not value.strip():
            raise InputError(
                f"--set {setting!r} gives no value", remedy="write FIELD=VALUE, or FIELD=null for its default"
            )
        result[key.strip()] = value.strip()
    return result


def parse_dims(settings: Sequence[str]) -> dict[str, dict[str, int]]:
    """``--dim batch=1`` options as the setting `dims` of a point; nothing if there are none.

    Raises:
        InputError: one has no '=', or its value is no whole number.
    """
    from archsim.common.errors import InputError

    dims = {}
    for setting in settings:
        name, _, value = setting.rpartition("=")
        if not name.strip() or not value.strip().isdecimal():
            raise InputError(f"--dim {setting!r} gives no size", remedy="write NAME=VALUE, as in batch=1")
        dims[name.strip()] = int(value)
    return {"dims": dims} if dims else {}


@contextmanager
def share_bar(text: str) -> Iterator[Any]:
    """A progress bar with the time that is left on stderr; gives a function of (share done, what is at work)."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn(text),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=1.0)
        yield lambda share, what: progress.update(task, completed=share, description=what)
