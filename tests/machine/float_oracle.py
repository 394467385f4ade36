"""Floating point by its definition: exact values as Python integers, rounded by one division. Slow and obvious.

IEEE 754-2008 with the choices of the RISC-V Unprivileged ISA 20240411, chapter "F": canonical NaN, tininess after
rounding, infinity times zero invalid in a fused multiply-add whatever the addend is.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

NX, UF, OF, DZ, NV = 1, 2, 4, 8, 16
RNE, RTZ, RDN, RUP, RMM = range(5)
Result = tuple[int, int]
"""Bits and flags."""


@dataclass(frozen=True)
class Format:
    """A binary format of `exponent` and `fraction` bits."""

    exponent: int
    fraction: int

    @property
    def bias(self) -> int:
        return (1 << self.exponent - 1) - 1

    @property
    def sign(self) -> int:
        return 1 << self.exponent + self.fraction

    @property
    def infinity(self) -> int:
        return self.sign - (1 << self.fraction)

    @property
    def nan(self) -> int:
        return self.infinity | 1 << self.fraction - 1

    def negative(self, bits: int) -> int:
        return int(bits & self.sign != 0)

    def is_nan(self, bits: int) -> bool:
        return bits & self.sign - 1 > self.infinity

    def is_signalling(self, bits: int) -> bool:
        return self.is_nan(bits) and not bits >> self.fraction - 1 & 1

    def is_infinite(self, bits: int) -> bool:
        return bits & self.sign - 1 == self.infinity

    def exact(self, bits: int) -> tuple[int, int]:
        """A finite number as (n, e): n * 2**e, n signed."""
        field = (bits & self.sign - 1) >> self.fraction
        number = bits & (1 << self.fraction) - 1 | (1 << self.fraction if field else 0)
        return -number if bits & self.sign else number, max(field, 1) - self.bias - self.fraction


FORMATS = {16: Format(5, 10), 17: Format(8, 7), 32: Format(8, 23), 64: Format(11, 52)}


def divided(numerator: int, denominator: int, exponent: int, negative: int, rm: int) -> tuple[int, bool]:
    """numerator / denominator * 2**exponent rounded to an integer, and whether that is inexact; all positive."""
    numerator, denominator = numerator << max(exponent, 0), denominator << max(-exponent, 0)
    floor, rest = divmod(numerator, denominator)
    up = {
        RNE: 2 * rest > denominator or (2 * rest == denominator and floor & 1 == 1),
        RTZ: False,
        RDN: rest > 0 and negative == 1,
        RUP: rest > 0 and negative == 0,
        RMM: 2 * rest >= denominator,
    }[rm]
    return floor + up, rest > 0


def rounded(to: Format, negative: int, numerator: int, denominator: int, exponent: int, rm: int) -> Result:
    """numerator / denominator * 2**exponent in a format; numerator and denominator positive."""
    sign = to.sign if negative else 0
    scale = numerator.bit_length() - denominator.bit_length()
    below = numerator << max(-scale, 0) < denominator << max(scale, 0)
    leading = scale - below + exponent
    least = 1 - to.bias
    unbounded, _ = divided(numerator, denominator, exponent - leading + to.fraction, negative, rm)
    tiny = leading < least - 1 or (leading == least - 1 and unbounded < 2 << to.fraction)
    place = max(leading, least) - to.fraction
    number, inexact = divided(numerator, denominator, exponent - place, negative, rm)
    bits = number if number < 1 << to.fraction else (place + to.fraction + to.bias - 1 << to.fraction) + number
    if bits >= to.infinity:
        away = rm in (RNE, RMM) or (rm == RDN and negative == 1) or (rm == RUP and negative == 0)
        return sign | to.infinity - (not away), OF | NX
    return sign | bits, (NX | UF * tiny) * inexact


def total(to: Format, n: int, e: int, m: int, f: int, rm: int, zero_sign: tuple[int, int]) -> Result:
    """n * 2**e + m * 2**f; `zero_sign`: the signs of the terms, for a sum that is zero."""
    least = min(e, f)
    number = (n << e - least) + (m << f - least)
    if number == 0:
        negative = zero_sign[0] if zero_sign[0] == zero_sign[1] else int(rm == RDN)
        return to.sign * negative, 0
    return rounded(to, int(number < 0), abs(number), 1, least, rm)


def add(width: int, a: int, b: int, rm: int) -> Result:
    of = FORMATS[width]
    if of.is_nan(a) or of.is_nan(b):
        return of.nan, NV * (of.is_signalling(a) or of.is_signalling(b))
    if of.is_infinite(a) or of.is_infinite(b):
        if of.is_infinite(a) and of.is_infinite(b) and a != b:
            return of.nan, NV
        return a if of.is_infinite(a) else b, 0
    return total(of, *of.exact(a), *of.exact(b), rm, (of.negative(a), of.negative(b)))


def sub(width: int, a: int, b: int, rm: int) -> Result:
    return add(width, a, b ^ FORMATS[width].sign, rm)


def mul(width: int, a: int, b: int, rm: int) -> Result:
    of = FORMATS[width]
    sign = (a ^ b) & of.sign
    if of.is_nan(a) or of.is_nan(b):
        return of.nan, NV * (of.is_signalling(a) or of.is_signalling(b))
    zero = not a & of.sign - 1 or not b & of.sign - 1
    if of.is_infinite(a) or of.is_infinite(b):
        return (of.nan, NV) if zero else (sign | of.infinity, 0)
    if zero:
        return sign, 0
    (n, e), (m, f) = of.exact(a), of.exact(b)
    return rounded(of, int(sign != 0), abs(n * m), 1, e + f, rm)


def div(width: int, a: int, b: int, rm: int) -> Result:
    of = FORMATS[width]
    sign = (a ^ b) & of.sign
    if of.is_nan(a) or of.is_nan(b):
        return of.nan, NV * (of.is_signalling(a) or of.is_signalling(b))
    if of.is_infinite(a):
        return (of.nan, NV) if of.is_infinite(b) else (sign | of.infinity, 0)
    if of.is_infinite(b):
        return sign, 0
    (n, e), (m, f) = of.exact(a), of.exact(b)
    if m == 0:
        return (of.nan, NV) if n == 0 else (sign | of.infinity, DZ)
    return (sign, 0) if n == 0 else rounded(of, int(sign != 0), abs(n), abs(m), e - f, rm)


def sqrt(width: int, a: int, rm: int) -> Result:
    of = FORMATS[width]
    if of.is_nan(a):
        return of.nan, NV * of.is_signalling(a)
    if not a & of.sign - 1 or a == of.infinity:
        return a, 0
    if of.negative(a):
        return of.nan, NV
    n, e = of.exact(a)
    n, e = n << 200 + (e & 1), e - 200 - (e & 1)
    root = isqrt(n)
    # What is left of an inexact root lies between two integers: half of one stands for it.
    return rounded(of, 0, 2 * root + (root * root != n), 1, e // 2 - 1, rm)


def fma(width: int, a: int, b: int, c: int, rm: int) -> Result:
    of = FORMATS[width]
    sign = (a ^ b) & of.sign
    zero = not a & of.sign - 1 or not b & of.sign - 1
    infinite = of.is_infinite(a) or of.is_infinite(b)
    invalid = zero and infinite
    if of.is_nan(a) or of.is_nan(b) or of.is_nan(c):
        return of.nan, NV * (invalid or any(map(of.is_signalling, (a, b, c))))
    if invalid or (infinite and of.is_infinite(c) and sign != c & of.sign):
        return of.nan, NV
    if infinite or of.is_infinite(c):
        return sign | of.infinity if infinite else c, 0
    (n, e), (m, f) = of.exact(a), of.exact(b)
    return total(of, n * m, e + f, *of.exact(c), rm, (int(sign != 0), of.negative(c)))


def convert(width: int, to_width: int, a: int, rm: int) -> Result:
    of, to = FORMATS[width], FORMATS[to_width]
    sign = to.sign * of.negative(a)
    if of.is_nan(a):
        return to.nan, NV * of.is_signalling(a)
    if of.is_infinite(a):
        return sign | to.infinity, 0
    n, e = of.exact(a)
    return rounded(to, of.negative(a), abs(n), 1, e, rm) if n else (sign, 0)


def to_int(width: int, a: int, rm: int, bits: int, signed: int) -> Result:
    """The integer itself (unsigned results not negative), and flags."""
    of = FORMATS[width]
    least, most = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    if of.is_nan(a):
        return most, NV
    if of.is_infinite(a):
        return least if of.negative(a) else most, NV
    n, e = of.exact(a)
    number, inexact = divided(abs(n), 1, e, of.negative(a), rm)
    number = -number if n < 0 else number
    return (number, NX * inexact) if least <= number <= most else (most if number > 0 else least, NV)


def from_int(width: int, value: int, rm: int) -> Result:
    """`value` is signed."""
    return rounded(FORMATS[width], int(value < 0), abs(value), 1, 0, rm) if value else (0, 0)


def round_to_integral(width: int, a: int, rm: int, exact: int) -> Result:
    """Of Zfa; inexact only where `exact` asks for it."""
    of = FORMATS[width]
    if of.is_nan(a):
        return of.nan, NV * of.is_signalling(a)
    if of.is_infinite(a):
        return a, 0
    n, e = of.exact(a)
    number, inexact = divided(abs(n), 1, e, of.negative(a), rm)
    bits = rounded(of, 0, number, 1, 0, rm)[0] if number else 0
    return a & of.sign | bits, NX * (inexact and exact == 1)


def ordered(width: int, bits: int) -> tuple[int, int]:
    """An integer that orders numbers that are not NaN, zeros alike, and one that orders the zeros."""
    of = FORMATS[width]
    return (-1 if of.negative(bits) else 1) * (bits & of.sign - 1), -of.negative(bits)


def compare(width: int, a: int, b: int, operation: str) -> Result:
    """eq, lt, le and the quiet ltq and leq."""
    of = FORMATS[width]
    if of.is_nan(a) or of.is_nan(b):
        return 0, NV * (operation in ("lt", "le") or of.is_signalling(a) or of.is_signalling(b))
    one, two = ordered(width, a)[0], ordered(width, b)[0]
    return int({"eq": one == two, "lt": one < two, "le": one <= two}[operation[:2]]), 0


def extreme(width: int, a: int, b: int, operation: str) -> Result:
    """min, max (a number wins over a NaN) and minm, maxm (a NaN wins), of IEEE 754-2019."""
    of = FORMATS[width]
    flags = NV * (of.is_signalling(a) or of.is_signalling(b))
    numbers = [bits for bits in (a, b) if not of.is_nan(bits)]
    if not numbers or (operation.endswith("m") and len(numbers) < 2):
        return of.nan, flags
    return (min if operation.startswith("min") else max)(numbers, key=lambda bits: ordered(width, bits)), flags


def classify(width: int, a: int) -> int:
    """The mask of FCLASS."""
    of = FORMATS[width]
    if of.is_nan(a):
        return 1 << (8 if of.is_signalling(a) else 9)
    magnitude = a & of.sign - 1
    kind = 0 if magnitude == of.infinity else 1 if magnitude >> of.fraction else 2 if magnitude else 3
    return 1 << (kind if of.negative(a) else 7 - kind)
