"""Arithmetic of compiled operations: RISC-V integers, conversions, floats with one rounding per step."""

from __future__ import annotations

import math

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from archsim.machine.jit import njit


def _bitcast(result: types.Type, argument: types.Type, llvm: ir.Type):
    @intrinsic
    def cast(typing_context, value):
        def generate(context, builder, signature, arguments):
            return builder.bitcast(arguments[0], llvm)

        return result(argument), generate

    return cast


def _bits(generate_bits):
    """An intrinsic int64 -> int64 out of an LLVM instruction on 64 bits."""

    @intrinsic
    def function(typing_context, value):
        def generate(context, builder, signature, arguments):
            return generate_bits(builder, arguments[0])

        return types.int64(types.int64), generate

    return function


leading_zeros = _bits(lambda builder, value: builder.ctlz(value, ir.Constant(ir.IntType(1), 0)))
trailing_zeros = _bits(lambda builder, value: builder.cttz(value, ir.Constant(ir.IntType(1), 0)))
_set_bits = _bits(lambda builder, value: builder.ctpop(value))
_reversed_bytes = _bits(lambda builder, value: builder.bswap(value))
_reversed_bits = _bits(lambda builder, value: builder.bitreverse(value))
_bits_to_f32 = _bitcast(types.float32, types.uint32, ir.FloatType())
_f32_to_bits = _bitcast(types.uint32, types.float32, ir.IntType(32))

# -- two's complement: numba's own + - * of signed integers tell LLVM that they never overflow, and it makes use of it


def _wrapping(operation: str):
    @intrinsic
    def wrapping(typing_context, a, b):
        def generate(context, builder, signature, arguments):
            return getattr(builder, operation)(*arguments)

        return types.int64(types.int64, types.int64), generate

    return wrapping


wrap_add = _wrapping("add")
wrap_sub = _wrapping("sub")
wrap_mul = _wrapping("mul")

# -- integer arithmetic (RISC-V Unprivileged ISA, chapter "M")


@njit
def sext(value, bits):
    shift = np.int64(64 - bits)
    return (np.int64(value) << shift) >> shift


@njit
def sext_8(value):
    return np.int64(np.int8(value))


@njit
def sext_16(value):
    return np.int64(np.int16(value))


@njit
def sext_32(value):
    return np.int64(np.int32(value))


@njit
def zext(value, bits):
    if bits >= 64:
        return np.int64(value)
    return np.int64(value) & wrap_sub(np.int64(1) << np.int64(bits), 1)


@njit
def zext_8(value):
    return np.int64(value) & 0xFF


@njit
def zext_16(value):
    return np.int64(value) & 0xFFFF


@njit
def zext_32(value):
    return np.int64(value) & 0xFFFFFFFF


@njit
def shr(value, amount):
    return np.int64(np.uint64(value) >> np.uint64(amount & 63))


@njit
def ltu(a, b):
    return np.int64(np.uint64(a) < np.uint64(b))


@njit
def mulhu(a, b):
    left, right = np.uint64(a), np.uint64(b)
    mask, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    low = (left & mask) * (right & mask)
    middle = (left >> half) * (right & mask) + (low >> half)
    other = (left & mask) * (right >> half) + (middle & mask)
    return np.int64((left >> half) * (right >> half) + (middle >> half) + (other >> half))


@njit
def mulh(a, b):
    return wrap_sub(mulhsu(a, b), a if b < 0 else np.int64(0))


@njit
def mulhsu(a, b):
    return wrap_sub(mulhu(a, b), b if a < 0 else np.int64(0))


@njit
def div(a, b):
    if b == 0:
        return np.int64(-1)
    if b == -1:
        return wrap_sub(0, a)
    quotient = a // b
    return quotient + 1 if quotient < 0 and quotient * b != a else quotient


@njit
def rem(a, b):
    if b == 0:
        return a
    return wrap_sub(a, wrap_mul(div(a, b), b))


