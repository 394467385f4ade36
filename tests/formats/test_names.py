"""Format names: what they mean, what they cost, and what is said about the wrong ones."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.common.errors import InputError
from archsim.formats import Format, parse_format

KNOWN = "known: int8 and int4, alone or with -gN (N codes share a scale), -channel or -token"


@pytest.mark.parametrize(
    ("name", "bits", "group", "maximum", "scope"),
    [
        ("int8", 8, 0, 127, "row"),
        ("int4", 4, 0, 7, "row"),
        ("int8-channel", 8, 0, 127, "channel"),
        ("int4-token", 4, 0, 7, "token"),
        ("int4-g128", 4, 128, 7, "group"),
        ("int8-g8", 8, 8, 127, "group"),
        ("int4-g65536", 4, 65536, 7, "group"),
    ],
)
def test_a_name_says_bits_group_and_scope(name: str, bits: int, group: int, maximum: int, scope: str) -> None:
    form = parse_format(name)
    assert form == Format(name, bits, group)
    assert (form.maximum, form.scope) == (maximum, scope)


@pytest.mark.parametrize(
    ("name", "columns", "bits"),
    [
        ("int4-g128", 4096, 4.125),  # 4 + 16/128
        ("int4-g32", 4096, 4.5),
        ("int8-g64", 4096, 8.25),
        ("int4-channel", 4096, 4.00390625),  # 4 + 16/4096
        ("int8", 128, 8.125),
        ("int4-g128", 200, 4.16),  # 100 bytes, and two scales of which one is for 72 codes
        ("int4-g128", 129, 8 * (65 + 4) / 129),  # the odd code takes a byte
    ],
)
def test_bits_per_weight_count_scales_and_padding(name: str, columns: int, bits: float) -> None:
    assert parse_format(name).bits_per_weight(columns) == bits


@given(st.sampled_from([4, 8]), st.integers(3, 16), st.integers(1, 10_000))
def test_row_bytes_are_whole_codes_and_scales(bits: int, log_group: int, columns: int) -> None:
    form = parse_format(f"int{bits}-g{2**log_group}")
    exact = Fraction(bits * columns, 8) + 2 * len(range(0, columns, 2**log_group))
    assert exact <= form.row_bytes(columns) < exact + 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("int4-G128", f"unknown format 'int4-G128'; did you mean 'int4-g128'? {KNOWN}"),
        ("int3-g128", f"unknown format 'int3-g128'; did you mean 'int8-g128'? {KNOWN}"),
        ("int4-chanel", f"unknown format 'int4-chanel'; did you mean 'int4-channel'? {KNOWN}"),
        ("fp8", f"unknown format 'fp8'; {KNOWN}"),
        ("", f"unknown format ''; {KNOWN}"),
        (
            "int4-g100",
            "group 100 of format 'int4-g100' is not supported; use a power of two from 8 to 65536, such as int4-g128",
        ),
        (
            "int8-g4",
            "group 4 of format 'int8-g4' is not supported; use a power of two from 8 to 65536, such as int8-g128",
        ),
    ],
)
def test_a_wrong_name_is_refused_with_what_is_known(name: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        parse_format(name)
    assert str(error.value) == message


@given(st.text(max_size=12) | st.from_regex(r"int[0-9]{1,2}(-(g[0-9]{1,12}|token|channel))?", fullmatch=True))
def test_any_text_is_a_format_or_an_input_error(text: str) -> None:
    try:
        form = parse_format(text)
    except InputError as error:
        assert "\n" not in str(error)
        assert repr(text) in str(error)
    else:
        assert form.bits in (4, 8)
        assert form.name == text
