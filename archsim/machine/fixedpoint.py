"""Fixed-point arithmetic of vector elements (V 1.0, sections 3.8, 3.9 and 12).

Elements are `bits` wide (8, 16, 32 or 64) and come sign-extended in int64; results are cut to their width by whoever
writes them. Rounding modes are those of vxrm: 0 to nearest up, 1 to nearest even, 2 down, 3 to odd.

Functions named after what they do (saturated_add) return (result, 0 or 1 for saturation) and know no context: a loop
that gathers the second in a variable of its own can become vector code. Those that set ctx[VXSAT] are made of them.
Nothing branches on data.
"""

from __future__ import annotations

import numpy as np

from archsim.machine.arithmetic import mulh, wrap_add, wrap_mul, wrap_sub
from archsim.machine.jit import njit
from archsim.machine.layout import VXSAT

RNU, RNE, RDN, ROD = range(4)
_LARGEST = np.int64(0x7FFFFFFFFFFFFFFF)


# -- ranges


@njit
def _most(bits):
    """The largest signed number; its complement is the least."""
    return _LARGEST >> (64 - bits)


@njit
def _unsigned(a, bits):
    return np.uint64(a) & (np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - bits))


@njit
def _clipped(value, bits):
    """(value within the signed range, whether it was beyond it)."""
    clipped = min(max(value, ~_most(bits)), _most(bits))
    return clipped, np.int64(clipped != value)


@njit
def _chosen(overflow, a, value):
    """(value, or on overflow the end of the 64-bit range on the side of a; whether it is that)."""
    return (a >> 63) ^ _LARGEST if overflow else value, np.int64(overflow)


# -- rounding: what is kept is the floor


@njit
def _increment(vxrm, kept, half, rest):
    """What rounding adds to a floor whose lowest bit is `kept`; half, rest: the first bit lost, or of any others."""
    if vxrm == RNU:
        return half
    if vxrm == RNE:
        return half & (rest | kept)
    if vxrm == ROD:
        return (half | rest) & ~kept & 1
    return np.int64(0)


@njit
def round_shr(a, shift, vxrm):
    """Arithmetic shift right by 0 to 63, rounded (vssra)."""
    kept = a >> shift
    # All bits lost stand at the top of a word, the first of them as its sign.
    lost = np.int64(np.uint64(a) << np.uint64(63 - shift)) << 1
    half, rest = np.int64(lost < 0), np.int64(lost << 1 != 0)
    return wrap_add(kept, _increment(vxrm, kept & 1, half, rest))


@njit
def round_shru(a, shift, bits, vxrm):
    """Logical shift right by 0 to bits - 1, rounded (vssrl)."""
    value = _unsigned(a, bits)
    kept = np.int64(value >> np.uint64(shift))
    lost = np.int64(value << np.uint64(63 - shift)) << 1
    half, rest = np.int64(lost < 0), np.int64(lost << 1 != 0)
    return wrap_add(kept, _increment(vxrm, kept & 1, half, rest))


# -- sums and differences that saturate


@njit
def saturated_add(a, b, bits):
    total = wrap_add(a, b)
    if bits == 64:
        return _chosen(((total ^ a) & (total ^ b)) < 0, a, total)
    return _clipped(total, bits)


@njit
def saturated_sub(a, b, bits):
    difference = wrap_sub(a, b)
    if bits == 64:
        return _chosen(((a ^ b) & (difference ^ a)) < 0, a, difference)
    return _clipped(difference, bits)


@njit
def saturated_addu(a, b, bits):
    one, largest = _unsigned(a, bits), _unsigned(np.int64(-1), bits)
    # What still fits above a; two minima instead of a carry out of 64 bits.
    room = largest - one
    two = _unsigned(b, bits)
    return np.int64(one + min(two, room)), np.int64(two > room)


@njit
def saturated_subu(a, b, bits):
    one, two = _unsigned(a, bits), _unsigned(b, bits)
    return np.int64(one - min(one, two)), np.int64(two > one)


# -- averages


