"""A finding of lint."""

from __future__ import annotations

from dataclasses import dataclass

SEVERITIES = ("error", "warning", "note")
"""The worst first."""


@dataclass(frozen=True)
class Finding:
    """Something about an extension file.

    Attributes:
        severity: one of SEVERITIES.
        file, line: where; line 0 where there is none.
        rule: load, conflict, overlap, unreachable, unused-bits, name, no-operation, no-timing or no-description.
        text: what.
        instructions: the mnemonics that it is about.
        example: an instruction word that shows it.
    """

    severity: str
    file: str
    line: int
    rule: str
    text: str
    instructions: tuple[str, ...] = ()
    example: int | None = None
