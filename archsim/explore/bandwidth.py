"""What cores get of a design's main memory when all of them stream at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from archsim.common.errors import InputError
from archsim.common.units import show
from archsim.kernels.stream import stream_text

if TYPE_CHECKING:
    from archsim.design.spec import Design

PATTERNS = ("apart", "staggered", "together", "same")
_FIRST = 16 << 20
"""Address of the first stream."""
_BUFFERS = 4


def stream_addresses(pattern: str, design: Design, size: int) -> list[int]:
    """Where each core's stream begins.

    Args:
        pattern: "apart": in equal parts of memory, so that all begin in the same bank; "staggered": each a row of all
            channels further; "together": one behind the other; "same": all read the same bytes.
        design: how many cores, and their memory.
        size: bytes of a stream.

    Raises:
        InputError: the pattern is unknown, or memory has no room.
    """
    if pattern not in PATTERNS:
        raise InputError(f"unknown pattern {pattern!r}", remedy=f"use one of {', '.join(PATTERNS)}")
    cores, memory = design.cores, design.memory
    device, room = memory.device, memory.size
    parts = 1 << ((room - _FIRST) // cores).bit_length() - 1
    row = device.row_bytes * device.pseudo_channels * memory.channels
    apart = {"apart": parts, "staggered": parts + row, "together": size, "same": 0}[pattern]
    if _FIRST + (cores - 1) * apart + size > room or (parts < size and pattern in ("apart", "staggered")):
        raise InputError(
            f"{cores} streams of {show(size, 'B')} behind the first {show(_FIRST, 'B')} do not fit "
            f"{show(room, 'B')} of memory",
            remedy="stream less, or raise memory.size",
        )
    return [_FIRST + core * apart for core in range(cores)]


def measure_bandwidth(
    design: Design, addresses: Sequence[int], size: int, *, write: bool = False, block: int = 16 << 10
) -> dict[str, Any]:
    """Have every core stream.

    Args:
        design: with the extension Xqdma.
        addresses: where each core's stream begins; multiples of what the memory moves at once.
        size: bytes of a stream.
        write: to memory instead of from it.
        block: bytes of a transfer; four of them are queued or on their way.

    Returns:
        {total_bytes_per_s, peak_bytes_per_s, share (of the peak), cores: bytes per second of each until its own end,
        fairness (Jain's index: 1 where all get the same, 1 / cores where one gets all), slowest_share (of the mean),
        cycles, row_hit_rate, read_latency_s, noc}.

    Raises:
        InputError: the design has no DMA engines or scratchpad for it.
    """
    from archsim.machine.run import isa_of, run

    least = _BUFFERS * block
    if size < least or size % least:
        raise InputError(f"streams of {show(size, 'B')}", remedy=f"stream a multiple of {show(least, 'B')}")
    isa = isa_of(design)
    if "qt.dma.ld" not in isa.instructions:
        raise InputError(f"{design.name} has no DMA instructions", remedy="use a design whose isa has xqdma or xqt")
    if least > design.core.scratchpad.size:
        raise InputError(
            f"four transfers of {block} B do not fit the scratchpad of {design.core.scratchpad.size} B",
            remedy="use shorter transfers",
        )
    program = isa.assemble(stream_text(addresses, block, _BUFFERS, size // block, write=write), "stream.s")
    result = run(program, design, isa=isa, fidelity="addresses")
    ends = [hart["cycles"] - hart["stalls"].get("idle", 0) for hart in result.harts]
    rates = np.array([size * design.clock / end for end in ends])
    total = size * design.cores / result.time_s
    return {
        "total_bytes_per_s": total,
        "peak_bytes_per_s": design.memory.peak_bytes_per_s,
        "share": total / design.memory.peak_bytes_per_s,
        "cores": rates.tolist(),
        "fairness": fairness(rates),
        "slowest_share": float(rates.min() / rates.mean()),
        "cycles": result.cycles,
        "row_hit_rate": result.dram["row_hit_rate"],
        "read_latency_s": result.dram["read_latency_s"],
        "noc": result.noc,
    }


def fairness(rates: np.ndarray) -> float:
    """Jain's index (sum x)^2 / (n sum x^2) of rates [n] (Jain, Chiu, Hawe, DEC TR-301, 1984)."""
    return float(rates.sum() ** 2 / (len(rates) * (rates**2).sum()))


def sweep_interleave(
    name: str,
    sizes: Sequence[str],
    *,
    pattern: str = "apart",
    size: int = 4 << 20,
    write: bool = False,
    overrides: dict[str, str] | None = None,
) -> list[dict[str, Any]]:
    """measure_bandwidth() for several interleave granularities of memory ("256 B"); each row says its own.

    Raises:
        InputError: a granularity is wrong, or the design cannot stream.
    """
    from archsim.design import load_design

    rows = []
    for text in sizes:
        design = load_design(name, {**(overrides or {}), "memory.interleave": text})
        addresses = stream_addresses(pattern, design, size)
        row = measure_bandwidth(design, addresses, size, write=write)
        rows.append({"design": design.name, "interleave_bytes": design.memory.interleave, "pattern": pattern, **row})
    return rows
