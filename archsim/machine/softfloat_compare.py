"""Comparisons, minimum and maximum, classes and signs of floating-point numbers, in integers.

Formats and sources as in softfloat_round; the quiet order and the minimum that propagates NaN are Zfa's. Flags are ORed
into ctx[FFLAGS].
"""

from __future__ import annotations

import numpy as np

from archsim.machine.jit import njit
from archsim.machine.softfloat_round import (
    NV,
    canonical_nan,
    fraction_bits,
    infinity,
    is_signalling,
    magnitude_of,
    raise_flags,
    sign_bit,
    sign_of,
    soft_is_nan,
)


@njit
def _order(width, a):
    """An integer that orders numbers; both zeros are 0."""
    magnitude = magnitude_of(width, a)
    return -magnitude if sign_of(width, a) else magnitude


@njit
def _unordered(ctx, width, a, b, signalling):
    """Whether one is a NaN, which raises NV if it is a signalling one or `signalling` is 1."""
    unordered = soft_is_nan(width, a) | soft_is_nan(width, b)
    raise_flags(ctx, (unordered & signalling | is_signalling(width, a) | is_signalling(width, b)) * NV)
    return unordered


@njit
def soft_eq(ctx, width, a, b):
    unordered = _unordered(ctx, width, a, b, np.int64(0))
    return np.int64(_order(width, a) == _order(width, b)) & (1 - unordered)


@njit
def soft_lt(ctx, width, a, b):
    unordered = _unordered(ctx, width, a, b, np.int64(1))
    return np.int64(_order(width, a) < _order(width, b)) & (1 - unordered)


@njit
def soft_le(ctx, width, a, b):
    unordered = _unordered(ctx, width, a, b, np.int64(1))
    return np.int64(_order(width, a) <= _order(width, b)) & (1 - unordered)


@njit
def soft_ltq(ctx, width, a, b):
    """a < b; a quiet NaN raises nothing (fltq)."""
    unordered = _unordered(ctx, width, a, b, np.int64(0))
    return np.int64(_order(width, a) < _order(width, b)) & (1 - unordered)


@njit
def soft_leq(ctx, width, a, b):
    """a <= b; a quiet NaN raises nothing (fleq)."""
    unordered = _unordered(ctx, width, a, b, np.int64(0))
    return np.int64(_order(width, a) <= _order(width, b)) & (1 - unordered)


@njit
def _extreme(ctx, width, a, b, largest, propagate):
    """The lesser number, or the greater one if `largest`; -0 is less than 0. A NaN loses, or wins if `propagate`."""
    if _unordered(ctx, width, a, b, np.int64(0)):
        if propagate or soft_is_nan(width, a) == soft_is_nan(width, b):
            return canonical_nan(width)
        return b if soft_is_nan(width, a) else a
    less = _order(width, a) - sign_of(width, a) < _order(width, b) - sign_of(width, b)
    return a if less != (largest != 0) else b


@njit
def soft_min(ctx, width, a, b):
    return _extreme(ctx, width, a, b, np.int64(0), np.int64(0))


@njit
def soft_max(ctx, width, a, b):
    return _extreme(ctx, width, a, b, np.int64(1), np.int64(0))


@njit
def soft_minm(ctx, width, a, b):
    """Minimum; of a NaN, the canonical NaN (fminm)."""
    return _extreme(ctx, width, a, b, np.int64(0), np.int64(1))


@njit
def soft_maxm(ctx, width, a, b):
    """Maximum; of a NaN, the canonical NaN (fmaxm)."""
    return _extreme(ctx, width, a, b, np.int64(1), np.int64(1))


@njit
def soft_class(width, a):
    """The mask of FCLASS: one of ten bits."""
    size, top = magnitude_of(width, a), infinity(width)
    if size > top:
        return np.int64(1) << (9 - is_signalling(width, a))
    least_normal = np.int64(1) << fraction_bits(width)
    kind = np.int64(size < top) + np.int64(size < least_normal) + np.int64(size == 0)
    return np.int64(1) << (kind if sign_of(width, a) else 7 - kind)


@njit
def soft_sgnj(width, a, b, kind):
    """a with b's sign (0), with the opposite of it (1), or with the product of both signs (2)."""
    sign = sign_of(width, b) ^ (sign_of(width, a) if kind == 2 else kind)
    return magnitude_of(width, a) | sign_bit(width, sign)
