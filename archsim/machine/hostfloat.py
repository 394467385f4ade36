"""Floating point on bits: the processor's own arithmetic where it rounds as asked, softfloat.py where it does not.

float32 and float64 in round-to-nearest-even run on the host's instructions. Their exception flags gather in the host's
own sticky flags (MXCSR of x86-64), which are read only when a program reads its flags (or leaves compiled code), so
that nobody pays for flags that nobody reads. Tininess is detected after rounding by both (RISC-V Unprivileged ISA
20240411, chapter 20 "F", section 20.2; Intel SDM volume 1, section 4.9.1.5).

What stands here is what hosts do; the lowering of operations calls softfloat for all else.

Values are raw bits in int64: sign-extended int64 for 64 bits, zero-extended for the narrower.
"""

from __future__ import annotations

import platform

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from archsim.machine.jit import njit
from archsim.machine.layout import CSR, FFLAGS, ILLEGAL, TRAP
from archsim.machine.softfloat import (
    soft_add,
    soft_convert,
    soft_div,
    soft_fma,
    soft_from_int,
    soft_mul,
    soft_sqrt,
    soft_sub,
    soft_to_int,
)

_X86 = platform.machine().lower() in ("x86_64", "amd64")
FCSR = 3
NV, NX = 16, 1
NAN32, NAN64 = 0x7FC00000, 0x7FF8000000000000


def _cast(result: types.Type, argument: types.Type, llvm: ir.Type):
    @intrinsic
    def cast(typing_context, value):
        def generate(context, builder, signature, arguments):
            return builder.bitcast(arguments[0], llvm)

        return result(argument), generate

    return cast


as_f64 = _cast(types.float64, types.int64, ir.DoubleType())
f64_bits = _cast(types.int64, types.float64, ir.IntType(64))
_as_f32 = _cast(types.float32, types.int32, ir.FloatType())
f32_bits = _cast(types.uint32, types.float32, ir.IntType(32))


def _fused(kind: types.Type, llvm: ir.Type, suffix: str):
    @intrinsic
    def fused(typing_context, a, b, c):
        def generate(context, builder, signature, arguments):
            name = f"llvm.fma.{suffix}"
            function = builder.module.globals.get(name) or ir.Function(
                builder.module, ir.FunctionType(llvm, [llvm] * 3), name
            )
            return builder.call(function, arguments)

        return kind(kind, kind, kind), generate

    return fused


fused_f32 = _fused(types.float32, ir.FloatType(), "f32")
fused_f64 = _fused(types.float64, ir.DoubleType(), "f64")


@intrinsic
def host_status(typing_context):
    """The host's float status word (MXCSR); 0 on hosts other than x86-64."""

    def generate(context, builder, signature, arguments):
        word = ir.IntType(32)
        if not _X86:
            return word(0)
        slot = builder.alloca(word)
        _status_call(builder, "stmxcsr", slot)
        return builder.load(slot)

    return types.uint32(), generate


@intrinsic
def set_host_status(typing_context, status):
    """Write the host's float status word."""

    def generate(context, builder, signature, arguments):
        if _X86:
            slot = builder.alloca(ir.IntType(32))
            builder.store(arguments[0], slot)
            _status_call(builder, "ldmxcsr", slot)
        return context.get_dummy_value()

    return types.void(types.uint32), generate


def _status_call(builder, name: str, slot) -> None:
    pointer = ir.IntType(8).as_pointer()
    full = f"llvm.x86.sse.{name}"
    function = builder.module.globals.get(full) or ir.Function(
        builder.module, ir.FunctionType(ir.VoidType(), [pointer]), full
    )
    builder.call(function, [builder.bitcast(slot, pointer)])


@njit
def forget_host_flags():
    """Clear the host's sticky flags: what comes before a program is not its own."""
    set_host_status(np.uint32(np.int64(host_status()) & 0xFFFFFFC0))


@njit
def gather_host_flags(ctx):
    """Move the host's sticky flags into FFLAGS. MXCSR has IE, DE, ZE, OE, UE, PE in bits 0 to 5."""
    status = np.int64(host_status())
    if status & 0x3D:
        ctx[FFLAGS] |= (
            ((status & 1) << 4)
            | ((status & 4) << 1)
            | ((status & 8) >> 1)
            | ((status & 16) >> 3)
            | ((status & 32) >> 5)
        )
        set_host_status(np.uint32(status & 0xFFFFFFC0))


@njit
def collect_flags(ctx):
    """Bring fcsr up to date with every flag raised so far."""
    gather_host_flags(ctx)
    csr = np.int64(ctx[FFLAGS]) & 31
    _csr(ctx)[FCSR] |= csr
    ctx[FFLAGS] = 0


@njit
def clear_flags(ctx):
    """Forget flags raised so far: fcsr was just written."""
    forget_host_flags()
    ctx[FFLAGS] = 0


