"""What shares a scale: a group of a row, a row, or the tensor."""

from __future__ import annotations

import re
from dataclasses import dataclass

from archsim.common.errors import InputError

SMALLEST_GROUP, LARGEST_GROUP = 8, 65536
PATTERN = r"(?:-(g[1-9][0-9]{0,8}|channel|token|tensor))?"
"""Of a scope in a format's name; matches nothing, too."""
GRAMMAR = "[-gN | -channel | -token | -tensor]"


@dataclass(frozen=True)
class Scope:
    """What shares a scale.

    Attributes:
        kind: "group"; "channel" or "token", and "row" where the name leaves it open; "tensor".
        group: consecutive codes of a row that share a scale; 0 unless kind is "group".
    """

    kind: str
    group: int = 0

    def groups(self, columns: int) -> int:
        """Scales of a row of `columns` codes; 1 also where the tensor has a single one.

        Raises:
            InputError: the group does not divide the row.
        """
        if not self.group:
            return 1
        if columns % self.group:
            raise InputError(
                f"groups of {self.group} do not divide rows of {columns}",
                remedy="use a group that does, or one scale per channel",
            )
        return columns // self.group

    def scale_shape(self, rows: int, columns: int) -> tuple[int, int]:
        """Shape of the array of scales of a matrix."""
        return (1, 1) if self.kind == "tensor" else (rows, self.groups(columns))


def parse_scope(text: str | None, name: str) -> Scope:
    """The scope that PATTERN found in a name.

    Raises:
        InputError: its group is no power of two in range.
    """
    if text is None:
        return Scope("row")
    if not text.startswith("g"):
        return Scope(text)
    group = int(text[1:])
    if not (SMALLEST_GROUP <= group <= LARGEST_GROUP and group.bit_count() == 1):
        good = re.sub(r"-g[0-9]+", "-g128", name, count=1)
        raise InputError(
            f"group {group} of format {name!r} is not supported",
            remedy=f"use a power of two from {SMALLEST_GROUP} to {LARGEST_GROUP}, such as {good}",
        )
    return Scope("group", group)
