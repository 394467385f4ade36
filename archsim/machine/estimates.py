"""Seven-bit estimates of 1/x and 1/sqrt(x) (V 1.0, sections 13.9 and 13.10).

The specification's tables hold, for the middle of each interval of the operand's leading bits, the seven leading bits
of the result rounded to nearest; they are computed here from that. Widths are those of softfloat.
"""

from __future__ import annotations

import numpy as np

from archsim.machine.jit import njit
from archsim.machine.layout import FFLAGS
from archsim.machine.softfloat import (
    DZ,
    NV,
    NX,
    OF,
    RDN,
    RTZ,
    RUP,
    bias,
    canonical_nan,
    is_nan,
    is_signalling,
    magnitude_of,
    precision,
    size,
)


def _leading(values: np.ndarray) -> np.ndarray:
    """Seven bits behind the leading one of values in [1/2, 1): int64 [n]."""
    return np.rint((2 * values - 1) * 128).astype(np.int64)


_RECIPROCAL = _leading(1 / (1 + (np.arange(128) + 0.5) / 128))
_middles = 1 + (np.arange(64) + 0.5) / 64
# an even exponent field stands for operands from 2 to 4, an odd one for 1 to 2 (biases are odd)
_ROOT = np.concatenate([_leading(1 / np.sqrt(2 * _middles)), _leading(1 / np.sqrt(_middles))])


@njit
def _normalized(width, magnitude):
    """Exponent field (0 and less for subnormals) and fraction of a finite number that is not 0."""
    bits = precision(width) - 1
    exponent, fraction = magnitude >> bits, magnitude & ((np.int64(1) << bits) - 1)
    if exponent == 0:
        exponent = np.int64(1)
        while fraction >> bits == 0:
            fraction <<= 1
            exponent -= 1
        fraction &= (np.int64(1) << bits) - 1
    return exponent, fraction


@njit
def _nan(ctx, width, a):
    if is_signalling(width, a):
        ctx[FFLAGS] |= NV
    return canonical_nan(width)


@njit
def frsqrt7(ctx, width, a):
    """Estimate of 1/sqrt(a); bits."""
    if is_nan(width, a):
        return _nan(ctx, width, a)
    bits = precision(width) - 1
    infinity = (2 * bias(width) + 1) << bits
    magnitude = magnitude_of(width, a)
    sign = (a >> (size(width) - 1)) & 1
    if magnitude == 0:
        ctx[FFLAGS] |= DZ
        return infinity | (sign << (size(width) - 1))
    if sign:
        ctx[FFLAGS] |= NV
        return canonical_nan(width)
    if magnitude == infinity:
        return np.int64(0)
    exponent, fraction = _normalized(width, magnitude)
    leading = _ROOT[((exponent & 1) << 6) | (fraction >> (bits - 6))]
    return (((3 * bias(width) - 1 - exponent) >> 1) << bits) | (leading << (bits - 7))


@njit
def frec7(ctx, width, a, rm):
    """Estimate of 1/a; bits. `rm` decides what overflow gives."""
    if is_nan(width, a):
        return _nan(ctx, width, a)
    bits = precision(width) - 1
    infinity = (2 * bias(width) + 1) << bits
    magnitude = magnitude_of(width, a)
    negative = (a >> (size(width) - 1)) & 1
    sign = negative << (size(width) - 1)
    if magnitude == infinity:
        return sign
    if magnitude == 0:
        ctx[FFLAGS] |= DZ
        return sign | infinity
    exponent, fraction = _normalized(width, magnitude)
    if exponent < -1:
        ctx[FFLAGS] |= OF | NX
        toward = rm == RTZ or (rm == RDN and negative == 0) or (rm == RUP and negative == 1)
        return sign | (infinity - 1 if toward else infinity)
    leading = _RECIPROCAL[fraction >> (bits - 7)] << (bits - 7)
    result = 2 * bias(width) - 1 - exponent
    if result <= 0:
        # a subnormal result shows its leading one
        leading = (leading >> 1) | (np.int64(1) << (bits - 1))
        if result < 0:
            leading >>= 1
        result = np.int64(0)
    return sign | (result << bits) | leading
