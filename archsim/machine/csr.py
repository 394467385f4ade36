"""Control and status registers, as compiled operations reach them.

Values stand in CSR, one int64 per owner; what a number means stands in CSR_FACTS (made by csr_table). A number may be a
window on bits of another (frm of fcsr, cycleh of cycle). Source: RISC-V Privileged Architecture 20240411, chapter 2
(numbers, access), section 3.1.6 (mstatus) and 3.1.10 to 3.1.12 (counters).
"""

from __future__ import annotations

import numpy as np

from archsim.machine.host import pointer_int64
from archsim.machine.hostfloat import clear_flags, collect_flags
from archsim.machine.jit import njit
from archsim.machine.layout import (
    CSR,
    CSR_ABSENT,
    CSR_BITS,
    CSR_CYCLES,
    CSR_FACTS,
    CSR_FAULT,
    CSR_FIELDS,
    CSR_FLAGS,
    CSR_INHIBIT,
    CSR_INSTRET,
    CSR_KIND,
    CSR_LEGAL,
    CSR_MASK,
    CSR_MAXIMUM,
    CSR_OWNER,
    CSR_READ_ONLY,
    CSR_READ_ONLY_BIT,
    CSR_SHIFT,
    CSR_STATUS,
    CSR_TIME,
    CSR_VALUE,
    FLOAT_OFF,
    ILLEGAL,
    INSTRET,
    MACHINE,
    MARK_COUNT,
    MARK_CSR,
    MARK_LIMIT,
    MARKS,
    NEXT,
    NOW,
    PRIVILEGE,
    STATUS_CHANGED,
    TRAP,
    TRAP_VALUE,
    WAITING,
)

NO_MAXIMUM = np.int64(0x7FFFFFFFFFFFFFFF)
MSTATUS, MTVEC, MCOUNTEREN, MCOUNTINHIBIT, MEPC, MCAUSE, MTVAL = 0x300, 0x305, 0x306, 0x320, 0x341, 0x342, 0x343
# bits of mstatus
MIE, MPIE, VS, MPP, FS, XS, MPRV = 3, 7, 9, 11, 13, 15, 17


@njit
def csr_facts(ctx, number):
    return pointer_int64(ctx[CSR_FACTS] + (number & 4095) * (8 * CSR_FIELDS))


@njit
def _inhibited(ctx, kind):
    """Whether mcountinhibit stops a counter."""
    if kind == CSR_CYCLES:
        return pointer_int64(ctx[CSR])[MCOUNTINHIBIT] & 1 != 0
    return kind == CSR_INSTRET and pointer_int64(ctx[CSR])[MCOUNTINHIBIT] & 4 != 0


@njit
def _counted(ctx, kind):
    """What a counter adds to its owner's value, which is where it started from."""
    if _inhibited(ctx, kind):
        return np.int64(0)
    return ctx[INSTRET] if kind == CSR_INSTRET else ctx[NOW]


@njit
def _whole(ctx, facts):
    """All bits of the owner, as they are now."""
    kind = facts[CSR_KIND]
    if kind == CSR_FLAGS:
        collect_flags(ctx)
    value = pointer_int64(ctx[CSR])[facts[CSR_OWNER]]
    if kind in (CSR_CYCLES, CSR_TIME, CSR_INSTRET):
        value += _counted(ctx, kind)
    elif kind == CSR_STATUS and ((value >> FS) & 3 == 3 or (value >> VS) & 3 == 3 or (value >> XS) & 3 == 3):
        # SD says that something is dirty; it is the top bit, whose number CSR_LEGAL has in bits 32-37
        value |= np.int64(1) << ((facts[CSR_LEGAL] >> 32) & 63)
    return value


@njit
def csr_value(ctx, number):
    """A CSR's value, whoever may read it."""
    facts = csr_facts(ctx, number)
    if facts[CSR_KIND] == CSR_VALUE:
        return (pointer_int64(ctx[CSR])[facts[CSR_OWNER]] >> facts[CSR_SHIFT]) & facts[CSR_BITS]
    return (_whole(ctx, facts) >> facts[CSR_SHIFT]) & facts[CSR_BITS]


@njit
def _off(status):
    """Which of the vector unit (1) and floating point (2) a value of mstatus switches off."""
    return np.int64((status >> VS) & 3 == 0) + 2 * np.int64((status >> FS) & 3 == 0)


