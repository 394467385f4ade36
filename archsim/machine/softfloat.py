"""IEEE 754 arithmetic in integers: every rounding mode and width, with exact flags.

The slow path beside hostfloat, and the only one of 16-bit formats. Source: IEEE 754-2008, with the choices of the
RISC-V Unprivileged ISA Specification 20240411, chapter 20 (canonical NaN, tininess after rounding, saturating
conversions).

Widths are 16, 32, 64 (binary interchange formats) and 17 (bfloat16). Values are raw bits in int64; what is above the
width is ignored. Rounding modes are those of frm: 0 to nearest even, 1 to zero, 2 down, 3 up, 4 to nearest, ties away.
Flags are ORed into ctx[FFLAGS].
"""

from __future__ import annotations

import numpy as np

from archsim.machine.arithmetic import leading_zeros, mulhu, wrap_sub
from archsim.machine.jit import njit
from archsim.machine.layout import FFLAGS

NX, UF, OF, DZ, NV = 1, 2, 4, 8, 16
RTZ, RDN, RUP, RMM = 1, 2, 3, 4
_ONE, _ZERO = np.uint64(1), np.uint64(0)
_SIXTY_FOUR = np.uint64(64)

# -- formats


@njit
def precision(width):
    """Bits of a significand, the hidden one included."""
    if width == 64:
        return np.int64(53)
    if width == 32:
        return np.int64(24)
    return np.int64(11) if width == 16 else np.int64(8)


@njit
def bias(width):
    if width == 64:
        return np.int64(1023)
    return np.int64(15) if width == 16 else np.int64(127)


@njit
def size(width):
    """Bits of a value."""
    return np.int64(16) if width == 17 else np.int64(width)


@njit
def _infinity(width):
    return (2 * bias(width) + 1) << (precision(width) - 1)


@njit
def canonical_nan(width):
    return _infinity(width) | (np.int64(1) << (precision(width) - 2))


@njit
def _sign(width, a):
    return (a >> (size(width) - 1)) & 1


@njit
def _signed(width, sign, magnitude):
    return magnitude | (np.int64(sign) << (size(width) - 1))


@njit
def magnitude_of(width, a):
    return a & wrap_sub(np.int64(1) << (size(width) - 1), 1)


@njit
def is_nan(width, a):
    return magnitude_of(width, a) > _infinity(width)


@njit
def is_signalling(width, a):
    quiet = np.int64(1) << (precision(width) - 2)
    return is_nan(width, a) and a & quiet == 0


@njit
def _is_infinite(width, a):
    return magnitude_of(width, a) == _infinity(width)


@njit
def _significand(width, a):
    magnitude = magnitude_of(width, a)
    hidden = np.int64(1) << (precision(width) - 1)
    fraction = magnitude & (hidden - 1)
    return fraction | hidden if magnitude >= hidden else fraction


@njit
def _exponent(width, a):
    """Of the significand's lowest bit."""
    field = magnitude_of(width, a) >> (precision(width) - 1)
    return (field if field > 0 else np.int64(1)) - bias(width) - precision(width) + 1


@njit
def _invalid(ctx, width):
    ctx[FFLAGS] |= NV
    return canonical_nan(width)


@njit
def _nan_of(ctx, width, a, b):
    """The result of an operation with a NaN among its operands."""
    if is_signalling(width, a) or is_signalling(width, b):
        ctx[FFLAGS] |= NV
    return canonical_nan(width)


# -- shifts that keep what they lose in the lowest bit


@njit
def _shift_jam(value, count):
    if count <= 0:
        return value
    if count >= 64:
        return np.uint64(value != _ZERO)
    lost = value << np.uint64(64 - count)
    return (value >> np.uint64(count)) | np.uint64(lost != _ZERO)


@njit
def _shift_jam_pair(high, low, count):
    """As _shift_jam(), of 128 bits."""
    if count <= 0:
        return high, low
    if count >= 128:
        return _ZERO, np.uint64((high | low) != _ZERO)
    if count >= 64:
        return _ZERO, _shift_jam(high, count - 64) | np.uint64(low != _ZERO)
    over = high << np.uint64(64 - count)
    lost = low << np.uint64(64 - count)
    return high >> np.uint64(count), over | (low >> np.uint64(count)) | np.uint64(lost != _ZERO)


