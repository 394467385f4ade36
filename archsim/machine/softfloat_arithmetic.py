"""Correctly rounded add, subtract, multiply, divide, square root and fused multiply-add in integers.

Formats, rounding modes and sources as in softfloat_round. Flags are ORed into ctx[FFLAGS].
"""

from __future__ import annotations

import numpy as np

from archsim.machine.arithmetic import leading_zeros, mulhu
from archsim.machine.jit import njit
from archsim.machine.softfloat_round import (
    DZ,
    RDN,
    TOP,
    fraction_bits,
    infinity,
    is_signalling,
    magnitude_of,
    nan_result,
    raise_flags,
    round_and_raise,
    shift_right_jam,
    sign_bit,
    sign_of,
    unpack,
)


@njit
def soft_add(ctx, width, a, b, rm):
    """a + b."""
    size_a, size_b, top = magnitude_of(width, a), magnitude_of(width, b), infinity(width)
    if size_a < size_b:
        a, b, size_a, size_b = b, a, size_b, size_a
    sign = sign_of(width, a)
    differ = sign != sign_of(width, b)
    if size_a >= top:
        if size_a > top or (size_b == top and differ):
            opposite = size_a == top
            return nan_result(ctx, width, opposite | is_signalling(width, a) | is_signalling(width, b))
        return sign_bit(width, sign) | top
    exponent, left = unpack(width, a)
    exponent_b, right = unpack(width, b)
    # One bit lower than unpacked: the sum needs room for a carry.
    left, right = left >> 1, shift_right_jam(right >> 1, exponent - exponent_b)
    total = left - right if differ else left + right
    if differ and total == 0:
        sign = np.int64(rm == RDN)
    return round_and_raise(ctx, width, sign, exponent + 1, total, rm)


@njit
def soft_sub(ctx, width, a, b, rm):
    """a - b."""
    return soft_add(ctx, width, a, b ^ sign_bit(width, np.int64(1)), rm)


@njit
def soft_mul(ctx, width, a, b, rm):
    """a * b."""
    size_a, size_b, top = magnitude_of(width, a), magnitude_of(width, b), infinity(width)
    least, largest = min(size_a, size_b), max(size_a, size_b)
    sign = sign_of(width, a) ^ sign_of(width, b)
    if largest >= top:
        if largest > top or least == 0:
            undefined = largest == top
            return nan_result(ctx, width, undefined | is_signalling(width, a) | is_signalling(width, b))
        return sign_bit(width, sign) | top
    exponent_a, left = unpack(width, a)
    exponent_b, right = unpack(width, b)
    high, low = _product(left, right)
    return round_and_raise(ctx, width, sign, exponent_a + exponent_b + 64, high | np.int64(low != 0), rm)


@njit
def soft_div(ctx, width, a, b, rm):
    """a / b."""
    size_a, size_b, top = magnitude_of(width, a), magnitude_of(width, b), infinity(width)
    sign = sign_of(width, a) ^ sign_of(width, b)
    undefined = (size_a == size_b) & ((size_a == 0) | (size_a == top))
    if max(size_a, size_b) > top or undefined:
        return nan_result(ctx, width, undefined | is_signalling(width, a) | is_signalling(width, b))
    if size_a == top or size_b == 0:
        raise_flags(ctx, np.int64(size_a != top) * DZ)
        return sign_bit(width, sign) | top
    if size_b == top:
        return sign_bit(width, sign)
    exponent_a, left = unpack(width, a)
    exponent_b, right = unpack(width, b)
    # Long division, ten bits at a time: significands of 53 bits leave a remainder room for them.
    rest, divisor = np.uint64(left >> 9), np.uint64(right >> 9)
    quotient = np.uint64(0)
    digits = (fraction_bits(width) + 2) // 10 + 2
    for _ in range(digits):
        digit = rest // divisor
        rest = (rest - digit * divisor) << np.uint64(10)
        quotient = (quotient << np.uint64(10)) | digit
    jammed = np.int64(quotient) | np.int64(rest != 0)
    return round_and_raise(ctx, width, sign, exponent_a - exponent_b - 10 * (digits - 1), jammed, rm)


