"""What readers of tensor files share: mapped bytes, and a cursor that cannot leave them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from archsim.common.errors import InputError

_TRUNCATED = "the file is truncated, or its header wrong"


def map_file(path: Path) -> np.ndarray:
    """A file's bytes, mapped read-only: uint8 [size].

    Raises:
        InputError: it cannot be read, or is empty.
    """
    try:
        if not path.is_file():
            raise InputError("cannot read: no such file", file=path, remedy="check the path")
        if path.stat().st_size == 0:
            raise InputError("the file is empty", file=path, remedy="check the path")
        # a plain array on the map: slices of np.memmap cost a microsecond more
        return np.memmap(path, np.uint8, "r").view(np.ndarray)
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror}", file=path, remedy="check the path") from None


class Bytes:
    """A cursor on the bytes of a file.

    Attributes:
        at: the next byte.
    """

    def __init__(self, data: np.ndarray, path: Path) -> None:
        self.data, self.path, self.at = data, path, 0

    def take(self, count: int, what: str) -> np.ndarray:
        """The next bytes."""
        if count > len(self.data) - self.at:
            left = len(self.data) - self.at
            raise self.error(f"{what} at byte {self.at} takes {count} bytes, {left} are left", _TRUNCATED)
        part = self.data[self.at : self.at + count]
        self.at += count
        return part

    def number(self, dtype: str, what: str) -> Any:
        """The next number, as Python's int or float."""
        return self.take(np.dtype(dtype).itemsize, what).view(dtype)[0].item()

    def count(self, dtype: str, what: str, most: int, smallest: int) -> int:
        """The next number as a count of things that take `smallest` bytes or more."""
        place, count = self.at, self.number(dtype, f"the number of {what}")
        if count > most or count * smallest > len(self.data) - self.at:
            left = len(self.data) - self.at
            raise self.error(f"{count} {what} at byte {place}, {left} bytes are left", f"{_TRUNCATED} (limit: {most})")
        return int(count)

    def text(self, what: str, most: int) -> str:
        """The next string: a length of 64 bits, and UTF-8."""
        length = self.number("<u8", f"the length of {what}")
        if length > most:
            raise self.error(f"{what} at byte {self.at} is {length} bytes long", f"up to {most} are allowed")
        raw = self.take(length, what).tobytes()
        # tokens may be pieces of characters
        return raw.decode("utf-8", "replace")

    def error(self, message: str, remedy: str) -> InputError:
        return InputError(message, file=self.path, remedy=remedy)


def check_apart(tensors: list[tuple[int, int, str]], path: Path) -> None:
    """Refuse tensors (start, bytes, name) that share bytes."""
    ordered = sorted(tensors)
    for (start, nbytes, name), (other_start, _, other) in pairwise(ordered):
        if start + nbytes > other_start:
            raise InputError(f"tensors {name[:80]!r} and {other[:80]!r} overlap", file=path, remedy="repair the file")
