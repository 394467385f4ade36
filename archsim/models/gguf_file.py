"""Reading GGUF files, which may come from strangers (GGUF specification, versions 2 and 3).

Nothing is believed before it is checked: counts and lengths against the bytes that are left, tensors against the file
and against each other. Tensors are mapped, not read.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from archsim.common.errors import InputError
from archsim.formats import Packed, parse_format
from archsim.formats.gguf_types import GGUF_TYPES, OTHER_TYPES, PLAIN_TYPES, GgufType
from archsim.models.tensor_file import Bytes, check_apart, map_file

MAXIMUM_METADATA, MAXIMUM_TENSORS, MAXIMUM_VALUES = 1 << 16, 1 << 20, 1 << 22
"""Keys, tensors, and strings in arrays; the largest published vocabularies have 2**18 tokens, in two or three."""
MAXIMUM_NAME, MAXIMUM_STRING = 1 << 16, 1 << 24
MAXIMUM_DIMENSIONS = 4
_NAMES = {kind.number: (name, kind) for types in (GGUF_TYPES, PLAIN_TYPES, OTHER_TYPES) for name, kind in types.items()}
_SCALARS = {
    0: "<u1",
    1: "<i1",
    2: "<u2",
    3: "<i2",
    4: "<u4",
    5: "<i4",
    6: "<f4",
    7: "<u1",
    10: "<u8",
    11: "<i8",
    12: "<f8",
}
_BOOL, _STRING, _ARRAY = 7, 8, 9


@dataclass(frozen=True)
class GgufTensor:
    """A tensor of a file.

    Attributes:
        shape: outermost dimension first, as numpy has it (the file has it the other way round).
        type: name of its type; of most, the name of a format.
        start: of its bytes, in the file.
    """

    name: str
    shape: tuple[int, ...]
    type: str
    start: int
    nbytes: int


@dataclass(frozen=True)
class GgufFile:
    """Metadata and tensors of a file.

    Attributes:
        metadata: numbers, booleans, strings; arrays as numpy arrays, or lists of strings.
    """

    path: Path
    version: int
    metadata: dict[str, Any]
    tensors: dict[str, GgufTensor]
    data: np.ndarray

    def packed(self, name: str) -> Packed:
        """A tensor as a matrix [product of outer dimensions, innermost dimension] in its format; bytes stay mapped.

        Raises:
            InputError: there is none, or its type is not supported.
        """
        if name not in self.tensors:
            raise InputError(f"no tensor {name!r}", file=self.path, remedy=f"there are {len(self.tensors)} others")
        tensor = self.tensors[name]
        if tensor.type in OTHER_TYPES:
            raise InputError(
                f"tensor {name!r} is of type {tensor.type}, which is not supported",
                file=self.path,
                remedy="convert it to another type",
            )
        form, shape = parse_format(tensor.type), (prod(tensor.shape[:-1]), tensor.shape[-1])
        raw = self.data[tensor.start : tensor.start + tensor.nbytes]
        stored = form.storage(*shape)["codes"]
        return Packed(form, shape, {"codes": raw.view(stored.dtype).reshape(stored.shape)})


def read_gguf(path: str | Path) -> GgufFile:
    """Read the header of a GGUF file, and map its tensors.

    Raises:
        InputError: it cannot be read, is none, or is malformed: truncated, absurd sizes, overlapping tensors.
    """
    path = Path(path)
    data = map_file(path)
    source = Bytes(data, path)
    if source.take(4, "the magic number").tobytes() != b"GGUF":
        raise source.error("is no GGUF file", "give a file that starts with GGUF")
    version = source.number("<u4", "the version")
    if version not in (2, 3):
        raise source.error(f"is of GGUF version {version}", "versions 2 and 3 are supported, little-endian")
    tensors = source.count("<u8", "tensors", MAXIMUM_TENSORS, 24)
    keys = source.count("<u8", "metadata keys", MAXIMUM_METADATA, 13)
    metadata = _metadata(source, keys)
    infos = [_tensor_info(source) for _ in range(tensors)]
    alignment = metadata.get("general.alignment", 32)
    if not isinstance(alignment, int) or not 1 <= alignment <= 1 << 20 or alignment.bit_count() != 1:
        raise source.error(f"general.alignment is {alignment!r}"[:80], "it must be a power of two up to 2**20")
    start = -(-source.at // alignment) * alignment
    found: dict[str, GgufTensor] = {}
    for name, shape, type_name, kind, offset in infos:
        if name in found:
            raise source.error(f"tensor {name!r} is there twice", "keep one")
        found[name] = _placed(source, name, shape, type_name, kind, offset, start, alignment)
    check_apart([(t.start, t.nbytes, t.name) for t in found.values()], path)
    return GgufFile(path, version, metadata, found, data)


def _metadata(source: Bytes, count: int) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    budget = [MAXIMUM_VALUES]
    for _ in range(count):
        key = source.text("a key", MAXIMUM_NAME)
        if key in metadata:
            raise source.error(f"key {key[:80]!r} is there twice", "keep one")
        metadata[key] = _value(source, source.number("<u4", f"the type of {key[:80]!r}"), key[:80], budget)
    return metadata


def _value(source: Bytes, kind: int, key: str, budget: list[int]) -> Any:
    if kind in _SCALARS:
        value = source.number(_SCALARS[kind], f"the value of {key!r}")
        return bool(value) if kind == _BOOL else value
    if kind == _STRING:
        return source.text(f"the value of {key!r}", MAXIMUM_STRING)
    if kind != _ARRAY:
        raise source.error(f"key {key!r} is of type {kind}, which there is not", "repair the file")
    element = source.number("<u4", f"the type of {key!r}")
    if element in _SCALARS:
        dtype = np.dtype(_SCALARS[element])
        length = source.count("<u8", f"values of {key!r}", len(source.data), dtype.itemsize)
        values = source.take(length * dtype.itemsize, f"the values of {key!r}").view(dtype)
        return values.astype(bool) if element == _BOOL else values
    if element != _STRING:
        raise source.error(f"key {key!r} is an array of type {element}", "arrays of numbers and strings are supported")
    length = source.count("<u8", f"values of {key!r}", budget[0], 8)
    budget[0] -= length
    return [source.text(f"a value of {key!r}", MAXIMUM_NAME) for _ in range(length)]


def _tensor_info(source: Bytes) -> tuple[str, tuple[int, ...], str, GgufType, int]:
    name = source.text("a tensor's name", MAXIMUM_NAME)
    shown = name[:80]
    count = source.number("<u4", f"the dimensions of tensor {shown!r}")
    if not 1 <= count <= MAXIMUM_DIMENSIONS:
        raise source.error(f"tensor {shown!r} has {count} dimensions", f"1 to {MAXIMUM_DIMENSIONS} are allowed")
    shape = tuple(source.number("<u8", f"a dimension of tensor {shown!r}") for _ in range(count))[::-1]
    number = source.number("<u4", f"the type of tensor {shown!r}")
    offset = source.number("<u8", f"the offset of tensor {shown!r}")
    if number not in _NAMES:
        raise source.error(f"tensor {shown!r} is of type {number}, which is not known", "convert it to another type")
    return name, shape, *_NAMES[number], offset


def _placed(
    source: Bytes,
    name: str,
    shape: tuple[int, ...],
    type_name: str,
    kind: GgufType,
    offset: int,
    start: int,
    align: int,
) -> GgufTensor:
    """A tensor whose bytes are in the file."""
    shown, error = name[:80], source.error
    if min(shape) < 1:
        raise error(f"tensor {shown!r} has shape {list(shape)}", "every dimension must be 1 or more")
    if shape[-1] % kind.block:
        raise error(f"tensor {shown!r} has rows of {shape[-1]}", f"{type_name} stores blocks of {kind.block}")
    if offset % align:
        raise error(f"tensor {shown!r} has offset {offset}", f"it must be a multiple of {align}")
    nbytes = prod(shape) // kind.block * kind.nbytes
    if start + offset + nbytes > len(source.data):
        raise error(
            f"tensor {shown!r} ends at byte {start + offset + nbytes} of {len(source.data)}",
            "the file is truncated, or its header wrong",
        )
    return GgufTensor(name, shape, type_name, start + offset, nbytes)
