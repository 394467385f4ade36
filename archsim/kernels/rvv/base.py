"""What kernels of RVV share: they work on main memory, in one way, without buffers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archsim.kernels.base import Kernel
from archsim.kernels.rvv.target import RvvTarget


class RvvKernel(Kernel):
    """A kernel without a scratchpad; it has one tiling."""

    target: RvvTarget

    def tilings(self) -> Sequence[Any]:
        return [1]

    def buffers(self, tiling: Any) -> dict[str, int]:
        return {}
