"""Conversions between formats, to and from integers, and to integral values, in integers.

Formats, rounding modes and sources as in softfloat_round; what only Zfa has is from its chapter of the RISC-V
Unprivileged ISA 20240411. Flags are ORed into ctx[FFLAGS].
"""

from __future__ import annotations

import numpy as np

from archsim.machine.jit import njit
from archsim.machine.softfloat_round import (
    NV,
    NX,
    RNE,
    RTZ,
    canonical_nan,
    fraction_bits,
    infinity,
    is_signalling,
    magnitude_of,
    nan_result,
    raise_flags,
    round_and_raise,
    round_to,
    rounding_addend,
    sign_bit,
    sign_of,
    soft_is_nan,
    unpack,
)


@njit
def soft_convert(ctx, width, to_width, a, rm):
    """From one format to another."""
    size, top, sign = magnitude_of(width, a), infinity(width), sign_of(width, a)
    if size > top:
        return nan_result(ctx, to_width, is_signalling(width, a))
    if size == top:
        return sign_bit(to_width, sign) | infinity(to_width)
    exponent, significand = unpack(width, a)
    return round_and_raise(ctx, to_width, sign, exponent, significand, rm)


@njit
def _to_magnitude(width, a, rm):
    """(absolute value rounded to an integer, modulo 2**64; whether that is inexact)."""
    exponent, significand = unpack(width, a)
    if exponent >= 0:
        return np.uint64(significand) << np.uint64(min(exponent, np.int64(63))), np.int64(0)
    drop = -exponent
    if drop > 62:
        drop, significand = np.int64(62), np.int64(significand != 0)
    addend = rounding_addend(sign_of(width, a), rm, significand, drop)
    lost = significand & ((np.int64(1) << drop) - 1)
    return np.uint64((significand + addend) >> drop), np.int64(lost != 0)


@njit
def soft_to_int(ctx, width, a, rm, bits, signed):
    """To an integer of `bits` (8, 16, 32 or 64), saturating: NaN and what is too large give the largest.

    Returns:
        int64: signed results sign-extended, unsigned ones zero-extended (of 64 bits, their pattern).
    """
    sign = sign_of(width, a) & np.int64(soft_is_nan(width, a) == 0)
    # The largest magnitude of that sign.
    limit = np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - bits + signed)
    if sign != 0:
        limit = limit + np.uint64(1) if signed else np.uint64(0)
    exponent, _ = unpack(width, a)
    magnitude, inexact = limit, np.int64(0)
    beyond = magnitude_of(width, a) >= infinity(width) or exponent > 2
    if not beyond:
        magnitude, inexact = _to_magnitude(width, a, rm)
        beyond = magnitude > limit
    raise_flags(ctx, np.int64(NV) if beyond else inexact * NX)
    result = min(magnitude, limit)
    return np.int64(np.uint64(0) - result if sign else result)


@njit
def soft_from_int(ctx, width, value, rm, signed):
    """From a 64-bit integer, signed or not."""
    sign = np.int64(signed != 0 and value < 0)
    magnitude = np.uint64(0) - np.uint64(value) if sign else np.uint64(value)
    lost = np.int64(magnitude & np.uint64(3) != 0)
    if magnitude >> np.uint64(62) == 0:
        return round_and_raise(ctx, width, sign, np.int64(0), np.int64(magnitude), rm)
    return round_and_raise(ctx, width, sign, np.int64(2), np.int64(magnitude >> np.uint64(2)) | lost, rm)


@njit
def soft_round(ctx, width, a, rm, exact):
    """To an integral value of the same format (fround); raises NX only if `exact` (froundnx)."""
    if soft_is_nan(width, a):
        return nan_result(ctx, width, is_signalling(width, a))
    exponent, _ = unpack(width, a)
    if magnitude_of(width, a) == infinity(width) or exponent > 0:
        return sign_bit(width, sign_of(width, a)) | magnitude_of(width, a)
    magnitude, inexact = _to_magnitude(width, a, rm)
    raise_flags(ctx, inexact * np.int64(exact != 0) * NX)
    return round_to(width, sign_of(width, a), np.int64(0), np.int64(magnitude), np.int64(RNE))[0]


@njit
def soft_fcvtmod(ctx, a):
    """binary64 toward zero to 32 bits, modulo 2**32, sign-extended (fcvtmod.w.d); flags as when saturating."""
    width, rm = np.int64(64), np.int64(RTZ)
    soft_to_int(ctx, width, a, rm, np.int64(32), np.int64(1))
    if magnitude_of(width, a) >= infinity(width):
        return np.int64(0)
    magnitude, _ = _to_magnitude(width, a, rm)
    low = np.int64(magnitude & np.uint64(0xFFFFFFFF))
    return np.int64(np.int32(-low if sign_of(width, a) else low))


_FLI = np.array(
    [
        -1, 0, 2**-16, 2**-15, 2**-8, 2**-7, 2**-4, 2**-3, 0.25, 0.3125, 0.375, 0.4375, 0.5, 0.625, 0.75, 0.875,
        1, 1.25, 1.5, 1.75, 2, 2.5, 3, 4, 8, 16, 2**7, 2**8, 2**15, 2**16,
    ],
    np.float64,
).view(np.int64)  # fmt: skip
"""Constants 0 to 29 of FLI as binary64; number 1, the least normal number, is each format's own."""


@njit
def soft_fli(width, index):
    """Bits of one of 32 constants (fli); 2**16 is infinity in binary16."""
    if index == 1:
        return np.int64(1) << fraction_bits(width)
    if index >= 30:
        return infinity(width) if index == 30 else canonical_nan(width)
    origin = np.int64(64)
    exponent, significand = unpack(origin, _FLI[index])
    return round_to(width, np.int64(index == 0), exponent, significand, np.int64(RNE))[0]