# -- rounding


@njit
def _increment(sign, kept, half, rest, rm):
    """Whether the magnitude is rounded away from zero. kept, half: 0 or 1 (its lowest bit, the first one lost)."""
    if rm == 0:
        return half & (rest | kept)
    if rm == RMM:
        return half
    if rm == RDN:
        return sign & (half | rest)
    if rm == RUP:
        return (1 - sign) & (half | rest)
    return np.int64(0)


@njit
def _cut(sig, shift):
    """A significand without its lowest `shift` bits (1 to 66 or more): (kept, first bit lost, any other lost)."""
    if shift > 64:
        return _ZERO, np.int64(0), np.int64(sig != _ZERO)
    half = np.int64((sig >> np.uint64(shift - 1)) & _ONE)
    mask = (_ONE << np.uint64(shift - 1)) - _ONE
    kept = _ZERO if shift == 64 else sig >> np.uint64(shift)
    return kept, half, np.int64((sig & mask) != _ZERO)


@njit
def round_pack(ctx, width, sign, exponent, sig, sticky, rm):
    """Bits of (-1)^sign * (sig + a bit more, if sticky) * 2^exponent, rounded once.

    Args:
        sig: uint64, not 0.
        sticky: 0, or 1 if the value is greater than sig says by less than its lowest bit.
    """
    p = precision(width)
    zeros = leading_zeros(np.int64(sig))
    sig = sig << np.uint64(zeros)
    top = exponent - zeros + 63
    least = 1 - bias(width)
    tiny = top < least
    shift = 64 - p
    if top == least - 1:
        # tiny only if it stays so when rounded to p bits with any exponent
        kept, half, rest = _cut(sig, shift)
        kept += np.uint64(_increment(sign, np.int64(kept & _ONE), half, rest | sticky, rm))
        tiny = kept >> np.uint64(p) == _ZERO
    if top < least:
        shift = min(shift + least - top, np.int64(66))
    kept, half, rest = _cut(sig, shift)
    rest |= sticky
    kept += np.uint64(_increment(sign, np.int64(kept & _ONE), half, rest, rm))
    if half | rest != 0:
        ctx[FFLAGS] |= NX | UF if tiny else NX
    bits = np.int64(kept)
    if top >= least:
        bits += (top + bias(width) - 1) << (p - 1)
        if bits >= _infinity(width) or top > bias(width):
            return _overflow(ctx, width, sign, rm)
    return _signed(width, sign, bits)


@njit
def _overflow(ctx, width, sign, rm):
    ctx[FFLAGS] |= OF | NX
    away = rm == 0 or rm == RMM or (rm == RUP and sign == 0) or (rm == RDN and sign == 1)
    return _signed(width, sign, _infinity(width) if away else _infinity(width) - 1)


@njit
def _zero_sum(width, one, two, rm):
    """The sign of an exact zero that is the sum of two."""
    sign = one if one == two else np.int64(rm == RDN)
    return _signed(width, sign, np.int64(0))


# -- arithmetic


@njit
def soft_add(ctx, width, a, b, rm):
    if is_nan(width, a) or is_nan(width, b):
        return _nan_of(ctx, width, a, b)
    sign_a, sign_b = _sign(width, a), _sign(width, b)
    if _is_infinite(width, a) or _is_infinite(width, b):
        if _is_infinite(width, a) and _is_infinite(width, b) and sign_a != sign_b:
            return _invalid(ctx, width)
        return _signed(width, sign_a if _is_infinite(width, a) else sign_b, _infinity(width))
    sig_a, sig_b = np.uint64(_significand(width, a)), np.uint64(_significand(width, b))
    if sig_a == _ZERO and sig_b == _ZERO:
        return _zero_sum(width, sign_a, sign_b, rm)
    exponent_a, exponent_b = _exponent(width, a), _exponent(width, b)
    # nine bits and more of room below, one above
    room = 62 - precision(width)
    sig_a, sig_b = sig_a << np.uint64(room), sig_b << np.uint64(room)
    exponent = max(exponent_a, exponent_b)
    sig_a, sig_b = _shift_jam(sig_a, exponent - exponent_a), _shift_jam(sig_b, exponent - exponent_b)
    if sign_a == sign_b:
        return round_pack(ctx, width, sign_a, exponent - room, sig_a + sig_b, np.int64(0), rm)
    if sig_a == sig_b:
        return _zero_sum(width, sign_a, sign_b, rm)
    if sig_a > sig_b:
        return round_pack(ctx, width, sign_a, exponent - room, sig_a - sig_b, np.int64(0), rm)
    return round_pack(ctx, width, sign_b, exponent - room, sig_b - sig_a, np.int64(0), rm)


