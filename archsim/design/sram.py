"""Energy, leakage and area of SRAM arrays: power-law fits to CACTI 7, each within about 40 %."""

# ruff: noqa: RUF009  (each call declares a field of its own, as dataclasses.field does)
from __future__ import annotations

import math
from dataclasses import dataclass

from archsim.design.fields import measure, section, text

CONFIDENCE = ("high", "medium", "low")


@dataclass(frozen=True)
class Entry:
    """A sourced constant; subclasses say its unit."""

    source: str = text("where the value comes from")
    confidence: str = text("how far to trust it", choices=CONFIDENCE)


@dataclass(frozen=True)
class Factor(Entry):
    """A number without a unit."""

    value: float = measure("", "the factor", above_zero=True)


@dataclass(frozen=True)
class Fit(Entry):
    """value x (capacity in KiB)^capacity_exponent x (word in bytes)^word_exponent."""

    capacity_exponent: float = measure("", "power of the capacity in KiB")
    word_exponent: float = measure("", "power of the word in bytes", default=0.0)

    def law(self, capacity_bytes: float, word_bytes: int) -> float:
        """What the value, that of 1 KiB and a word of 1 B, is multiplied by."""
        return float((capacity_bytes / 1024) ** self.capacity_exponent * word_bytes**self.word_exponent)


@dataclass(frozen=True)
class EnergyFit(Fit):
    """Energy of an access, in joules."""

    value: float = measure("J", "of 1 KiB and a word of 1 B", above_zero=True)


@dataclass(frozen=True)
class LeakageFit(Fit):
    """Leakage, in watts."""

    value: float = measure("W", "of 1 KiB", above_zero=True)


@dataclass(frozen=True)
class AreaFit(Fit):
    """Area, in mm2."""

    value: float = measure("mm2", "of 1 KiB", above_zero=True)


@dataclass(frozen=True)
class Sram:
    """SRAM of a technology: fits at the node they were made for, and factors from there to the table's node."""

    read: EnergyFit = section(EnergyFit, "fit of the energy of a read")
    write: EnergyFit = section(EnergyFit, "fit of the energy of a write")
    leakage: LeakageFit = section(LeakageFit, "fit of the leakage of fast cells")
    area: AreaFit = section(AreaFit, "fit of the area")
    energy_scale: Factor = section(Factor, "energy at the table's node over that of the fit")
    leakage_scale: Factor = section(Factor, "leakage at the table's node over that of the fit")
    area_scale: Factor = section(Factor, "area at the table's node over that of the fit")
    low_standby: Factor = section(Factor, "leakage of low-standby-power cells over that of fast ones")

    def access(self, fit: EnergyFit, capacity_bytes: int, word_bytes: int, banks: int, wire: float) -> float:
        """Joules of an access of one word.

        Args:
            fit: `read` or `write`.
            capacity_bytes: of all banks.
            word_bytes: bytes of the access, all from one bank.
            banks: banks of equal size.
            wire: joules per byte and mm between a bank and the port; the fit holds what is inside a bank.
        """
        bank = fit.value * fit.law(capacity_bytes / banks, word_bytes) * self.energy_scale.value
        # a square of banks with the port at its middle: half its side on the mean way there
        way_mm = math.sqrt(self.square_mm(capacity_bytes)) / 2 if banks > 1 else 0.0
        return bank + word_bytes * wire * way_mm

    def watts(self, capacity_bytes: int, *, low_standby: bool) -> float:
        """Leakage of an array."""
        cells = self.low_standby.value if low_standby else 1.0
        return self.leakage.value * self.leakage.law(capacity_bytes, 1) * self.leakage_scale.value * cells

    def square_mm(self, capacity_bytes: int) -> float:
        """Area of an array, mm2."""
        return self.area.value * self.area.law(capacity_bytes, 1) * self.area_scale.value
