"""Names of number formats: int8, int4-g128, int8-channel, int8-token."""

from __future__ import annotations

import re
from dataclasses import dataclass

from archsim.common.errors import InputError, nearest

SCALE_BITS = 16
"""Bits of a scale (float16)."""
SMALLEST_GROUP, LARGEST_GROUP = 8, 65536
KNOWN = "int8 and int4, alone or with -gN (N codes share a scale), -channel or -token"
_EXAMPLES = tuple(
    f"int{b}{end}" for b in (4, 8) for end in ("", "-g32", "-g64", "-g128", "-g256", "-channel", "-token")
)
_NAME = re.compile(r"int([48])(?:-(?:g([1-9][0-9]{0,8})|channel|token))?")


@dataclass(frozen=True)
class Format:
    """Symmetric integers that share a float16 scale.

    Attributes:
        name: as written.
        bits: per code, 4 or 8.
        group: consecutive codes of a row that share a scale; 0 for one scale per row.
    """

    name: str
    bits: int
    group: int

    @property
    def maximum(self) -> int:
        """Largest code; codes are -maximum to maximum (int8: 127, int4: 7)."""
        return (1 << (self.bits - 1)) - 1

    @property
    def scope(self) -> str:
        """What shares a scale: "group", "channel" or "token", and "row" where the name leaves it open."""
        return "group" if self.group else self.name.partition("-")[2] or "row"

    def groups(self, columns: int) -> int:
        """Scales of a row of `columns` codes; the last group may be short."""
        return -(-columns // self.group) if self.group else 1

    def code_bytes(self, columns: int) -> int:
        """Bytes of the codes of a row; an odd int4 code at the end takes a whole byte."""
        return -(-columns * self.bits // 8)

    def row_bytes(self, columns: int) -> int:
        """Bytes of the codes and scales of a row."""
        return self.code_bytes(columns) + self.groups(columns) * SCALE_BITS // 8

    def bits_per_weight(self, columns: int) -> float:
        """Bits of storage per code, scales included, in rows of `columns` (> 0) codes."""
        return 8 * self.row_bytes(columns) / columns


def parse_format(name: str) -> Format:
    """The format of a name.

    Raises:
        InputError: there is none (says what is known, and the nearest), or its group is no power of two in range.
    """
    text = str(name)
    match = _NAME.fullmatch(text)
    if match is None:
        near = nearest(text.lower(), _EXAMPLES)
        raise InputError(
            f"unknown format {text!r}", remedy=(f"did you mean {near!r}? " if near else "") + f"known: {KNOWN}"
        )
    group = int(match[2] or 0)
    if match[2] and not (SMALLEST_GROUP <= group <= LARGEST_GROUP and group.bit_count() == 1):
        raise InputError(
            f"group {group} of format {text!r} is not supported",
            remedy=f"use a power of two from {SMALLEST_GROUP} to {LARGEST_GROUP}, such as int{match[1]}-g128",
        )
    return Format(text, int(match[1]), group)
