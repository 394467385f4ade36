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
        read, write: text of an element's value, and of what stores {value}. Where elements are packed, {p} is the
            pointer, {row} the row's first byte, {k} the place in the row; else {e} is the carrier element.
        packed: whether elements lie packed in bytes.
        writable: whether operations may store it.
    """

    bits: int
    value: str
    carrier: str
    read: str
    write: str
    per: int = 1
    packed: bool = False
    writable: bool = True

    def count(self, size: int) -> int:
        """Elements in so many bytes."""
        return size * 8 // self.bits * self.per

    @property
    def is_direct(self) -> bool:
        """Whether an element is a number of the host."""
        return self.read in ("np.int64({e})", "{e}")


def _bits(width: int) -> str:
    """Text of an unsigned element; only one that may straddle two bytes needs a function."""
    if width in (3, 6):
        return f"get_bits({{p}}, {{row}}, {{k}}, {width})"
    log, most = {1: 3, 2: 2, 4: 1}[width], 8 // width - 1
    return f"((np.int64({{p}}[{{row}} + ({{k}} >> {log})]) >> ({width} * ({{k}} & {most}))) & {2**width - 1})"


def _put(width: int, value: str = "{value}") -> str:
    return f"put_bits({{p}}, {{row}}, {{k}}, {width}, {value})"


def _integer(bits: int, name: str) -> ElementType:
    return ElementType(bits, "int", name, "np.int64({e})", f"{{e}} = np.{name}({{value}})")


def _packed(width: int, signed: bool) -> ElementType:
    half = 1 << width - 1
    read = f"(({_bits(width)} ^ {half}) - {half})" if signed else _bits(width)
    return ElementType(width, "int", "uint8", read, _put(width), packed=True)


def _small(exponent: int, fraction: int, largest: int, overflow: int) -> str:
    return f"small_code(np.float64({{value}}), {exponent}, {fraction}, {largest}, {overflow})"


def _packed_float(name: str, exponent: int, fraction: int) -> ElementType:
    """A float without infinity and NaN: what is too large becomes the largest."""
    width = 1 + exponent + fraction
    write = _put(width, _small(exponent, fraction, (1 << width - 1) - 1, 2))
    return ElementType(width, "f32", "uint8", f"{name}_VALUES[{_bits(width)}]", write, packed=True)


ELEMENT_TYPES: dict[str, ElementType] = {
    **{f"{sign}int{bits}": _integer(bits, f"{sign}int{bits}") for bits in (8, 16, 32, 64) for sign in ("", "u")},
    **{f"{sign}int{bits}": _packed(bits, not sign) for bits in (2, 3, 4) for sign in ("", "u")},
    "uint1": _packed(1, False),
    "sign": ElementType(1, "int", "uint8", f"(2 * {_bits(1)} - 1)", _put(1, "np.int64({value} > 0)"), packed=True),
    "ternary": ElementType(
        8, "int", "uint8", "(np.int64({p}[{row} + {k} // 5]) // POWERS_OF_3[{k} % 5] % 3 - 1)",
        "put_ternary({p}, {row}, {k}, {value})", per=5, packed=True,
    ),
    "float64": ElementType(64, "f64", "float64", "{e}", "{e} = np.float64({value})"),
    "float32": ElementType(32, "f32", "float32", "{e}", "{e} = np.float32({value})"),
    "float16": ElementType(16, "f32", "uint16", "half_to_f32({e})", "{e} = f32_to_half({value})"),
    "bfloat16": ElementType(16, "f32", "uint16", "as_f32(np.int64({e}) << 16)", "{e} = f32_to_bf16({value})"),
    "float8_e4m3fn": ElementType(8, "f32", "uint8", "E4M3_VALUES[{e}]", f"{{e}} = np.uint8({_small(4, 3, 0x7E, 0)})"),
    "float8_e5m2": ElementType(8, "f32", "uint8", "E5M2_VALUES[{e}]", f"{{e}} = np.uint8({_small(5, 2, 0x7B, 1)})"),
    "float8_e8m0fnu": ElementType(8, "f32", "uint8", "e8m0_to_f32({e})", "unselected(ctx)", writable=False),
    "float6_e3m2fn": _packed_float("E3M2", 3, 2),
    "float6_e2m3fn": _packed_float("E2M3", 2, 3),
    "float4_e2m1fn": _packed_float("E2M1", 2, 1),
}  # fmt: skip
"""sign: 1 is +1, 0 is -1. ternary: five in a byte, element k is byte // 3**(k % 5) % 3 - 1 (243 of 256 bytes)."""
