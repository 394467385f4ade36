"""Energy tables: joules per event from configs/energy/*.yaml, each entry with its source, and the SRAM fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archsim.common.errors import InputError, unknown
from archsim.common.resources import find
from archsim.common.units import quantity
from archsim.common.yamlfile import YamlMap, load_yaml


@dataclass(frozen=True)
class EnergyTable:
    """Energy of a technology.

    Attributes:
        name: of the table.
        entries: event -> joules.
        sram: coefficients of the fits E = a * C^b * W^c (pJ; C in KiB, W in bytes) and leakage a * C^b (mW).
    """

    name: str
    entries: dict[str, float]
    sram: dict[str, float]

    def value(self, name: str) -> float:
        """Joules per event.

        Raises:
            InputError: the table has no such entry.
        """
        if name not in self.entries:
            raise unknown(f"entry of energy table {self.name}", name, self.entries)
        return self.entries[name]

    def sram_read(self, capacity: int, width: int) -> float:
        """Joules of one read of `width` bytes from an array of `capacity` bytes (CACTI 7 fit, +-40 %)."""
        return self._access("read", capacity, width)

    def sram_write(self, capacity: int, width: int) -> float:
        """Joules of one write of `width` bytes to an array of `capacity` bytes (CACTI 7 fit, +-40 %)."""
        return self._access("write", capacity, width)

    def _access(self, kind: str, capacity: int, width: int) -> float:
        sram = self.sram
        size = max(capacity / 1024, 1.0)
        fit = sram[f"{kind}_a"] * size ** sram[f"{kind}_c"] * width ** sram[f"{kind}_w"]
        return float(fit * sram["energy_scale"] * 1e-12)

    def sram_leakage(self, capacity: int) -> float:
        """Watts that `capacity` bytes leak."""
        sram = self.sram
        return float(sram["leak_a"] * (capacity / 1024) ** sram["leak_c"] * sram["leak_scale"] * 1e-3)

    def to_dict(self) -> dict[str, Any]:
        """Everything a result depends on."""
        return {"entries": self.entries, "sram": self.sram}


_SRAM = ("read_a", "read_c", "read_w", "write_a", "write_c", "write_w", "leak_a", "leak_c", "energy_scale", "leak_scale")


def load_energy(name: str) -> EnergyTable:
    """Load an energy table by name or file; every entry must carry a value with unit and a source.

    Raises:
        InputError: unknown, or an entry lacks something.
    """
    tree = load_yaml(find("energy table", name, "configs/energy"))
    for part in ("entries", "sram"):
        if not isinstance(tree.get(part), YamlMap):
            raise InputError(f"energy table has no {part!r}", **tree.where(), remedy=f"add '{part}:'")
    entries = {key: quantity(_of(tree["entries"], key), "J", **tree["entries"].where(key)) for key in tree["entries"]}
    missing = [key for key in _SRAM if key not in tree["sram"]]
    if missing:
        raise InputError(f"sram has no {missing[0]!r}", **tree.where("sram"), remedy=f"add '{missing[0]}:'")
    sram = {key: float(_of(tree["sram"], key)) for key in _SRAM}
    return EnergyTable(str(tree.get("table", name)), entries, sram)


def _of(tree: YamlMap, key: str) -> Any:
    entry = tree[key]
    if not isinstance(entry, YamlMap) or "value" not in entry or "source" not in entry:
        raise InputError(f"{key} has no value and source", **tree.where(key), remedy="write {value: ..., source: ...}")
    return entry["value"]
