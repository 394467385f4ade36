"""The table that machine.csr works on, made from the CSRs that an instruction set declares."""

from __future__ import annotations

import numpy as np

from archsim.isa.spec import Isa, State
from archsim.machine import layout as at

_COUNTERS = {"cycles": (at.CSR_CYCLES, 0xB00), "time": (at.CSR_TIME, 0xC01), "instructions": (at.CSR_INSTRET, 0xB02)}
"""What a counter shows -> kind, and the number under which its starting point is kept."""
_KINDS = {"inhibit": at.CSR_INHIBIT, "status": at.CSR_STATUS}
NO_MAXIMUM = (1 << 63) - 1


def csr_table(isa: Isa) -> np.ndarray:
    """Facts per CSR number: int64 [4096, CSR_FIELDS]; numbers that no CSR has are CSR_ABSENT."""
    table = np.zeros((4096, at.CSR_FIELDS), np.int64)
    for state in isa.state.values():
        if state.kind == "csr" and state.xlen in (0, isa.xlen):
            table[state.address] = _row(isa, state)
    return table


def any_csr(table: np.ndarray) -> None:
    """Let every number without a CSR be a plain register: traces of other simulators touch some."""
    for number in np.flatnonzero(table[:, at.CSR_KIND] == at.CSR_ABSENT):
        table[number] = (at.CSR_VALUE, number, 0, -1, -1, NO_MAXIMUM, 0, 0)


def csr_values(isa: Isa, hart: int) -> np.ndarray:
    """Values by owner after reset: int64 [4096]."""
    values = np.zeros(4096, np.int64)
    for state in isa.state.values():
        if state.kind == "csr" and state.of is None:
            values[state.address] = state.reset
            if state.shows == "hart":
                values[state.address] = hart
            elif state.shows == "extensions":
                values[state.address] = extensions_word(isa)
            elif state.shows == "status" and isa.xlen == 64:
                values[state.address] |= 2 << 32  # UXL: user mode has 64 bits, too
    return values


def extensions_word(isa: Isa) -> int:
    """misa: the base's width and a bit per single-letter extension (Privileged Architecture, section 3.1.1)."""
    word = 1 << 20  # user mode
    for name in isa.extensions:
        if len(name) == 1:
            word |= 1 << ord(name.upper()) - ord("A")
    word |= (isa.xlen // 32) << isa.xlen - 2
    return word - (1 << 64) if word >> 63 else word


def _row(isa: Isa, state: State) -> tuple[int, ...]:
    owner = isa.state[state.of] if state.of else state
    kind, number = at.CSR_VALUE, owner.address
    if owner.float_flags:
        kind = at.CSR_FLAGS
    elif owner.shows in _COUNTERS:
        kind, number = _COUNTERS[owner.shows]
    elif owner.shows in _KINDS:
        kind = _KINDS[owner.shows]
    shift, width = state.window if state.window else (0, isa.xlen)
    bits = -1 if width == 64 else (1 << width) - 1
    read_only = not state.writable or state.address >> 10 == 3
    maximum = state.maximum if state.of is None else NO_MAXIMUM
    return kind, number, shift, bits, _signed(owner.mask), maximum, int(read_only), _legal(isa, owner)


def _signed(mask: int) -> int:
    return mask - (1 << 64) if mask >> 63 else mask


def _legal(isa: Isa, owner: State) -> int:
    """The field that takes some values only, as csr_set() reads it, and the number of the top bit."""
    word = (isa.xlen - 1) << 32
    for name, values in owner.legal.items():
        low, width, _ = owner.fields[name]
        word |= low | ((1 << width) - 1) << 8
        for value in values:
            word |= 1 << 16 + value
    return word
