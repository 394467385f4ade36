"""What every kernel is: arrays in DRAM, buffers in the scratchpad, and a generator of assembly text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from archsim.common.errors import InputError
from archsim.common.units import show
from archsim.formats import Packed
from archsim.kernels.assembly import Assembly
from archsim.kernels.target import Target

WEIGHT_BARRIERS = (0, 1)
STREAM_BARRIERS = (2, 3)
LOAD_BARRIERS = (4, 5)
STORE_BARRIERS = (6, 7)


@dataclass(frozen=True)
class Array:
    """A tensor in DRAM: shape, element type, whether the kernel writes it, and bytes from row to row.

    Rows are along the last dimension; a pitch of 0 means that they adjoin.
    """

    shape: tuple[int, ...]
    dtype: str
    written: bool = False
    pitch: int = 0

    @property
    def row_bytes(self) -> int:
        return self.shape[-1] * np.dtype(self.dtype).itemsize

    @property
    def nbytes(self) -> int:
        return prod(self.shape[:-1]) * (self.pitch or self.row_bytes)

    def store(self, values: np.ndarray) -> np.ndarray:
        """The bytes of values as they stand in DRAM: uint8 [nbytes].

        Raises:
            ValueError: there are more or fewer than the array has.
        """
        rows = np.ascontiguousarray(values).view(np.uint8).reshape(-1, self.row_bytes)
        stored = np.zeros((prod(self.shape[:-1]), self.pitch or self.row_bytes), np.uint8)
        if len(rows) != len(stored):
            raise ValueError(f"{values.nbytes} bytes for {prod(self.shape) * np.dtype(self.dtype).itemsize}")
        stored[:, : self.row_bytes] = rows
        return stored.reshape(-1)

    def load(self, raw: bytes) -> np.ndarray:
        """The values of stored bytes."""
        rows = np.frombuffer(raw, np.uint8).reshape(-1, self.pitch or self.row_bytes)[:, : self.row_bytes]
        return np.ascontiguousarray(rows).view(self.dtype).reshape(self.shape)


@dataclass(frozen=True)
class Placement:
    """Where a kernel works.

    Attributes:
        dram: address of each of the kernel's arrays.
        pads: scratchpad offset of each of its buffers.
        weights: scratchpad offsets of the two weight buffers that all matmuls of a program share.
    """

    dram: dict[str, int]
    pads: dict[str, int] = field(default_factory=dict)
    weights: tuple[int, int] = (0, 0)


class Kernel(ABC):
    """An op on a target; `tilings` says how it may run there, `emit` writes it for one of them."""

    name: str
    target: Target

    @abstractmethod
    def arrays(self) -> dict[str, Array]:
        """Tensors in DRAM by name."""

    @abstractmethod
    def tilings(self) -> Sequence[Any]:
        """Ways to run it, fastest first."""

    def every_tiling(self) -> Sequence[Any]:
        """All ways to run it that a search may choose from."""
        return self.tilings()

    @abstractmethod
    def buffers(self, tiling: Any) -> dict[str, int]:
        """Bytes of each scratchpad buffer of a tiling (weight buffers apart)."""

    @abstractmethod
    def emit(self, asm: Assembly, tiling: Any, place: Placement) -> None:
        """Write the program text; all of the kernel's own transfers have ended at its end."""

    def bound(self, tiling: Any) -> float:
        """Cycles that no run of a tiling takes fewer of, as far as it is known."""
        return 0.0

    def estimate(self, tiling: Any) -> float:
        """Cycles of a tiling, roughly, to try the best first; 0: as good as `tilings` says."""
        return 0.0

    def pad_bytes(self, tiling: Any) -> int:
        """Bytes of scratchpad a tiling takes, each buffer on granules of its own."""
        return sum(self.target.align(size) for size in self.buffers(tiling).values())

    def part(self) -> Kernel:
        """A smaller op of the same kind, whose best tiling is this one's: what a search runs."""
        return self

    def nest(self, tiling: Any) -> list[str]:
        """A tiling as a loop nest, one line per loop or statement, indented."""
        if len(self.tilings()) == 1:
            return [f"{self.name}: there is one way to run it"]
        return [f"{self.name}: {tiling}"]

    def extra_bytes(self, tiling: Any) -> int:
        """Bytes of scratchpad that a tiling takes beside its own buffers, where it runs alone."""
        return 0

    def fitting(self, limit: int) -> Any:
        """The fastest tiling that fits `limit` bytes of scratchpad.

        Raises:
            InputError: none does.
        """
        for tiling in self.tilings():
            if self.pad_bytes(tiling) <= limit:
                return tiling
        raise self.too_large(limit)

    @property
    def least_bytes(self) -> int:
        """Bytes of scratchpad that its smallest tiling takes."""
        return min(self.pad_bytes(tiling) for tiling in self.tilings())

    def too_large(self, limit: int) -> InputError:
        """What to say where no tiling fits `limit` bytes of scratchpad."""
        needed, size = self.least_bytes, self.target.scratchpad
        return InputError(
            f"op {self.name!r} does not fit a scratchpad of {show(size, 'B')}: its smallest tiling needs "
            f"{show(needed, 'B')}, the weight buffers and constants beside it {show(size - limit, 'B')}",
            remedy=f"set core.scratchpad.size to {-(-(needed + size - limit) // 1024)} KiB or more",
        )

    def assign(self, tiling: Any, base: int) -> dict[str, int]:
        """Scratchpad offset of each buffer, one after the other from `base`."""
        offsets = {}
        for name, size in self.buffers(tiling).items():
            offsets[name] = base
            base += self.target.align(size)
        return offsets


class WeightKernel(Kernel):
    """A kernel that multiplies weights, packed offline as it reads them, in its array `weights`."""

    @abstractmethod
    def packing(self, tiling: Any) -> Hashable:
        """What the packed form depends on beside the weights."""

    @abstractmethod
    def pack(self, weights: Packed, tiling: Any) -> np.ndarray:
        """Quantised weights as they lie in DRAM: uint8 [bytes]."""
