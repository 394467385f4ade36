"""archsim's trace files: what is written comes back, and what is damaged or foreign is refused in one line."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.common.errors import InputError
from archsim.machine.recording import Trace
from archsim.traces.archsim_trace import load_trace, save_trace
from archsim.traces.detect import detect

RANDOM = np.random.default_rng(1)


def example(harts: int = 2, instructions: int = 5000) -> Trace:
    words = RANDOM.integers(0, 1 << 32, 100, dtype=np.uint32)
    executed = [
        (
            RANDOM.integers(0, 100, instructions, dtype=np.int32) * 2,
            RANDOM.integers(-(1 << 63), (1 << 63) - 1, instructions),
        )
        for _ in range(harts)
    ]
    return Trace("dot", 0x10000, words, executed, RANDOM.integers(-5, 5, (harts, 33)))


def save(folder: Path, trace: Trace) -> Path:
    path = folder / "dot.trace"
    save_trace(path, trace, isa=["rv64im", "xqt"], parameters={"TM": 16})
    return path


@settings(max_examples=20)
@given(st.integers(1, 4), st.integers(0, 300))
def test_what_is_written_comes_back(tmp_path_factory: pytest.TempPathFactory, harts: int, instructions: int) -> None:
    trace = example(harts, instructions)
    path = save(tmp_path_factory.mktemp("trace"), trace)
    back = load_trace(path)
    assert (back.isa, back.parameters) == (("rv64im", "xqt"), {"TM": 16})
    assert (back.trace.name, back.trace.text) == ("dot", 0x10000)
    np.testing.assert_array_equal(back.trace.words, trace.words)
    np.testing.assert_array_equal(back.trace.initial, trace.initial)
    assert len(back.trace.harts) == harts
    for (index, value), (index_back, value_back) in zip(trace.harts, back.trace.harts, strict=True):
        np.testing.assert_array_equal(index_back, index)
        np.testing.assert_array_equal(value_back, value)


def test_numpy_reads_it_too_and_nothing_else_is_left_in_the_folder(tmp_path: Path) -> None:
    trace = example()
    path = save(tmp_path, trace)
    np.testing.assert_array_equal(np.load(path)["hart-1.value"], trace.harts[1][1])
    assert os.listdir(tmp_path) == ["dot.trace"]
    assert detect(path) == "archsim"


def test_the_same_program_has_the_same_digest(tmp_path: Path) -> None:
    trace = example()
    digests = set()
    for harts in (trace.harts, trace.harts[:1]):
        save(tmp_path, Trace("other", 0, trace.words, harts, trace.initial[: len(harts)]))
        with zipfile.ZipFile(tmp_path / "dot.trace") as archive:
            digests.add(json.loads(archive.read("header.json"))["program"])
    assert len(digests) == 1


def test_every_cut_is_noticed(tmp_path: Path) -> None:
    path = save(tmp_path, example(1, 300))
    whole = path.read_bytes()
    for size in range(64, len(whole), 97):
        path.write_bytes(whole[:size])
        assert detect(path) == "archsim"
        with pytest.raises(InputError, match=r"not a whole trace of archsim: .*; record it again with") as error:
            load_trace(path)
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)


def test_flipped_bytes_are_noticed_or_change_nothing(tmp_path: Path) -> None:
    trace = example(1, 300)
    path = save(tmp_path, trace)
    whole = path.read_bytes()
    for position in range(0, len(whole), 41):
        content = bytearray(whole)
        content[position] ^= 0x55
        path.write_bytes(content)
        try:
            back = load_trace(path)
        except InputError:
            continue
        np.testing.assert_array_equal(back.trace.harts[0][1], trace.harts[0][1])
        np.testing.assert_array_equal(back.trace.words, trace.words)


def rewritten(path: Path, name: str, content: bytes | None) -> None:
    """Replace or leave out a member."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    members.pop(name)
    with zipfile.ZipFile(path, "w") as archive:
        for key, value in members.items():
            archive.writestr(key, value)
        if content is not None:
            archive.writestr(name, content)


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


HEADER = {"format": "archsim-trace", "version": 1, "name": "x", "text": 0, "harts": 2, "isa": [], "parameters": {}}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("header.json", b"{", "not a whole trace"),
        ("header.json", json.dumps({**HEADER, "format": "x"}).encode(), "its header is another program's"),
        ("header.json", json.dumps({**HEADER, "version": 2}).encode(), "is a trace of version 2, not 1"),
        ("header.json", json.dumps({**HEADER, "harts": "2"}).encode(), "its header has no good 'harts'"),
        ("header.json", json.dumps({**HEADER, "harts": 1}).encode(), "registers at the start"),
        ("words.npy", None, "words.npy"),
        ("words.npy", npy(np.zeros(100)), "words has the wrong kind"),
        ("words.npy", npy(np.zeros(3, np.uint32)), "hart 0 executes what is not in the program"),
        ("words.npy", npy(np.zeros(100, np.uint32))[:-8], "cannot reshape"),
        ("words.npy", npy(np.array([{}], object)), "not a whole trace"),
        ("hart-1.value.npy", npy(np.zeros(3, np.int64)), "hart 1 has 5000 instructions and 3 values"),
        ("hart-0.index.npy", npy(np.full(5000, -2, np.int32)), "hart 0 executes what is not in the program"),
    ],
)
def test_foreign_contents_are_refused(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    path = save(tmp_path, example())
    rewritten(path, name, content)
    with pytest.raises(InputError, match=message):
        load_trace(path)


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot write: No such file or directory"):
        save(tmp_path / "missing", example())
    with pytest.raises(InputError, match="cannot read: No such file or directory"):
        load_trace(tmp_path / "missing")


@pytest.mark.parametrize(
    "content", [b"", b"hello\n", b"\x1f\x8b\x08garbage", b"PK\x03\x04" + bytes(100), b"core dump\n"]
)
def test_other_files_have_no_known_format(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"{path}: is no trace in a known format; give a file of"):
        detect(path)
