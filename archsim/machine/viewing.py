"""Following a run instruction by instruction: buffers that compiled code fills, and who is given what they hold."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from archsim.common.errors import InputError
from archsim.machine import layout as at
from archsim.machine.chip import Chip
from archsim.machine.energy import energy_of

LOG_SLOTS = 1 << 16
_SLACK = 16
"""Records that may still come when a log is full."""


class View(Protocol):
    """What takes the view log of a run, in pieces and in order."""

    def chunk(self, hart: int, records: np.ndarray, transfers: np.ndarray) -> None:
        """Instructions that have retired since the last call, and DMA transfers that have ended.

        Args:
            hart: whose.
            records: int64 [n, VIEW_FIELDS], a copy.
            transfers: int64 [m, TRANSFER_FIELDS], a copy.
        """


class Viewer:
    """Has a chip's harts log what they do, for views.

    Args:
        chip: before its first instruction.
        views: are given every piece.
    """

    def __init__(self, chip: Chip, views: list[View]) -> None:
        # compiled when first needed
        from archsim.machine.view_log import ENERGIES_AT, VIEW_STATE_SIZE

        self.chip, self.views = chip, views
        energies = event_energies(chip.design)
        self.logs = [chip.array((LOG_SLOTS + _SLACK) * at.VIEW_FIELDS) for _ in chip.contexts]
        self.transfers = [chip.array((LOG_SLOTS + 4096) * at.TRANSFER_FIELDS) for _ in chip.contexts]
        for hart, context in enumerate(chip.contexts):
            state = chip.array(VIEW_STATE_SIZE)
            state[:256] = -1
            state[ENERGIES_AT:] = energies
            context[at.VIEW_STATE] = state.ctypes.data
            context[at.VIEW_LOG], context[at.VIEW_LIMIT] = self.logs[hart].ctypes.data, LOG_SLOTS
            context[at.TRANSFER_LOG] = self.transfers[hart].ctypes.data

    def flush(self, hart: int) -> None:
        """Give away what a hart has logged."""
        context = self.chip.contexts[hart]
        count, ended = int(context[at.VIEW_COUNT]), int(context[at.TRANSFER_COUNT])
        records = self.logs[hart][: count * at.VIEW_FIELDS].reshape(-1, at.VIEW_FIELDS).copy()
        transfers = self.transfers[hart][: ended * at.TRANSFER_FIELDS].reshape(-1, at.TRANSFER_FIELDS).copy()
        context[at.VIEW_COUNT] = context[at.TRANSFER_COUNT] = 0
        for view in self.views:
            view.chunk(hart, records, transfers)

    def finish(self) -> None:
        """Give away what is left."""
        for hart in range(self.chip.harts):
            self.flush(hart)


def event_energies(design: Any) -> np.ndarray:
    """Femtojoules per event of layout.EVENT_NAMES on a design, without DRAM and leakage: int64 [events]."""
    none = dict.fromkeys(at.EVENT_NAMES, 0)
    joules = []
    for name in at.EVENT_NAMES:
        try:
            joules.append(energy_of({**none, name: 1}, 0, 0, 0.0, design).total)
        except InputError:
            # an energy that the table lacks, of a format that the design cannot multiply
            joules.append(0.0)
    return np.array([round(1e15 * value) for value in joules], np.int64)
