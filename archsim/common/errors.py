"""The two ways archsim refuses: the input is wrong, or the simulated program is."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class InputError(Exception):
    """What the user gave is wrong: one line that says where, what, and the remedy.

    The command line prints it as ``archsim: FILE:LINE: MESSAGE; REMEDY`` and exits with 2.

    Args:
        message: what is wrong.
        file: the file it is in, if any.
        line: its line, counted from 1.
        column: its column, counted from 1.
        remedy: what to do about it.
    """

    def __init__(
        self,
        message: str,
        *,
        file: str | Path | None = None,
        line: int | None = None,
        column: int | None = None,
        remedy: str | None = None,
    ) -> None:
        self.message, self.file, self.line, self.column, self.remedy = message, file, line, column, remedy
        super().__init__(str(self))

    def __str__(self) -> str:
        place = "" if self.file is None else f"{self.file}:"
        if self.line is not None:
            place += f"{self.line}:"
            if self.column is not None:
                place += f"{self.column}:"
        text = f"{place} {self.message}" if place else self.message
        return f"{text}; {self.remedy}" if self.remedy else text


class SimulationError(Exception):
    """The simulated program did something it may not (a trap, a race); the command line exits with 1."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like a misspelt one, or None."""
    by_lower = {word.lower(): word for word in known}
    found = difflib.get_close_matches(name.lower(), list(by_lower), n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def unknown(kind: str, name: str, known: Iterable[str], **where: object) -> InputError:
    """The error for a name that does not exist: suggests the nearest one, else lists what there is."""
    names = sorted(known)
    near = nearest(name, names)
    remedy = f"did you mean {near!r}?" if near else f"known: {', '.join(names) or 'none'}"
    return InputError(f"unknown {kind} {name!r}", remedy=remedy, **where)  # type: ignore[arg-type]
