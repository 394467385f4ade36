"""Reading safetensors files, which may come from strangers (format: huggingface/safetensors, README, "Format").

A header is a 64-bit length and JSON; tensors lie behind it, mapped, not read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from archsim.common.errors import InputError
from archsim.formats.cast import from_bfloat16
from archsim.formats.minifloat import MINIFLOATS
from archsim.models.tensor_file import Bytes, check_apart, map_file

MAXIMUM_HEADER = 32 << 20
"""Bytes; some 200,000 tensors."""
MAXIMUM_DIMENSIONS = 8
_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "F8_E4M3": "u1", "F8_E5M2": "u1", "I64": "<i8",
    "I32": "<i4", "I16": "<i2", "I8": "i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?",
}  # fmt: skip
_MINIFLOATS = {"F8_E4M3": "fp8-e4m3", "F8_E5M2": "fp8-e5m2"}


@dataclass(frozen=True)
class SafeTensor:
    """A tensor of a file.

    Attributes:
        dtype: as the file has it, such as "BF16".
        start: of its bytes, in the file.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    start: int
    nbytes: int


@dataclass(frozen=True)
class SafeTensorsFile:
    """Metadata and tensors of a file."""

    path: Path
    metadata: dict[str, str]
    tensors: dict[str, SafeTensor]
    data: np.ndarray

    def raw(self, name: str) -> np.ndarray:
        """A tensor as stored, mapped; BF16 as uint16 and FP8 as uint8 patterns.

        Raises:
            InputError: there is none.
        """
        if name not in self.tensors:
            raise InputError(f"no tensor {name!r}", file=self.path, remedy=f"there are {len(self.tensors)} others")
        tensor = self.tensors[name]
        part = self.data[tensor.start : tensor.start + tensor.nbytes]
        # a tensor may start anywhere; numpy reads it all the same
        return np.frombuffer(part, _DTYPES[tensor.dtype]).reshape(tensor.shape)

    def values(self, name: str) -> np.ndarray:
        """A tensor as float32.

        Raises:
            InputError: there is none.
        """
        raw = self.raw(name)
        dtype = self.tensors[name].dtype
        if dtype == "BF16":
            values = np.empty(raw.shape, np.float32)
            from_bfloat16(raw, values)
            return values
        return MINIFLOATS[_MINIFLOATS[dtype]].levels()[raw] if dtype in _MINIFLOATS else raw.astype(np.float32)


def read_safetensors(path: str | Path) -> SafeTensorsFile:
    """Read the header of a safetensors file, and map its tensors.

    Raises:
        InputError: it cannot be read, is none, or is malformed: truncated, absurd sizes, overlapping tensors.
    """
    path = Path(path)
    data = map_file(path)
    source = Bytes(data, path)
    length = source.number("<u8", "the length of the header")
    if length > MAXIMUM_HEADER:
        raise source.error(f"the header is {length} bytes long", f"up to {MAXIMUM_HEADER} are allowed")
    header = _header(source.take(length, "the header").tobytes(), path)
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise source.error("__metadata__ holds something else than strings", "repair the file")
    tensors = {name: _tensor(source, name, entry) for name, entry in header.items()}
    check_apart([(tensor.start, tensor.nbytes, tensor.name) for tensor in tensors.values()], path)
    return SafeTensorsFile(path, metadata, tensors, data)


def _header(raw: bytes, path: Path) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) < len(pairs):
            raise InputError("a key of the header is there twice", file=path, remedy="keep one")
        return result

    try:
        header = json.loads(raw.decode("utf-8"), object_pairs_hook=unique)
    except (ValueError, RecursionError):
        raise InputError("the header is no JSON", file=path, remedy="give a safetensors file") from None
    if not isinstance(header, dict):
        raise InputError("the header is no JSON object", file=path, remedy="give a safetensors file")
    return header


def _tensor(source: Bytes, name: str, entry: Any) -> SafeTensor:
    shown = name[:80]
    fields: dict[str, Any] = entry if isinstance(entry, dict) else {}
    dtype, shape, offsets = fields.get("dtype"), fields.get("shape"), fields.get("data_offsets")
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise source.error(f"tensor {shown!r} has dtype {str(dtype)[:40]!r}", f"known: {', '.join(_DTYPES)}")
    if not _is_whole(shape) or len(shape) > MAXIMUM_DIMENSIONS:
        raise source.error(f"tensor {shown!r} has no shape of whole numbers", "repair the file")
    if not _is_whole(offsets) or len(offsets) != 2:
        raise source.error(f"tensor {shown!r} has no pair of data_offsets", "repair the file")
    begin, end = offsets
    nbytes = prod(shape) * np.dtype(_DTYPES[dtype]).itemsize
    if end - begin != nbytes:
        raise source.error(
            f"tensor {shown!r} has {end - begin} bytes where its shape takes {nbytes}", "repair the file"
        )
    if source.at + end > len(source.data):
        limit = len(source.data) - source.at
        raise source.error(f"tensor {shown!r} ends at byte {end} of {limit}", "the file is truncated")
    return SafeTensor(name, tuple(shape), dtype, source.at + begin, nbytes)


def _is_whole(values: Any) -> TypeGuard[list[int]]:
    """Whether this is a list of whole numbers from 0 to 2**63."""
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 2**63 for value in values)
