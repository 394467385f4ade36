"""Integer arithmetic and bit manipulation of compiled code against Python's unbounded integers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from archsim.machine import arithmetic
from archsim.machine.jit import njit

MASK = (1 << 64) - 1
WORDS = st.integers(0, MASK) | st.sampled_from([0, 1, MASK, 1 << 63, 1 << 31, 0x80, 0xFF00, MASK >> 32])


def signed(value: int) -> np.int64:
    return np.int64(value - (1 << 64) if value >> 63 else value)


def product(a: int, b: int) -> int:
    """Of polynomials over GF(2)."""
    result = 0
    for i in range(64):
        if b >> i & 1:
            result ^= a << i
    return result


@pytest.mark.parametrize("bits", [32, 64])
@settings(deadline=None)
@given(word=WORDS)
@example(word=0)
def test_counts_and_byte_order(bits: int, word: int) -> None:
    low, width, operand = word & ((1 << bits) - 1), np.int64(bits), signed(word)
    assert arithmetic.clz(operand, width) == bits - low.bit_length()
    assert arithmetic.ctz(operand, width) == ((low & -low).bit_length() - 1 if low else bits)
    reversed_bytes = int.from_bytes(low.to_bytes(bits // 8, "little"), "big")
    assert arithmetic.rev8(operand, width) & MASK == reversed_bytes


@settings(deadline=None)
@given(word=WORDS)
def test_bytes(word: int) -> None:
    content, operand = word.to_bytes(8, "little"), signed(word)
    assert arithmetic.cpop(operand) == word.bit_count()
    combined = bytes(255 if byte else 0 for byte in content)
    assert arithmetic.orc_b(operand) & MASK == int.from_bytes(combined, "little")
    mirrored = bytes(int(f"{byte:08b}"[::-1], 2) for byte in content)
    assert arithmetic.brev8(operand) & MASK == int.from_bytes(mirrored, "little")


@settings(deadline=None)
@given(word=st.integers(0, (1 << 32) - 1))
def test_zip(word: int) -> None:
    text = f"{word:032b}"
    zipped = "".join(a + b for a, b in zip(text[:16], text[16:], strict=True))
    assert arithmetic.zip_bits(np.int64(word)) == int(zipped, 2)
    assert arithmetic.unzip_bits(np.int64(int(zipped, 2))) == word


@settings(deadline=None)
@given(a=WORDS, b=WORDS)
def test_carryless_products(a: int, b: int) -> None:
    assert arithmetic.clmul(signed(a), signed(b)) & MASK == product(a, b) & MASK
    for bits in (32, 64):
        mask = (1 << bits) - 1
        whole, left, right = product(a & mask, b & mask), signed(a & mask), signed(b & mask)
        assert arithmetic.clmulh(left, right, np.int64(bits)) & MASK == whole >> bits
        assert arithmetic.clmulr(left, right, np.int64(bits)) & MASK == whole >> bits - 1 & mask


@settings(deadline=None)
@given(a=WORDS, b=WORDS)
def test_products_and_quotients(a: int, b: int) -> None:
    """RISC-V's: by zero, and of the most negative number by -1."""
    left, right = signed(a), signed(b)
    x, y = int(left), int(right)
    assert arithmetic.mulhu(left, right) & MASK == a * b >> 64
    assert arithmetic.mulh(left, right) == x * y >> 64
    assert arithmetic.mulhsu(left, right) == x * b >> 64
    quotient = -1 if y == 0 else abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)
    assert arithmetic.div(left, right) == signed(quotient & MASK)
    assert arithmetic.rem(left, right) == (x - quotient * y if y else x)
    assert wrapped_add(left, right) == signed(a + b & MASK)
    assert wrapped_sub(left, right) == signed(a - b & MASK)
    assert wrapped_mul(left, right) == signed(a * b & MASK)


@njit
def wrapped_add(a: int, b: int) -> int:
    return arithmetic.wrap_add(a, b)


@njit
def wrapped_sub(a: int, b: int) -> int:
    return arithmetic.wrap_sub(a, b)


@njit
def wrapped_mul(a: int, b: int) -> int:
    return arithmetic.wrap_mul(a, b)
