"""Seven-bit estimates of 1/x and 1/sqrt(x) (V 1.0, sections 13.9 and 13.10).

The specification's tables hold, for the middle of each interval of the operand's leading bits, the seven leading bits
of the result rounded to nearest; they are computed here from that. Formats are those of softfloat_round: 16, 32, 64.
Flags are ORed into ctx[FFLAGS].
"""

from __future__ import annotations

import numpy as np

from archsim.machine.arithmetic import leading_zeros
from archsim.machine.jit import njit
from archsim.machine.softfloat_round import (
    DZ,
    NX,
    OF,
    RDN,
    RTZ,
    RUP,
    bias_of,
    fraction_bits,
    infinity,
    is_signalling,
    magnitude_of,
    nan_result,
    raise_flags,
    sign_bit,
    sign_of,
)


def _leading(values: np.ndarray) -> np.ndarray:
    """Seven bits behind the leading one of values in [1/2, 1): int64 [n]."""
    return np.rint((2 * values - 1) * 128).astype(np.int64)


_RECIPROCAL = _leading(1 / (1 + (np.arange(128) + 0.5) / 128))
_middles = 1 + (np.arange(64) + 0.5) / 64
# An even exponent field stands for operands from 2 to 4, an odd one for 1 to 2: biases are odd.
_ROOT = np.concatenate([_leading(1 / np.sqrt(2 * _middles)), _leading(1 / np.sqrt(_middles))])


@njit
def _normalized(width, magnitude):
    """(exponent field, fraction) of a finite number that is not 0; the field of a subnormal is 0 or less."""
    bits = fraction_bits(width)
    field = magnitude >> bits
    if field == 0:
        shift = leading_zeros(magnitude) - (63 - bits)
        field, magnitude = 1 - shift, magnitude << shift
    return field, magnitude & ((np.int64(1) << bits) - 1)


@njit
def frsqrt7(ctx, width, a):
    """Estimate of 1/sqrt(a); bits."""
    bits, top = fraction_bits(width), infinity(width)
    magnitude, sign = magnitude_of(width, a), sign_of(width, a)
    if magnitude == 0:
        raise_flags(ctx, DZ)
        return sign_bit(width, sign) | top
    if magnitude > top or sign != 0:
        return nan_result(ctx, width, (magnitude <= top) | is_signalling(width, a))
    if magnitude == top:
        return np.int64(0)
    field, fraction = _normalized(width, magnitude)
    leading = _ROOT[((field & 1) << 6) | (fraction >> (bits - 6))]
    return (((3 * bias_of(width) - 1 - field) >> 1) << bits) | (leading << (bits - 7))


@njit
def frec7(ctx, width, a, rm):
    """Estimate of 1/a; bits. `rm` decides what overflow gives."""
    bits, top = fraction_bits(width), infinity(width)
    magnitude, negative = magnitude_of(width, a), sign_of(width, a)
    sign = sign_bit(width, negative)
    if magnitude > top:
        return nan_result(ctx, width, is_signalling(width, a))
    if magnitude == top:
        return sign
    if magnitude == 0:
        raise_flags(ctx, DZ)
        return sign | top
    field, fraction = _normalized(width, magnitude)
    if field < -1:
        raise_flags(ctx, OF | NX)
        to_largest = rm == RTZ or (rm == RDN and negative == 0) or (rm == RUP and negative != 0)
        return sign | (top - np.int64(to_largest))
    leading = _RECIPROCAL[fraction >> (bits - 7)] << (bits - 7)
    result = 2 * bias_of(width) - 1 - field
    if result <= 0:
        # A subnormal result shows its leading one.
        leading = (leading | (np.int64(1) << bits)) >> (1 - result)
        result = np.int64(0)
    return sign | (result << bits) | leading
