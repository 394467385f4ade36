"""Elements of registers and memory as Python numbers: a row of bytes taken apart and put together.

The formats are those of archsim.isa.element_types. This is slow and plain; programs use archsim.machine.elements.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from functools import cache

from archsim.isa.element_types import ELEMENT_TYPES

Number = int | float
_STRUCT = {"float16": "<e", "float32": "<f", "float64": "<d"}
# bits of the exponent and of the fraction, codes (without sign) of infinity and of NaN
_SMALL: dict[str, tuple[int, int, tuple[int, ...], tuple[int, ...]]] = {
    "float8_e4m3fn": (4, 3, (), (0x7F,)),
    "float8_e5m2": (5, 2, (0x7C,), (0x7D, 0x7E, 0x7F)),
    "float6_e3m2fn": (3, 2, (), ()),
    "float6_e2m3fn": (2, 3, (), ()),
    "float4_e2m1fn": (2, 1, (), ()),
}


class NoValue(ValueError):
    """A type cannot hold a number."""


def unpack(kind: str, row: bytes) -> list[Number]:
    """The elements of a row of bytes."""
    if kind == "ternary":
        return [byte // 3**place % 3 - 1 for byte in row for place in range(5)]
    width = ELEMENT_TYPES[kind].bits
    whole = int.from_bytes(row, "little")
    return [decoded(kind, whole >> at & (1 << width) - 1) for at in range(0, len(row) * 8 // width * width, width)]


def put(kind: str, row: bytes, values: Sequence[Number]) -> bytes:
    """A row with its first elements replaced.

    Raises:
        NoValue: one does not fit the type, or there are too many.
    """
    if len(values) > ELEMENT_TYPES[kind].count(len(row)):
        raise NoValue(f"{len(values)} values of {kind} in {len(row)} bytes")
    if kind == "ternary":
        if not all(math.isfinite(value) and int(value) == value for value in values):
            raise NoValue(f"{list(values)} in ternary")
        trits = [int(value) + 1 for value in (*values, *unpack(kind, row)[len(values) :])]
        if not all(0 <= trit <= 2 for trit in trits):
            raise NoValue(f"{list(values)} in ternary")
        return bytes(sum(trits[at + place] * 3**place for place in range(5)) % 256 for at in range(0, len(trits), 5))
    width = ELEMENT_TYPES[kind].bits
    whole = int.from_bytes(row, "little")
    for index, value in enumerate(values):
        whole = whole & ~((1 << width) - 1 << index * width) | encoded(kind, value) << index * width
    return whole.to_bytes(len(row), "little")


def decoded(kind: str, code: int) -> Number:
    """The number that the bits of an element stand for."""
    width = ELEMENT_TYPES[kind].bits
    if kind in _STRUCT:
        value: float = struct.unpack(_STRUCT[kind], code.to_bytes(width // 8, "little"))[0]
        return value
    if kind == "bfloat16":
        return decoded("float32", code << 16)
    if kind == "float8_e8m0fnu":
        return math.nan if code == 255 else math.ldexp(1.0, code - 127)
    if kind in _SMALL:
        return _small(kind)[code]
    if kind == "sign":
        return 1 if code else -1
    return code - (1 << width) if not kind.startswith("u") and code >> width - 1 else code


def encoded(kind: str, value: Number) -> int:
    """The bits of a number: that of float16, float32 and float64 rounded to nearest even, others exactly.

    Raises:
        NoValue: it is no number of the type.
    """
    width = ELEMENT_TYPES[kind].bits
    if kind in _STRUCT:
        try:
            return int.from_bytes(struct.pack(_STRUCT[kind], value), "little")
        except OverflowError:
            raise NoValue(f"{value!r} in {kind}") from None
    if kind == "bfloat16":
        code = encoded("float32", value)
        if code & 0xFFFF and not math.isnan(value):
            raise NoValue(f"{value!r} in {kind}")
        return code >> 16
    if ELEMENT_TYPES[kind].value != "int":
        for code in range(1 << width):
            if _same(decoded(kind, code), value):
                return code
        raise NoValue(f"{value!r} in {kind}")
    if not math.isfinite(value) or int(value) != value:
        raise NoValue(f"{value!r} in {kind}")
    code = (int(value) + 1) // 2 if kind == "sign" else int(value) & (1 << width) - 1
    # bits may be written as the unsigned number that they are
    if not 0 <= code < 1 << width or (decoded(kind, code) != value and code != value):
        raise NoValue(f"{value!r} in {kind}")
    return code


def same(kind: str, one: Number, two: Number) -> bool:
    """Whether two elements are the same: any NaN is, zeros of both signs are not."""
    return _same(one, two) if ELEMENT_TYPES[kind].value != "int" else one == two


def _same(one: Number, two: Number) -> bool:
    if math.isnan(one) or math.isnan(two):
        return math.isnan(one) and math.isnan(two)
    return one == two and math.copysign(1, one) == math.copysign(1, two)


@cache
def _small(kind: str) -> list[float]:
    """Values of all codes of a format of eight bits or fewer."""
    exponent_bits, fraction_bits, infinities, nans = _SMALL[kind]
    bias = (1 << exponent_bits - 1) - 1
    values = []
    for code in range(2 << exponent_bits + fraction_bits):
        magnitude = code & (1 << exponent_bits + fraction_bits) - 1
        field, fraction = magnitude >> fraction_bits, magnitude & (1 << fraction_bits) - 1
        value = math.ldexp(fraction + (bool(field) << fraction_bits), max(field, 1) - bias - fraction_bits)
        value = math.nan if magnitude in nans else math.inf if magnitude in infinities else value
        values.append(math.copysign(value, -1 if code >> exponent_bits + fraction_bits else 1))
    return values