@njit
def _half(kept, odd, vxrm):
    return wrap_add(kept, _increment(vxrm, kept & 1, odd, np.int64(0)))


@njit
def avg_add(a, b, bits, vxrm):
    """(a + b) / 2, rounded (vaadd)."""
    return _half(wrap_add(a & b, (a ^ b) >> 1), (a ^ b) & 1, vxrm)


@njit
def avg_addu(a, b, bits, vxrm):
    """(a + b) / 2 of unsigned numbers, rounded (vaaddu)."""
    one, two = _unsigned(a, bits), _unsigned(b, bits)
    return _half(np.int64((one & two) + ((one ^ two) >> np.uint64(1))), (a ^ b) & 1, vxrm)


@njit
def avg_sub(a, b, bits, vxrm):
    """(a - b) / 2, rounded (vasub)."""
    return _half(wrap_sub((a ^ b) >> 1, ~a & b), (a ^ b) & 1, vxrm)


@njit
def avg_subu(a, b, bits, vxrm):
    """(a - b) / 2 of unsigned numbers, rounded (vasubu)."""
    one, two = _unsigned(a, bits), _unsigned(b, bits)
    return _half(np.int64(((one ^ two) >> np.uint64(1)) - (~one & two)), (a ^ b) & 1, vxrm)


# -- products and narrowing


@njit
def fractional_product(a, b, bits, vxrm):
    """a * b / 2**(bits - 1), rounded; only the square of the least number saturates (vsmul)."""
    overflow = (a == b) & (a == ~_most(bits))
    if bits < 64:
        rounded = round_shr(a * b, bits - 1, vxrm)
    else:
        low = wrap_mul(a, b)
        kept = (mulh(a, b) << 1) | np.int64(low < 0)
        half, rest = (low >> 62) & 1, np.int64(low << 2 != 0)
        rounded = wrap_add(kept, _increment(vxrm, kept & 1, half, rest))
    return _most(bits) if overflow else rounded, np.int64(overflow)


@njit
def narrowed(a, shift, bits, vxrm):
    """From 2 * bits to bits: shifted, rounded, saturated (vnclip)."""
    return _clipped(round_shr(a, shift, vxrm), bits)


@njit
def narrowed_unsigned(a, shift, bits, vxrm):
    """The same of unsigned numbers (vnclipu)."""
    value = np.uint64(round_shru(a, shift, 2 * bits, vxrm))
    largest = _unsigned(np.int64(-1), bits)
    return np.int64(min(value, largest)), np.int64(value > largest)


# -- the same, setting vxsat


@njit
def _result(ctx, value, saturated):
    # Two ends: of this form LLVM still makes vector code where it can keep ctx apart from what a loop writes.
    if saturated != 0:
        ctx[VXSAT] = 1
        return value
    return value


@njit
def sat_add(ctx, a, b, bits):
    value, saturated = saturated_add(a, b, bits)
    return _result(ctx, value, saturated)


@njit
def sat_addu(ctx, a, b, bits):
    value, saturated = saturated_addu(a, b, bits)
    return _result(ctx, value, saturated)


@njit
def sat_sub(ctx, a, b, bits):
    value, saturated = saturated_sub(a, b, bits)
    return _result(ctx, value, saturated)


@njit
def sat_subu(ctx, a, b, bits):
    value, saturated = saturated_subu(a, b, bits)
    return _result(ctx, value, saturated)


@njit
def frac_mul(ctx, a, b, bits, vxrm):
    if a == b and a == ~_most(bits):
        ctx[VXSAT] = 1
        return _most(bits)
    value, _ = fractional_product(a, b, bits, vxrm)
    return value


@njit
def narrow_clip(ctx, a, shift, bits, vxrm):
    value, saturated = narrowed(a, shift, bits, vxrm)
    return _result(ctx, value, saturated)


@njit
def narrow_clipu(ctx, a, shift, bits, vxrm):
    value, saturated = narrowed_unsigned(a, shift, bits, vxrm)
    return _result(ctx, value, saturated)
