"""Floating point in integers: formats, taking numbers apart, and the one place where results are rounded.

A format is named by a code: 16, 32 and 64 are the binary interchange formats of IEEE 754, 17 is bfloat16. Numbers are
raw bits in an int64; what is above the width is ignored. Inside, a number is a sign, an exponent and a significand:
value = significand * 2**exponent. Nothing here touches the processor's floating-point unit, whose sticky flags belong
to hostfloat. Signed integers never overflow here: numba lets LLVM rely on that.

Sources: IEEE 754-2008, with the choices of the RISC-V Unprivileged ISA Specification 20240411, chapter "F" (rounding
modes, flags, canonical NaN, tininess after rounding).
"""

from __future__ import annotations

import numpy as np

from archsim.machine.arithmetic import leading_zeros
from archsim.machine.jit import njit
from archsim.machine.layout import FFLAGS

NX, UF, OF, DZ, NV = 1, 2, 4, 8, 16
RNE, RTZ, RDN, RUP, RMM = range(5)

TOP = 61
"""Bit that leads a significand when it is rounded: room for a carry above, at least nine bits below any format's."""
_ABOVE = 63 - TOP
_FAR_BELOW = -(1 << 20)
"""Exponent of zero: below that of every number, so that zero is what gets shifted when two numbers are aligned."""

# -- formats


@njit
def raise_flags(ctx, flags):
    ctx[FFLAGS] |= flags


@njit
def fraction_bits(width):
    if width == 64:
        return np.int64(52)
    if width == 32:
        return np.int64(23)
    return np.int64(10) if width == 16 else np.int64(7)


@njit
def bias_of(width):
    if width == 64:
        return np.int64(1023)
    return np.int64(15) if width == 16 else np.int64(127)


@njit
def sign_position(width):
    return np.int64(15) if width == 17 else width - 1


@njit
def infinity(width):
    """Bits of plus infinity."""
    return (2 * bias_of(width) + 1) << fraction_bits(width)


@njit
def quiet_bit(width):
    return np.int64(1) << (fraction_bits(width) - 1)


@njit
def canonical_nan(width):
    return infinity(width) | quiet_bit(width)


@njit
def sign_of(width, a):
    return (a >> sign_position(width)) & 1


@njit
def sign_bit(width, sign):
    return sign << sign_position(width)


@njit
def magnitude_of(width, a):
    """Bits without the sign: as integers they are in the order of the absolute values."""
    return a & (infinity(width) | ((np.int64(1) << fraction_bits(width)) - 1))


@njit
def soft_is_nan(width, a):
    return np.int64(magnitude_of(width, a) > infinity(width))


@njit
def is_signalling(width, a):
    return np.int64((magnitude_of(width, a) > infinity(width)) & (a & quiet_bit(width) == 0))


@njit
def nan_result(ctx, width, invalid):
    """The canonical NaN; raises NV if `invalid` is 1."""
    raise_flags(ctx, np.int64(invalid) * NV)
    return canonical_nan(width)


@njit
def unpack(width, a):
    """(exponent, significand) of a finite number, the significand led by bit TOP; that of zero is 0."""
    fraction, magnitude = fraction_bits(width), magnitude_of(width, a)
    if magnitude == 0:
        return np.int64(_FAR_BELOW), np.int64(0)
    field = magnitude >> fraction
    # A field of 1 means the same exponent as 0, with the leading one that the rest then lacks.
    above_one = max(field - 1, np.int64(0))
    significand = magnitude - (above_one << fraction)
    shift = leading_zeros(significand) - _ABOVE
    return above_one + 1 - bias_of(width) - fraction - shift, significand << shift


# -- rounding


@njit
def shift_right_jam(value, amount):
    """A value in [0, 2**62) shifted right by `amount` >= 0, its lowest bit set if a one bit got lost."""
    amount = min(amount, np.int64(62))
    return (value >> amount) | np.int64(value & ((np.int64(1) << amount) - 1) != 0)


@njit
def rounding_addend(sign, rm, significand, drop):
    """What to add before the lowest `drop` bits (1 to 62) are cut off, so that the rest comes out rounded."""
    half = np.int64(1) << (drop - 1)
    if rm == RNE:
        return half - 1 + ((significand >> drop) & 1)
    if rm == RMM:
        return half
    away = (rm == RUP and sign == 0) or (rm == RDN and sign != 0)
    return half + (half - 1) if away else np.int64(0)


@njit
def round_to(width, sign, exponent, significand, rm):
    """(bits, flags) of significand * 2**exponent in a format.

    The significand is in [0, 2**62). A bit below it that was lost is in its lowest bit (shift_right_jam), and then it
    has at least two bits more than the format keeps.
    """
    signed = sign_bit(width, sign)
    if significand == 0:
        return signed, np.int64(0)
    fraction = fraction_bits(width)
    shift = leading_zeros(significand) - _ABOVE
    significand <<= shift
    field = exponent - shift + TOP + bias_of(width)
    drop = TOP - fraction
    tiny = np.int64(0)
    if field < 1:
        # Tiny unless rounding to full precision carries up to the least normal number.
        carried = (significand + rounding_addend(sign, rm, significand, drop)) >> (TOP + 1)
        tiny = np.int64((field < 0) | (carried == 0))
        drop += 1 - field
        field = np.int64(1)
        if drop > TOP + 1:
            drop, significand = np.int64(TOP + 1), np.int64(1)
    elif field > 2 * bias_of(width):
        return _overflow(width, sign, rm)
    lost = significand & ((np.int64(1) << drop) - 1)
    rounded = (significand + rounding_addend(sign, rm, significand, drop)) >> drop
    # The leading one of a normal number adds one to the exponent's field, as does a carry out of the fraction.
    bits = ((field - 1) << fraction) + rounded
    if bits >= infinity(width):
        return _overflow(width, sign, rm)
    return signed | bits, np.int64(lost != 0) * (NX | tiny * UF)


@njit
def _overflow(width, sign, rm):
    to_largest = rm == RTZ or (rm == RDN and sign == 0) or (rm == RUP and sign != 0)
    return sign_bit(width, sign) | (infinity(width) - np.int64(to_largest)), np.int64(OF | NX)


@njit
def round_and_raise(ctx, width, sign, exponent, significand, rm):
    """round_to(), its flags raised."""
    bits, flags = round_to(width, sign, exponent, significand, rm)
    raise_flags(ctx, flags)
    return bits
