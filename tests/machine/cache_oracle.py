"""Caches in plain Python, one set a list of ways: what compiled ones are compared with."""

from __future__ import annotations

MASK = (1 << 64) - 1
SEED = 88172645463325252


class Cache:
    """A cache of `sets` x `ways` lines.

    Attributes:
        hits, misses, dirty: of accesses, and modified lines that left.
    """

    def __init__(self, sets: int, ways: int, policy: str) -> None:
        self.policy, self.ways = policy, ways
        self.lines: list[list[int | None]] = [[None] * ways for _ in range(sets)]
        self.modified = [[False] * ways for _ in range(sets)]
        self.recency: list[list[int]] = [[] for _ in range(sets)]
        self.trees = [[0] * ways for _ in range(sets)]
        self.state = SEED
        self.hits = self.misses = self.dirty = 0

    def access(self, line: int, write: bool) -> bool:
        """Whether the line was there; it is afterwards."""
        number = line % len(self.lines)
        ways, hit = self.lines[number], line in self.lines[number]
        way = ways.index(line) if hit else self._free_way(number)
        if not hit:
            self.dirty += self.modified[number][way]
            ways[way], self.modified[number][way] = line, False
        self.modified[number][way] |= write
        self.hits, self.misses = self.hits + hit, self.misses + (not hit)
        self._touched(number, way)
        return hit

    def remove(self, line: int) -> None:
        number = line % len(self.lines)
        if line in self.lines[number]:
            way = self.lines[number].index(line)
            self.lines[number][way], self.modified[number][way] = None, False
            self.recency[number].remove(way)

    def _touched(self, number: int, way: int) -> None:
        order = self.recency[number]
        if way in order:
            order.remove(way)
        order.append(way)
        low, high, node = 0, self.ways, 1
        while high - low > 1 and self.policy == "plru":
            middle = (low + high) // 2
            upper = way >= middle
            self.trees[number][node] = 0 if upper else 1
            low, high, node = (middle, high, 2 * node + 1) if upper else (low, middle, 2 * node)

    def _free_way(self, number: int) -> int:
        if None in self.lines[number]:
            return self.lines[number].index(None)
        if self.policy == "lru":
            return self.recency[number][0]
        if self.policy == "random":
            self.state ^= self.state << 13 & MASK
            self.state ^= self.state >> 7
            self.state ^= self.state << 17 & MASK
            return (self.state & (1 << 62) - 1) % self.ways
        node = 1
        while node < self.ways:
            node = 2 * node + self.trees[number][node]
        return node - self.ways