@njit
def soft_sub(ctx, width, a, b, rm):
    if is_nan(width, b):
        return _nan_of(ctx, width, a, b)
    return soft_add(ctx, width, a, b ^ (np.int64(1) << (size(width) - 1)), rm)


@njit
def _normalized(width, a):
    """The significand with its top bit in bit 63, and the exponent of its lowest bit."""
    sig = np.uint64(_significand(width, a))
    zeros = leading_zeros(np.int64(sig))
    return sig << np.uint64(zeros), _exponent(width, a) - zeros


@njit
def _product(one, two):
    """High and low half of the product of two uint64."""
    return np.uint64(mulhu(np.int64(one), np.int64(two))), one * two


@njit
def soft_mul(ctx, width, a, b, rm):
    if is_nan(width, a) or is_nan(width, b):
        return _nan_of(ctx, width, a, b)
    sign = _sign(width, a) ^ _sign(width, b)
    zero = magnitude_of(width, a) == 0 or magnitude_of(width, b) == 0
    if _is_infinite(width, a) or _is_infinite(width, b):
        return _invalid(ctx, width) if zero else _signed(width, sign, _infinity(width))
    if zero:
        return _signed(width, sign, np.int64(0))
    sig_a, exponent_a = _normalized(width, a)
    sig_b, exponent_b = _normalized(width, b)
    high, low = _product(sig_a, sig_b)
    return round_pack(ctx, width, sign, exponent_a + exponent_b + 64, high, np.int64(low != _ZERO), rm)


@njit
def soft_div(ctx, width, a, b, rm):
    if is_nan(width, a) or is_nan(width, b):
        return _nan_of(ctx, width, a, b)
    sign = _sign(width, a) ^ _sign(width, b)
    if _is_infinite(width, a):
        return _invalid(ctx, width) if _is_infinite(width, b) else _signed(width, sign, _infinity(width))
    if _is_infinite(width, b):
        return _signed(width, sign, np.int64(0))
    if magnitude_of(width, b) == 0:
        if magnitude_of(width, a) == 0:
            return _invalid(ctx, width)
        ctx[FFLAGS] |= DZ
        return _signed(width, sign, _infinity(width))
    if magnitude_of(width, a) == 0:
        return _signed(width, sign, np.int64(0))
    sig_a, exponent_a = _normalized(width, a)
    sig_b, exponent_b = _normalized(width, b)
    # room for the remainder to double
    rest, divisor = sig_a >> np.uint64(2), sig_b >> np.uint64(2)
    quotient = _ZERO
    digits = precision(width) + 3
    for _ in range(digits):
        quotient <<= _ONE
        if rest >= divisor:
            rest -= divisor
            quotient |= _ONE
        rest <<= _ONE
    exponent = exponent_a - exponent_b - digits + 1
    return round_pack(ctx, width, sign, exponent, quotient, np.int64(rest != _ZERO), rm)


