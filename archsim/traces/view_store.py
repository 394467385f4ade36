"""A view log kept in a temporary file, for views that go through it backwards."""

from __future__ import annotations

import tempfile
from bisect import bisect_right
from functools import lru_cache

import numpy as np

from archsim.machine import layout as at
from archsim.traces.view_records import STALL_FIELDS

# columns of what is kept of a record
(
    SLOT, FETCH, ISSUE, BEGIN, DONE, RETIRE, PRODUCER, UNIT, PREVIOUS, LAST_TILE, LAST_MATRIX, LAST_VECTOR,
    LAST_SERIAL, FIRST_STALL,
) = range(14)  # fmt: skip
"""As in the view log; PREVIOUS: number of the instruction before it on its unit, LAST_...: the last one before it on a
decoupled unit, or that an out-of-order hart executes alone (-1: none); from FIRST_STALL on four pairs of cause and
cycles."""
COLUMNS = FIRST_STALL + 2 * len(STALL_FIELDS)
_COPIED = (
    at.V_SLOT, at.V_FETCH, at.V_ISSUE, at.V_BEGIN, at.V_DONE, at.V_RETIRE, at.V_PRODUCER, at.V_UNIT,
)  # fmt: skip
_DECOUPLED = {at.UNIT_ID["tile_lsu"]: LAST_TILE, at.UNIT_ID["matrix"]: LAST_MATRIX, at.UNIT_ID["vector"]: LAST_VECTOR}
_SERIAL = range(at.UNIT_ID["csr"], at.FIRST_DECOUPLED)
_BLOCK, _CACHED = 1 << 11, 64
"""Records that are read at once, and how many such blocks are kept at hand."""


class ViewStore:
    """Keeps the view logs of a run: about 180 bytes of disk per instruction.

    Args:
        harts: how many.
        most: instructions from which on it keeps nothing (None: no limit).

    Attributes:
        is_whole: whether all instructions are kept.
        counts: instructions of each hart.
        moves: DMA transfers of each hart, as lists of TRANSFER_FIELDS numbers, in the order of their ends.
    """

    def __init__(self, harts: int, most: int | None = None) -> None:
        self.most, self.is_whole = most, True
        self.counts = [0] * harts
        self.moves: list[list[list[int]]] = [[] for _ in range(harts)]
        self._file = tempfile.TemporaryFile(prefix="archsim-view-")  # noqa: SIM115 (closed by close())
        self._starts: list[list[int]] = [[] for _ in range(harts)]
        self._places: list[list[tuple[int, int]]] = [[] for _ in range(harts)]
        self._last = [dict.fromkeys(range(len(at.UNITS)), -1) for _ in range(harts)]
        self._block = lru_cache(maxsize=_CACHED)(self._load)
        self._hart, self._low = -1, 0
        self._rows: list[list[int]] = []

    def chunk(self, hart: int, records: np.ndarray, transfers: np.ndarray) -> None:
        """Take in the next part of a hart's view log (see machine.viewing.View)."""
        if self.most is not None and sum(self.counts) + len(records) > self.most:
            self.is_whole = False
            self._file.truncate(0)
        if not self.is_whole:
            return
        self.moves[hart] += transfers.tolist()
        if not len(records):
            return
        kept = np.empty((len(records), COLUMNS), np.int64)
        for column, field in enumerate(_COPIED):
            kept[:, column] = records[:, field]
        for index, (cause, cycles) in enumerate(STALL_FIELDS):
            kept[:, FIRST_STALL + 2 * index], kept[:, FIRST_STALL + 2 * index + 1] = (
                records[:, cause],
                records[:, cycles],
            )
        self._link(hart, kept)
        self._file.seek(0, 2)
        self._starts[hart].append(self.counts[hart])
        self._places[hart].append((self._file.tell(), len(kept)))
        self._file.write(kept.tobytes())
        self.counts[hart] += len(kept)

    def _link(self, hart: int, kept: np.ndarray) -> None:
        """Fill in the numbers of earlier instructions on the units."""
        last, first = self._last[hart], self.counts[hart]
        numbers = first + np.arange(len(kept))
        kept[:, LAST_SERIAL] = -1
        for unit in range(len(at.UNITS)):
            own = kept[:, UNIT] == unit
            before = np.maximum.accumulate(np.concatenate([[last[unit]], np.where(own, numbers, -1)]))
            kept[own, PREVIOUS] = before[:-1][own]
            if unit in _DECOUPLED:
                kept[:, _DECOUPLED[unit]] = before[:-1]
            if unit in _SERIAL:
                kept[:, LAST_SERIAL] = np.maximum(kept[:, LAST_SERIAL], before[:-1])
            last[unit] = int(before[-1])

    def row(self, hart: int, number: int) -> list[int]:
        """What is kept of an instruction."""
        if hart != self._hart or not self._low <= number < self._low + len(self._rows):
            self._go_to(hart, number)
        return self._rows[number - self._low]

    def _go_to(self, hart: int, number: int) -> None:
        """Have the block of an instruction at hand."""
        chunk = bisect_right(self._starts[hart], number) - 1
        start = self._starts[hart][chunk]
        block = (number - start) // _BLOCK
        self._hart, self._low, self._rows = hart, start + block * _BLOCK, self._block(hart, chunk, block)

    def _load(self, hart: int, chunk: int, block: int) -> list[list[int]]:
        offset, count = self._places[hart][chunk]
        size = min(_BLOCK, count - block * _BLOCK)
        self._file.seek(offset + block * _BLOCK * COLUMNS * 8)
        rows: list[list[int]] = np.frombuffer(self._file.read(size * COLUMNS * 8), np.int64).reshape(size, -1).tolist()
        return rows

    def close(self) -> None:
        """Give the disk space back."""
        self._file.close()
