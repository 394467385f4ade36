"""archsim's own trace file: a zip archive of a JSON header and numpy arrays, as ``archsim run --record`` writes it.

==================  ==================  ==================================================================
member              array               what
==================  ==================  ==================================================================
header.json                             format, version, name, text, harts, isa, parameters, program
words.npy           uint32 [n]          instruction words from address `text` on
initial.npy         int64 [harts, 33]   registers at the start
hart-K.index.npy    int32 [m]           per instruction executed by hart K, its slot: address text + 2 * slot
hart-K.value.npy    int64 [m]           what its target register then held
==================  ==================  ==================================================================

``program`` in the header is the SHA-256 of the words: two traces of one program have the same.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from archsim.common.errors import InputError

if TYPE_CHECKING:
    from archsim.machine.recording import Trace

FORMAT = "archsim-trace"
VERSION = 1
_AGAIN = "record it again with: archsim run --record"


@dataclass(frozen=True)
class Recorded:
    """A trace file's contents.

    Attributes:
        trace: what was executed.
        isa: names or files of the extensions it was recorded with.
        parameters: their parameters, as the design bound them.
    """

    trace: Trace
    isa: tuple[str, ...]
    parameters: dict[str, int]


def save_trace(path: Path, trace: Trace, *, isa: Sequence[str], parameters: Mapping[str, int]) -> None:
    """Write a trace; the file is there whole, or not at all.

    Args:
        isa: names or files of the extensions.
        parameters: their parameters.

    Raises:
        InputError: the file cannot be written.
    """
    header = {
        "format": FORMAT,
        "version": VERSION,
        "name": trace.name,
        "text": int(trace.text),
        "harts": len(trace.harts),
        "isa": list(isa),
        "parameters": dict(parameters),
        "program": hashlib.sha256(trace.words.astype("<u4").tobytes()).hexdigest(),
    }
    arrays = {"words": trace.words.astype("<u4"), "initial": trace.initial.astype("<i8")}
    for hart, (index, value) in enumerate(trace.harts):
        arrays[f"hart-{hart}.index"], arrays[f"hart-{hart}.value"] = index.astype("<i4"), value.astype("<i8")
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr("header.json", json.dumps(header, indent=1))
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)
        temporary.replace(path)
    except OSError as error:
        raise InputError(
            f"cannot write: {error.strerror}", file=path, remedy="choose another place, or free some space"
        ) from None
    finally:
        temporary.unlink(missing_ok=True)


def load_trace(path: Path) -> Recorded:
    """Read a trace.

    Raises:
        InputError: the file cannot be read, is no trace of archsim or of another version, is cut off or damaged.
    """
    from archsim.machine.recording import Trace

    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            header = _header(archive, path)
            words = _array(archive, "words", "<u4", 1)
            initial = _array(archive, "initial", "<i8", 2)
            harts = [
                (_array(archive, f"hart-{hart}.index", "<i4", 1), _array(archive, f"hart-{hart}.value", "<i8", 1))
                for hart in range(header["harts"])
            ]
        _check(words, initial, harts)
        trace = Trace(header["name"], header["text"], words, harts, initial)
        return Recorded(trace, tuple(header["isa"]), header["parameters"])
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror}", file=path, remedy="check the path") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, KeyError, TypeError, NotImplementedError) as error:
        raise InputError(f"not a whole trace of archsim: {error}", file=path, remedy=_AGAIN) from None


def looks_like_trace(head: bytes) -> bool:
    """Whether a file's first bytes (64 or more) are those of a trace, whole or not."""
    return head.startswith(b"PK\x03\x04") and b"header.json" in head[:64]


def _header(archive: zipfile.ZipFile, path: Path) -> dict[str, Any]:
    header = json.loads(archive.read("header.json"))
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ValueError("its header is another program's")
    if header.get("version") != VERSION:
        raise InputError(f"is a trace of version {header.get('version')}, not {VERSION}", file=path, remedy=_AGAIN)
    for name, kind in (("name", str), ("text", int), ("harts", int), ("isa", list), ("parameters", dict)):
        if not isinstance(header.get(name), kind):
            raise ValueError(f"its header has no good {name!r}")
    return header


def _array(archive: zipfile.ZipFile, name: str, dtype: str, dimensions: int) -> np.ndarray:
    """A member, with exactly the data its shape asks for: nothing is allocated on a header's word."""
    stream = io.BytesIO(archive.read(f"{name}.npy"))
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError(f"{name} is of another version of numpy's format")
    shape, _, kind = np.lib.format.read_array_header_1_0(stream)
    data = np.frombuffer(stream.getbuffer()[stream.tell() :], dtype)
    if kind != np.dtype(dtype) or len(shape) != dimensions:
        raise ValueError(f"{name} has the wrong kind or shape")
    return data.reshape(shape)


def _check(words: np.ndarray, initial: np.ndarray, harts: list[tuple[np.ndarray, np.ndarray]]) -> None:
    if initial.shape != (len(harts), 33):
        raise ValueError("the registers at the start are not those of its harts")
    for hart, (index, value) in enumerate(harts):
        if len(index) != len(value):
            raise ValueError(f"hart {hart} has {len(index)} instructions and {len(value)} values")
        if len(index) and not 0 <= index.min() <= index.max() < 2 * len(words):
            raise ValueError(f"hart {hart} executes what is not in the program")
