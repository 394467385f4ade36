"""float16 and bfloat16 to and from float32, several times as fast as numpy's own conversion; compiled loops.

All arrays are one-dimensional: values float32, patterns uint16.
"""

from __future__ import annotations

import numpy as np

from archsim.formats.compiled import compiled


@compiled
def to_half(values, bits, patterns):
    """float16 patterns, ties to even, infinity beyond 65520. `bits` are the values as int32; none may be NaN.

    Gives the largest pattern without sign, which is 0x7C00 if one is infinite.
    """
    top = np.int32(0)
    for i in range(values.shape[0]):
        magnitude = np.int32(bits[i] & np.int32(0x7FFFFFFF))
        even = np.int32(np.int32(magnitude >> np.int32(13)) & np.int32(1))
        # exponents are 112 apart
        normal = np.int32(np.int32(magnitude + np.int32(0xFFF) + even) >> np.int32(13)) - np.int32(112 << 10)
        below = np.int32(np.rint(min(abs(values[i]), np.float32(1)) * np.float32(2.0**24)))
        code = below if magnitude < np.int32(113 << 23) else np.int32(normal)
        code = min(np.int32(code), np.int32(0x7C00))
        top = max(top, np.int32(code))
        patterns[i] = np.uint16(code | np.int32(np.int32(bits[i] >> np.int32(16)) & np.int32(0x8000)))
    return top


@compiled
def from_half(patterns, bits):
    """float32, as int32, of float16 patterns."""
    for i in range(patterns.shape[0]):
        pattern = np.int32(patterns[i])
        # as the upper bits of a float32 it is 2**112 too small, subnormal or not
        small = np.int32(np.int32(pattern & np.int32(0x7FFF)) << np.int32(13)).view(np.float32)
        exact = np.float32(small * np.float32(2.0**112)).view(np.int32)
        special = np.int32(0x7F800000) if (pattern & np.int32(0x7C00)) == np.int32(0x7C00) else np.int32(0)
        sign = np.int32(np.int32(pattern & np.int32(0x8000)) << np.int32(16))
        bits[i] = np.int32(np.int32(exact | special) | sign)


@compiled
def to_bfloat(bits, patterns):
    """bfloat16 patterns of finite float32, given as int32; ties to even.

    Gives the largest pattern without sign, which is 0x7F80 if one is infinite.
    """
    top = np.int32(0)
    for i in range(bits.shape[0]):
        even = np.int32(np.int32(bits[i] >> np.int32(16)) & np.int32(1))
        rounded = np.int32(np.int32(bits[i] + np.int32(0x7FFF) + even) >> np.int32(16))
        top = max(top, np.int32(rounded & np.int32(0x7FFF)))
        patterns[i] = np.uint16(rounded)
    return top


@compiled
def from_bfloat(patterns, bits):
    """float32, as int32, of bfloat16 patterns."""
    for i in range(patterns.shape[0]):
        bits[i] = np.int32(np.int32(patterns[i]) << np.int32(16))
