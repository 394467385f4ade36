"""Calling the command line in this process."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest

from archsim.cli.main import main


@dataclass(frozen=True)
class Outcome:
    """What a command left: exit code, standard output and standard error."""

    code: int
    out: str
    err: str


def archsim(*arguments: object, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """Run `archsim ARGUMENTS`."""
    monkeypatch.setattr(sys, "argv", ["archsim", *map(str, arguments)])
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    captured = capsys.readouterr()
    return Outcome(code, captured.out, captured.err)
