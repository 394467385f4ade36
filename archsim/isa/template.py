"""Operand templates: how `assembly: "xd, imm(xs1)"` splits into operands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

_OPERAND = re.compile(r"([A-Za-z_]\w*)?\s*(?:\(\s*([A-Za-z_]\w*)\s*\))?", re.ASCII)


@dataclass(frozen=True)
class Operand:
    """One operand: a variable, an address such as imm(xs1), or a base alone, (xs1)."""

    name: str | None
    base: str | None

    def __str__(self) -> str:
        return (self.name or "") + (f"({self.base})" if self.base else "")

    @property
    def variables(self) -> tuple[str, ...]:
        return tuple(name for name in (self.name, self.base) if name)


@cache
def parse_template(assembly: str) -> tuple[Operand, ...]:
    """Operands of a template, left to right; () for an empty one.

    Raises:
        ValueError: an operand is neither NAME, NAME(NAME) nor (NAME).
    """
    result = []
    for part in assembly.split(",") if assembly.strip() else ():
        match = _OPERAND.fullmatch(part.strip())
        if not match or not match[0]:
            raise ValueError(part.strip())
        result.append(Operand(match[1], match[2]))
    return tuple(result)
