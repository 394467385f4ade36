"""Simulated main memory: a sparse host mapping, so that what is never touched costs nothing."""

from __future__ import annotations

import mmap
import sys

import numpy as np

from archsim.common.errors import InputError

FIRST_VALID = 4096


class MainMemory:
    """Bytes at simulated addresses 0 to `held`.

    Args:
        held: bytes that are really there (rounded up to pages); all zero at first.
    """

    def __init__(self, held: int) -> None:
        self.held = (held + 4095) // 4096 * 4096
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0)
        try:
            self._map = mmap.mmap(-1, self.held, flags=flags)
        except (OSError, ValueError, OverflowError):
            raise InputError(
                f"this computer cannot map {self.held} bytes of simulated memory",
                remedy="use a smaller memory.size, or --fidelity addresses",
            ) from None
        self.bytes = np.frombuffer(self._map, np.uint8)

    @property
    def address(self) -> int:
        """Host address of simulated address 0."""
        return int(self.bytes.ctypes.data)

    def write(self, address: int, data: bytes | np.ndarray) -> None:
        """Put bytes at an address (arrays as their memory stands, little-endian)."""
        raw = (
            np.ascontiguousarray(data).view(np.uint8).reshape(-1)
            if isinstance(data, np.ndarray)
            else (np.frombuffer(data, np.uint8))
        )
        if address < FIRST_VALID or address + len(raw) > self.held:
            raise InputError(
                f"{len(raw)} bytes at {address:#x} lie outside memory (0x1000 to {self.held:#x})",
                remedy="link the program lower, or use a larger memory.size",
            )
        self.bytes[address : address + len(raw)] = raw

    def read(self, address: int, size: int) -> bytes:
        """Bytes at an address.

        Raises:
            ValueError: they lie outside memory.
        """
        if address < 0 or size < 0 or address + size > self.held:
            raise ValueError(f"{size} bytes at {address:#x} lie outside memory")
        return self.bytes[address : address + size].tobytes()

    def clear(self, address: int, size: int) -> None:
        """Let bytes be zero again; whole pages of them cost nothing afterwards."""
        end = min(address + size, self.held)
        first, last = -(-address // 4096) * 4096, end // 4096 * 4096
        if last > first and sys.platform == "linux":
            self.bytes[address:first] = 0
            self.bytes[last:end] = 0
            self._map.madvise(mmap.MADV_DONTNEED, first, last - first)
        else:
            self.bytes[address:end] = 0

    def move(self, source: int, target: int, size: int) -> None:
        """Copy bytes to a place that is all zero and does not overlap; pages of zeros are left out."""
        for offset in range(0, size, 1 << 20):
            length = min(1 << 20, size - offset)
            part = self.bytes[source + offset : source + offset + length]
            if part.any():
                self.bytes[target + offset : target + offset + length] = part
