"""GGUF files: what the gguf package writes is read; what is malformed is one clear error."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archsim.common.errors import InputError
from archsim.formats import quantize
from archsim.formats.gguf_types import GGUF_TYPES, OTHER_TYPES
from archsim.models.gguf_file import read_gguf

WEIGHTS = np.random.default_rng(1).normal(size=(6, 512)).astype(np.float32)


def write(path: Path) -> None:
    """A file of the gguf package: every kind of metadata, every type of tensor."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_uint32("test.number", 7)
    writer.add_float32("test.float", 0.5)
    writer.add_bool("test.flag", True)
    writer.add_string("test.text", "wörter")
    writer.add_array("test.tokens", ["a", "b", "▁c"])
    writer.add_array("test.scores", [1.0, 2.0, 3.0])
    writer.add_tensor("plain", WEIGHTS)
    writer.add_tensor("half", WEIGHTS.reshape(2, 3, 512).astype(np.float16))
    for name in GGUF_TYPES:
        raw = quantize(WEIGHTS, name).packed
        number = gguf.GGMLQuantizationType[name.removeprefix("gguf-").upper()]
        writer.add_tensor(name, raw, raw_dtype=number)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gguf") / "model.gguf"
    write(path)
    return path


def test_metadata_and_tensors_are_what_was_written(written: Path) -> None:
    file = read_gguf(written)
    assert file.metadata["general.architecture"] == "llama"
    assert [file.metadata[f"test.{key}"] for key in ("number", "float", "flag", "text")] == [7, 0.5, True, "wörter"]
    assert file.metadata["test.tokens"] == ["a", "b", "▁c"]
    assert np.asarray(file.metadata["test.scores"]).tolist() == [1, 2, 3]
    assert np.array_equal(file.packed("plain").dequantize(), WEIGHTS)
    assert file.tensors["half"].shape == (2, 3, 512)
    assert np.array_equal(file.packed("half").dequantize(), WEIGHTS.astype(np.float16).astype(np.float32))


@pytest.mark.parametrize("name", GGUF_TYPES)
def test_tensors_of_every_type_decode_as_in_gguf(written: Path, name: str) -> None:
    packed = read_gguf(written).packed(name)
    theirs = next(tensor for tensor in gguf.GGUFReader(written).tensors if tensor.name == name)
    assert np.array_equal(packed.dequantize(), gguf.quants.dequantize(theirs.data, theirs.tensor_type))
    # mapped, not read
    assert not packed.packed.flags.owndata and not packed.packed.flags.writeable


def test_types_without_a_format_have_ggufs_sizes() -> None:
    names = {"fp64": "F64", "int8": "I8", "int16": "I16", "int32": "I32", "int64": "I64", "gguf-nvfp4": "NVFP4"}
    for name, kind in OTHER_TYPES.items():
        theirs = gguf.GGMLQuantizationType[names.get(name, name.upper())]
        # its constant for Q8_1 is stale: ggml-common.h has 36 bytes
        size = (32, 36) if name == "q8_1" else gguf.GGML_QUANT_SIZES[theirs]
        assert (kind.number, (kind.block, kind.nbytes)) == (theirs.value, size)


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def tensor(name: str, dims: tuple[int, ...] = (32,), kind: int = 0, offset: int = 0) -> bytes:
    return text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, offset)


def header(
    tensors: list[bytes], keys: Sequence[bytes] = (), version: int = 3, counts: tuple[int, int] | None = None
) -> bytes:
    counts = counts or (len(tensors), len(keys))
    head = b"GGUF" + struct.pack("<IQQ", version, *counts) + b"".join(keys) + b"".join(tensors)
    return head + bytes(-len(head) % 32)


