"""Memory devices: organisation and timings of a DRAM, from configs/memory/*.yaml."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from archsim.common.errors import InputError
from archsim.common.yamlfile import load_yaml
from archsim.design.fields import count, nbytes, text
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
    tck_fs: int = count("clock of commands", key="tCK", unit="s", scale=FS_PER_S, minimum=1e-12, maximum=1e-7)
    tx_bytes: int = nbytes("one burst, which takes tBL", power_of_two=True)
    pseudo_channels: int = count("independent halves of a channel", maximum=4, power_of_two=True)
    bank_groups: int = count("bank groups", power_of_two=True)
    banks_per_group: int = count("banks of a group, those of all stack ids counted", power_of_two=True)
    rows: int = count("rows of a bank")
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
        return self.pseudo_channels * self.bank_groups * self.banks_per_group * self.rows * self.row_bytes


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
    for key, broken, remedy in (
        ("tBL", device.tBL < 1, "use at least 1 tCK"),
        ("tRC", device.tRC < device.tRAS, f"use at least tRAS, {device.tRAS} tCK"),
        ("tCCD_L", device.tCCD_L < device.tCCD_S, f"use at least tCCD_S, {device.tCCD_S} tCK"),
        ("tREFI", device.tREFI <= device.tRFC, f"use more than tRFC, {device.tRFC} tCK"),
        ("row_bytes", device.row_bytes < device.tx_bytes, f"use at least tx_bytes, {device.tx_bytes} B"),
    ):
        if broken:
            raise InputError(f"{key}: {tree[key]!r} is too small", remedy=remedy, **tree.where(key))
    return device
