"""Elements of small formats, as compiled operations read and write them (types: archsim.isa.element_types).

A packed element is reached by its row's first byte and its place in the row. Reading may touch the byte behind it.
Rounding is to nearest even. A finite value beyond the largest becomes NaN in E4M3 and infinity in E5M2, and saturates
in formats without either (OCP 8-bit Floating Point Specification 1.0, section 5.2.1; OCP Microscaling Formats 1.0,
section 5.3). For formats without NaN the choice is that of ml_dtypes: zero of the opposite sign.
"""

from __future__ import annotations

import math

import numpy as np

from archsim.machine.arithmetic import as_f32, as_int, half_to_f32
from archsim.machine.hostfloat import as_f64, f64_bits
from archsim.machine.jit import njit
from archsim.machine.layout import ILLEGAL, TRAP

_TO_NAN, _TO_INFINITY, _TO_LARGEST = range(3)


def _table(exponent_bits: int, fraction_bits: int, infinity: int, nan: tuple[int, ...]) -> np.ndarray:
    """Values of all codes of a sign, exponent and fraction, as float32."""
    width = 1 + exponent_bits + fraction_bits
    bias = (1 << (exponent_bits - 1)) - 1
    values = []
    for code in range(1 << width):
        sign = -1.0 if code >> (width - 1) else 1.0
        magnitude = code & ((1 << (width - 1)) - 1)
        field, fraction = magnitude >> fraction_bits, magnitude & ((1 << fraction_bits) - 1)
        scaled = fraction + (1 << fraction_bits if field else 0)
        value = math.ldexp(scaled, max(field, 1) - bias - fraction_bits)
        if magnitude in nan:
            value = math.nan
        elif magnitude == infinity:
            value = math.inf
        values.append(math.copysign(value, sign))
    return np.array(values, np.float32)


E4M3_VALUES = _table(4, 3, -1, (0x7F,))
E5M2_VALUES = _table(5, 2, 0x7C, (0x7D, 0x7E, 0x7F))
E3M2_VALUES = _table(3, 2, -1, ())
E2M3_VALUES = _table(2, 3, -1, ())
E2M1_VALUES = _table(2, 1, -1, ())
POWERS_OF_3 = 3 ** np.arange(5)


# -- integers


@njit
def get_bits(pointer, row, k, width):
    """Unsigned element of `width` bits (at most 8)."""
    bit = k * width
    byte = row + (bit >> 3)
    pair = np.int64(pointer[byte]) | np.int64(pointer[byte + 1]) << 8
    return (pair >> (bit & 7)) & ((1 << width) - 1)


@njit
def put_bits(pointer, row, k, width, value):
    bit = k * width
    byte, shift = row + (bit >> 3), bit & 7
    mask = ((np.int64(1) << width) - 1) << shift
    low = np.int64(pointer[byte])
    pointer[byte] = np.uint8((low & ~mask) | ((value << shift) & mask & 255))
    if shift + width > 8:
        high = np.int64(pointer[byte + 1])
        pointer[byte + 1] = np.uint8((high & ~(mask >> 8)) | (((value << shift) & mask) >> 8))


@njit
def put_ternary(pointer, row, k, value):
    """Values beyond -1 to 1 count as their sign. A byte from 243 on is taken as 242 first."""
    power = POWERS_OF_3[k % 5]
    byte = min(np.int64(pointer[row + k // 5]), np.int64(242))
    digit = byte // power % 3
    pointer[row + k // 5] = np.uint8(byte + (min(max(value, np.int64(-1)), np.int64(1)) + 1 - digit) * power)


# -- floating point


@njit
def small_code(value, exponent_bits, fraction_bits, largest, overflow):
    """Bits of a float64 rounded once to a small format.

    Args:
        largest: code of the largest finite value.
        overflow: what becomes of values beyond it: NaN (the code of all ones), infinity (largest + 1), or the largest.
    """
    bits = f64_bits(value)
    sign = ((bits >> 63) & 1) << (exponent_bits + fraction_bits)
    magnitude = abs(value)
    if value != value:
        if overflow == _TO_LARGEST:
            return sign ^ (np.int64(1) << (exponent_bits + fraction_bits))
        if overflow == _TO_INFINITY:
            return sign | (largest + 1) | (np.int64(1) << (fraction_bits - 1))
        return sign | (largest + 1)
    least = 2 - (np.int64(1) << (exponent_bits - 1))
    exponent = max(((bits >> 52) & 2047) - 1023, least)
    if exponent == 1024:
        code = largest + 1
    else:
        # a power of two scales exactly, and the sum of field and significand carries into the next exponent
        scaled = np.int64(np.rint(magnitude * as_f64((1023 + fraction_bits - exponent) << 52)))
        code = ((exponent - least) << fraction_bits) + scaled
    if code > largest:
        code = largest if overflow == _TO_LARGEST else largest + 1
    return sign | code


@njit
def bf16_to_f32(bits):
    return as_f32(np.int64(bits) << 16)


@njit
def _bf16_bits(value):
    """bfloat16 bits of a float64, rounded once."""
    return small_code(value, 8, 7, 0x7F7F, _TO_INFINITY)


@njit
def f32_to_bf16(value):
    bits = as_int(value) & 0xFFFFFFFF
    if bits & 0x7FFFFFFF > 0x7F800000:
        return np.uint16((bits >> 16) & 0x8000 | 0x7FC0)
    return np.uint16((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16)


@njit
def e8m0_to_f32(code):
    """2**(code - 127); 255 is NaN. The least, 2**-127, is a subnormal float32."""
    if code == 255:
        return np.float32(np.nan)
    return as_f32(np.int64(code) << 23) if code > 0 else as_f32(np.int64(1) << 22)


# -- values rounded to a format


@njit
def to_f16(value):
    return half_to_f32(small_code(np.float64(value), 5, 10, 0x7BFF, _TO_INFINITY))


@njit
def to_bf16(value):
    return bf16_to_f32(_bf16_bits(np.float64(value)))


@njit
def to_tf32(value):
    """TF32 (NVIDIA A100 white paper): the exponent of float32, ten bits of fraction."""
    return as_f32(small_code(np.float64(value), 8, 10, 0x3FBFF, _TO_INFINITY) << 13)


@njit
def to_e4m3(value, saturate):
    return E4M3_VALUES[_saturated(small_code(np.float64(value), 4, 3, 0x7E, _TO_NAN), value, 0x7E, saturate)]


@njit
def to_e5m2(value, saturate):
    return E5M2_VALUES[_saturated(small_code(np.float64(value), 5, 2, 0x7B, _TO_INFINITY), value, 0x7B, saturate)]


@njit
def _saturated(code, value, largest, saturate):
    """The code, or that of the largest finite value where it is beyond it and no NaN came in."""
    if saturate != 0 and value == value and code & 127 > largest:
        return (code & 128) | largest
    return code


@njit
def is_nan(value):
    return value != value


@njit
def unselected(ctx):
    """The element type that a CSR selects is none of the view's."""
    ctx[TRAP] = ILLEGAL
    return np.int64(0)