@intrinsic
def _pointer(typing_context, address):
    signature = types.CPointer(types.int64)(types.int64)

    def generate(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return signature, generate


@njit
def _csr(ctx):
    return _pointer(ctx[CSR])


@njit
def rounding(ctx, mode):
    """The rounding mode that an instruction's rm field means: 7 is that of frm; ILLEGAL where there is none."""
    if mode == 7:
        mode = (_csr(ctx)[FCSR] >> 5) & 7
    if mode > 4:
        ctx[TRAP] = ILLEGAL
        return np.int64(0)
    return np.int64(mode)


@njit
def f32_of(bits):
    return _as_f32(np.int32(bits))


@njit
def _canonical32(value):
    return np.int64(f32_bits(value)) if value == value else np.int64(NAN32)


@njit
def _canonical64(value):
    return f64_bits(value) if value == value else np.int64(NAN64)


# -- registers hold narrower values with all upper bits set (section 20.2, "NaN boxing")


@njit
def box_64(ctx, bits):
    return np.int64(bits)


@njit
def box_32(ctx, bits):
    return np.int64(bits) | np.int64(-0x100000000)


@njit
def box_16(ctx, bits):
    return np.int64(bits) | np.int64(-0x10000)


@njit
def unbox_64(ctx, bits):
    return np.int64(bits)


@njit
def unbox_32(ctx, bits):
    return np.int64(bits) & 0xFFFFFFFF if (np.int64(bits) >> 32) == -1 else np.int64(NAN32)


@njit
def unbox_16(ctx, bits):
    return np.int64(bits) & 0xFFFF if (np.int64(bits) >> 16) == -1 else np.int64(0x7E00)


@njit
def unbox_17(ctx, bits):
    return np.int64(bits) & 0xFFFF if (np.int64(bits) >> 16) == -1 else np.int64(0x7FC0)


# -- arithmetic; near_* rounds to nearest even


@njit
def infinity_times_zero_64(a, b):
    x, y = a & np.int64(0x7FFFFFFFFFFFFFFF), b & np.int64(0x7FFFFFFFFFFFFFFF)
    infinity = np.int64(0x7FF0000000000000)
    return np.int64((x == infinity) & (y == 0)) | np.int64((y == infinity) & (x == 0))


@njit
def infinity_times_zero_32(a, b):
    x, y = a & np.int64(0x7FFFFFFF), b & np.int64(0x7FFFFFFF)
    infinity = np.int64(0x7F800000)
    return np.int64((x == infinity) & (y == 0)) | np.int64((y == infinity) & (x == 0))


@njit
def near_fadd_64(ctx, a, b):
    return _canonical64(as_f64(a) + as_f64(b))


@njit
def fadd_64(ctx, a, b, rm):
    if rm != 0:
        return soft_add(ctx, np.int64(64), a, b, np.int64(rm))
    return near_fadd_64(ctx, a, b)


@njit
def near_fsub_64(ctx, a, b):
    return _canonical64(as_f64(a) - as_f64(b))


@njit
def fsub_64(ctx, a, b, rm):
    if rm != 0:
        return soft_sub(ctx, np.int64(64), a, b, np.int64(rm))
    return near_fsub_64(ctx, a, b)


@njit
def near_fmul_64(ctx, a, b):
    return _canonical64(as_f64(a) * as_f64(b))


@njit
def fmul_64(ctx, a, b, rm):
    if rm != 0:
        return soft_mul(ctx, np.int64(64), a, b, np.int64(rm))
    return near_fmul_64(ctx, a, b)


@njit
def near_fdiv_64(ctx, a, b):
    return _canonical64(as_f64(a) / as_f64(b))


@njit
def fdiv_64(ctx, a, b, rm):
    if rm != 0:
        return soft_div(ctx, np.int64(64), a, b, np.int64(rm))
    return near_fdiv_64(ctx, a, b)


@njit
def fsqrt_64(ctx, a, rm):
    if rm != 0:
        return soft_sqrt(ctx, np.int64(64), a, np.int64(rm))
    return _canonical64(np.sqrt(as_f64(a)))


@njit
def near_fma_64(ctx, a, b, c):
    value = fused_f64(as_f64(a), as_f64(b), as_f64(c))
    if value == value:
        return f64_bits(value)
    # infinity times zero is invalid even where the addend is a NaN; hosts differ there
    if infinity_times_zero_64(a, b) != 0:
        ctx[FFLAGS] |= NV
    return np.int64(NAN64)


@njit
def fma_64(ctx, a, b, c, rm):
    if rm != 0:
        return soft_fma(ctx, np.int64(64), a, b, c, np.int64(rm))
    return near_fma_64(ctx, a, b, c)


@njit
def near_fadd_32(ctx, a, b):
    return _canonical32(f32_of(a) + f32_of(b))


@njit
def fadd_32(ctx, a, b, rm):
    if rm != 0:
        return soft_add(ctx, np.int64(32), a, b, np.int64(rm))
    return near_fadd_32(ctx, a, b)


@njit
def near_fsub_32(ctx, a, b):
    return _canonical32(f32_of(a) - f32_of(b))


@njit
def fsub_32(ctx, a, b, rm):
    if rm != 0:
        return soft_sub(ctx, np.int64(32), a, b, np.int64(rm))
    return near_fsub_32(ctx, a, b)


@njit
def near_fmul_32(ctx, a, b):
    return _canonical32(f32_of(a) * f32_of(b))


@njit
def fmul_32(ctx, a, b, rm):
    if rm != 0:
        return soft_mul(ctx, np.int64(32), a, b, np.int64(rm))
    return near_fmul_32(ctx, a, b)


@njit
def near_fdiv_32(ctx, a, b):
    return _canonical32(f32_of(a) / f32_of(b))


@njit
def fdiv_32(ctx, a, b, rm):
    if rm != 0:
        return soft_div(ctx, np.int64(32), a, b, np.int64(rm))
    return near_fdiv_32(ctx, a, b)


@njit
def fsqrt_32(ctx, a, rm):
    if rm != 0:
        return soft_sqrt(ctx, np.int64(32), a, np.int64(rm))
    return _canonical32(np.sqrt(f32_of(a)))


@njit
def near_fma_32(ctx, a, b, c):
    value = fused_f32(f32_of(a), f32_of(b), f32_of(c))
    if value == value:
        return np.int64(f32_bits(value))
    if infinity_times_zero_32(a, b) != 0:
        ctx[FFLAGS] |= NV
    return np.int64(NAN32)


@njit
def fma_32(ctx, a, b, c, rm):
    if rm != 0:
        return soft_fma(ctx, np.int64(32), a, b, c, np.int64(rm))
    return near_fma_32(ctx, a, b, c)


# -- comparisons: quiet for equality, signalling for order (section 20.8)


@njit
def feq_64(ctx, a, b):
    return np.int64(as_f64(a) == as_f64(b))


@njit
def flt_64(ctx, a, b):
    x, y = as_f64(a), as_f64(b)
    if x != x or y != y:
        ctx[FFLAGS] |= NV
    return np.int64(x < y)


@njit
def fle_64(ctx, a, b):
    x, y = as_f64(a), as_f64(b)
    if x != x or y != y:
        ctx[FFLAGS] |= NV
    return np.int64(x <= y)


@njit
def feq_32(ctx, a, b):
    return np.int64(f32_of(a) == f32_of(b))


@njit
def flt_32(ctx, a, b):
    x, y = f32_of(a), f32_of(b)
    if x != x or y != y:
        ctx[FFLAGS] |= NV
    return np.int64(x < y)


@njit
def fle_32(ctx, a, b):
    x, y = f32_of(a), f32_of(b)
    if x != x or y != y:
        ctx[FFLAGS] |= NV
    return np.int64(x <= y)


# -- conversions


@njit
def fcvt_64_32(ctx, a, rm):
    """float32 to float64: exact."""
    return _canonical64(np.float64(f32_of(a)))


@njit
def fcvt_32_64(ctx, a, rm):
    """float64 to float32."""
    if rm != 0:
        return soft_convert(ctx, np.int64(64), np.int64(32), a, np.int64(rm))
    return _canonical32(np.float32(as_f64(a)))


@njit
def to_int_64(ctx, a, rm, bits, signed):
    """float64 to an integer of 32 or 64 bits, saturating."""
    value = as_f64(a)
    if rm == 1 and bits == 64 and signed and abs(value) < 9.0e18:
        return np.int64(value)
    if rm == 1 and bits == 32 and signed and abs(value) < 2147483648.0:
        return np.int64(np.int32(value))
    return soft_to_int(ctx, np.int64(64), a, np.int64(rm), np.int64(bits), np.int64(signed))


@njit
def to_int_32(ctx, a, rm, bits, signed):
    """float32 to an integer of 32 or 64 bits, saturating."""
    value = f32_of(a)
    if rm == 1 and signed and bits >= 32 and abs(value) < np.float32(2147483648.0):
        return np.int64(np.int32(value))
    return soft_to_int(ctx, np.int64(32), a, np.int64(rm), np.int64(bits), np.int64(signed))


@njit
def from_int_64(ctx, value, rm, signed):
    if rm != 0 or (value < 0 and not signed):
        return soft_from_int(ctx, np.int64(64), value, np.int64(rm), np.int64(signed))
    return f64_bits(np.float64(np.int64(value)))


@njit
def from_int_32(ctx, value, rm, signed):
    if rm != 0 or (value < 0 and not signed):
        return soft_from_int(ctx, np.int64(32), value, np.int64(rm), np.int64(signed))
    return np.int64(f32_bits(np.float32(np.int64(value))))


# -- rounding to odd, for what is rounded once more afterwards (vfncvt.rod)


@njit
def _to_odd(ctx, origin, width, a):
    before = ctx[FFLAGS]
    ctx[FFLAGS] = 0
    bits = soft_convert(ctx, np.int64(origin), np.int64(width), a, np.int64(1))
    if ctx[FFLAGS] & NX:
        bits |= 1
    ctx[FFLAGS] |= before
    return bits


@njit
def fcvt_odd_32_64(ctx, a):
    return _to_odd(ctx, 64, 32, a)


@njit
def fcvt_odd_16_32(ctx, a):
    return _to_odd(ctx, 32, 16, a)