@njit
def csr_set(ctx, number, value):
    """Give a CSR a value as far as it takes it (WARL), whoever may write it."""
    facts = csr_facts(ctx, number)
    kind, owner, shift, bits = facts[CSR_KIND], facts[CSR_OWNER], facts[CSR_SHIFT], facts[CSR_BITS]
    maximum = facts[CSR_MAXIMUM]
    if maximum != NO_MAXIMUM and (value < 0 or value > maximum):
        value = maximum
    values = pointer_int64(ctx[CSR])
    old = values[owner]
    if kind != CSR_VALUE:
        old = _whole(ctx, facts)
    mask = facts[CSR_MASK] & (bits << shift)
    new = (old & ~mask) | ((value << shift) & mask)
    legal = facts[CSR_LEGAL]
    # one field may take some values only: bits 0-7 are its place, 8-15 its mask, 16-31 a bit per value
    choice = (new >> (legal & 63)) & (legal >> 8) & 15
    if legal & 0xFF00 and not (legal >> (16 + choice)) & 1:
        field = ((legal >> 8) & 15) << (legal & 63)
        new = (new & ~field) | (old & field)
    if kind == CSR_INHIBIT:
        _inhibit(ctx, old, new)
    elif kind in (CSR_CYCLES, CSR_TIME, CSR_INSTRET):
        # the next instruction reads what was written
        new -= 0 if _inhibited(ctx, kind) else _counted(ctx, kind) + 1
    values[owner] = new
    if kind == CSR_FLAGS:
        clear_flags(ctx)
    elif kind == CSR_STATUS and _off(old) != _off(new):
        ctx[FLOAT_OFF] = np.int64((new >> FS) & 3 == 0)
        ctx[TRAP] = STATUS_CHANGED
    if number == ctx[MARK_CSR] and ctx[MARK_COUNT] < ctx[MARK_LIMIT]:
        marks = pointer_int64(ctx[MARKS])
        marks[2 * ctx[MARK_COUNT]] = new
        marks[2 * ctx[MARK_COUNT] + 1] = ctx[NOW]
        ctx[MARK_COUNT] += 1


@njit
def _inhibit(ctx, old, new):
    """Stop counters, or let them go on from where they stand."""
    values = pointer_int64(ctx[CSR])
    if (old ^ new) & 1:
        values[0xB00] += ctx[NOW] if new & 1 else -ctx[NOW] - 1
    if (old ^ new) & 4:
        values[0xB02] += ctx[INSTRET] + 1 if new & 4 else -ctx[INSTRET] - 1


@njit
def _allowed(ctx, number, facts):
    """Whether a program may touch a CSR."""
    kind = facts[CSR_KIND]
    if kind == CSR_ABSENT or (number >> 8) & 3 > ctx[PRIVILEGE]:
        return False
    if kind == CSR_FLAGS:
        return ctx[FLOAT_OFF] == 0
    if ctx[PRIVILEGE] != MACHINE and (number & 0xF60) == 0xC00:
        return (pointer_int64(ctx[CSR])[MCOUNTEREN] >> (number & 31)) & 1 != 0
    return True


@njit
def csr_read(ctx, number):
    """What a program reads; a trap where it may not."""
    if not _allowed(ctx, number, csr_facts(ctx, number)):
        ctx[TRAP] = CSR_FAULT
        ctx[TRAP_VALUE] = number
        return np.int64(0)
    return csr_value(ctx, number)


@njit
def csr_write(ctx, number, value):
    """A program's write; a trap where it may not."""
    if ctx[TRAP] != 0:
        return
    facts = csr_facts(ctx, number)
    if not _allowed(ctx, number, facts):
        ctx[TRAP] = CSR_FAULT
        ctx[TRAP_VALUE] = number
    elif facts[CSR_READ_ONLY_BIT]:
        ctx[TRAP] = CSR_READ_ONLY
        ctx[TRAP_VALUE] = number
    else:
        csr_set(ctx, number, value)


@njit
def mret(ctx):
    """Return from a trap handler in machine mode (Privileged Architecture 20240411, section 3.3.2)."""
    if ctx[PRIVILEGE] != MACHINE:
        ctx[TRAP] = ILLEGAL
        return
    values = pointer_int64(ctx[CSR])
    status = values[MSTATUS]
    ctx[PRIVILEGE] = (status >> MPP) & 3
    enabled = (status >> MPIE) & 1
    status &= ~((1 << MIE) | (3 << MPP))
    if ctx[PRIVILEGE] != MACHINE:
        status &= ~(1 << MPRV)
    values[MSTATUS] = status | (enabled << MIE) | (1 << MPIE)
    ctx[NEXT] = values[MEPC]


@njit
def wfi(ctx):
    """Wait for an interrupt: goes on at once, as it may; counted, because none comes."""
    ctx[WAITING] += 1
