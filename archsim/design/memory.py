"""Memory devices: timings of a DRAM standard, from configs/memory/*.yaml."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from archsim.common.errors import InputError, unknown
from archsim.common.resources import find
from archsim.common.units import quantity
from archsim.common.yamlfile import YamlMap, load_yaml


@dataclass(frozen=True)
class MemoryDevice:
    """One channel's device; times named t... are clocks of tck_fs femtoseconds (JEDEC names).

    Attributes:
        energy: entry of the energy table that its bits cost.
        tx_bytes: bytes of one burst, which takes tBL clocks.
        pseudo_channels: independent halves of a channel; banks, rows and timings are of one of them.
    """

    name: str
    energy: str
    tck_fs: int
    tx_bytes: int
    pseudo_channels: int
    bank_groups: int
    banks_per_group: int
    rows: int
    row_bytes: int
    tBL: int
    tCL: int
    tCWL: int
    tRCD: int
    tRP: int
    tRAS: int
    tRC: int
    tCCD_S: int
    tCCD_L: int
    tRRD_S: int
    tRRD_L: int
    tFAW: int
    tWR: int
    tRTP: int
    tWTR_S: int
    tWTR_L: int
    tRTW: int
    tRFC: int
    tREFI: int

    @property
    def peak_bytes_per_s(self) -> float:
        """Bytes per second of a whole channel with every data cycle used."""
        return self.pseudo_channels * self.tx_bytes / (self.tBL * self.tck_fs * 1e-15)


_TEXT = ("name", "energy")


def load_device(name: str) -> MemoryDevice:
    """Load a device by name or file.

    Raises:
        InputError: unknown, a field is missing, or no whole number.
    """
    path: Path = find("memory device", name, "configs/memory")
    tree = load_yaml(path)
    known = [f.name for f in fields(MemoryDevice) if f.name != "name"]
    known[known.index("tck_fs")] = "tCK"
    for key in tree:
        if key not in known and key not in ("device", "source", "note"):
            raise unknown("field of a memory device", key, known, **tree.where(key))
    values = {field: _value(tree, field) for field in known if field != "tRTW"}
    read_to_write = values["tCL"] + values["tBL"] + 2 - values["tCWL"]
    values["tRTW"] = _value(tree, "tRTW") if "tRTW" in tree else read_to_write
    values["tck_fs"] = values.pop("tCK")
    return MemoryDevice(name=str(tree["device"]), **values)


def _value(tree: YamlMap, field: str):  # type: ignore[no-untyped-def]
    if field not in tree:
        raise InputError(f"memory device has no {field!r}", **tree.where(), remedy=f"add '{field}:'")
    if field in _TEXT:
        return str(tree[field])
    if field == "tCK":
        return round(quantity(tree[field], "s", **tree.where(field)) * 1e15)
    if field == "row_bytes" or field == "tx_bytes":
        return int(quantity(tree[field], "B", **tree.where(field)))
    value = tree[field]
    if not isinstance(value, int) or value < 0:
        raise InputError(f"{field} is {value!r}", **tree.where(field), remedy="write a whole number of clocks")
    return value
