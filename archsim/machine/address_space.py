"""Where a Linux process's heap and mappings lie: the heap grows up from the program, mappings down from the stack."""

from __future__ import annotations

from typing import Any

from archsim.machine.linux_numbers import PAGE

GAP = 1 << 20
"""Kept free between the heap and the lowest mapping, and between mappings and the stack."""


def pages(size: int) -> int:
    """A size rounded up to whole pages."""
    return (size + PAGE - 1) // PAGE * PAGE


class AddressSpace:
    """Hands out addresses of one process.

    Args:
        memory: simulated memory with clear(address, size).
        heap: first address of the heap.
        top: end of the area for mappings.
    """

    def __init__(self, memory: Any, heap: int, top: int) -> None:
        self.memory, self.heap, self.top = memory, heap, top
        self.end_of_heap = heap
        self.mappings: list[tuple[int, int]] = []
        """(first address, end) in rising order."""

    @property
    def lowest(self) -> int:
        return self.mappings[0][0] if self.mappings else self.top

    def set_break(self, address: int) -> int:
        """brk(): the end of the heap, moved to an address where that is possible."""
        if self.heap <= address <= self.lowest - GAP:
            if address < self.end_of_heap:
                self.memory.clear(address, self.end_of_heap - address)
            self.end_of_heap = address
        return self.end_of_heap

    def take(self, size: int) -> int | None:
        """The highest free place for whole pages; None where there is none."""
        end = self.top
        for first, last in [*reversed(self.mappings), (0, pages(self.end_of_heap) + GAP)]:
            if end - last >= size:
                self._insert(end - size, end)
                return end - size
            end = first
        return None

    def fix(self, address: int, size: int) -> bool:
        """Put a mapping at an address (in place of what is there); whether it fits."""
        if address < PAGE or address + size > self.memory.held:
            return False
        self.give_back(address, size)
        self._insert(address, address + size)
        return True

    def grow(self, address: int, old: int, new: int) -> bool:
        """Make a mapping longer where it stands; whether there is room."""
        following = [first for first, _ in self.mappings if first >= address + old]
        if not self.held(address, old) or address + new > (following[0] if following else self.top):
            return False
        self._insert(address + old, address + new)
        return True

    def held(self, address: int, size: int) -> bool:
        """Whether a range lies within mappings."""
        covered = address
        for first, last in self.mappings:
            if first <= covered < last:
                covered = last
        return covered >= address + size

    def give_back(self, address: int, size: int) -> None:
        """munmap(): free a range, which reads as zero when it is mapped again."""
        end = address + size
        kept: list[tuple[int, int]] = []
        for first, last in self.mappings:
            if last <= address or first >= end:
                kept.append((first, last))
                continue
            self.memory.clear(max(first, address), min(last, end) - max(first, address))
            if first < address:
                kept.append((first, address))
            if end < last:
                kept.append((end, last))
        self.mappings = kept

    def _insert(self, first: int, end: int) -> None:
        self.mappings = sorted([*self.mappings, (first, end)])
