"""The memory plan of a program: tilings that fit the scratchpad together, and the address of every tensor.

Two weight buffers stand for the whole program, so that the weights of the next matmul can arrive while other ops run.
Behind them each op has its own buffers, which the next op's may overlay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archsim.common.errors import InputError
from archsim.common.units import show
from archsim.kernels.alone import place_arrays
from archsim.kernels.base import Array, Placement
from archsim.kernels.fitting import fit_chosen, fit_together
from archsim.kernels.matmul import MatMul
from archsim.mapping.bind import Bound

_DRAM_LATENCY_S = 100e-9
"""Roughly, of a read that misses its row (tRCD + CAS + tRP and queueing); it only sizes buffers."""


@dataclass(frozen=True)
class PlannedOp:
    """An op as it will run: kernel, tiling, addresses, and bytes of its own scratchpad buffers."""

    bound: Bound
    tiling: Any
    place: Placement
    pad_bytes: int


@dataclass(frozen=True)
class Plan:
    """A program's memory.

    Attributes:
        constants: bytes at the start of the scratchpad that constants take.
        weight_bytes: of each of the two weight buffers behind them.
        tensors: address and array of each tensor in DRAM.
    """

    ops: tuple[PlannedOp, ...]
    constants: int
    weight_bytes: int
    tensors: dict[str, tuple[int, Array]]

    def occupancy(self, op: PlannedOp) -> int:
        """Scratchpad bytes in use while an op runs: constants, weight buffers, its own."""
        return self.constants + 2 * self.weight_bytes + op.pad_bytes

    @property
    def peak(self) -> int:
        """Most scratchpad bytes in use at once."""
        return max(self.occupancy(op) for op in self.ops)


def least_chunk(design: Any) -> int:
    """Bytes of a weight transfer that keep a core's share of the DRAM busy while the next one is on its way."""
    share = design.memory.peak_bytes_per_s / design.cores
    return int(2 * share * (2 * design.interconnect.latency + _DRAM_LATENCY_S))


def make_plan(bounds: Sequence[Bound], design: Any, chosen: Mapping[str, Any] | None = None) -> Plan:
    """Choose tilings and addresses.

    Args:
        chosen: tilings of all ops, by name; by default they are chosen by estimate.

    Raises:
        InputError: an op fits the scratchpad in no way, or the tensors exceed DRAM.
    """
    kernels = [bound.kernel for bound in bounds]
    if chosen is None:
        buffer, tilings = fit_together(kernels, least_chunk(design))
    else:
        buffer, tilings = fit_chosen(kernels, [chosen[bound.op.name] for bound in bounds])
    arrays: dict[str, Array] = {}
    for bound, tiling in zip(bounds, tilings, strict=True):
        for name, array in _arrays(bound, tiling).items():
            tensor = bound.tensors[name]
            if tensor not in arrays or arrays[tensor].nbytes < array.nbytes:
                arrays[tensor] = array
    addresses = place_arrays(arrays)
    _check_dram(addresses, arrays, design)
    first = bounds[0].kernel.target.constants
    base = first + 2 * buffer
    ops = tuple(
        PlannedOp(
            bound,
            tiling,
            Placement(
                {name: addresses[tensor] for name, tensor in bound.tensors.items()},
                bound.kernel.assign(tiling, base),
                (first, first + buffer),
            ),
            bound.kernel.pad_bytes(tiling),
        )
        for bound, tiling in zip(bounds, tilings, strict=True)
    )
    return Plan(ops, first, buffer, {name: (addresses[name], array) for name, array in arrays.items()})


def _arrays(bound: Bound, tiling: Any) -> dict[str, Array]:
    kernel = bound.kernel
    return kernel.arrays_of(tiling) if isinstance(kernel, MatMul) else kernel.arrays()


def _check_dram(addresses: dict[str, int], arrays: dict[str, Array], design: Any) -> None:
    end = max(addresses[name] + array.nbytes for name, array in arrays.items())
    if end > design.memory.size:
        raise InputError(
            f"one layer and its KV cache take {show(end, 'B')} of {show(design.memory.size, 'B')} DRAM",
            remedy="raise memory.size, or lower the batch or the context",
        )
