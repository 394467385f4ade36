"""Utilisation over time: in how many cycles of each stretch of a run a unit had an instruction in execution."""

from __future__ import annotations

import numpy as np

from archsim.machine import layout as at

BUCKETS = 512
"""Stretches of time that a run is divided into, at most; they are at least half as many once it is that long."""


class Buckets:
    """Amounts over time, in stretches that double in length whenever a run outgrows them.

    Attributes:
        shift: log2 of the cycles in a stretch.
        values: float64 [count], the amount in each.
    """

    def __init__(self, count: int = BUCKETS) -> None:
        self.shift = 0
        self.values = np.zeros(count)

    def add(self, begin: np.ndarray, end: np.ndarray, weight: np.ndarray | float = 1.0) -> None:
        """Add `weight` per cycle of the intervals [begin, end), int64 [n]."""
        begin, end, weight = self._proper(begin, end, weight)
        if not len(begin):
            return
        self._reach(int(end.max()))
        size = 1 << self.shift
        first, last = begin >> self.shift, (end - 1) >> self.shift
        one = first == last
        np.add.at(self.values, first[one], (end - begin)[one] * weight[one])
        first, last, begin, end, weight = first[~one], last[~one], begin[~one], end[~one], weight[~one]
        np.add.at(self.values, first, ((first + 1) * size - begin) * weight)
        np.add.at(self.values, last, (end - last * size) * weight)
        whole = np.zeros(len(self.values) + 1)
        np.add.at(whole, first + 1, size * weight)
        np.add.at(whole, last, -size * weight)
        self.values += np.cumsum(whole)[:-1]

    def _reach(self, end: int) -> None:
        """Double the stretches until they cover time until `end`."""
        while end > len(self.values) << self.shift:
            self.values = np.concatenate([self.values[0::2] + self.values[1::2], np.zeros(len(self.values) // 2)])
            self.shift += 1

    @staticmethod
    def _proper(
        begin: np.ndarray, end: np.ndarray, weight: np.ndarray | float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Without empty intervals."""
        weight = np.broadcast_to(np.asarray(weight, float), begin.shape)
        there = end > begin
        return begin[there], end[there], weight[there]

    def series(self, end: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Until cycle `end`: first cycles of the stretches, their lengths (the last may be short), amounts."""
        self._reach(end)
        count = max(1, -(-end // (1 << self.shift)))
        starts = np.arange(count, dtype=np.int64) << self.shift
        lengths = np.minimum(1 << self.shift, np.maximum(end - starts, 1))
        return starts, lengths, self.values[:count]


class Utilisation:
    """Per hart and unit, the cycles in which at least one instruction was between its begin and its result.

    A unit that starts instructions out of the order of the program is counted in that order: where a later one fills a
    gap that an earlier one has passed, the gap counts as idle.
    """

    def __init__(self, harts: int) -> None:
        self.harts = harts
        self.units: dict[tuple[int, str], Buckets] = {}
        self._covered: dict[tuple[int, int], int] = {}

    def chunk(self, hart: int, records: np.ndarray, transfers: np.ndarray) -> None:
        """Take in the next part of a hart's view log (see machine.viewing.View)."""
        there = records[:, at.V_DONE] >= 0
        for unit in np.unique(records[there, at.V_UNIT]).tolist():
            own = records[there & (records[:, at.V_UNIT] == unit)]
            self._add(hart, unit, own[:, at.V_BEGIN], own[:, at.V_DONE])
        if len(transfers):
            begin = transfers[:, at.X_BEGIN]
            end = np.maximum(transfers[:, at.X_DONE], begin + 1)
            self._add(hart, at.UNIT_ID["dma"], begin, end)

    def _add(self, hart: int, unit: int, begin: np.ndarray, end: np.ndarray) -> None:
        """Add what no interval before has covered."""
        ends = np.maximum.accumulate(np.concatenate([[self._covered.get((hart, unit), 0)], end]))
        self._covered[hart, unit] = int(ends[-1])
        buckets = self.units.setdefault((hart, at.UNITS[unit]), Buckets())
        buckets.add(np.maximum(begin, ends[:-1]), end)

    def shares(self, end: int, hart: int | None = None) -> dict[str, tuple[list[int], list[float]]]:
        """Unit -> (first cycles of stretches, share of their cycles in which it worked), of a hart or all of them.

        Args:
            end: cycles of the run.
            hart: None for the mean over all.
        """
        result: dict[str, tuple[list[int], list[float]]] = {}
        for name in at.UNITS:
            own = [buckets for (owner, unit), buckets in self.units.items() if unit == name and hart in (None, owner)]
            if not own:
                continue
            total = Buckets()
            for buckets in own:
                starts, lengths, amounts = buckets.series(end)
                total.add(starts, starts + lengths, amounts[: len(starts)] / lengths)
            starts, lengths, amounts = total.series(end)
            count = self.harts if hart is None else 1
            result[name] = (starts.tolist(), (amounts / lengths / count).tolist())
        return result
