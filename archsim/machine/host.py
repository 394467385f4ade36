"""What compiled operations reach the machine by: checked simulated memory.

Contexts are pointers to int64 (see layout). A bad access does not return early: it sets TRAP and works on a spare
cache line, and whoever called the operation looks at TRAP afterwards.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from archsim.isa.program import SCRATCHPAD_BASE
from archsim.machine.arithmetic import f32_to_half, half_to_f32, wrap_sub
from archsim.machine.jit import njit
from archsim.machine.layout import (
    BARRIER_BLOCK,
    BREAKPOINT,
    CODE_CHANGED,
    CUSTOM,
    ENVIRONMENT_CALL,
    ILLEGAL,
    INDEX_FAULT,
    LOAD_FAULT,
    RAM,
    RAM_HELD,
    RESERVATION,
    SPAD,
    SPAD_SIZE,
    SPARE,
    STORE_FAULT,
    STORE_MISALIGNED,
    SYNC_WAITING,
    TRAP,
    TRAP_VALUE,
)


def _pointer(kind: types.Type):
    @intrinsic
    def pointer(typing_context, address):
        signature = types.CPointer(kind)(types.int64)

        def generate(context, builder, signature, arguments):
            return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

        return signature, generate

    return pointer


pointer_int8 = _pointer(types.int8)
pointer_uint8 = _pointer(types.uint8)
pointer_int16 = _pointer(types.int16)
pointer_uint16 = _pointer(types.uint16)
pointer_int32 = _pointer(types.int32)
pointer_uint32 = _pointer(types.uint32)
pointer_int64 = _pointer(types.int64)
pointer_uint64 = _pointer(types.uint64)
pointer_float32 = _pointer(types.float32)
pointer_float64 = _pointer(types.float64)


@intrinsic
def address_of_pointer(typing_context, pointer):
    """The host address a pointer holds."""

    def generate(context, builder, signature, arguments):
        return builder.ptrtoint(arguments[0], ir.IntType(64))

    return types.int64(pointer), generate


@intrinsic
def stay_a_branch(typing_context):
    """Keeps LLVM from turning the branch it stands in into arithmetic: processors predict a branch, but would wait for
    the data that arithmetic depends on."""

    def generate(context, builder, signature, arguments):
        builder.asm(ir.FunctionType(ir.VoidType(), []), "", "", [], True)
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def call_at(typing_context, address, ctx, word, immediate):
    """Call the compiled function at an address with (ctx, word, immediate); its int64 result."""
    signature = types.int64(types.int64, ctx, types.int64, types.int64)

    def generate(context, builder, signature, arguments):
        integer = ir.IntType(64)
        function = ir.FunctionType(integer, [arguments[1].type, integer, integer])
        target = builder.inttoptr(arguments[0], function.as_pointer())
        return builder.call(target, arguments[1:])

    return signature, generate


# -- host memory by address


@njit
def get_i8(address):
    return np.int64(pointer_int8(address)[0])


@njit
def get_u8(address):
    return np.int64(pointer_uint8(address)[0])


@njit
def get_i16(address):
    return np.int64(pointer_int16(address)[0])


@njit
def get_u16(address):
    return np.int64(pointer_uint16(address)[0])


@njit
def get_i32(address):
    return np.int64(pointer_int32(address)[0])


@njit
def get_u32(address):
    return np.int64(pointer_uint32(address)[0])


@njit
def get_i64(address):
    return pointer_int64(address)[0]


@njit
def get_f32(address):
    return pointer_float32(address)[0]


@njit
def get_f16(address):
    return half_to_f32(pointer_uint16(address)[0])


@njit
def put_8(address, value):
    pointer_int8(address)[0] = np.int8(value)


@njit
def put_16(address, value):
    pointer_int16(address)[0] = np.int16(value)


@njit
def put_32(address, value):
    pointer_int32(address)[0] = np.int32(value)


@njit
def put_64(address, value):
    pointer_int64(address)[0] = np.int64(value)


@njit
def put_f32(address, value):
    pointer_float32(address)[0] = np.float32(value)


@njit
def put_f16(address, value):
    pointer_uint16(address)[0] = f32_to_half(value)


# -- simulated memory


@njit
def translate(ctx, address, size):
    """Host address of simulated bytes; a spare line and TRAP where there are none."""
    if np.uint64(wrap_sub(address, 4096)) < np.uint64(ctx[RAM_HELD] - 4096 - size + 1):
        return ctx[RAM] + address
    offset = wrap_sub(address, SCRATCHPAD_BASE)
    if offset >= 0 and offset <= ctx[SPAD_SIZE] - size:
        return ctx[SPAD] + offset
    ctx[TRAP] = LOAD_FAULT
    ctx[TRAP_VALUE] = address
    return ctx[SPARE]


@njit
def translate_store(ctx, address, size):
    """As translate(), for a store."""
    host = translate(ctx, address, size)
    if ctx[TRAP] == LOAD_FAULT:
        ctx[TRAP] = STORE_FAULT
    return host


@njit
def load_i8(ctx, address):
    return get_i8(translate(ctx, address, np.int64(1)))


@njit
def load_u8(ctx, address):
    return get_u8(translate(ctx, address, np.int64(1)))


@njit
def load_i16(ctx, address):
    return get_i16(translate(ctx, address, np.int64(2)))


@njit
def load_u16(ctx, address):
    return get_u16(translate(ctx, address, np.int64(2)))


@njit
def load_i32(ctx, address):
    return get_i32(translate(ctx, address, np.int64(4)))


@njit
def load_u32(ctx, address):
    return get_u32(translate(ctx, address, np.int64(4)))


@njit
def load_i64(ctx, address):
    return get_i64(translate(ctx, address, np.int64(8)))


@njit
def load_f32(ctx, address):
    return get_f32(translate(ctx, address, np.int64(4)))


@njit
def load_f16(ctx, address):
    return get_f16(translate(ctx, address, np.int64(2)))


@njit
def store_8(ctx, address, value):
    put_8(translate_store(ctx, address, np.int64(1)), value)


@njit
def store_16(ctx, address, value):
    put_16(translate_store(ctx, address, np.int64(2)), value)


@njit
def store_32(ctx, address, value):
    put_32(translate_store(ctx, address, np.int64(4)), value)


@njit
def store_64(ctx, address, value):
    put_64(translate_store(ctx, address, np.int64(8)), value)


@njit
def store_f32(ctx, address, value):
    put_f32(translate_store(ctx, address, np.int64(4)), value)


@njit
def store_f16(ctx, address, value):
    put_f16(translate_store(ctx, address, np.int64(2)), value)


MAXIMUM_ROWS = 1 << 24


@njit
def copy(ctx, target, source, rows, row_bytes, target_stride, source_stride):
    """Copy rows of bytes between simulated addresses; DRAM and scratchpad do not overlap, rows may repeat."""
    if rows > MAXIMUM_ROWS:
        illegal(ctx)
        return
    for row in range(rows):
        to = translate_store(ctx, target + row * target_stride, row_bytes)
        origin = translate(ctx, source + row * source_stride, row_bytes)
        if ctx[TRAP] != 0:
            return
        into, out_of = pointer_int8(to), pointer_int8(origin)
        for i in range(row_bytes):
            into[i] = out_of[i]


@njit
def inside(ctx, index, size):
    """An element index, or 0 and a trap where it lies outside."""
    if index < 0 or index >= size:
        ctx[TRAP] = INDEX_FAULT
        ctx[TRAP_VALUE] = index
        return np.int64(0)
    return np.int64(index)


# -- environment


@njit
def ecall(ctx):
    ctx[TRAP] = ENVIRONMENT_CALL


@njit
def ebreak(ctx):
    ctx[TRAP] = BREAKPOINT


@njit
def trap(ctx, value):
    ctx[TRAP] = CUSTOM
    ctx[TRAP_VALUE] = value


@njit
def illegal(ctx):
    """The instruction does not exist in this state of the hart."""
    ctx[TRAP] = ILLEGAL


@njit
def misaligned(ctx, address):
    """An atomic access that is not naturally aligned."""
    ctx[TRAP] = STORE_MISALIGNED
    ctx[TRAP_VALUE] = address


@njit
def reserve(ctx, address):
    """Load-reserved: a hart loses its reservation when another hart's turn comes (scheduler), or at a release."""
    ctx[RESERVATION] = address


@njit
def reserved(ctx, address):
    return np.int64(ctx[RESERVATION] == address)


@njit
def release(ctx):
    ctx[RESERVATION] = -1


@njit
def fence_i(ctx):
    """Stores so far may have changed instructions."""
    ctx[TRAP] = CODE_CHANGED


@njit
def fence(ctx):
    """Memory is always in program order for values."""


@njit
def barrier(ctx):
    """Arrive at the chip-wide barrier, or leave it once the scheduler let everybody go."""
    if ctx[SYNC_WAITING] < 0:
        ctx[SYNC_WAITING] = 0
    else:
        ctx[SYNC_WAITING] = 1
        ctx[TRAP] = BARRIER_BLOCK
