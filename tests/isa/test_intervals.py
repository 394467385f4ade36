"""Bounds must hold for every value, wrap-around included: they decide whether an index is checked when it runs."""

from __future__ import annotations

import ast

from hypothesis import given
from hypothesis import strategies as st

from archsim.isa.intervals import ANY, binary_interval, call_interval

OPERATORS = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.BitAnd: lambda a, b: a & b,
    ast.BitOr: lambda a, b: a | b,
    ast.LShift: lambda a, b: a << (b & 63),
    ast.RShift: lambda a, b: a >> (b & 63),
}
NUMBERS = st.one_of(st.integers(-200, 200), st.integers(*ANY))


def wrapped(value: int) -> int:
    """Two's complement, 64 bits."""
    return (value + 2**63) % 2**64 - 2**63


@st.composite
def bounded(draw: st.DrawFn) -> tuple[int, tuple[int, int]]:
    low, value, high = sorted(draw(st.tuples(NUMBERS, NUMBERS, NUMBERS)))
    return value, (low, high)


@given(st.sampled_from(list(OPERATORS)), bounded(), bounded())
def test_a_result_lies_within_its_bounds(operator: type, left: tuple, right: tuple) -> None:
    low, high = binary_interval(operator(), left[1], right[1])
    assert low <= wrapped(OPERATORS[operator](left[0], right[0])) <= high


@given(bounded(), bounded(), bounded())
def test_so_do_minimum_maximum_and_clip(a: tuple, b: tuple, c: tuple) -> None:
    for name, value in (("min", min(a[0], b[0])), ("max", max(a[0], b[0]))):
        low, high = call_interval(name, [a[1], b[1]])
        assert low <= value <= high
    low, high = call_interval("clip", [a[1], b[1], c[1]])
    clipped = b[0] if a[0] < b[0] else c[0] if a[0] > c[0] else a[0]
    assert low <= clipped <= high
