"""Quantities with units: "8 MiB", "1.2 GHz", "51.2 GB/s", "0.1 pJ", "85 ns".

Decimal prefixes are powers of 1000, binary ones (Ki, Mi, Gi, Ti) of 1024: 64 KB is 64,000 B and 64 KiB 65,536 B.
"""

from __future__ import annotations

import re
from typing import Any

from archsim.common.errors import InputError

_PREFIX = {
    "f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "µ": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "K": 1e3, "M": 1e6,
    "G": 1e9, "T": 1e12, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40,
}  # fmt: skip
_NUMBER = re.compile(r"^\s*([-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*?)\s*$")
# Units a quantity may be written in besides its own, with their factor.
_ALIASES: dict[str, dict[str, float]] = {
    "B": {"b": 0.125, "bit": 0.125, "bits": 0.125},
    "B/s": {"b/s": 0.125, "bit/s": 0.125},
    "cycles": {"cycle": 1.0},
}


def quantity(value: Any, unit: str, **where: Any) -> float:
    """Read a quantity in `unit` ("B", "Hz", "s", "J", "W", "B/s", "m", "mm2", "cycles", ...).

    A bare number is taken only where `unit` is "cycles" or "" (a count); elsewhere the unit must be written, so
    that nobody has to guess it.

    Args:
        value: text such as "8 MiB", or a number.
        unit: the base unit of the result.
        where: ``file=`` and ``line=`` for the error.

    Returns:
        The value in base units, as float.

    Raises:
        InputError: no number, no unit, or a unit of another kind.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise InputError(f"{value!r} is no quantity", remedy=f"write a number and a unit of {unit!r}", **where)
    if isinstance(value, (int, float)):
        if unit in ("cycles", ""):
            return float(value)
        raise InputError(f"{value!r} has no unit", remedy=f"write it with its unit, such as '{value} {unit}'", **where)
    match = _NUMBER.match(value)
    if not match:
        raise InputError(f"{value!r} is no quantity", remedy=f"write a number and a unit of {unit!r}", **where)
    number, suffix = float(match[1].replace("_", "")), match[2]
    if not suffix and unit in ("cycles", ""):
        return number
    for name, factor in [(unit, 1.0), *_ALIASES.get(unit, {}).items()]:
        if suffix.endswith(name):
            prefix = suffix[: len(suffix) - len(name)]
            if prefix in _PREFIX:
                return number * _PREFIX[prefix] * factor
    raise InputError(f"unit {suffix!r} in {value!r} is not one of {unit!r}", remedy=f"write it in {unit!r}", **where)


def whole(value: Any, unit: str, **where: Any) -> int:
    """As quantity(), for what must be a whole number of base units (bytes, cycles)."""
    number = quantity(value, unit, **where)
    if abs(number - round(number)) > 1e-9 * max(1.0, abs(number)):
        what = f"whole number of {unit}" if unit else "whole number"
        raise InputError(f"{value!r} is not a {what}", remedy="round it", **where)
    return round(number)


def show(value: float, unit: str) -> str:
    """A value in base units as short text: show(2**23, "B") is "8 MiB", show(1.2e9, "Hz") "1.2 GHz"."""
    if unit == "B":
        steps = [("Ti", 2.0**40), ("Gi", 2.0**30), ("Mi", 2.0**20), ("Ki", 2.0**10)]
    else:
        steps = [("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3), ("", 1.0), ("m", 1e-3), ("u", 1e-6), ("n", 1e-9)]
        steps.append(("p", 1e-12))
    for prefix, factor in steps:
        if abs(value) >= factor:
            return f"{value / factor:.4g} {prefix}{unit}"
    return f"{value:.4g} {unit}"
