"""Tilings of several kernels that fit one scratchpad beside the weight buffers that they share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archsim.common.errors import InputError
from archsim.kernels.base import Kernel
from archsim.kernels.matmul import MatMul

_LONGEST_CHUNK = 64 << 10
"""Bytes of a weight transfer beyond which nothing is gained."""


def fit_chosen(kernels: Sequence[Kernel], chosen: Sequence[Any]) -> tuple[int, list[Any]]:
    """As fit_together, of tilings that were chosen for each op alone; where one does not fit beside the others' weight
    buffers, the fastest that does.

    Raises:
        InputError: a kernel does not fit beside the buffers.
    """
    target, buffer = kernels[0].target, _longest_chunk(kernels, chosen)
    room = target.scratchpad - target.constants - 2 * buffer
    fitted = []
    for kernel, tiling in zip(kernels, chosen, strict=True):
        fits = kernel.pad_bytes(tiling) <= room
        other = tiling if fits else kernel.fitting(room)
        fitted.append(other if fits or not isinstance(kernel, MatMul) else kernel.with_chunks(other, buffer))
    return buffer, fitted


def fit_together(kernels: Sequence[Kernel], least: int) -> tuple[int, list[Any]]:
    """Bytes of each of the two weight buffers (0 if no kernel is a matmul), and a tiling for each kernel.

    Tilings come first, beside weight buffers of `least` bytes, or shorter ones where nothing fits otherwise; what
    they leave over makes the buffers longer.

    Raises:
        InputError: a kernel does not fit even beside the shortest buffers.
    """
    target = kernels[0].target
    room = target.scratchpad - target.constants
    matmuls = [kernel for kernel in kernels if isinstance(kernel, MatMul)]
    longest = max((target.align(kernel.layout().chunk_bytes) for kernel in matmuls), default=0)
    shortest = max((target.align(kernel.layout(1).chunk_bytes) for kernel in matmuls), default=0)
    buffer = max(shortest, min(longest, target.align(least)))
    while True:
        try:
            tilings = [kernel.fitting(room - 2 * buffer) for kernel in kernels]
            break
        except InputError:
            if buffer == shortest:
                # of all that do not fit the one that needs most, so that the remedy suffices
                raise max(kernels, key=lambda kernel: kernel.least_bytes).too_large(room - 2 * buffer) from None
            buffer = max(shortest, target.align(buffer // 2))
    used = max(kernel.pad_bytes(tiling) for kernel, tiling in zip(kernels, tilings, strict=True))
    spare = (room - used) // 2 // target.granule * target.granule
    buffer = max(buffer, min(longest, spare, max(_LONGEST_CHUNK, shortest)))
    while True:
        cut = [
            kernel.with_chunks(tiling, buffer) if isinstance(kernel, MatMul) else tiling
            for kernel, tiling in zip(kernels, tilings, strict=True)
        ]
        used = max(kernel.pad_bytes(tiling) for kernel, tiling in zip(kernels, cut, strict=True))
        if used <= room - 2 * buffer or buffer == shortest:
            return _longest_chunk(kernels, cut), cut
        # chunks that do not divide the depth pad it
        buffer = max(shortest, buffer - target.granule)


def _longest_chunk(kernels: Sequence[Kernel], tilings: Sequence[Any]) -> int:
    chunks = [
        kernel.target.align(kernel.layout(tiling.steps).chunk_bytes)
        for kernel, tiling in zip(kernels, tilings, strict=True)
        if isinstance(kernel, MatMul)
    ]
    return max(chunks, default=0)
