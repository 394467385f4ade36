"""What vector instructions share: configuration, register groups and their legality, mask bits, rows in memory.

Sources: "V" Standard Extension for Vector Operations, version 1.0 (RISC-V Unprivileged ISA 20240411, chapter 31).
"""

from __future__ import annotations

import numpy as np

from archsim.isa.program import SCRATCHPAD_BASE
from archsim.machine.arithmetic import wrap_add, wrap_sub
from archsim.machine.host import pointer_int64
from archsim.machine.hostfloat import as_f64, f32_bits, f32_of, f64_bits, fused_f32, fused_f64
from archsim.machine.jit import njit
from archsim.machine.layout import (
    COLUMN,
    CSR,
    FFLAGS,
    LMUL_LOG2,
    RAM,
    RAM_HELD,
    SPAD,
    SPAD_SIZE,
    VILL_COLUMN,
    VSCRATCH,
    VXSAT,
)

VSTART_CSR, VCSR_CSR, VL_CSR, VTYPE_CSR, VLENB_CSR = 0x008, 0x00F, 0xC20, 0xC21, 0xC22
NV = 16


# -- configuration (section 6)


@njit
def set_vtype(ctx, available, vtype, xlen, others):
    """vsetvl: take over vtype, set and return vl = min(AVL, VLMAX); an unsupported vtype sets vill.

    Args:
        available: application vector length, unsigned.
        vtype: as vsetvl gets it.
        xlen: bits.
        others: bits from 8 on that other extensions give a meaning; all others must be 0.
    """
    csr = pointer_int64(ctx[CSR])
    vlen = 8 * csr[VLENB_CSR]
    code, sew = vtype & 7, (vtype >> 3) & 7
    lmul = code - 8 if code > 4 else code
    csr[VSTART_CSR] = 0
    # SEW <= LMUL * ELEN for fractional LMUL, ELEN = 64
    if ((vtype & ~others) >> 8) != 0 or sew > 3 or code == 4 or lmul < sew - 3:
        csr[VTYPE_CSR] = np.int64(1) << (xlen - 1)
        csr[VL_CSR] = 0
        ctx[COLUMN] = VILL_COLUMN
        return np.int64(0)
    most = (vlen >> (sew + 3)) << lmul if lmul >= 0 else (vlen >> (sew + 3)) >> -lmul
    length = most if np.uint64(available) > np.uint64(most) else available
    csr[VTYPE_CSR] = vtype
    csr[VL_CSR] = length
    ctx[COLUMN] = sew
    ctx[LMUL_LOG2] = lmul
    return length


@njit
def set_vl(ctx, length):
    """Fault-only-first loads trim vl (section 7.7)."""
    pointer_int64(ctx[CSR])[VL_CSR] = length


@njit
def keep_saturation(ctx):
    """Fixed-point operations leave vxsat in a slot of its own while they loop."""
    if ctx[VXSAT] != 0:
        pointer_int64(ctx[CSR])[VCSR_CSR] |= 1
        ctx[VXSAT] = 0


# -- register groups (sections 3.4.2 and 5.2)


@njit
def registers_of(emul):
    """Registers of a group of log2 size `emul`: one for parts of one."""
    return np.int64(1) << emul if emul > 0 else np.int64(1)


@njit
def elements_of(emul, per_register):
    """Elements that a group holds."""
    return per_register << emul if emul >= 0 else per_register >> -emul


@njit
def bad_group(register, emul, fields):
    """Whether a register cannot start a group: EMUL out of 1/8 to 8, misaligned, or running past v31."""
    if emul > 3 or emul < -3:
        return True
    count = registers_of(emul)
    if count * fields > 8:
        return True
    return (register & (count - 1)) != 0 or register + count * fields > 32


@njit
def overlaps(one, one_count, two, two_count):
    return one < two + two_count and two < one + one_count


@njit
def bad_widening(target, target_count, source, source_count, source_emul):
    """Whether a wider target overlaps its source other than in its highest-numbered registers."""
    if not overlaps(target, target_count, source, source_count):
        return False
    return source_emul < 0 or source + source_count != target + target_count


@njit
def copy_of(ctx, address, size, offset):
    """A copy of register bytes in the scratch buffer; its address."""
    target = ctx[VSCRATCH] + offset
    into, out_of = pointer_int64(target), pointer_int64(address)
    for i in range(size >> 3):
        into[i] = out_of[i]
    return target


# -- masks (section 4.5)


@njit
def get_bit(pointer, index):
    return (np.int64(pointer[index >> 3]) >> (index & 7)) & 1


@njit
def put_bit(pointer, index, value):
    shift = index & 7
    byte = np.int64(pointer[index >> 3])
    pointer[index >> 3] = np.uint8((byte & ~(np.int64(1) << shift)) | ((value & 1) << shift))


# -- memory


@njit
def host_range(ctx, address, size):
    """Host address of a whole range of simulated bytes, or 0 where some of it is not there."""
    if np.uint64(wrap_sub(address, 4096)) < np.uint64(ctx[RAM_HELD] - 4096) and size <= ctx[RAM_HELD] - address:
        return ctx[RAM] + address
    offset = wrap_sub(address, SCRATCHPAD_BASE)
    if offset >= 0 and offset <= ctx[SPAD_SIZE] - size:
        return ctx[SPAD] + offset
    return np.int64(0)


@njit
def row_to_load(ctx, base, start, count, width):
    """Host address of element 0 of a row of which elements start to count - 1 are used; 0 where one is not there."""
    if count <= start:
        return np.int64(0)
    host = host_range(ctx, wrap_add(base, start * width), (count - start) * width)
    return host - start * width if host != 0 else np.int64(0)


@njit
def row_to_store(ctx, base, start, count, width):
    return row_to_load(ctx, base, start, count, width)


@njit
def accessible(ctx, address, size):
    """Whether bytes can be loaded."""
    return np.int64(host_range(ctx, address, size) != 0)


# -- fused multiply-add without a branch per element


@njit
def fused_64(a, b, c):
    value = fused_f64(as_f64(a), as_f64(b), as_f64(c))
    return f64_bits(value) if value == value else np.int64(0x7FF8000000000000)


@njit
def fused_32(a, b, c):
    value = fused_f32(f32_of(a), f32_of(b), f32_of(c))
    return np.int64(f32_bits(value)) if value == value else np.int64(0x7FC00000)


@njit
def raise_invalid(ctx, invalid):
    if invalid != 0:
        ctx[FFLAGS] |= NV