STRINGS = struct.pack("<II", 9, 8)
HUGE = 2**63 - 1
MALFORMED = [
    (b"", "the file is empty"),
    (b"GG", "the magic number at byte 0 takes 4 bytes, 2 are left"),
    (b"PK\3\4" + bytes(40), "is no GGUF file"),
    (header([], version=1), "is of GGUF version 1"),
    (header([], version=3 << 24), "is of GGUF version 50331648"),
    (header([], counts=(HUGE, 0)), f"{HUGE} tensors at byte 8, 16 bytes are left"),
    (header([], counts=(0, HUGE)), f"{HUGE} metadata keys at byte 16"),
    (header([], [struct.pack("<Q", HUGE)]), "1 metadata keys at byte 16, 8 bytes are left"),
    (header([], [struct.pack("<Q", HUGE) + bytes(99)]), f"a key at byte 32 is {HUGE} bytes long"),
    (header([], [text("k") + struct.pack("<IQ", 8, HUGE) + bytes(99)]), f"the value of 'k' at byte 45 is {HUGE}"),
    (header([], [text("k") + struct.pack("<I", 13)]), "key 'k' is of type 13, which there is not"),
    (header([], [text("k") + struct.pack("<II", 9, 9) + bytes(99)]), "key 'k' is an array of type 9"),
    (header([], [text("k") + STRINGS + struct.pack("<Q", HUGE)]), f"{HUGE} values of 'k'"),
    (header([], [text("k") + struct.pack("<IIQ", 9, 12, 2**61)]), "2305843009213693952 values of 'k'"),
    (header([], 2 * [text("k") + struct.pack("<II", 4, 1)]), "key 'k' is there twice"),
    (header([], [text("general.alignment") + struct.pack("<II", 4, 0)]), "general.alignment is 0"),
    (header([], [text("general.alignment") + struct.pack("<II", 4, 24)]), "general.alignment is 24"),
    (header([], [text("general.alignment") + struct.pack("<I", 8) + text("8")]), "general.alignment is '8'"),
    (header([tensor("t", ())]), "tensor 't' has 0 dimensions"),
    (header([tensor("t", (1,) * 9)]) + bytes(64), "tensor 't' has 9 dimensions"),
    (header([text("t") + struct.pack("<I", 2**32 - 1)]) + bytes(64), "tensor 't' has 4294967295 dimensions"),
    (header([tensor("t", (0, 4))]) + bytes(64), "tensor 't' has shape [4, 0]"),
    (header([tensor("t", (2**63, 2**63, 2**63, 2**63))]) + bytes(64), "tensor 't' ends at byte"),
    (header([tensor("t", (33,), 2)]) + bytes(64), "tensor 't' has rows of 33; q4_0 stores blocks of 32"),
    (header([tensor("t", (32,), 77)]) + bytes(640), "tensor 't' is of type 77, which is not known"),
    (header([tensor("t", (32,), 0, 5)]) + bytes(640), "tensor 't' has offset 5"),
    (header([tensor("t", (32,), 0, 2**64 - 32)]) + bytes(640), "tensor 't' ends at byte"),
    (header([tensor("t")]) + bytes(127), "tensor 't' ends at byte"),
    (header([tensor("t"), tensor("t", offset=128)]) + bytes(256), "tensor 't' is there twice"),
    (header([tensor("t"), tensor("u", offset=96)]) + bytes(256), "tensors 't' and 'u' overlap"),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "message"), MALFORMED, ids=[message[:40] for _, message in MALFORMED])
def test_malformed_files_are_refused(tmp_path: Path, raw: bytes, message: str) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(raw)
    with pytest.raises(InputError) as error:
        read_gguf(path)
    assert str(error.value).startswith(f"{path}: {message}")
    assert len(str(error.value).splitlines()) == 1 and error.value.remedy


def test_a_well_formed_file_of_our_own(tmp_path: Path) -> None:
    path = tmp_path / "good.gguf"
    path.write_bytes(header([tensor("t"), tensor("u", offset=128)]) + bytes(128) + np.arange(32, dtype="<f4").tobytes())
    assert read_gguf(path).packed("u").dequantize().tolist() == [list(range(32))]
    path.write_bytes(header([tensor("t", (256,), 16)]) + bytes(66))
    with pytest.raises(InputError, match="tensor 't' is of type iq2_xxs, which is not supported"):
        read_gguf(path).packed("t")
    with pytest.raises(InputError, match="no tensor 'v'; there are 1 others"):
        read_gguf(path).packed("v")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.gguf"):
        with pytest.raises(InputError, match="cannot read: no such file"):
            read_gguf(path)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.integers(0, 1500), st.integers(0, 255)), max_size=4), cut=st.integers(0, 60_000))
def test_any_damage_is_an_input_error_or_none(written: Path, tmp_path: Path, changes: list, cut: int) -> None:
    raw = bytearray(written.read_bytes())
    for place, value in changes:
        raw[place] = value
    path = tmp_path / "damaged.gguf"
    path.write_bytes(raw[: len(raw) - cut] if cut < len(raw) else b"")
    try:
        file = read_gguf(path)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert all(entry.start + entry.nbytes <= len(raw) for entry in file.tensors.values())
