"""fp32, fp16 and bf16: plain floating-point numbers, nothing shared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from archsim.common.errors import InputError
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
        if self.name == "bf16":
            return {"codes": self.fitting(block, bfloat16_patterns(block), bfloat16_values)}
        with np.errstate(over="ignore"):
            return {"codes": self.fitting(block, block.astype(self.dtype), np.asarray)}

    def fitting(self, block: np.ndarray, codes: np.ndarray, values: object) -> np.ndarray:
        """The codes, if all are finite."""
        if not np.isfinite(values(codes)).all():  # type: ignore[operator]
            largest = np.abs(block).max()
            raise InputError(f"a weight of {largest:.6g} does not fit {self.name}", remedy="use fp32")
        return codes

    def decode(self, arrays: Mapping[str, np.ndarray], out: np.ndarray) -> None:
        out[...] = bfloat16_values(arrays["codes"]) if self.name == "bf16" else arrays["codes"]

    def read_codes(self, packed: Packed) -> np.ndarray:
        return packed.packed


def bfloat16_patterns(values: np.ndarray) -> np.ndarray:
    """The upper halves of finite float32, rounded with ties to even: uint16."""
    bits = values.view(np.uint32)
    return ((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)).astype(np.uint16)


def bfloat16_values(patterns: np.ndarray) -> np.ndarray:
    """float32 of bfloat16 patterns."""
    return (patterns.astype(np.uint32) << np.uint32(16)).view(np.float32)


_FORMATS = {
    "fp16": CastFormat("fp16", 16, np.float16),
    "bf16": CastFormat("bf16", 16, np.uint16),
    "fp32": CastFormat("fp32", 32, np.float32),
}
FAMILY = Family("fp16 | bf16 | fp32", "plain floating point", tuple(_FORMATS), _FORMATS.get)
