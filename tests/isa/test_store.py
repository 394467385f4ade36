"""Loaded instruction sets on disk: the same as freshly loaded, renewed when anything changes, never in the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from archsim.common.errors import InputError
from archsim.isa import load
from archsim.isa.load import load_isa


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ARCHSIM_CACHE_DIR", str(tmp_path))
    load._load.cache_clear()
    return tmp_path / "isa"


def again(*names: str) -> load.Isa:
    load._load.cache_clear()
    return load_isa(*names)


def test_what_is_kept_is_what_was_loaded(folder: Path) -> None:
    first = load_isa("rv64imc", "xqt")
    assert len(list(folder.iterdir())) == 1
    second = again("rv64imc", "xqt")
    assert second == first and second is not first
    assert list(second.instructions) == list(first.instructions)
    assert second.extensions["I"].instructions["add"] is second.instructions["add"]


def test_another_request_or_another_text_is_another_file(folder: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("extension: Xo\nlong_name: one\nsource: here\n")
    assert again("rv64i", str(own)).extensions["Xo"].long_name == "one"
    own.write_text("extension: Xo\nlong_name: two\nsource: here\n")
    assert again("rv64i", str(own)).extensions["Xo"].long_name == "two"
    assert again("rv32i", str(own)).xlen == 32
    assert len(list(folder.iterdir())) == 3


def test_spoilt_files_and_folders_do_not_matter(folder: Path) -> None:
    first = load_isa("rv64i")
    (kept,) = folder.iterdir()
    for content in (b"", b"\x80\x04N.", b"cos\nnothing\n(tR.", kept.read_bytes()[:-9]):
        kept.write_bytes(content)
        assert again("rv64i") == first
    kept.unlink()
    folder.rmdir()
    folder.write_text("no folder")
    assert again("rv64i") == first


def test_errors_are_not_kept(folder: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("extension: Xo\nlong_name: one\nsorce: here\n")
    for _ in range(2):
        with pytest.raises(InputError):
            again("rv64i", str(own))
    assert not folder.exists()