@njit
def divu(a, b):
    if b == 0:
        return np.int64(-1)
    return np.int64(np.uint64(a) // np.uint64(b))


@njit
def remu(a, b):
    if b == 0:
        return a
    return np.int64(np.uint64(a) % np.uint64(b))


# -- bit manipulation (chapter "B" and the scalar cryptography chapter); `bits` is the width of the operands


@njit
def clz(value, bits):
    """Leading zeros among the lowest `bits`."""
    return min_i(leading_zeros(np.int64(value) << np.int64(64 - bits)), np.int64(bits))


@njit
def ctz(value, bits):
    """Trailing zeros among the lowest `bits`."""
    return min_i(trailing_zeros(np.int64(value)), np.int64(bits))


@njit
def cpop(value):
    """Set bits."""
    return _set_bits(np.int64(value))


@njit
def orc_b(value):
    """Every byte that is not 0 becomes 255."""
    low = np.int64(0x7F7F7F7F7F7F7F7F)
    bits = (wrap_add(np.int64(value) & low, low) | np.int64(value)) & ~low
    return wrap_mul(shr(bits, np.int64(7)), 255)


@njit
def rev8(value, bits):
    """The lowest `bits` with their bytes in the opposite order."""
    return shr(_reversed_bytes(np.int64(value)), np.int64(64 - bits))


@njit
def brev8(value):
    """The bits of each byte in the opposite order."""
    return _reversed_bytes(_reversed_bits(np.int64(value)))


@njit
def zip_bits(value):
    """Bits 0-15 go to even places of 32, bits 16-31 to odd ones."""
    result = np.int64(0)
    for i in range(16):
        result |= ((value >> i) & 1) << (2 * i) | ((value >> (i + 16)) & 1) << (2 * i + 1)
    return result


@njit
def unzip_bits(value):
    """The inverse of zip_bits."""
    result = np.int64(0)
    for i in range(16):
        result |= ((value >> (2 * i)) & 1) << i | ((value >> (2 * i + 1)) & 1) << (i + 16)
    return result


@njit
def clmul(a, b):
    """Product of polynomials over GF(2), its lowest 64 bits."""
    result = np.int64(0)
    for i in range(64):
        result ^= (np.int64(a) << i) & -((np.int64(b) >> i) & 1)
    return result


@njit
def clmulr(a, b, bits):
    """Product of polynomials over GF(2) of `bits` coefficients, its bits from `bits` - 1 on."""
    result = np.int64(0)
    for i in range(bits):
        result ^= shr(a, np.int64(bits - 1 - i)) & -((np.int64(b) >> i) & 1)
    return result


@njit
def clmulh(a, b, bits):
    """Product of polynomials over GF(2) of `bits` coefficients, its bits from `bits` on."""
    return shr(clmulr(a, b, bits), np.int64(1))


@njit
def min_i(a, b):
    return np.int64(a) if a < b else np.int64(b)


@njit
def max_i(a, b):
    return np.int64(a) if a > b else np.int64(b)


@njit
def abs_i(a):
    return np.int64(a) if a >= 0 else wrap_sub(0, np.int64(a))


@njit
def clip_i(a, low, high):
    return np.int64(low) if a < low else (np.int64(high) if a > high else np.int64(a))


@njit
def round_shift(value, amount):
    """Arithmetic shift right by `amount`, rounding half up (RVV 1.0 section 3.8, rnu)."""
    if amount <= 0:
        return np.int64(value)
    return wrap_add(np.int64(value) >> amount, (np.int64(value) >> (amount - 1)) & 1)


# -- floats


@njit
def min_f(a, b):
    return a if a < b else b


@njit
def max_f(a, b):
    return a if a > b else b


@njit
def abs_f(a):
    return a if a > 0 else (-a if a < 0 else a * a)


@njit
def clip_f(a, low, high):
    return low if a < low else (high if a > high else a)


@njit
def exp_f32(a):
    """exp in float64, rounded once to float32."""
    return np.float32(math.exp(np.float64(a)))


@njit
def exp_f64(a):
    return math.exp(a)


@njit
def exp2_f32(a):
    """2**a in float64, rounded once to float32."""
    return np.float32(np.exp2(np.float64(a)))


@njit
def exp2_f64(a):
    return np.exp2(a)


@njit
def sqrt_f32(a):
    return np.float32(math.sqrt(np.float64(a)))


@njit
def sqrt_f64(a):
    return math.sqrt(a)


@njit
def rint(a):
    """Nearest integer, ties to even; saturates, NaN is 0."""
    value = np.float64(a)
    if value != value:
        return np.int64(0)
    if value >= 9.2233720368547748e18:
        return np.int64(0x7FFFFFFFFFFFFFFF)
    if value <= -9.2233720368547758e18:
        return np.int64(-0x8000000000000000)
    return np.int64(np.rint(value))


@njit
def as_f32(bits):
    return _bits_to_f32(np.uint32(bits))


@njit
def as_int(value):
    return np.int64(np.int32(_f32_to_bits(np.float32(value))))


@njit
def half_to_f32(half):
    """IEEE 754 binary16 bits to float32, exactly."""
    bits = np.int64(half)
    sign, exponent, fraction = (bits >> 15) & 1, (bits >> 10) & 31, bits & 1023
    if exponent == 0:
        value = np.float32(np.float64(fraction) * 2.0**-24)
        return -value if sign else value
    if exponent == 31:
        return as_f32((sign << 31) | 0x7F800000 | (fraction << 13))
    return as_f32((sign << 31) | ((exponent + 112) << 23) | (fraction << 13))


@njit
def f32_to_half(value):
    """float32 to IEEE 754 binary16 bits, round to nearest even."""
    bits = as_int(value) & 0xFFFFFFFF
    sign = (bits >> 16) & 0x8000
    magnitude = bits & 0x7FFFFFFF
    if magnitude > 0x7F800000:
        return np.uint16(sign | 0x7E00)
    if magnitude >= 0x477FF000:
        return np.uint16(sign | 0x7C00)
    if magnitude < 0x38800000:
        scaled = np.float64(as_f32(magnitude)) * 2.0**24
        return np.uint16(sign | np.int64(np.rint(scaled)))
    rounded = magnitude + 0xFFF + ((magnitude >> 13) & 1)
    return np.uint16(sign | ((rounded - 0x38000000) >> 13))
