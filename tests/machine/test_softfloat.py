"""Floating point in integers against exact rational arithmetic, MPFR (gmpy2) and qemu.

ARCHSIM_FUZZ=1 compares a million cases per operation.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gmpy2
import numpy as np
import pytest

from archsim.machine import softfloat
from tests.machine import batches, float_oracle
from tests.machine.batches import FUZZ, Array
from tests.machine.float_cases import all_pairs, integers, numbers, partners, specials
from tests.machine.float_oracle import FORMATS, NV, NX, RMM, Result
from tests.machine.riscv_guest import Guest, needs_qemu

WIDTHS = (16, 17, 32, 64)
ON_QEMU = (16, 32, 64)
COUNT = 1_000_000 if FUZZ else 3_000
"""Cases per operation and width on qemu."""
SLOW_COUNT = 250_000 if FUZZ else 800
"""Cases per operation and width in exact arithmetic."""
ARITY = {"add": 2, "sub": 2, "mul": 2, "div": 2, "sqrt": 1, "fma": 3}


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Guest:
    return Guest(Path(tmp_path_factory.mktemp("guest")))


def generator(*seed: Any) -> np.random.Generator:
    return np.random.default_rng([sum(map(ord, str(part))) for part in seed])


def unsigned(value: int, width: int = 64) -> int:
    return int(value) & (1 << (16 if width == 17 else width)) - 1


def operands(rng: np.random.Generator, operation: str, width: int, count: int) -> list[Array]:
    """Rounding modes and operands, int64 [n] each: pairs of special numbers, then random ones."""
    a = numbers(rng, width, count)
    b, c = partners(rng, width, a), numbers(rng, width, count)
    if operation == "fma":
        # A third cancels: the addend is next to the product's negative.
        product, _ = batches.rounded(softfloat.soft_mul, width, np.zeros(count, np.int64), a, b)
        near = (product ^ np.int64(_sign_bit(width))) + rng.integers(-1, 2, count) * (product & 1)
        c = np.where(rng.integers(0, 3, count) == 0, near, c)
    if operation in ("sqrt", "div"):
        # A quarter is a square or a product, so that results are exact or ties.
        product, _ = batches.rounded(
            softfloat.soft_mul, width, np.ones(count, np.int64), a, a if operation == "sqrt" else b
        )
        a = np.where(rng.integers(0, 4, count) == 0, product, a)
    pairs = all_pairs(width)
    if len(pairs[0]) * 5 > count:
        chosen = rng.integers(0, len(pairs[0]), count // 3)
        pairs = (pairs[0][chosen], pairs[1][chosen])
    third = numbers(rng, width, len(pairs[0]))
    columns = [np.concatenate(both) for both in zip((*pairs, third), (a, b, c), strict=True)]
    return [rng.integers(0, 5, len(columns[0])), *columns[: ARITY.get(operation, 2)]]


def _sign_bit(width: int) -> int:
    sign = FORMATS[width].sign
    return -sign if width == 64 else sign


def agree(width: int, got: tuple[Array, Array], expected: tuple[Array, Array], rows: list[Array]) -> None:
    """No difference, or the first one shown in hexadecimal."""
    mask = np.int64(-1 if width == 64 else (1 << (16 if width == 17 else width)) - 1)
    different = ((got[0] ^ expected[0]) & mask != 0) | (got[1] != expected[1])
    if different.any():
        row = int(np.flatnonzero(different)[0])
        shown = [hex(unsigned(column[row])) for column in rows]
        one, two = (f"{unsigned(r[row], width):x} flags {f[row]:x}" for r, f in (got, expected))
        pytest.fail(f"{different.sum()} differ; rm and operands {shown}: {one}, expected {two}")


def agree_exactly(width: int, got: tuple[Array, Array], rows: list[Array], expect: Any) -> None:
    """As agree(), of `expect(*row)` in Python's integers, for rows of raw bits."""
    expected = np.zeros((2, len(rows[0])), np.int64)
    for index, row in enumerate(zip(*(column.tolist() for column in rows), strict=True)):
        bits, flags = expect(*row)
        expected[:, index] = bits - (1 << 64) if bits >> 63 > 0 else bits, flags
    agree(width, got, (expected[0], expected[1]), rows)


# -- arithmetic


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("operation", ARITY)
def test_arithmetic_is_exact_arithmetic_rounded_once(operation: str, width: int) -> None:
    rows = operands(generator(operation, width), operation, width, SLOW_COUNT)
    got = batches.rounded(getattr(softfloat, f"soft_{operation}"), width, *rows)
    exact = getattr(float_oracle, operation)

    def expect(rm: int, *values: int) -> Result:
        return exact(width, *(unsigned(value, width) for value in values), rm)

    agree_exactly(width, got, rows, expect)


@pytest.mark.parametrize("mark", [pytest.param(None, marks=needs_qemu)])
@pytest.mark.parametrize("width", ON_QEMU)
@pytest.mark.parametrize("operation", ARITY)
def test_arithmetic_on_qemu(operation: str, width: int, mark: None, guest: Guest) -> None:
    rows = operands(generator("qemu", operation, width), operation, width, COUNT)
    got = batches.rounded(getattr(softfloat, f"soft_{operation}"), width, *rows)
    agree(width, got, guest.run(f"{operation}.{width}", *rows), rows)


