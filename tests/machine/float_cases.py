"""Operands at which floating point goes wrong: every kind of edge, close exponents, ties, cancellation."""

from __future__ import annotations

import numpy as np

from tests.machine.float_oracle import FORMATS

Array = np.ndarray


def specials(width: int) -> list[int]:
    """Zeros, subnormals, normals at either end, powers of two around one, infinities, NaNs; of both signs."""
    of = FORMATS[width]
    one, ulp = of.bias << of.fraction, 1 << of.fraction
    positive = [
        0, 1, 2, 3, ulp // 2 - 1, ulp // 2, ulp // 2 + 1, ulp - 2, ulp - 1, ulp, ulp + 1, 2 * ulp - 1, 2 * ulp,
        one - ulp, one - 1, one, one + 1, one + ulp // 2, one + ulp - 1, one + ulp, one + of.fraction * ulp,
        one + (of.fraction + 1) * ulp + 1, of.infinity - ulp, of.infinity - 2, of.infinity - 1, of.infinity,
        of.infinity + 1, of.nan - 1, of.nan, of.nan + 1, of.sign - 1,
    ]  # fmt: skip
    return [bits | sign for bits in positive for sign in (0, of.sign)]


def numbers(rng: np.random.Generator, width: int, count: int) -> Array:
    """Bits, int64 [count]: a quarter uniform, a quarter special, a quarter with few bits set, a quarter near one."""
    of = FORMATS[width]
    total = of.exponent + of.fraction + 1
    uniform = rng.integers(-(1 << 63), (1 << 63) - 1, count, dtype=np.int64)
    bits = uniform.copy()
    kind = rng.integers(0, 4, count)
    special = np.array([_signed(bits) for bits in specials(width)], np.int64)
    bits = np.where(kind == 1, rng.choice(special, count), bits)
    short = np.int64(-1) << rng.integers(0, of.fraction + 1, count)
    bits = np.where(kind == 2, bits & short, bits)
    near = (rng.integers(-of.fraction - 4, of.fraction + 4, count) + of.bias) << of.fraction
    bits = np.where(kind == 3, (bits & np.int64((1 << of.fraction) - 1 - (1 << 63))) | near, bits)
    # The sign of what stands near one is bit 63 of the uniform word.
    sign = ((uniform >> 63) & 1) << (total - 1)
    bits = np.where(kind == 3, (bits & np.int64((1 << total - 1) - 1)) | sign, bits)
    return bits & np.int64(-1 if width == 64 else (1 << total) - 1)


def partners(rng: np.random.Generator, width: int, a: Array) -> Array:
    """Others: half of any kind, a quarter with a close exponent, a quarter some units in the last place away."""
    of = FORMATS[width]
    count = len(a)
    bits, kind = numbers(rng, width, count), rng.integers(0, 4, count)
    magnitude = np.int64(of.sign - 1)
    close = (a & magnitude) + (rng.integers(-of.fraction - 3, of.fraction + 4, count) << of.fraction)
    close = (close ^ (bits & np.int64((1 << of.fraction) - 1))) & magnitude
    near = ((a & magnitude) + rng.integers(-3, 4, count)) & magnitude
    chosen = np.where(kind == 2, close, near) | (bits & ~magnitude)
    return np.where(kind < 2, bits, chosen)


def all_pairs(width: int) -> tuple[Array, Array]:
    """Every special number with every other."""
    special = np.array([_signed(bits) for bits in specials(width)], np.int64)
    return np.repeat(special, len(special)), np.tile(special, len(special))


def integers(rng: np.random.Generator, count: int) -> Array:
    """int64 [count] of every size, many next to powers of two and to halves between floats."""
    bits = rng.integers(-(1 << 63), (1 << 63) - 1, count, dtype=np.int64) >> rng.integers(0, 64, count)
    short = bits & (np.int64(-1) << rng.integers(0, 63, count))
    return np.where(rng.integers(0, 2, count) == 0, bits, short + rng.integers(-1, 2, count))


def _signed(bits: int) -> int:
    return bits - (1 << 64) if bits >> 63 else bits
