"""A judge of DRAM command traces: it knows the data sheet's sentences in its own words, and nothing of the controller.

Slow and plain on purpose. Times are ticks; a command counts from the last tick that it takes on its bus.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np

from archsim.design.memory import MemoryDevice
from archsim.machine.dram_channels import Controllers
from archsim.machine.dram_commands import BY_ITSELF
from archsim.machine.dram_layout import ACT, ACT2, CAS, PRE, PREA, RD, REF, REFB, WR

NAMES = {
    ACT: "ACT", PRE: "PRE", RD: "RD", WR: "WR", PREA: "PREA", REF: "REF", REFB: "REFB", ACT2: "ACT2", CAS: "CAS",
}  # fmt: skip
LONG_AGO = -(1 << 40)


class Bank:
    """What is known of a bank."""

    def __init__(self) -> None:
        self.row = -1
        self.whole = True
        self.act = self.pre = self.read = self.write = self.refreshed = LONG_AGO


class Channel:
    """Judges the commands of one channel, in the order of their ticks."""

    def __init__(self, device: MemoryDevice, ranks: int) -> None:
        self.device, self.ranks, self.half = device, ranks, device.ticks_per_clock
        self.banks = [Bank() for _ in range(ranks * device.banks)]
        self.acts: list[deque[int]] = [deque(maxlen=4) for _ in range(ranks)]
        self.refresh = [LONG_AGO] * ranks
        self.all_closed = [LONG_AGO] * ranks
        self.bus = {"row": LONG_AGO, "column": LONG_AGO}
        self.clock_runs_until = LONG_AGO
        self.last_cas = LONG_AGO
        self.half_open: tuple[int, int] | None = None
        self.columns: deque[tuple[int, int, int]] = deque(maxlen=64)

    def taken(self, command: int) -> int:
        """Ticks that a command takes on its bus."""
        device = self.device
        half = {
            ACT: device.activate_half_clocks, RD: device.column_half_clocks, WR: device.column_half_clocks,
            ACT2: 2, CAS: 2,
        }  # fmt: skip
        return half.get(command, device.precharge_half_clocks) * self.half // 2

    def judge(self, tick: int, command: int, index: int, row: int) -> Iterator[str]:
        """Complaints about a command."""
        if not (command == PRE and row == BY_ITSELF):
            yield from self._bus(tick, command)
        now = tick + self.taken(command) - 1
        handler: dict[int, Any] = {
            ACT: self._act, PRE: self._pre, RD: self._column, WR: self._column, PREA: self._close_all,
            REF: self._refresh_all, REFB: self._refresh_one, ACT2: self._second, CAS: self._cas,
        }  # fmt: skip
        yield from handler[command](now, command, index, row)

    def _gap(self, what: str, now: int, since: int, clocks: int) -> Iterator[str]:
        if now - since < clocks * self.half:
            yield f"{what}: {(now - since) / self.half:g} clocks, not {clocks}"

    def _bus(self, tick: int, command: int) -> Iterator[str]:
        bus = "column" if command in (RD, WR) and self.device.split_bus else "row"
        if tick < self.bus[bus]:
            yield f"the {bus} bus is taken until {self.bus[bus]}"
        if self.half == 2 and command not in (PRE, PREA) and tick % 2 == 0:
            yield "begins at half a clock"
        self.bus[bus] = tick + self.taken(command)

    def _rank(self, index: int) -> int:
        return index // self.device.banks

    def _group(self, index: int) -> int:
        return index // self.device.banks_per_group

    def _stack(self, index: int) -> int:
        return index // (self.device.banks_per_group * self.device.bank_groups)

    def _of_rank(self, rank: int) -> list[Bank]:
        return self.banks[rank * self.device.banks : (rank + 1) * self.device.banks]

    def _act(self, now: int, _command: int, index: int, row: int) -> Iterator[str]:
        device, bank, rank = self.device, self.banks[index], self._rank(index)
        if bank.row >= 0:
            yield "activates an open bank"
        if self.half_open is not None:
            yield "activates between the halves of another activate"
        yield from self._gap("tRC", now, bank.act, device.tRC)
        yield from self._gap("tRP", now, bank.pre, device.tRP)
        yield from self._gap("tRP of all banks", now, self.all_closed[rank], device.tRP_AB)
        yield from self._gap("tRFC", now, self.refresh[rank], device.tRFC)
        yield from self._gap("tRFC of the bank", now, bank.refreshed, device.tRFC_PB)
        for other, beside in enumerate(self._of_rank(rank), rank * device.banks):
            if beside is bank:
                continue
            same = self._group(other) == self._group(index)
            yield from self._gap("tRRD", now, beside.act, device.tRRD_L if same else device.tRRD_S)
            yield from self._gap("tRREFD", now, beside.refreshed, device.tRREFD)
        if len(self.acts[rank]) == 4:
            yield from self._gap("tFAW", now, self.acts[rank][0], device.tFAW)
        self.acts[rank].append(now)
        bank.act, bank.row = now, row
        bank.whole = device.tAAD == 0
        if not bank.whole:
            self.half_open = index, now

    def _second(self, now: int, _command: int, index: int, _row: int) -> Iterator[str]:
        if self.half_open is None or self.half_open[0] != index:
            yield "the second half of no activate"
        elif now - self.half_open[1] > self.device.tAAD * self.half:
            yield f"tAAD: {now - self.half_open[1]} ticks"
        self.half_open = None
        self.banks[index].whole = True

    def _cas(self, now: int, _command: int, _index: int, _row: int) -> Iterator[str]:
        self.last_cas = now
        yield from ()

    def _may_close(self, now: int, bank: Bank) -> Iterator[str]:
        device = self.device
        yield from self._gap("tRAS", now, bank.act, device.tRAS)
        yield from self._gap("tRTP", now, bank.read, device.tRTP)
        yield from self._gap("tWR", now, bank.write, device.tCWL + device.tBL + device.tWR)
        if not bank.whole:
            yield "closes a bank that is half open"

    def _pre(self, now: int, _command: int, index: int, row: int) -> Iterator[str]:
        bank, rank = self.banks[index], self._rank(index)
        if bank.row < 0:
            yield "precharges a closed bank"
        yield from self._may_close(now, bank)
        if row != BY_ITSELF:
            yield from self._gap("tPPD", now, max(b.pre for b in self._of_rank(rank)), self.device.tPPD)
        bank.row, bank.pre = -1, now

    def _close_all(self, now: int, _command: int, index: int, _row: int) -> Iterator[str]:
        rank = self._rank(index)
        for bank in self._of_rank(rank):
            if bank.row >= 0:
                yield from self._may_close(now, bank)
                bank.row = -1
        self.all_closed[rank] = now

    def _refresh_all(self, now: int, _command: int, index: int, _row: int) -> Iterator[str]:
        device, rank = self.device, self._rank(index)
        for bank in self._of_rank(rank):
            if bank.row >= 0:
                yield "refreshes with an open bank"
            yield from self._gap("tRP before refresh", now, bank.pre, device.tRP)
            yield from self._gap("tRC before refresh", now, bank.act, device.tRC)
        yield from self._gap("tRP before refresh", now, self.all_closed[rank], device.tRP)
        yield from self._gap("tRFC", now, self.refresh[rank], device.tRFC)
        if self.refresh[rank] > LONG_AGO and now - self.refresh[rank] > 2 * device.tREFI * self.half:
            yield f"no refresh for {(now - self.refresh[rank]) / self.half:g} clocks"
        self.refresh[rank] = now

    def _refresh_one(self, now: int, _command: int, index: int, _row: int) -> Iterator[str]:
        device, bank, rank = self.device, self.banks[index], self._rank(index)
        if bank.row >= 0:
            yield "refreshes an open bank"
        yield from self._gap("tRP before refresh", now, bank.pre, device.tRP)
        yield from self._gap("tRC before refresh", now, bank.act, device.tRC)
        for beside in self._of_rank(rank):
            if beside is not bank:
                yield from self._gap("tRREFD", now, beside.refreshed, device.tRREFD)
                yield from self._gap("tRRD before refresh", now, beside.act, device.tRRD_S)
        bank.refreshed = now

    def _column(self, now: int, command: int, index: int, row: int) -> Iterator[str]:
        device, bank = self.device, self.banks[index]
        if bank.row != row or not bank.whole:
            yield f"column command to row {row}, open is {bank.row}"
        yield from self._gap("tRCD", now, bank.act, device.tRCD if command == RD else device.tRCD_WR)
        for then, before, other in self.columns:
            yield from self._after(now, command, index, then, before, other)
        self.columns.append((now, command, index))
        if device.tWCKPST:
            if now >= self.clock_runs_until and self.last_cas != now - 1:
                yield "the data clock stands still"
            delay = device.tCL if command == RD else device.tCWL
            self.clock_runs_until = max(
                self.clock_runs_until, now + (delay + device.tBL + device.tWCKPST) * self.half
            )  # fmt: skip
        if command == RD:
            bank.read = now
        else:
            bank.write = now

    def _after(self, now: int, command: int, index: int, then: int, before: int, other: int) -> Iterator[str]:
        """A column command after an earlier one."""
        device = self.device
        if self._rank(index) != self._rank(other):
            if device.ranks > 1:
                # the data of two ranks must not meet on the bus that they share
                begins = now + (device.tCL if command == RD else device.tCWL) * self.half
                ended = then + ((device.tCL if before == RD else device.tCWL) + device.tBL) * self.half
                yield from self._gap("tCS", begins, ended, device.tCS)
            return
        same = self._group(index) == self._group(other)
        if command == before:
            near = device.tCCD_L if command == RD else device.tCCD_L_WR
            far = device.tCCD_S if command == RD else device.tCCD_S_WR
            if self._stack(index) != self._stack(other):
                far = device.tCCD_R
            yield from self._gap("tCCD", now, then, near if same else far)
            yield from self._gap("tBL", now, then, device.tBL)
        elif command == WR:
            yield from self._gap("tRTW", now, then, device.tRTW)
        else:
            turn = device.tWTR_L if same else device.tWTR_S
            yield from self._gap("tWTR", now, then, device.tCWL + device.tBL + turn)


def audit(controllers: Controllers, commands: np.ndarray, most: int = 10) -> list[str]:
    """Complaints about a trace of commands (rows of tick, channel, command, bank, row), `most` at most."""
    judges = [Channel(controllers.device, controllers.ranks) for _ in range(controllers.channels)]
    found: list[str] = []
    for tick, channel, command, index, row in commands.tolist():
        for complaint in judges[channel].judge(tick, command, index, row):
            found.append(f"tick {tick}, channel {channel}, {NAMES[command]} of bank {index}: {complaint}")
            if len(found) == most:
                return found
    return found
