"""Access patterns of the DRAM reference runs: which burst each request reads or writes.

Names as in the reference: `seq_rd` reads burst after burst; `randblk_B` reads random blocks of B bytes; `stride_S`
steps by S bytes; `strK_aligned` and `strK_stag` read K streams in turn, which begin at equal parts of the capacity, or
one row further each; `copy_…` and `triad_…` read and write; `row_conflict` opens a new row of the same bank each time.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

SEED = 12345


@dataclass(frozen=True)
class Space:
    """What a pattern runs over: capacity, bytes of a burst, bytes of a row of all channels, and rows of a bank."""

    capacity: int
    tx: int
    row: int
    rows: int


Requests = tuple[np.ndarray, np.ndarray]
"""Addresses, and 1 for each that is written."""


def splitmix64(count: int) -> np.ndarray:
    """Random uint64 numbers of the generator that the reference runs used (Steele, Lea, Flood, OOPSLA 2014)."""
    with np.errstate(over="ignore"):
        z = np.uint64(SEED) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _reads(addresses: np.ndarray) -> Requests:
    return addresses, np.zeros_like(addresses)


def _random(space: Space, count: int, kind: str) -> Requests:
    z = splitmix64(count)
    addresses = (z % np.uint64(space.capacity // space.tx)).astype(np.int64) * space.tx
    writes = {
        "rd": np.zeros_like(addresses),
        "wr": np.ones_like(addresses),
        "rw50": (z >> np.uint64(60)) & np.uint64(1),
    }
    return addresses, writes[kind].astype(np.int64)


def _blocks(space: Space, count: int, size: int) -> Requests:
    bursts = max(size // space.tx, 1)
    z = splitmix64(-(-count // bursts))
    first = (z % np.uint64(space.capacity // size)).astype(np.int64) * size
    inside = np.arange(bursts, dtype=np.int64) * space.tx
    return _reads((first[:, None] + inside).reshape(-1)[:count])


def _streams(space: Space, count: int, bases: list[int], written: int = -1) -> Requests:
    """Streams in turn, a burst each; the one numbered `written` is written."""
    i = np.arange(count, dtype=np.int64)
    which = i % len(bases)
    return np.array(bases, np.int64)[which] + i // len(bases) * space.tx, (which == written).astype(np.int64)


def _many(space: Space, count: int, streams: int, staggered: bool) -> Requests:
    step = space.row if staggered else 0
    return _streams(space, count, [j * space.capacity // streams + j * step for j in range(streams)])


def _sequential(space: Space, count: int, kind: str) -> Requests:
    i = np.arange(count, dtype=np.int64)
    writes = {"rd": 0 * i, "wr": 0 * i + 1, "rw_alt": i & 1}
    return i * space.tx, writes[kind]


def _stride(space: Space, count: int, stride: int) -> Requests:
    return _reads(np.arange(count, dtype=np.int64) * stride % space.capacity)


PATTERNS: tuple[tuple[str, str, Callable[[Space, int, re.Match[str]], Requests]], ...] = (
    ("seq_(rd|wr)", "sequential", lambda s, n, m: _sequential(s, n, m[1])),
    ("seq_(rw_alt)", "mixed", lambda s, n, m: _sequential(s, n, m[1])),
    ("rand_(rd|wr)", "random", lambda s, n, m: _random(s, n, m[1])),
    ("rand_(rw50)", "mixed", lambda s, n, m: _random(s, n, m[1])),
    (r"randblk_(\d+)", "random blocks", lambda s, n, m: _blocks(s, n, int(m[1]))),
    ("row_conflict", "row conflict", lambda s, n, m: _stride(s, n, s.capacity // s.rows)),
    (r"stride_(\d+)", "strided", lambda s, n, m: _stride(s, n, int(m[1]))),
    (r"str(\d+)_aligned", "aligned streams", lambda s, n, m: _many(s, n, int(m[1]), False)),
    (r"str(\d+)_stag", "staggered streams", lambda s, n, m: _many(s, n, int(m[1]), True)),
    ("copy_aligned", "mixed", lambda s, n, m: _streams(s, n, [0, s.capacity // 2], 1)),
    ("copy_stag", "mixed", lambda s, n, m: _streams(s, n, [0, s.capacity // 2 + 2 * s.row], 1)),
    (
        "triad_2r1w_stag",
        "mixed",
        lambda s, n, m: _streams(s, n, [k * (s.capacity // 4 + s.row) for k in range(3)], 2),
    ),
)  # fmt: skip
"""Name, class of errors, and what makes it."""


def requests(pattern: str, space: Space, count: int) -> tuple[str, Requests] | None:
    """A pattern's class and requests; None if there is no such pattern."""
    for name, kind, make in PATTERNS:
        match = re.fullmatch(name, pattern)
        if match:
            return kind, make(space, count, match)
    return None