@pytest.mark.parametrize("width", [16, 17])
@pytest.mark.parametrize("operation", ["add", "mul", "div"])
def test_special_numbers_of_16_bits(operation: str, width: int) -> None:
    """All pairs in every rounding mode."""
    a, b = all_pairs(width)
    rows = [np.repeat(np.arange(5), len(a)), np.tile(a, 5), np.tile(b, 5)]
    got = batches.rounded(getattr(softfloat, f"soft_{operation}"), width, *rows)
    exact = getattr(float_oracle, operation)
    agree_exactly(width, got, rows, lambda rm, a, b: exact(width, a, b, rm))


@pytest.mark.parametrize("width", [16, 17])
def test_square_roots_of_all_16_bit_numbers(width: int) -> None:
    for rm in range(5):
        a = np.arange(0, 1 << 16, 1 if FUZZ or rm == 0 else 61)
        modes = np.full(len(a), rm)
        got = batches.rounded(softfloat.soft_sqrt, width, modes, a)
        agree_exactly(width, got, [modes, a], lambda rm, a: float_oracle.sqrt(width, a, rm))


def test_last_bits_of_a_product_decide() -> None:
    """(2**52 + 2**26) * (2**53 - 2**27 + 2) = 2**105 + 2**27: half a unit in the last place of 2**158, and a little."""
    a, b = (np.float64(n).view(np.int64) for n in (2**52 + 2**26, 2**53 - 2**27 + 2))
    c = np.ldexp(1 + np.arange(4) * 2.0**-52, 158).view(np.int64)
    least = np.int64(-(1 << 63))
    for shift in range(-1, 2):
        for sign_a, sign_c in ((0, 0), (0, least), (least, 0)):
            columns = np.full(4, (a ^ sign_a) + (shift << 52)), np.full(4, b), c ^ sign_c
            for rm in range(5):
                rows = [np.full(4, rm), *columns]
                got = batches.rounded(softfloat.soft_fma, 64, *rows)
                agree_exactly(64, got, rows, lambda rm, *abc: float_oracle.fma(64, *map(unsigned, abc), rm))


def as_float(width: int, bits: Array) -> Array:
    """Numbers as float64, exactly."""
    if width == 64:
        return bits.view(np.float64)
    if width == 17:
        width, bits = 32, bits << 16
    word, kind = {16: (np.uint16, np.float16), 32: (np.uint32, np.float32)}[width]
    with np.errstate(invalid="ignore"):  # signalling NaNs
        return bits.astype(word).view(kind).astype(np.float64)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("operation", ARITY)
@pytest.mark.parametrize("rm", range(RMM))
def test_arithmetic_against_mpfr(rm: int, operation: str, width: int) -> None:
    """Values, and whether they are inexact (MPFR has no ties away, and no signalling NaN)."""
    of = FORMATS[width]
    _, *rows = operands(generator("mpfr", rm, operation, width), operation, width, 30_000 if FUZZ else 150)
    values = [as_float(width, column) for column in rows]
    numeric = ~np.isnan(values).any(axis=0)
    rows, values = [column[numeric] for column in rows], [column[numeric] for column in values]
    modes = np.full(len(rows[0]), rm)
    bits, flags = batches.rounded(getattr(softfloat, f"soft_{operation}"), width, modes, *rows)
    rounding = (gmpy2.RoundToNearest, gmpy2.RoundToZero, gmpy2.RoundDown, gmpy2.RoundUp)[rm]
    with gmpy2.context(
        precision=of.fraction + 1, emax=of.bias + 1, emin=2 - of.bias - of.fraction, subnormalize=True, round=rounding
    ) as context:
        function = getattr(context, operation)
        for i, row in enumerate(zip(*(column.tolist() for column in values), strict=True)):
            context.clear_flags()
            expected = float(function(*map(gmpy2.mpfr, row)))
            got = float(as_float(width, bits[i : i + 1])[0])
            same = np.float64(got).tobytes() == np.float64(expected).tobytes()
            assert same or (got != got and expected != expected), (row, got, expected)
            assert (flags[i] & (NX | NV) != 0) == (context.inexact or context.invalid), (row, got, flags[i])


# -- conversions


@pytest.mark.parametrize("to", WIDTHS)
@pytest.mark.parametrize("width", WIDTHS)
def test_conversions_between_formats(width: int, to: int) -> None:
    rng = generator("convert", width, to)
    rows = [rng.integers(0, 5, SLOW_COUNT), _around_edges(rng, width, to, SLOW_COUNT)]
    got = batches.converted(softfloat.soft_convert, width, to, *rows)
    agree_exactly(to, got, rows, lambda rm, a: float_oracle.convert(width, to, unsigned(a, width), rm))


