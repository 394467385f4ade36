"""safetensors files: what the package writes is read; what is malformed is one clear error."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from archsim.common.errors import InputError
from archsim.models.safetensors_file import read_safetensors

VALUES = np.random.default_rng(1).normal(size=(3, 4)).astype(np.float32)
NUMPY = (
    "float64",
    "float32",
    "float16",
    "int64",
    "int32",
    "int16",
    "int8",
    "uint64",
    "uint32",
    "uint16",
    "uint8",
    "bool",
)


def file_of(header: Any, data: bytes = bytes(64), length: int | None = None) -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + data


def entry(shape: Any = (16,), dtype: Any = "F32", offsets: Any = (0, 64)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def test_what_the_package_writes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    tensors = {name: (10 * VALUES).astype(name) for name in NUMPY}
    tensors["scalar"], tensors["none"] = np.float32(3), np.zeros((0, 4), np.float32)
    path.write_bytes(save({name: np.asarray(values) for name, values in tensors.items()}, {"format": "np"}))
    file = read_safetensors(path)
    assert file.metadata == {"format": "np"}
    for name, values in tensors.items():
        assert np.array_equal(file.raw(name), values) and file.raw(name).dtype == np.asarray(values).dtype
        assert np.array_equal(file.values(name), np.asarray(values, np.float32))
    assert not file.raw("float32").flags.owndata and not file.raw("float32").flags.writeable


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [("BF16", ml_dtypes.bfloat16), ("F8_E4M3", ml_dtypes.float8_e4m3fn), ("F8_E5M2", ml_dtypes.float8_e5m2)],
)
def test_small_floats_have_the_values_of_ml_dtypes(tmp_path: Path, dtype: str, kind: Any) -> None:
    path = tmp_path / "model.safetensors"
    values = VALUES.astype(kind)
    path.write_bytes(file_of({"t": entry((3, 4), dtype, (0, values.nbytes))}, values.tobytes()))
    assert np.array_equal(read_safetensors(path).values("t"), values.astype(np.float32))


MALFORMED = [
    (b"", "the file is empty"),
    (b"1234", "the length of the header at byte 0 takes 8 bytes, 4 are left"),
    (file_of({}, length=2**63), "the header is 9223372036854775808 bytes long"),
    (file_of({}, length=1000), "the header at byte 8 takes 1000 bytes, 66 are left"),
    (file_of(b"{'t': 1}"), "the header is no JSON"),
    (file_of(b"\xff\xfe{}"), "the header is no JSON"),
    (file_of(b"[" * 100_000), "the header is no JSON"),
    (file_of(b'{"t": {"shape": [1' + b"0" * 5000 + b"]}}"), "the header is no JSON"),
    (file_of([1]), "the header is no JSON object"),
    (file_of(b'{"t": {}, "t": {}}'), "a key of the header is there twice"),
    (file_of({"__metadata__": {"a": 1}}), "__metadata__ holds something else than strings"),
    (file_of({"t": 3}), "tensor 't' has dtype 'None'"),
    (file_of({"t": entry(dtype="F4")}), "tensor 't' has dtype 'F4'"),
    (file_of({"t": entry(dtype=["F32"])}), "tensor 't' has dtype \"['F32']\""),
    (file_of({"t": entry(shape=[-1])}), "tensor 't' has no shape of whole numbers"),
    (file_of({"t": entry(shape=[1.5])}), "tensor 't' has no shape of whole numbers"),
    (file_of({"t": entry(shape=[1] * 9)}), "tensor 't' has no shape of whole numbers"),
    (file_of({"t": entry(shape=[2**62] * 8)}), "tensor 't' has 64 bytes where its shape takes"),
    (file_of({"t": entry(offsets=[0])}), "tensor 't' has no pair of data_offsets"),
    (file_of({"t": entry(offsets=[64, 0])}), "tensor 't' has -64 bytes where its shape takes 64"),
    (file_of({"t": entry(offsets=[2**62, 2**62 + 64])}), "tensor 't' ends at byte 4611686018427387968 of 64"),
    (file_of({"t": entry()}, bytes(63)), "tensor 't' ends at byte 64 of 63"),
    (file_of({"t": entry(), "u": entry((1,), offsets=(60, 64))}), "tensors 't' and 'u' overlap"),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "message"), MALFORMED, ids=[message[:40] for _, message in MALFORMED])
def test_malformed_files_are_refused(tmp_path: Path, raw: bytes, message: str) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(raw)
    with pytest.raises(InputError) as error:
        read_safetensors(path)
    assert str(error.value).startswith(f"{path}: {message}")
    assert len(str(error.value).splitlines()) == 1 and error.value.remedy


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.integers(0, 120), st.integers(0, 255)), max_size=4), cut=st.integers(0, 200))
def test_any_damage_is_an_input_error_or_none(tmp_path: Path, changes: list, cut: int) -> None:
    raw = bytearray(save({"a": VALUES, "b": VALUES.astype(np.int8)}))
    for place, value in changes:
        raw[place] = value
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(raw[: max(len(raw) - cut, 0)])
    try:
        file = read_safetensors(path)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert all(file.values(name).dtype == np.float32 for name in file.tensors)
