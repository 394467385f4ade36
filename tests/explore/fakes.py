"""Evaluate functions for sweeps: quick, and leaving a line per evaluation in a file that a test names."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from archsim.common.errors import InputError, SimulationError

LOG = "ARCHSIM_TEST_LOG"


def quick(point: dict[str, Any]) -> dict[str, Any]:
    """Figures that depend on all that varies, exactly representable and not."""
    _note(point)
    size = int(point["overrides"].get("core.scratchpad.size", 1))
    return {
        "cycles": point["context"] * 1000 // size,
        "time_s": point["context"] / 3 / size,
        "energy_j": 0.1 * size,
        "stalls": {"dma_wait": size} if size > 1 else {"sync": 1},
        "ops": [{"op": "norm"}],
    }


def slow(point: dict[str, Any]) -> dict[str, Any]:
    result = quick(point)
    time.sleep(0.15)
    return result


def picky(point: dict[str, Any]) -> dict[str, Any]:
    """Refuses some points, as designs that are too small or programs that trap do."""
    if point["overrides"]["core.scratchpad.size"] == 2:
        raise InputError("does not fit", file="edge.yaml", line=7, remedy="make it larger")
    if point["overrides"]["core.scratchpad.size"] == 4:
        raise SimulationError("trapped")
    return quick(point)


def dying(point: dict[str, Any]) -> dict[str, Any]:
    os._exit(3)


def buggy(point: dict[str, Any]) -> dict[str, Any]:
    if point["overrides"]["core.scratchpad.size"] == 8:
        raise ZeroDivisionError("a bug")
    return quick(point)


def full_disk(point: dict[str, Any]) -> dict[str, Any]:
    raise OSError(28, "No space left on device", "cache.nbi")


def _note(point: dict[str, Any]) -> None:
    name = os.environ.get(LOG)
    if name:
        with Path(name).open("a") as log:
            log.write(f"{os.getpid()} {point['context']} {point['overrides'].get('core.scratchpad.size')}\n")
