"""Names of formats: int8, int4-g128, int8-channel, int8-token."""

from __future__ import annotations

import re
from dataclasses import dataclass

from archsim.common.errors import InputError, nearest

BITS = (4, 8)
SCALE_BITS = 16
_EXAMPLES = ("int4-g128", "int4-g64", "int4-g32", "int4-channel", "int8", "int8-g128", "int8-channel", "int8-token")


@dataclass(frozen=True)
class Format:
    """Symmetric integers that share a float16 scale.

    Attributes:
        name: as written.
        bits: per code.
        group: codes that share a scale; 0 for one scale per row (channel, token).
    """

    name: str
    bits: int
    group: int

    @property
    def maximum(self) -> int:
        """Largest code; codes are -maximum to maximum (int8: 127, int4: 7)."""
        return int(2 ** (self.bits - 1) - 1)

    def groups(self, columns: int) -> int:
        """Scales per row of `columns` codes; the last group may be short."""
        return -(-columns // self.group) if self.group else 1

    def row_bytes(self, columns: int) -> int:
        """Bytes of a row's codes (padded to whole bytes) and scales."""
        return -(-columns * self.bits // 8) + self.groups(columns) * SCALE_BITS // 8

    def bits_per_weight(self, columns: int) -> float:
        """Bits of storage per weight, scales included, in rows of `columns`."""
        return 8 * self.row_bytes(columns) / columns


def parse_format(name: str) -> Format:
    """The format of a name.

    Raises:
        InputError: there is none; suggests the nearest.
    """
    match = re.fullmatch(r"int(\d+)(?:-(?:g(\d+)|channel|token))?", name)
    if match and int(match[1]) in BITS:
        group = int(match[2] or 0)
        if match[2] is None or (8 <= group <= 65536 and not group & (group - 1)):
            return Format(name, int(match[1]), group)
        raise InputError(f"group of format {name!r} is {group}", remedy="use a power of two from 8 to 65536")
    near = nearest(name, _EXAMPLES)
    known = ", ".join(_EXAMPLES)
    raise InputError(f"unknown format {name!r}", remedy=f"did you mean {near!r}?" if near else f"known: {known}")