@njit
def soft_sqrt(ctx, width, a, rm):
    """Square root of a."""
    size, top, sign = magnitude_of(width, a), infinity(width), sign_of(width, a)
    if size > top or (sign != 0 and size != 0):
        return nan_result(ctx, width, (size <= top) | is_signalling(width, a))
    if size == 0 or size == top:
        return sign_bit(width, sign) | size
    exponent, rest = unpack(width, a)
    # Radicand in [1, 4) with 58 bits behind the point and an even exponent; then one bit of the root per step.
    exponent += TOP
    rest = rest >> 3 << (exponent & 1)
    root, twice, bit = np.int64(0), np.int64(0), np.int64(1) << 58
    for _ in range(fraction_bits(width) + 3):
        trial = twice + bit
        if trial <= rest:
            rest -= trial
            twice = trial + bit
            root |= bit
        rest <<= 1
        bit >>= 1
    return round_and_raise(ctx, width, sign, (exponent >> 1) - 58, root | np.int64(rest != 0), rm)


@njit
def soft_fma(ctx, width, a, b, c, rm):
    """a * b + c, rounded once; infinity times zero is invalid even if c is a quiet NaN."""
    size_a, size_b, size_c = magnitude_of(width, a), magnitude_of(width, b), magnitude_of(width, c)
    sign, sign_c = sign_of(width, a) ^ sign_of(width, b), sign_of(width, c)
    if max(size_a, size_b, size_c) >= infinity(width):
        return _fma_special(ctx, width, a, b, c)
    exponent_a, left = unpack(width, a)
    exponent_b, right = unpack(width, b)
    exponent_c, addend = unpack(width, c)
    # Both terms in 128 bits: the product is led by bit 122 or 123, the addend by 123.
    exponent = exponent_a + exponent_b
    high, low = _product(left, right)
    exponent_c -= 62
    high_c, low_c = addend >> 2, np.uint64(addend) << np.uint64(62)
    common = max(exponent, exponent_c)
    high, low = _shift_right_jam_wide(high, low, common - exponent)
    high_c, low_c = _shift_right_jam_wide(high_c, low_c, common - exponent_c)
    if sign == sign_c:
        total = low + low_c
        return _round_wide(ctx, width, sign, common, high + high_c + np.int64(total < low), total, rm)
    total = low - low_c
    high -= high_c + np.int64(low < low_c)
    if high < 0:
        sign, high, total = sign_c, -high - np.int64(total != 0), np.uint64(0) - total
    elif high == 0 and total == 0:
        sign = np.int64(rm == RDN)
    return _round_wide(ctx, width, sign, common, high, total, rm)


@njit
def _fma_special(ctx, width, a, b, c):
    """a * b + c where one of them is infinite or NaN."""
    size_a, size_b, size_c = magnitude_of(width, a), magnitude_of(width, b), magnitude_of(width, c)
    sign, sign_c, top = sign_of(width, a) ^ sign_of(width, b), sign_of(width, c), infinity(width)
    infinite = max(size_a, size_b) == top
    undefined = infinite & ((min(size_a, size_b) == 0) | ((size_c == top) & (sign != sign_c)))
    if undefined or max(size_a, size_b, size_c) > top:
        signalling = is_signalling(width, a) | is_signalling(width, b) | is_signalling(width, c)
        return nan_result(ctx, width, undefined | signalling)
    return sign_bit(width, sign if infinite else sign_c) | top


# -- 128 bits: an int64 of less than 2**62 and an uint64


@njit
def _product(a, b):
    """Of two int64 that are not negative."""
    return mulhu(a, b), np.uint64(a) * np.uint64(b)


@njit
def _shift_right_jam_wide(high, low, amount):
    """shift_right_jam() of 128 bits."""
    if amount == 0:
        return high, low
    if amount >= 64:
        return np.int64(0), np.uint64(shift_right_jam(high, amount - 64) | np.int64(low != 0))
    up, down = np.uint64(64 - amount), np.uint64(amount)
    return high >> amount, (np.uint64(high) << up) | (low >> down) | np.uint64(low << up != 0)


@njit
def _round_wide(ctx, width, sign, exponent, high, low, rm):
    """round_and_raise() of 128 bits."""
    if high == 0:
        # The terms nearly cancelled, so they were aligned to start with: the lowest bits are zeros.
        return round_and_raise(ctx, width, sign, exponent + 2, np.int64(low >> np.uint64(2)), rm)
    shift = leading_zeros(high) - (63 - TOP)
    jammed = (high << shift) | np.int64(low >> np.uint64(64 - shift)) | np.int64(low << np.uint64(shift) != 0)
    return round_and_raise(ctx, width, sign, exponent + 64 - shift, jammed, rm)
