"""The result store: keys, durability, and what it says when the disk or the file is bad."""

from __future__ import annotations

import hashlib
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.common.errors import InputError
from archsim.explore.store import FILE_NAME, Store, key_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_key_is_the_sha256_of_canonical_json() -> None:
    assert key_of({"b": [1, "µ"], "a": None}) == hashlib.sha256(rb'{"a":null,"b":[1,"\u00b5"]}').hexdigest()


@given(st.dictionaries(st.text(), JSON))
def test_key_does_not_depend_on_order(value: dict[str, object]) -> None:
    assert key_of(value) == key_of(dict(reversed(value.items())))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, Path("x")])
def test_what_json_cannot_say_has_no_key(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        key_of({"x": value})


def test_values_come_back_from_another_connection(tmp_path: Path) -> None:
    value = {"result": {"time_s": 0.1 + 0.2, "stalls": {"dma": 2**62}}, "text": "µ"}
    with Store(tmp_path / "a" / "b") as store:
        store.put("k", value)
        with Store(tmp_path / "a" / "b") as other:
            assert other.get("k") == value
            assert other.get("unknown") is None
            assert len(other) == 1
            other.put("k", 2)
        assert store.get("k") == 2


def test_full_disk_is_one_line_and_loses_nothing(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.put("before", list(range(100)))
        pages = store.connection.execute("PRAGMA page_count").fetchone()[0]
        store.connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(InputError, match=r"database or disk is full; free some disk space") as error:
            store.put("after", "x" * 100_000)
        assert "\n" not in str(error.value)
        assert str(tmp_path / FILE_NAME) in str(error.value)
    with Store(tmp_path) as store:
        assert store.get("before") == list(range(100))
        assert store.get("after") is None
        store.put("after", 1)


FILL = """
import resource, sys
from pathlib import Path
from archsim.common.errors import InputError
from archsim.explore.store import Store
with Store(Path(sys.argv[1])) as store:
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    for number in range(1000):
        try:
            store.put(str(number), "x" * 10_000)
        except InputError as error:
            print(number, error)
            break
"""


def test_file_size_limit_of_the_system_keeps_what_was_stored(tmp_path: Path) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] != 0
    done = subprocess.run([sys.executable, "-c", FILL, str(tmp_path)], capture_output=True, text=True, check=True)
    count, message = done.stdout.strip().split(" ", 1)
    assert "cannot be written" in message
    assert int(count) > 5
    with Store(tmp_path) as store:
        assert len(store) == int(count)
        assert all(store.get(str(number)) == "x" * 10_000 for number in range(int(count)))


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("not a database " * 100)
    with pytest.raises(InputError, match=r"is damaged or no result store: .*; move it away"):
        Store(tmp_path)


def test_a_damaged_page_is_refused(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        for number in range(200):
            store.put(str(number), "x" * 1000)
    path = tmp_path / FILE_NAME
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(InputError, match="is damaged"), Store(tmp_path) as store:
        store.get("1")


def test_a_newer_store_is_refused(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.connection.execute("PRAGMA user_version = 9")
    with pytest.raises(InputError, match="result store of version 9"):
        Store(tmp_path)


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot be opened: .*; choose a folder you may write"):
        Store(tmp_path / "file")
