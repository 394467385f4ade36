"""Which instructions of a run a view shows: a stretch of each hart's, so that files of long runs stay small."""

from __future__ import annotations

import numpy as np

DEFAULT_LIMIT = 200_000


class Window:
    """Cuts a stretch out of view logs that arrive in chunks.

    Args:
        harts: how many write logs.
        start: instructions of each hart that are left out first.
        limit: instructions that are shown, over all harts: each has an equal share.

    Attributes:
        seen: instructions of each hart so far.
    """

    def __init__(self, harts: int, start: int = 0, limit: int = DEFAULT_LIMIT) -> None:
        self.start, self.share = start, max(1, limit // harts)
        self.seen = [0] * harts

    def take(self, hart: int, records: np.ndarray) -> tuple[int, np.ndarray]:
        """What of a chunk is shown: the number of its first instruction in the hart's log, and the records."""
        first = self.seen[hart]
        self.seen[hart] += len(records)
        low = max(self.start - first, 0)
        high = max(self.start + self.share - first, 0)
        return first + low, records[low:high]

    def is_past(self, hart: int) -> bool:
        """Whether no more of a hart's instructions will be shown."""
        return self.seen[hart] >= self.start + self.share

    def note(self) -> str:
        """What was left out, in words; "" if nothing was."""
        shown = sum(min(max(seen - self.start, 0), self.share) for seen in self.seen)
        if shown == sum(self.seen):
            return ""
        of_each = " of each hart" if len(self.seen) > 1 else ""
        return (
            f"{shown:,} of {sum(self.seen):,} instructions are shown: numbers {self.start:,} to "
            f"{self.start + self.share - 1:,}{of_each}"
        )
