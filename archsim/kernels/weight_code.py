"""How xqt holds and multiplies weights of a number format: codes, their scales, and the instruction that does it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from archsim.common.errors import InputError
from archsim.formats import Format, IntegerFormat, Packed
from archsim.formats.gguf_blocks import GgufFormat
from archsim.formats.gguf_legacy import IQ4_NL_LEVELS
from archsim.formats.integer import AsymmetricFormat
from archsim.formats.microscaling import BLOCK, MxFloatFormat, MxInt8Format
from archsim.formats.normal_float import NF4_LEVELS, NormalFloatFormat
from archsim.formats.packing import pack_bits, pack_trits, packed_bytes, unpack_bits
from archsim.formats.scaled import ScaledFormat
from archsim.formats.sign import SignFormat, TernaryFormat

CODES = ("int8", "int4", "int3", "int2", "ternary", "sign", "fp8_e4m3", "fp8_e5m2", "fp4", "fp6", "cb4", "cb3", "cb2")
"""Values of qfmt.wfmt, in order."""
_BITS = {"int8": 8, "int4": 4, "int3": 3, "int2": 2, "sign": 1, "fp8_e4m3": 8, "fp8_e5m2": 8, "fp4": 4, "fp6": 6,
         "cb4": 4, "cb3": 3, "cb2": 2}  # fmt: skip
SUPER_BLOCK = 256
"""Weights of a K-quant block."""
_HEADER = 16
"""Bytes of a Q4_K block in front of its codes: d, dmin, eight scales and eight mins of 6 bits."""
_MX_ELEMENTS = {"mxfp4": "fp4", "mxfp8-e4m3": "fp8_e4m3", "mxfp8-e5m2": "fp8_e5m2", "mxfp6-e3m2": "fp6"}


@dataclass(frozen=True)
class WeightCode:
    """Codes of weights on xqt.

    Attributes:
        name: of the format.
        code: one of CODES.
        multiply: the instruction: "qt.mma.s", or its like for zero points (".sz"), powers of two (".mx"), levels
            (".cbs") and Q4_K (".k4").
        group: weights that share a scale; 0: a row.
        levels: of the codes, where the instruction takes a codebook.
    """

    name: str
    code: str
    multiply: str = "qt.mma.s"
    group: int = 0
    levels: tuple[float, ...] = ()

    @property
    def number(self) -> int:
        """Of the code in qfmt.wfmt."""
        return CODES.index(self.code)

    @property
    def unit_format(self) -> str:
        """The format that a matrix unit must multiply."""
        return "int4" if self.multiply == "qt.mma.k4" else self.code

    @property
    def unpackable(self) -> bool:
        """Whether codes are integers that qt.unpk turns into int8 for a unit without them."""
        return self.multiply in ("qt.mma.s", "qt.mma.sz")

    @property
    def has_zero(self) -> bool:
        """Whether a code, or a zero point, makes a weight of 0: signs alone have none."""
        return self.code != "sign"

    @property
    def scale_parts(self) -> int:
        """Arrays of scales: two with zero points."""
        return 2 if self.multiply == "qt.mma.sz" else 1

    @property
    def scale_bytes(self) -> int:
        """Bytes of a scale: float16, E8M0, or the header of a super block."""
        return {"qt.mma.mx": 1, "qt.mma.k4": _HEADER}.get(self.multiply, 2)

    def row_bytes(self, codes: int) -> int:
        """Bytes of so many packed codes."""
        return -(-codes // 5) if self.code == "ternary" else packed_bytes(codes, _BITS[self.code])

    def pack(self, codes: np.ndarray) -> np.ndarray:
        """Codes uint8 [rows, columns] (ternary: int8) as a tile holds them: uint8 [rows, row_bytes(columns)]."""
        return pack_trits(codes.view(np.int8)) if self.code == "ternary" else pack_bits(codes, _BITS[self.code])


def weight_code(form: Format) -> WeightCode:
    """The code of a format.

    Raises:
        InputError: no kernel multiplies it.
    """
    code = _of_scaled(form) if isinstance(form, ScaledFormat) else _GGUF.get(form.name)
    if code is None or (isinstance(form, ScaledFormat) and form.scope == "token"):
        raise InputError(
            f"no kernel multiplies weights of format {form.name!r}",
            remedy="use int2, int3, int4 or int8 (-asym, too), ternary or binary, mxfp4, mxfp6-e3m2, mxfp8-e4m3, "
            "mxfp8-e5m2, mxint8, nf4-g64, iq4_nl, q4_0, q8_0 or q4_k",
        )
    return code


_GGUF = {
    "q4_k": WeightCode("q4_k", "cb4", "qt.mma.k4", SUPER_BLOCK),
    "q4_0": WeightCode("q4_0", "int4", group=32),
    "q8_0": WeightCode("q8_0", "int8", group=32),
    "iq4_nl": WeightCode("iq4_nl", "cb4", "qt.mma.cbs", 32, tuple(map(float, IQ4_NL_LEVELS))),
}


def _of_scaled(form: ScaledFormat) -> WeightCode | None:
    if isinstance(form, TernaryFormat):
        return WeightCode(form.name, "ternary", group=form.group)
    if isinstance(form, SignFormat):
        return WeightCode(form.name, "sign", group=form.group)
    if isinstance(form, NormalFloatFormat):
        return WeightCode(form.name, "cb4", "qt.mma.cbs", form.group, tuple(map(float, NF4_LEVELS)))
    if isinstance(form, MxInt8Format):
        return WeightCode(form.name, "int8", "qt.mma.mx", BLOCK)
    if isinstance(form, MxFloatFormat) and form.name in _MX_ELEMENTS:
        return WeightCode(form.name, _MX_ELEMENTS[form.name], "qt.mma.mx", BLOCK)
    if isinstance(form, IntegerFormat) and form.bits in (2, 3, 4, 8):
        zeros = isinstance(form, AsymmetricFormat)
        return WeightCode(form.name, f"int{form.bits}", "qt.mma.sz" if zeros else "qt.mma.s", form.group)
    return None


@dataclass(frozen=True)
class CodedWeights:
    """A quantised matrix as xqt takes it.

    Attributes:
        codes: uint8 [rows, columns] (ternary: int8 as uint8).
        scales: uint8 [parts, rows, groups, bytes]: scales, then zero points.
        filler: code of a weight of 0, uint8 [rows]: what fills up a row.
    """

    code: WeightCode
    codes: np.ndarray
    scales: np.ndarray
    filler: np.ndarray


def coded(packed: Packed) -> CodedWeights:
    """Codes and scales of a matrix.

    Raises:
        InputError: no kernel multiplies its format.
    """
    code, rows = weight_code(packed.format), packed.shape[0]
    if isinstance(packed.format, GgufFormat):
        codes, scales = _BLOCKS[packed.format.name](packed)
        zero = 8 if code.multiply == "qt.mma.cbs" else 0
        return CodedWeights(code, codes, scales[None], np.full(rows, zero, np.uint8))
    if code.multiply == "qt.mma.mx":
        codes = unpack_bits(packed.packed, packed.format.bits, packed.shape[1])
        return CodedWeights(code, codes, packed.scales[None, :, :, None], np.zeros(rows, np.uint8))
    scales = _bytes_of(packed.scales, rows)
    codes, zero = packed.codes, 0
    if code.code == "sign":
        codes = (codes > 0).view(np.uint8)
    elif code.levels:
        zero = int(np.argmin(np.abs(np.array(code.levels))))
    elif code.multiply == "qt.mma.sz":
        return _with_zeros(code, packed, scales)
    return CodedWeights(code, codes.view(np.uint8), scales[None], np.full(rows, zero, np.uint8))


def _with_zeros(code: WeightCode, packed: Packed, scales: np.ndarray) -> CodedWeights:
    """Codes count from the middle of their range, as signed integers do, and so do zero points."""
    form = packed.format
    assert isinstance(form, AsymmetricFormat)
    middle = 1 << form.bits - 1
    zeros = form.zeros(packed.arrays, packed.shape[0]) - np.float32(middle)
    codes = packed.codes - np.uint8(middle)
    both = np.stack([scales, _bytes_of(zeros.astype(np.float16), len(zeros))])
    return CodedWeights(code, codes, both, zeros[:, -1].astype(np.int8).view(np.uint8))


def _bytes_of(values: np.ndarray, rows: int) -> np.ndarray:
    """float16 [rows or 1, groups] as uint8 [rows, groups, 2]."""
    spread = np.ascontiguousarray(np.broadcast_to(values, (rows, values.shape[1])))
    return spread.view(np.uint8).reshape(*spread.shape, 2)


def _blocks(packed: Packed) -> np.ndarray:
    """Blocks of a GGUF type: uint8 [rows, blocks, bytes]."""
    form = packed.format
    assert isinstance(form, GgufFormat)
    return packed.packed.reshape(len(packed.packed), -1, form.kind.nbytes)


def _halves(nibbles: np.ndarray) -> np.ndarray:
    """Codes of bytes that hold the first half of a block in their low, the second in their high nibbles."""
    return np.concatenate([nibbles & 15, nibbles >> 4], axis=-1)


def _q4_k(packed: Packed) -> tuple[np.ndarray, np.ndarray]:
    blocks = _blocks(packed)
    nibbles = blocks[:, :, _HEADER:].reshape(*blocks.shape[:2], 4, 32)
    return _halves(nibbles).reshape(packed.shape), blocks[:, :, :_HEADER]


def _q4_0(packed: Packed) -> tuple[np.ndarray, np.ndarray]:
    blocks = _blocks(packed)
    return (_halves(blocks[:, :, 2:]) - np.uint8(8)).reshape(packed.shape), blocks[:, :, :2]


def _q8_0(packed: Packed) -> tuple[np.ndarray, np.ndarray]:
    blocks = _blocks(packed)
    return blocks[:, :, 2:].reshape(packed.shape), blocks[:, :, :2]


def _iq4_nl(packed: Packed) -> tuple[np.ndarray, np.ndarray]:
    blocks = _blocks(packed)
    return _halves(blocks[:, :, 2:]).reshape(packed.shape), blocks[:, :, :2]


_BLOCKS: dict[str, Callable[[Packed], tuple[np.ndarray, np.ndarray]]] = {
    "q4_k": _q4_k, "q4_0": _q4_0, "q8_0": _q8_0, "iq4_nl": _iq4_nl,
}  # fmt: skip
