"""Block formats of the OCP Microscaling (MX) specification 1.0, and NVFP4."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from archsim.formats import rounding
from archsim.formats.family import Family
from archsim.formats.format import Packed, Stored
from archsim.formats.matrix import Matrix
from archsim.formats.minifloat import MINIFLOATS, MiniFloat
from archsim.formats.packing import sign_extend
from archsim.formats.scaled import CodedFormat, ScaledFormat, spread
from archsim.formats.scope import Scope

BLOCK = 32
"""Elements that share a scale (section 5.2)."""
E8M0_BIAS, E8M0_NAN = 127, 255
NVFP4_BLOCK = 16
"""Elements of NVFP4 that share an E4M3 scale (NVIDIA, Pretraining LLMs with NVFP4, 2025, section 2)."""


def e8m0_values() -> np.ndarray:
    """The value of each E8M0 code, 2**(code - 127) and NaN (section 5.4.1): float32 [256]."""
    powers = np.ldexp(np.float32(1), np.arange(E8M0_NAN, dtype=np.int32) - E8M0_BIAS)
    return np.append(powers, np.float32(np.nan))


@dataclass(frozen=True)
class MxFormat(ScaledFormat):
    """Elements of blocks of 32, times a power of two (E8M0).

    The power is that of the block's largest magnitude, rounded down, over the largest power of the element type
    (section 6.3). A block of zeros has scale 2**-127.
    """

    def scale_storage(self, rows: int, groups: int) -> dict[str, Stored]:
        return {"scales": Stored((rows, groups), np.uint8)}

    @property
    @abstractmethod
    def largest_exponent(self) -> int:
        """Exponent of the largest power of two that an element holds."""

    def fit(self, block: np.ndarray, groups: int) -> dict[str, np.ndarray]:
        # the exponent field; 0 stands for 0 and for subnormal numbers, whose scale is the smallest anyway
        field = rounding.largest_magnitudes(block, groups).view(np.int32) >> 23
        return {"scales": np.maximum(field - self.largest_exponent, 0).astype(np.uint8)}

    def scales(self, arrays: Mapping[str, np.ndarray], rows: int) -> np.ndarray:
        return e8m0_values()[arrays["scales"]]


@dataclass(frozen=True)
class MxFloatFormat(MxFormat):
    """MXFP8, MXFP6, MXFP4: elements are rounded with ties to even, and saturate; -0 stays.

    GGUF's own MXFP4 (`gguf-mxfp4`) rounds ties toward zero and never writes -0.
    """

    element: MiniFloat

    @property
    def largest_exponent(self) -> int:
        return self.element.largest_exponent

    def round(self, block: np.ndarray, fitted: Mapping[str, np.ndarray]) -> np.ndarray:
        return self.element.encode(block, self.scales(fitted, len(block)))

    def table(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        return self.element.levels()[None]


@dataclass(frozen=True)
class MxInt8Format(MxFormat):
    """MXINT8: code x 2**-6 x scale, code from -127 to 127 (section 5.3.4 leaves -128 open: it is not used)."""

    @property
    def largest_exponent(self) -> int:
        return 0

    def round(self, block: np.ndarray, fitted: Mapping[str, np.ndarray]) -> np.ndarray:
        scales = self.scales(fitted, len(block)) * np.float32(2**-6)
        limit = np.float32(127)
        return rounding.round_to_codes(block, scales, np.zeros_like(scales), -limit, limit).astype(np.uint8)

    def table(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        return (sign_extend(np.arange(256, dtype=np.uint8), 8) * np.float32(2**-6))[None]

    def read_codes(self, packed: Packed) -> np.ndarray:
        return super().read_codes(packed).view(np.int8)


@dataclass(frozen=True)
class Nvfp4Format(CodedFormat):
    """E2M1 elements in blocks of 16, times an E4M3 scale, times a float32 scale of the tensor.

    Tensor scale: largest magnitude over 448 x 6. Block scale: the block's largest magnitude over 6 and over the tensor
    scale, ties to even. Elements: weight over the product of both, ties to even (NVIDIA, 2025, appendix B).
    """

    element: MiniFloat

    @property
    def shared(self) -> frozenset[str]:
        return frozenset({"tensor_scale"})

    def scale_storage(self, rows: int, groups: int) -> dict[str, Stored]:
        return {"scales": Stored((rows, groups), np.uint8), "tensor_scale": Stored((1, 1), np.float32)}

    def learn(self, matrix: Matrix) -> dict[str, np.ndarray]:
        largest = max(rounding.largest_magnitudes(block, 1).max() for block in matrix.blocks())
        return {"tensor_scale": np.array([[largest]], np.float32) / np.float32(_E4M3.maximum * self.element.maximum)}

    def fit_rows(self, block: np.ndarray, shared: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        largest = rounding.largest_magnitudes(block, self.sharing.groups(block.shape[1]))
        tensor = spread(shared["tensor_scale"], len(block))
        return {"scales": _E4M3.encode(largest / np.float32(self.element.maximum), tensor)}

    def round(self, block: np.ndarray, fitted: Mapping[str, np.ndarray]) -> np.ndarray:
        scales = self.scales(fitted, len(block))
        codes = self.element.encode(block, scales)
        # nothing is left of a block whose scale is 0
        codes[np.repeat(scales == 0, NVFP4_BLOCK, axis=1)] = 0
        return codes

    def scales(self, arrays: Mapping[str, np.ndarray], rows: int) -> np.ndarray:
        return _E4M3.levels()[arrays["scales"]] * arrays["tensor_scale"]

    def table(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        return self.element.levels()[None]


_E4M3 = MINIFLOATS["fp8-e4m3"]
_FP4 = MINIFLOATS["fp4-e2m1"]


def _formats() -> dict[str, CodedFormat]:
    scope = Scope("group", BLOCK)
    formats: list[CodedFormat] = [MxFloatFormat("mxfp4", 4, scope, _FP4)]
    for kind in ("fp6-e2m3", "fp6-e3m2", "fp8-e4m3", "fp8-e5m2"):
        formats.append(MxFloatFormat(f"mx{kind}", MINIFLOATS[kind].bits, scope, MINIFLOATS[kind]))
    formats.append(MxInt8Format("mxint8", 8, scope))
    formats.append(Nvfp4Format("nvfp4", 4, Scope("group", NVFP4_BLOCK), _FP4))
    return {form.name: form for form in formats}


_FORMATS = _formats()
FAMILY = Family(
    " | ".join(_FORMATS),
    "OCP MX: blocks of 32 with a power of two; NVFP4: blocks of 16 with an E4M3 scale, and a scale per tensor",
    tuple(_FORMATS),
    _FORMATS.get,
)
