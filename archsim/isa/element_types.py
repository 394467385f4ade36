"""Types of register elements: how wide, how packed, and what an operation sees when it reads one.

Formats narrower than a byte lie packed, little endian: element k of a row takes the bits from k * width on. Names of
floating-point formats are those of ml_dtypes. Sources of the formats: IEEE 754-2008 (float16, float32, float64); OCP
8-bit Floating Point Specification 1.0 (float8); OCP Microscaling Formats Specification 1.0 (float6, float4, e8m0).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ElementType:
    """One type.

    Attributes:
        bits, per: `per` elements take `bits` bits (ternary: 5 in 8).
        value: what an operation reads and writes: "int", "f32" or "f64".
        carrier: type of the pointer that machine code reaches it by.
        packed: name of the functions get_NAME and put_NAME of archsim.machine.elements that take the elements of a row
            apart; "" where an element is one of the carrier.
        read, write: functions between a carrier element and the value; "" for none.
        writable: whether operations may store it.
    """

    bits: int
    value: str
    carrier: str
    per: int = 1
    packed: str = ""
    read: str = ""
    write: str = ""
    writable: bool = True

    def count(self, size: int) -> int:
        """Elements in so many bytes."""
        return size * 8 // self.bits * self.per

    @property
    def is_direct(self) -> bool:
        """Whether an element is a number of the host."""
        return not (self.packed or self.read)


def _integer(bits: int, name: str) -> ElementType:
    return ElementType(bits, "int", name)


def _packed(bits: int, name: str, value: str = "int", per: int = 1) -> ElementType:
    return ElementType(bits, value, "uint8", per, packed=name)


def _coded(bits: int, name: str, writable: bool = True) -> ElementType:
    """A float whose bits lie in an integer of the host."""
    return ElementType(bits, "f32", f"uint{bits}", read=f"{name}_to_f32", write=f"f32_to_{name}", writable=writable)


ELEMENT_TYPES: dict[str, ElementType] = {
    **{f"{sign}int{bits}": _integer(bits, f"{sign}int{bits}") for bits in (8, 16, 32, 64) for sign in ("", "u")},
    **{f"{sign}int{bits}": _packed(bits, f"{sign}int{bits}") for bits in (2, 3, 4) for sign in ("", "u")},
    "uint1": _packed(1, "uint1"),
    "sign": _packed(1, "sign"),
    "ternary": _packed(8, "ternary", per=5),
    "float64": ElementType(64, "f64", "float64"),
    "float32": ElementType(32, "f32", "float32"),
    "float16": _coded(16, "half"),
    "bfloat16": _coded(16, "bf16"),
    "float8_e4m3fn": _coded(8, "e4m3"),
    "float8_e5m2": _coded(8, "e5m2"),
    "float8_e8m0fnu": _coded(8, "e8m0", writable=False),
    "float6_e3m2fn": _packed(6, "e3m2", "f32"),
    "float6_e2m3fn": _packed(6, "e2m3", "f32"),
    "float4_e2m1fn": _packed(4, "e2m1", "f32"),
}
"""sign: 1 is +1, 0 is -1. ternary: five in a byte, element k is byte // 3**(k % 5) % 3 - 1 (243 of 256 bytes)."""
