"""Fixed-point arithmetic of vector elements (V 1.0, section 12).

Elements are `bits` wide (8, 16, 32 or 64) and come sign-extended in int64; results are cut to their width by whoever
writes them. Rounding modes are those of vxrm: 0 to nearest up, 1 to nearest even, 2 down, 3 to odd. Saturation sets
ctx[VXSAT].
"""

from __future__ import annotations

import numpy as np

from archsim.machine.arithmetic import ltu, mulh, shr, wrap_add, wrap_mul, wrap_sub, zext
from archsim.machine.jit import njit
from archsim.machine.layout import VXSAT


@njit
def _increment(vxrm, kept, half, rest):
    """What rounding adds to a number cut down: its lowest bit, the first bit lost, whether any other was lost."""
    if vxrm == 0:
        return half
    if vxrm == 1:
        return half & (rest | kept)
    if vxrm == 3:
        return (1 - kept) & (half | rest)
    return np.int64(0)


@njit
def _lost(a, shift):
    """The first bit that a right shift by at least 1 loses, and whether it loses any other set bit."""
    return (a >> (shift - 1)) & 1, np.int64(a & wrap_sub(np.int64(1) << (shift - 1), 1) != 0)


@njit
def round_shr(a, shift, vxrm):
    """Arithmetic shift right, rounded (vssra)."""
    if shift == 0:
        return np.int64(a)
    half, rest = _lost(a, shift)
    kept = a >> shift
    return wrap_add(kept, _increment(vxrm, kept & 1, half, rest))


@njit
def round_shru(a, shift, bits, vxrm):
    """Logical shift right, rounded (vssrl)."""
    value = zext(a, bits)
    if shift == 0:
        return value
    half, rest = _lost(value, shift)
    kept = shr(value, shift)
    return wrap_add(kept, _increment(vxrm, kept & 1, half, rest))


@njit
def _clip(ctx, value, low, high):
    if value < low:
        ctx[VXSAT] = 1
        return np.int64(low)
    if value > high:
        ctx[VXSAT] = 1
        return np.int64(high)
    return np.int64(value)


@njit
def _largest(bits):
    return wrap_sub(np.int64(1) << (bits - 1), 1)


@njit
def _saturated(ctx, overflow, value, negative, bits):
    if not overflow:
        return np.int64(value)
    ctx[VXSAT] = 1
    return np.int64(0) - _largest(bits) - 1 if negative else _largest(bits)


@njit
def sat_add(ctx, a, b, bits):
    if bits < 64:
        return _clip(ctx, a + b, -_largest(bits) - 1, _largest(bits))
    total = wrap_add(a, b)
    return _saturated(ctx, ((total ^ a) & (total ^ b)) < 0, total, a < 0, bits)


@njit
def sat_sub(ctx, a, b, bits):
    if bits < 64:
        return _clip(ctx, a - b, -_largest(bits) - 1, _largest(bits))
    difference = wrap_sub(a, b)
    return _saturated(ctx, ((a ^ b) & (difference ^ a)) < 0, difference, a < 0, bits)


@njit
def sat_addu(ctx, a, b, bits):
    total = zext(wrap_add(zext(a, bits), zext(b, bits)), bits)
    if ltu(total, zext(a, bits)) != 0:
        ctx[VXSAT] = 1
        return np.int64(-1)
    return total


@njit
def sat_subu(ctx, a, b, bits):
    if ltu(zext(a, bits), zext(b, bits)) != 0:
        ctx[VXSAT] = 1
        return np.int64(0)
    return wrap_sub(a, b)


# -- averages: the floor of half the sum, and the bit that it loses


@njit
def avg_add(a, b, bits, vxrm):
    kept = wrap_add(a & b, (a ^ b) >> 1)
    return wrap_add(kept, _increment(vxrm, kept & 1, (a ^ b) & 1, np.int64(0)))


@njit
def avg_addu(a, b, bits, vxrm):
    one, two = zext(a, bits), zext(b, bits)
    kept = wrap_add(one & two, shr(one ^ two, np.int64(1)))
    return wrap_add(kept, _increment(vxrm, kept & 1, (one ^ two) & 1, np.int64(0)))


@njit
def avg_sub(a, b, bits, vxrm):
    kept = wrap_sub((a >> 1) - (b >> 1), ~a & b & 1)
    return wrap_add(kept, _increment(vxrm, kept & 1, (a ^ b) & 1, np.int64(0)))


@njit
def avg_subu(a, b, bits, vxrm):
    one, two = zext(a, bits), zext(b, bits)
    kept = wrap_sub(shr(one, np.int64(1)) - shr(two, np.int64(1)), ~one & two & 1)
    return wrap_add(kept, _increment(vxrm, kept & 1, (one ^ two) & 1, np.int64(0)))


@njit
def frac_mul(ctx, a, b, bits, vxrm):
    """Product of fractions, rounded; -1 times -1 saturates (vsmul)."""
    if a == b and a == np.int64(0) - _largest(bits) - 1:
        ctx[VXSAT] = 1
        return _largest(bits)
    if bits < 64:
        return round_shr(a * b, bits - 1, vxrm)
    high, low = mulh(a, b), wrap_mul(a, b)
    kept = (high << 1) | shr(low, np.int64(63))
    half, rest = (low >> 62) & 1, np.int64(low & ((np.int64(1) << 62) - 1) != 0)
    return wrap_add(kept, _increment(vxrm, kept & 1, half, rest))


@njit
def narrow_clip(ctx, a, shift, bits, vxrm):
    """From 2 * bits to bits: shifted, rounded, saturated (vnclip)."""
    return _clip(ctx, round_shr(a, shift, vxrm), -_largest(bits) - 1, _largest(bits))


@njit
def narrow_clipu(ctx, a, shift, bits, vxrm):
    value = round_shru(a, shift, 2 * bits, vxrm)
    largest = wrap_sub(np.int64(1) << bits, 1)
    if ltu(largest, value) != 0:
        ctx[VXSAT] = 1
        return largest
    return value
