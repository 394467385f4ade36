"""Memory devices: organisation and timings of a DRAM, from configs/memory/*.yaml."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from archsim.common.errors import InputError
from archsim.common.yamlfile import load_yaml
from archsim.design.fields import count, flag, names, nbytes, text
from archsim.design.merge import near
from archsim.design.reader import read

FS_PER_S = 1e15


def clocks(doc: str, **more: Any) -> Any:
    """A timing in clocks of the device."""
    return count(doc, unit="tCK", minimum=0, maximum=1 << 20, **more)


@dataclass(frozen=True)
class MemoryDevice:
    """One channel of a DRAM. Times named t... are clocks of tck_fs femtoseconds, by their JEDEC names.

    Banks, rows and timings are those of one pseudo-channel.
    """

    name: str = text("name of the device", key="device")
    energy: str = text("its entry in energy tables: 'lpddr5' is dram.lpddr5")
    presets: tuple[str, ...] = names("its names in the simulators that reference figures come from", default=())
    tck_fs: int = count("clock of commands", key="tCK", unit="s", scale=FS_PER_S, minimum=1e-12, maximum=1e-7)
    tx_bytes: int = nbytes("one burst, which takes tBL", power_of_two=True)
    pseudo_channels: int = count("independent halves of a channel", maximum=4, power_of_two=True)
    ranks: int = count("ranks that share the bus of what the file describes", maximum=8, power_of_two=True, default=1)
    stack_ids: int = count("groups of dies in a stack that share a pseudo-channel", power_of_two=True, default=1)
    bank_groups: int = count("bank groups", power_of_two=True)
    banks_per_group: int = count("banks of a group", power_of_two=True)
    rows: int = count("rows of a bank", power_of_two=True)
    row_bytes: int = nbytes("bytes of a row", power_of_two=True)
    tBL: int = clocks("data of a burst")
    tCL: int = clocks("read to data")
    tCWL: int = clocks("write to data")
    tRCD: int = clocks("activate to read or write")
    tRP: int = clocks("precharge to activate")
    tRAS: int = clocks("activate to precharge")
    tRC: int = clocks("activate to activate of a bank")
    tCCD_S: int = clocks("column command to column command, other bank group")
    tCCD_L: int = clocks("column command to column command, same bank group")
    tRRD_S: int = clocks("activate to activate, other bank group")
    tRRD_L: int = clocks("activate to activate, same bank group")
    tFAW: int = clocks("window of at most four activates")
    tWR: int = clocks("end of write data to precharge")
    tRTP: int = clocks("read to precharge")
    tWTR_S: int = clocks("end of write data to read, other bank group")
    tWTR_L: int = clocks("end of write data to read, same bank group")
    tRTW: int = clocks("read to write; not written: tCL + tBL + 2 - tCWL", default=0)
    tRFC: int = clocks("refresh of all banks")
    tREFI: int = clocks("refresh to refresh")
    tRCD_WR: int = clocks("activate to write; not written: tRCD", default=0)
    tCCD_S_WR: int = clocks("write to write, other bank group; not written: tCCD_S", default=0)
    tCCD_L_WR: int = clocks("write to write, same bank group; not written: tCCD_L", default=0)
    tCCD_R: int = clocks("column command to column command, other stack id; not written: tCCD_S", default=0)
    tCS: int = clocks("gap on the data bus where another rank takes over", default=2)
    tPPD: int = clocks("precharge to precharge", default=0)
    tRP_AB: int = clocks("precharge of all banks to activate; not written: tRP", default=0)
    tRFC_PB: int = clocks("refresh of one bank; 0: the device cannot", default=0)
    tREFI_PB: int = clocks("refresh of one bank to that of the next", default=0)
    tRREFD: int = clocks("refresh of a bank to activate or refresh of another one", default=0)
    tAAD: int = clocks("an activate's second half comes at most this much later; 0: it is one command", default=0)
    tWCKPST: int = clocks("the data clock runs on after a burst, then wants a CAS; 0: it never stops", default=0)
    fixed: bool = flag(
        "no rows, banks, turnaround or refresh: bursts pass one after the other, each in tBL, tCL or tCWL late",
        default=False,
    )
    split_bus: bool = flag("row and column commands have buses of their own", default=False)
    activate_half_clocks: int = count("half clocks that an activate takes on its bus", maximum=16, default=2)
    column_half_clocks: int = count("half clocks that a read or write takes on its bus", maximum=16, default=2)
    precharge_half_clocks: int = count("half clocks that a precharge or refresh takes", maximum=16, default=2)

    @property
    def pseudo_channel_peak_bytes_per_s(self) -> float:
        """Bytes per second of a pseudo-channel with every data cycle used."""
        return self.tx_bytes * FS_PER_S / (self.tBL * self.tck_fs)

    @property
    def peak_bytes_per_s(self) -> float:
        """Bytes per second of a whole channel with every data cycle used."""
        return self.pseudo_channels * self.pseudo_channel_peak_bytes_per_s

    @property
    def capacity_bytes(self) -> int:
        """Bytes of one rank of a channel."""
        return self.pseudo_channels * self.banks * self.rows * self.row_bytes

    @property
    def banks(self) -> int:
        """Banks of one rank of a pseudo-channel."""
        return self.stack_ids * self.bank_groups * self.banks_per_group

    @property
    def ticks_per_clock(self) -> int:
        """2 where commands may begin at half clocks, else 1."""
        return 2 if (self.activate_half_clocks | self.precharge_half_clocks | self.column_half_clocks) & 1 else 1


FOLLOWS = {
    "tRCD_WR": "tRCD",
    "tCCD_S_WR": "tCCD_S",
    "tCCD_L_WR": "tCCD_L",
    "tCCD_R": "tCCD_S",
    "tRP_AB": "tRP",
}
"""Timings that equal another one where a file does not give them."""


def load_device(name: str, place: Path | None = None) -> MemoryDevice:
    """Load a device by name or file; `place` is the folder of the file that names it.

    Raises:
        InputError: unknown, a field is missing or wrong, or timings contradict each other.
    """
    tree = load_yaml(near("memory device", name, "configs/memory", place))
    device = read(MemoryDevice, tree)
    if "tRTW" not in tree:
        # the gap that Ramulator 2.1 uses for DDR: the read's data ends two clocks before the write's begins
        device = replace(device, tRTW=device.tCL + device.tBL + 2 - device.tCWL)
    device = replace(device, **{own: getattr(device, like) for own, like in FOLLOWS.items() if own not in tree})
    for key, broken, remedy in (
        ("tBL", device.tBL < 1, "use at least 1 tCK"),
        (
            "tRC",
            device.tRC < device.tRAS + device.tRP,
            f"use at least tRAS + tRP, {device.tRAS + device.tRP} tCK",
        ),
        ("tRAS", device.tRAS < device.tRCD, f"use at least tRCD, {device.tRCD} tCK"),
        ("tRTW", device.tRTW < 0, "use at least 0 tCK"),
        ("tFAW", 0 < device.tFAW < device.tRRD_S, f"use at least tRRD_S, {device.tRRD_S} tCK, or 0"),
        ("tCCD_L", device.tCCD_L < device.tCCD_S, f"use at least tCCD_S, {device.tCCD_S} tCK"),
        ("tREFI", device.tREFI <= device.tRFC, f"use more than tRFC, {device.tRFC} tCK"),
        ("row_bytes", device.row_bytes < device.tx_bytes, f"use at least tx_bytes, {device.tx_bytes} B"),
    ):
        if broken:
            raise InputError(f"{key}: {tree[key]!r} is too small", remedy=remedy, **tree.where(key))
    return device
