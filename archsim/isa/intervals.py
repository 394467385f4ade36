"""Bounds of integer expressions: what proves that a loop ends and that an index stays inside a register."""

from __future__ import annotations

import ast

Interval = tuple[int, int]
ANY: Interval = (-(2**63), 2**63 - 1)
"""Nothing is known: any 64-bit integer."""


def fitted(low: int, high: int) -> Interval:
    """An interval, or ANY where a value in it would wrap around."""
    return (low, high) if low >= ANY[0] and high <= ANY[1] else ANY


def binary_interval(operator: ast.operator, left: Interval, right: Interval) -> Interval:
    """Bounds of `left operator right`, as far as they follow."""
    if isinstance(operator, ast.Add):
        return fitted(left[0] + right[0], left[1] + right[1])
    if isinstance(operator, ast.Sub):
        return fitted(left[0] - right[1], left[1] - right[0])
    if isinstance(operator, ast.Mult):
        products = [a * b for a in left for b in right]
        return fitted(min(products), max(products))
    if isinstance(operator, ast.LShift) and right[0] >= 0 and right[1] < 64 and left[0] >= 0:
        return fitted(left[0], left[1] << right[1])
    if isinstance(operator, ast.RShift) and left[0] >= 0 and right[0] >= 0 and right[1] < 64:
        return 0, left[1] >> right[0]
    if isinstance(operator, ast.BitAnd) and max(left[0], right[0]) >= 0:
        # one side that is not negative bounds the result
        return 0, min(side[1] for side in (left, right) if side[0] >= 0)
    if isinstance(operator, ast.BitOr | ast.BitXor) and min(left[0], right[0]) >= 0:
        return 0, (1 << max(left[1], right[1]).bit_length()) - 1
    return ANY


_LOADS = {f"load_{sign}{bits}": (0 if sign == "u" else -(1 << bits - 1), (1 << bits - (sign == "i")) - 1)
          for bits in (8, 16, 32) for sign in "iu"}  # fmt: skip


def call_interval(name: str, bounds: list[Interval]) -> Interval:
    """Bounds of a call of a function of integers."""
    if name in _LOADS:
        return _LOADS[name]
    if name in ("div", "rem", "divu", "remu") and bounds[0][0] >= 0 and bounds[1][0] > 0:
        if name.startswith("rem"):
            return 0, min(bounds[0][1], bounds[1][1] - 1)
        return bounds[0][0] // bounds[1][1], bounds[0][1] // bounds[1][0]
    if name in ("zext", "sext") and bounds[1][0] == bounds[1][1] and 0 < bounds[1][0] < 63:
        width = bounds[1][0]
        return (0, 2**width - 1) if name == "zext" else (-(2 ** (width - 1)), 2 ** (width - 1) - 1)
    if name in ("min", "max") and len(bounds) == 2:
        pick = min if name == "min" else max
        return pick(bounds[0][0], bounds[1][0]), pick(bounds[0][1], bounds[1][1])
    if name == "clip" and len(bounds) == 3:
        value, least, most = bounds
        return min(max(value[0], least[0]), most[0]), max(least[1], min(value[1], most[1]))
    return ANY
