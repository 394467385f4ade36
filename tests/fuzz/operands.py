"""Random operands: edge cases first, and vector registers that no rule of the specification reserves."""

from __future__ import annotations

import random
from dataclasses import dataclass

from archsim.isa.spec import Instruction, Variable
from archsim.isa.vector import element_bits

WORD = (1 << 64) - 1
_INTEGERS = [
    0, 1, 2, -1, -2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, -(2**63)
]  # fmt: skip
_FLOATS = {
    64: [0, 1 << 63, 0x3FF0000000000000, 0xBFF0000000000000, 0x7FF0000000000000, 0xFFF0000000000000,
         0x7FF8000000000000, 0xFFF8000000000001, 0x7FF0000000000001, 0x7FF4000000000000, 1, 0x000FFFFFFFFFFFFF,
         0x0010000000000000, 0x7FEFFFFFFFFFFFFF, 0x41E0000000000000, 0xC1E0000000000000, 0x43E0000000000000,
         0x3FE0000000000000, 0x3FF8000000000000, 0x4004000000000000, 0x36A0000000000000, 0x380FFFFFE0000000],
    32: [0, 1 << 31, 0x3F800000, 0xBF800000, 0x7F800000, 0xFF800000, 0x7FC00000, 0xFFC00001, 0x7F800001, 0x7FA00000,
         1, 0x007FFFFF, 0x00800000, 0x7F7FFFFF, 0x4F000000, 0xCF000000, 0x5F000000, 0x3F000000, 0x3FC00000, 0x40200000],
    16: [0, 1 << 15, 0x3C00, 0xBC00, 0x7C00, 0xFC00, 0x7E00, 0xFE01, 0x7C01, 0x7D00, 1, 0x03FF, 0x0400, 0x7BFF,
         0x3800, 0x3E00, 0x4100, 0x7800],
}  # fmt: skip


def integer(rng: random.Random) -> int:
    """64 bits."""
    if rng.random() < 0.5:
        return (rng.choice(_INTEGERS) + rng.choice((0, 0, 1, -1))) & WORD
    return rng.getrandbits(64) >> rng.choice((0, 0, 0, 32, 48, 56))


def float_bits(rng: random.Random, width: int) -> int:
    """Bits of a number: an edge case, one of a narrow range of exponents (so that sums round), or anything."""
    choice = rng.random()
    if choice < 0.35:
        return rng.choice(_FLOATS[width])
    if choice < 0.75:
        fraction, bias = {64: (52, 1023), 32: (23, 127), 16: (10, 15)}[width]
        exponent = bias + rng.randint(-4, 4)
        mantissa = rng.getrandbits(fraction) & rng.choice((-1, -1, (-1 << fraction // 2)))
        return rng.getrandbits(1) << (width - 1) | exponent << fraction | mantissa
    return rng.getrandbits(width)


def float_register(rng: random.Random) -> int:
    """64 bits: a boxed number of any width, or one that is not boxed."""
    width = rng.choice((64, 64, 32, 32, 16))
    value = float_bits(rng, width)
    if rng.random() < 0.05:
        return value
    return value | WORD << width & WORD


def vector_bytes(rng: random.Random, size: int) -> bytes:
    """Elements of one width: edge cases of integers or floats, or anything."""
    kind = rng.choice(("bytes", "integers", "floats", "floats"))
    if kind == "bytes":
        return rng.randbytes(size)
    width = rng.choice((8, 16, 32, 64) if kind == "integers" else (16, 32, 64))
    data = b""
    while len(data) < size:
        value = integer(rng) if kind == "integers" else float_bits(rng, width)
        data += (value & ((1 << width) - 1)).to_bytes(width // 8, "little")
    return data[:size]


@dataclass
class VectorType:
    """The vtype in force while a program is made; lmul is its log2."""

    sew: int
    lmul: int
    vl: int


def vector_registers(rng: random.Random, instruction: Instruction, vtype: VectorType) -> dict[str, int] | None:
    """Register numbers that are not reserved (V 1.0, sections 5.2, 5.3, 7.8), or None where vtype allows none."""
    facts = instruction.vector
    assert facts is not None
    sizes: dict[str, tuple[int, int]] = {}
    for variable in instruction.variables:
        if variable.register == "V":
            size = _group(variable, vtype)
            if size is None:
                return None
            sizes[variable.name] = size
    masked = rng.random() < 0.3
    for _ in range(100):
        chosen = {name: rng.randrange(0, 33 - count, alignment) for name, (count, alignment) in sizes.items()}
        if _allowed(instruction, vtype, chosen, sizes, masked):
            return chosen | {"vm": int(not masked)}
    return None


def _group(variable: Variable, vtype: VectorType) -> tuple[int, int] | None:
    """Registers of an operand and their alignment."""
    bits = element_bits(variable, vtype.sew)
    if bits == 1 or variable.group == "1":
        return 1, 1
    if variable.group:
        return int(variable.group), int(variable.group)
    emul = vtype.lmul + bits.bit_length() - vtype.sew.bit_length()
    count = 1 << max(emul, 0)
    if not -3 <= emul <= 3 or count * variable.fields > 8:
        return None
    return count * variable.fields, count


def _allowed(
    instruction: Instruction,
    vtype: VectorType,
    chosen: dict[str, int],
    sizes: dict[str, tuple[int, int]],
    masked: bool,
) -> bool:
    facts = instruction.vector
    assert facts is not None
    by_name = {variable.name: variable for variable in instruction.variables}
    if "vd" not in chosen:
        return True
    target = by_name["vd"]
    bits = element_bits(target, vtype.sew)
    names = {variable.name for variable in instruction.variables}
    uses_mask = (masked and "vm" in names) or "v0m" in names
    first, count = chosen["vd"], sizes["vd"][0]
    if uses_mask and first == 0 and "v0" in facts.disjoint:
        return False
    if uses_mask and first == 0 and bits != 1 and not (target.group == "1" and "red" in instruction.name):
        return False
    for name, register in chosen.items():
        if name == "vd":
            continue
        own, size = element_bits(by_name[name], vtype.sew), sizes[name][0]
        overlap = first < register + size and register < first + count
        if not overlap:
            continue
        if name in facts.disjoint:
            return False
        if own == bits or (target.group == "1" and bits != 1):
            continue
        if own > bits and first != register:
            return False
        if own < bits and (own == 1 or size != sizes[name][1] or register + size != first + count):
            return False
        if own < bits and vtype.lmul + own.bit_length() - vtype.sew.bit_length() < 0:
            return False
    return True
