"""fp32, fp16 and bf16: plain floating-point numbers, nothing shared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from archsim.common.errors import InputError
from archsim.formats import half_loops
from archsim.formats.family import Family
from archsim.formats.format import Format, Packed, Stored


@dataclass(frozen=True)
class CastFormat(Format):
    """Numbers rounded to a floating-point type, ties to even; bf16 is held as uint16 patterns."""

    name: str
    bits: int
    dtype: type

    def storage(self, rows: int, columns: int) -> dict[str, Stored]:
        return {"codes": Stored((rows, columns), self.dtype)}

    def encode(self, block: np.ndarray, shared: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        if self.name == "fp32":
            return {"codes": block}
        codes, fits = to_float16(block) if self.name == "fp16" else to_bfloat16(block)
        if not fits:
            largest = np.abs(block).max()
            raise InputError(f"a weight of {largest:.6g} does not fit {self.name}", remedy="use fp32")
        return {"codes": codes}

    def decode(self, arrays: Mapping[str, np.ndarray], out: np.ndarray) -> None:
        codes = arrays["codes"]
        if self.name == "fp32":
            out[...] = codes
        else:
            (from_float16 if self.name == "fp16" else from_bfloat16)(codes, out)

    def read_codes(self, packed: Packed) -> np.ndarray:
        return packed.packed


def to_float16(values: np.ndarray) -> tuple[np.ndarray, bool]:
    """float16 of values without NaN (as float32), ties to even; and whether none is too large, hence infinite."""
    flat = np.ascontiguousarray(values, np.float32).reshape(-1)
    patterns = np.empty(flat.shape, np.uint16)
    top = half_loops.to_half(flat, flat.view(np.int32), patterns)
    return patterns.view(np.float16).reshape(values.shape), top < 0x7C00


def to_bfloat16(values: np.ndarray) -> tuple[np.ndarray, bool]:
    """bfloat16 patterns (uint16) of finite float32, ties to even; and whether none is too large, hence infinite."""
    flat = np.ascontiguousarray(values).reshape(-1)
    patterns = np.empty(flat.shape, np.uint16)
    top = half_loops.to_bfloat(flat.view(np.int32), patterns)
    return patterns.reshape(values.shape), top < 0x7F80


def from_float16(values: np.ndarray, out: np.ndarray) -> None:
    """float32 of float16, into contiguous `out` of the same shape."""
    half_loops.from_half(np.ascontiguousarray(values).reshape(-1).view(np.uint16), out.reshape(-1).view(np.int32))


def from_bfloat16(patterns: np.ndarray, out: np.ndarray) -> None:
    """float32 of bfloat16 patterns (uint16), into contiguous `out` of the same shape."""
    half_loops.from_bfloat(np.ascontiguousarray(patterns).reshape(-1), out.reshape(-1).view(np.int32))


_FORMATS = {
    "fp16": CastFormat("fp16", 16, np.float16),
    "bf16": CastFormat("bf16", 16, np.uint16),
    "fp32": CastFormat("fp32", 32, np.float32),
}
FAMILY = Family("fp16 | bf16 | fp32", "plain floating point", tuple(_FORMATS), _FORMATS.get)
