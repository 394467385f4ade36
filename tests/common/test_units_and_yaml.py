"""Quantities and YAML as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.common.errors import InputError, nearest
from archsim.common.units import quantity, show, whole
from archsim.common.yamlfile import load_yaml, parse_yaml


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("8 MiB", "B", 8 * 1024**2),
        ("64 KB", "B", 64_000),
        ("512b", "B", 64),
        ("1.2 GHz", "Hz", 1.2e9),
        ("51.2 GB/s", "B/s", 51.2e9),
        ("100 Gb/s", "B/s", 12.5e9),
        ("0.1 pJ", "J", 1e-13),
        ("85 ns", "s", 85e-9),
        ("1_000 cycles", "cycles", 1000),
        (16, "cycles", 16),
        ("1e3 W", "W", 1000),
        ("7 nm", "m", 7e-9),
    ],
)
def test_quantities(text: object, unit: str, value: float) -> None:
    assert quantity(text, unit) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "unit", "message"),
    [
        (8, "B", "8 has no unit; write it with its unit, such as '8 B'"),
        ("8 MHz", "B", "unit 'MHz' in '8 MHz' is not one of 'B'; write it in 'B'"),
        ("eight", "B", "'eight' is no quantity; write a number and a unit of 'B'"),
        (True, "", "True is no quantity; write a number and a unit of ''"),
    ],
)
def test_what_is_no_quantity(text: object, unit: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        quantity(text, unit)
    assert str(caught.value) == message


def test_counts_must_be_whole() -> None:
    with pytest.raises(InputError, match=r"'2.5' is not a whole number; round it"):
        whole("2.5", "")


@given(st.integers(1, 2**50))
def test_what_is_shown_reads_back(value: int) -> None:
    assert quantity(show(value, "B"), "B") == pytest.approx(value, rel=1e-3)
    assert quantity(show(value, "Hz"), "Hz") == pytest.approx(value, rel=1e-3)


def test_yaml_is_read_as_1_2() -> None:
    tree = parse_yaml("a: 1e9\nb: no\nc: 010\nd: 12:30:45\ne: true\nf: 0x8C0\ng: ~\n", "t.yaml")
    assert dict(tree) == {"a": 1e9, "b": "no", "c": 10, "d": "12:30:45", "e": True, "f": 0x8C0, "g": None}
    assert tree.lines["f"] == 6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "FILE:3: key 'a' stands twice (first on line 1); keep one"),
        ("- 1\n- 2\n", "FILE:1: the top must be a mapping; write 'key: value' lines"),
        ("", "FILE:1: the top must be a mapping; write 'key: value' lines"),
    ],
)
def test_yaml_errors_name_the_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load_yaml(path)
    assert str(caught.value) == message.replace("FILE", str(path))


def test_yaml_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("a: [1, 2\nb: 3\n")
    with pytest.raises(InputError, match=rf"^{path}:2: not valid YAML"):
        load_yaml(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not UTF-8 text"):
        load_yaml(path)


def test_the_nearest_name_is_found_in_any_case() -> None:
    assert nearest("tcl", ["tCL", "tRC"]) == "tCL"
    assert nearest("zzz", ["tCL", "tRC"]) is None