def _around_edges(rng: np.random.Generator, width: int, to: int, count: int) -> Array:
    """Numbers of one format, a half of them near to or half-way between numbers of the other."""
    a = numbers(rng, width, count)
    there, _ = batches.converted(softfloat.soft_convert, to, width, np.ones(count, np.int64), numbers(rng, to, count))
    half = np.int64(1) << max(FORMATS[width].fraction - FORMATS[to].fraction - 1, 0)
    return np.where(rng.integers(0, 2, count) == 0, a, there + rng.integers(-1, 2, count) + half * (a & 1))


@pytest.mark.parametrize("mark", [pytest.param(None, marks=needs_qemu)])
@pytest.mark.parametrize("width", ON_QEMU)
def test_conversions_on_qemu(width: int, mark: None, guest: Guest) -> None:
    rng = generator("conversions", width)
    modes = rng.integers(0, 5, COUNT)
    for to in ON_QEMU:
        if to != width:
            a = _around_edges(rng, width, to, COUNT)
            got = batches.converted(softfloat.soft_convert, width, to, modes, a)
            agree(to, got, guest.run(f"convert.{width}.{to}", modes, a), [modes, a])
    for bits, signed in ((32, 1), (32, 0), (64, 1), (64, 0)):
        a = _around_integers(rng, width, COUNT)
        got = batches.to_integers(softfloat.soft_to_int, width, bits, signed, modes, a)
        # RV64 keeps 32-bit results sign-extended.
        agree(bits, got, guest.run(f"to_int.{width}.{bits}.{signed}", modes, a), [modes, a])
    for signed in (0, 1):
        a = integers(rng, COUNT)
        got = batches.with_choice(softfloat.soft_from_int, width, signed, modes, a)
        agree(width, got, guest.run(f"from_int.{width}.{signed}", modes, a), [modes, a])


def _around_integers(rng: np.random.Generator, width: int, count: int) -> Array:
    """Numbers, half of them integers or halves of integers or next to such."""
    a = numbers(rng, width, count)
    choice = np.ones(count, np.int64)
    near, _ = batches.with_choice(softfloat.soft_from_int, width, 1, choice, integers(rng, count))
    halved = near - (rng.integers(0, 4, count) << FORMATS[width].fraction)
    near = np.where((near & np.int64(FORMATS[width].sign - 1)) >> FORMATS[width].fraction > 4, halved, near)
    return np.where(rng.integers(0, 2, count) == 0, a, near + rng.integers(-1, 2, count) * (a & 1))


@pytest.mark.parametrize("width", WIDTHS)
def test_conversions_to_and_from_integers(width: int) -> None:
    rng = generator("integers", width)
    modes = rng.integers(0, 5, SLOW_COUNT)
    for bits in (8, 16, 32, 64):
        for signed in (0, 1):
            a = _around_integers(rng, width, SLOW_COUNT)
            got = batches.to_integers(softfloat.soft_to_int, width, bits, signed, modes, a)

            def expect(rm: int, a: int, bits: int = bits, signed: int = signed) -> Result:
                return float_oracle.to_int(width, unsigned(a, width), rm, bits, signed)

            agree_exactly(64, got, [modes, a], expect)
    a = integers(rng, SLOW_COUNT)
    got = batches.with_choice(softfloat.soft_from_int, width, 1, modes, a)
    agree_exactly(width, got, [modes, a], lambda rm, a: float_oracle.from_int(width, a, rm))
    got = batches.with_choice(softfloat.soft_from_int, width, 0, modes, a)
    agree_exactly(width, got, [modes, a], lambda rm, a: float_oracle.from_int(width, unsigned(a), rm))


# -- comparisons and classes


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("operation", ["eq", "lt", "le", "min", "max"])
def test_comparisons(operation: str, width: int) -> None:
    _, a, b = operands(generator(operation, width), operation, width, SLOW_COUNT)
    got = batches.compared(getattr(softfloat, f"soft_{operation}"), width, a, b)
    exact = float_oracle.extreme if operation.startswith("m") else float_oracle.compare
    agree_exactly(width, got, [a, b], lambda a, b: exact(width, unsigned(a, width), unsigned(b, width), operation))


@pytest.mark.parametrize("mark", [pytest.param(None, marks=needs_qemu)])
@pytest.mark.parametrize("width", ON_QEMU)
@pytest.mark.parametrize("operation", ["eq", "lt", "le", "min", "max"])
def test_comparisons_on_qemu(operation: str, width: int, mark: None, guest: Guest) -> None:
    rows = operands(generator("qemu", operation, width), operation, width, COUNT)
    got = batches.compared(getattr(softfloat, f"soft_{operation}"), width, *rows[1:])
    agree(width, got, guest.run(f"{operation}.{width}", *rows), rows)


@pytest.mark.parametrize("width", WIDTHS)
def test_classes(width: int) -> None:
    code = np.int64(width)
    for bits in specials(width):
        a = np.int64(bits - (1 << 64) if bits >> 63 else bits)
        assert softfloat.soft_class(code, a) == float_oracle.classify(width, bits)
        assert softfloat.is_nan(code, a) == FORMATS[width].is_nan(bits)