@njit
def soft_sqrt(ctx, width, a, rm):
    if is_nan(width, a):
        return _nan_of(ctx, width, a, a)
    if magnitude_of(width, a) == 0:
        return _signed(width, _sign(width, a), np.int64(0))
    if _sign(width, a):
        return _invalid(ctx, width)
    if _is_infinite(width, a):
        return _infinity(width)
    sig, exponent = _normalized(width, a)
    if exponent & 1:
        # an even exponent halves exactly; the lowest bits of a normalized significand are zeros
        sig >>= _ONE
        exponent += 1
    root, rest = _ZERO, _ZERO
    digits = precision(width) + 3
    for _ in range(digits):
        rest = (rest << np.uint64(2)) | (sig >> np.uint64(62))
        sig <<= np.uint64(2)
        trial = (root << np.uint64(2)) | _ONE
        root <<= _ONE
        if rest >= trial:
            rest -= trial
            root |= _ONE
    sticky = np.int64((rest | sig) != _ZERO)
    return round_pack(ctx, width, np.int64(0), exponent // 2 + 32 - digits, root, sticky, rm)


@njit
def soft_fma(ctx, width, a, b, c, rm):
    """a * b + c with one rounding; infinity times zero is invalid whatever c is."""
    zero = magnitude_of(width, a) == 0 or magnitude_of(width, b) == 0
    infinite = _is_infinite(width, a) or _is_infinite(width, b)
    if is_nan(width, a) or is_nan(width, b) or is_nan(width, c):
        if is_signalling(width, c) or (zero and infinite):
            ctx[FFLAGS] |= NV
        return _nan_of(ctx, width, a, b)
    sign, sign_c = _sign(width, a) ^ _sign(width, b), _sign(width, c)
    if infinite:
        if zero or (_is_infinite(width, c) and sign != sign_c):
            return _invalid(ctx, width)
        return _signed(width, sign, _infinity(width))
    if _is_infinite(width, c):
        return _signed(width, sign_c, _infinity(width))
    if zero:
        return c if magnitude_of(width, c) != 0 else _zero_sum(width, sign, sign_c, rm)
    sig_a, exponent_a = _normalized(width, a)
    sig_b, exponent_b = _normalized(width, b)
    high, low = _product(sig_a >> _ONE, sig_b >> _ONE)
    exponent = exponent_a + exponent_b + 2
    if magnitude_of(width, c) == 0:
        return _round_pair(ctx, width, sign, exponent, high, low, rm)
    sig_c, exponent_c = _normalized(width, c)
    high_c, low_c = sig_c >> np.uint64(2), _ZERO
    exponent_c += 2 - 64
    common = max(exponent, exponent_c)
    high, low = _shift_jam_pair(high, low, common - exponent)
    high_c, low_c = _shift_jam_pair(high_c, low_c, common - exponent_c)
    if sign == sign_c:
        total = low + low_c
        high += high_c + np.uint64(total < low)
        return _round_pair(ctx, width, sign, common, high, total, rm)
    if high == high_c and low == low_c:
        return _zero_sum(width, sign, sign_c, rm)
    if high > high_c or (high == high_c and low > low_c):
        high -= high_c + np.uint64(low < low_c)
        return _round_pair(ctx, width, sign, common, high, low - low_c, rm)
    high_c -= high + np.uint64(low_c < low)
    return _round_pair(ctx, width, sign_c, common, high_c, low_c - low, rm)


@njit
def _round_pair(ctx, width, sign, exponent, high, low, rm):
    """round_pack() of 128 bits."""
    if high == _ZERO:
        return round_pack(ctx, width, sign, exponent, low, np.int64(0), rm)
    zeros = leading_zeros(np.int64(high))
    if zeros == 0:
        return round_pack(ctx, width, sign, exponent + 64, high, np.int64(low != _ZERO), rm)
    sig = (high << np.uint64(zeros)) | (low >> np.uint64(64 - zeros))
    sticky = np.int64((low << np.uint64(zeros)) != _ZERO)
    return round_pack(ctx, width, sign, exponent + 64 - zeros, sig, sticky, rm)


# -- conversions


@njit
def soft_convert(ctx, origin, width, a, rm):
    """From one width to another."""
    if is_nan(origin, a):
        if is_signalling(origin, a):
            ctx[FFLAGS] |= NV
        return canonical_nan(width)
    sign = _sign(origin, a)
    if _is_infinite(origin, a):
        return _signed(width, sign, _infinity(width))
    if magnitude_of(origin, a) == 0:
        return _signed(width, sign, np.int64(0))
    return round_pack(ctx, width, sign, _exponent(origin, a), np.uint64(_significand(origin, a)), np.int64(0), rm)


@njit
def soft_to_int(ctx, width, a, rm, bits, signed):
    """To an integer of `bits`, saturating: NaN and what is too large gives the largest.

    Returns:
        int64: signed results sign-extended, unsigned ones zero-extended (64 bits: as their pattern).
    """
    largest = np.int64(-1) if bits == 64 else wrap_sub(np.int64(1) << bits, 1)
    if signed:
        largest = wrap_sub(np.int64(1) << (bits - 1), 1)
    sign = _sign(width, a)
    least = np.int64(0) - largest - 1 if signed else np.int64(0)
    if is_nan(width, a):
        ctx[FFLAGS] |= NV
        return largest
    sig, exponent = np.uint64(_significand(width, a)), _exponent(width, a)
    if sig == _ZERO:
        return np.int64(0)
    top = exponent + 63 - leading_zeros(np.int64(sig))
    if top > 63 or _is_infinite(width, a):
        ctx[FFLAGS] |= NV
        return least if sign else largest
    half, rest = np.int64(0), np.int64(0)
    if exponent >= 0:
        kept = sig << np.uint64(exponent)
    else:
        kept, half, rest = _cut(sig, min(-exponent, np.int64(66)))
        kept += np.uint64(_increment(sign, np.int64(kept & _ONE), half, rest, rm))
    if sign:
        # the magnitude of the least value
        most = np.uint64(largest) + _ONE if signed else _ZERO
    else:
        most = np.uint64(largest)
    if kept > most:
        ctx[FFLAGS] |= NV
        return least if sign else largest
    if half | rest != 0:
        ctx[FFLAGS] |= NX
    return wrap_sub(0, np.int64(kept)) if sign else np.int64(kept)


@njit
def soft_from_int(ctx, width, value, rm, signed):
    """From a 64-bit integer."""
    if value == 0:
        return np.int64(0)
    sign = np.int64(value < 0 and signed != 0)
    magnitude = np.uint64(wrap_sub(0, value)) if sign else np.uint64(value)
    return round_pack(ctx, width, sign, np.int64(0), magnitude, np.int64(0), rm)


# -- comparisons


@njit
def _order(width, a):
    """An integer that orders values as they are ordered; both zeros are 0."""
    magnitude = magnitude_of(width, a)
    return np.int64(0) - magnitude if _sign(width, a) else magnitude


@njit
def soft_eq(ctx, width, a, b):
    if is_nan(width, a) or is_nan(width, b):
        _nan_of(ctx, width, a, b)
        return np.int64(0)
    return np.int64(_order(width, a) == _order(width, b))


@njit
def soft_lt(ctx, width, a, b):
    if is_nan(width, a) or is_nan(width, b):
        ctx[FFLAGS] |= NV
        return np.int64(0)
    return np.int64(_order(width, a) < _order(width, b))


@njit
def soft_le(ctx, width, a, b):
    if is_nan(width, a) or is_nan(width, b):
        ctx[FFLAGS] |= NV
        return np.int64(0)
    return np.int64(_order(width, a) <= _order(width, b))


@njit
def _extreme(ctx, width, a, b, largest):
    """minimumNumber and maximumNumber of IEEE 754-2019: a NaN loses, -0 is less than 0."""
    if is_nan(width, a) or is_nan(width, b):
        quiet = _nan_of(ctx, width, a, b)
        if is_nan(width, a):
            return quiet if is_nan(width, b) else b
        return a
    one, two = _order(width, a), _order(width, b)
    less = one < two or (one == two and _sign(width, a) > _sign(width, b))
    return a if less != largest else b


@njit
def soft_min(ctx, width, a, b):
    return _extreme(ctx, width, a, b, False)


@njit
def soft_max(ctx, width, a, b):
    return _extreme(ctx, width, a, b, True)


@njit
def soft_class(width, a):
    """The mask of FCLASS: one of ten bits (section 20.9)."""
    negative = _sign(width, a) == 1
    magnitude = magnitude_of(width, a)
    if is_nan(width, a):
        return np.int64(1 << 8) if is_signalling(width, a) else np.int64(1 << 9)
    if _is_infinite(width, a):
        return np.int64(1) if negative else np.int64(1 << 7)
    if magnitude == 0:
        return np.int64(1 << 3) if negative else np.int64(1 << 4)
    if magnitude >> (precision(width) - 1) == 0:
        return np.int64(1 << 2) if negative else np.int64(1 << 5)
    return np.int64(1 << 1) if negative else np.int64(1 << 6)
