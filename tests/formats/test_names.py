"""Format names: what they mean, what they cost, and what is said about the wrong ones."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.common.errors import InputError
from archsim.formats import IntegerFormat, parse_format, quantize
from archsim.formats.integer import AsymmetricFormat
from archsim.formats.names import FAMILIES
from archsim.formats.scope import Scope

LIST = "`archsim formats list` shows all"
NAMES = [name for family in FAMILIES for name in family.examples]


@pytest.mark.parametrize(
    ("name", "bits", "group", "maximum", "scope"),
    [
        ("int8", 8, 0, 127, "row"),
        ("int4", 4, 0, 7, "row"),
        ("int8-channel", 8, 0, 127, "channel"),
        ("int4-token", 4, 0, 7, "token"),
        ("int3-tensor", 3, 0, 3, "tensor"),
        ("int4-g128", 4, 128, 7, "group"),
        ("int8-g8", 8, 8, 127, "group"),
        ("int4-g65536", 4, 65536, 7, "group"),
        ("int2-g64-asym", 2, 64, 3, "group"),
        ("int1-asym", 1, 0, 1, "row"),
    ],
)
def test_a_name_says_bits_group_and_scope(name: str, bits: int, group: int, maximum: int, scope: str) -> None:
    form = parse_format(name)
    kind = AsymmetricFormat if name.endswith("asym") else IntegerFormat
    assert form == kind(name, bits, Scope(scope, group))
    assert isinstance(form, IntegerFormat)
    assert (form.maximum, form.scope, form.group) == (maximum, scope, group)


@pytest.mark.parametrize(
    ("name", "shape", "bits"),
    [
        ("int4-g128", (1, 4096), 4.125),  # 4 + 16/128
        ("int4-g32", (1, 4096), 4.5),
        ("int8-g64", (1, 4096), 8.25),
        ("int4-channel", (1, 4096), 4.00390625),  # 4 + 16/4096
        ("int8", (1, 128), 8.125),
        ("int4-tensor", (64, 64), 4 + 16 / 4096),
        ("int3-g64", (1, 4096), 3.25),
        ("int4-g128-asym", (1, 4096), 4.15625),  # 4 + (16 + 4)/128
        ("int2-g64-asym", (1, 4096), 2.28125),  # 2 + (16 + 2)/64
        ("int4", (1, 129), 8 * (65 + 2) / 129),  # the odd code takes a byte
        ("ternary-tensor", (100, 100), 8 * 2002 / 10000),
        ("binary-g64", (1, 128), 1.25),
        ("fp8-e4m3-channel", (2, 4096), 8 + 32 / 4096),
        ("fp6-e2m3-cast", (2, 64), 6),
        ("mxfp4", (3, 64), 4.25),
        ("mxfp6-e2m3", (3, 64), 6.25),
        ("mxfp8-e5m2", (3, 64), 8.25),
        ("mxint8", (3, 64), 8.25),
        ("nvfp4", (64, 64), 4.5 + 32 / 4096),
        ("nf4-g64", (3, 128), 4.25),
        ("kmeans4-channel", (3, 4096), 4.0625),  # 4 + 16 x 16/4096
        ("codebook3-g64", (64, 64), 3.25 + 8 * 16 / 4096),
        ("bf16", (3, 5), 16),
    ],
)
def test_bits_per_weight_count_scales_tables_and_padding(name: str, shape: tuple[int, int], bits: float) -> None:
    assert parse_format(name).bits_per_weight(*shape) == bits


@given(st.integers(1, 8), st.integers(3, 16), st.integers(1, 50))
def test_bytes_of_a_row_are_whole_codes_and_scales(bits: int, log_group: int, groups: int) -> None:
    form = parse_format(f"int{bits}-g{2**log_group}")
    assert form.nbytes(1, groups << log_group) == Fraction(bits * groups << log_group, 8) + 2 * groups


@pytest.mark.parametrize("name", NAMES)
def test_every_example_is_a_format_of_that_name(name: str) -> None:
    form = parse_format(name)
    assert form.name == name
    assert form.bits_per_weight(512, 4096) < form.bits + 2.01


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("int4-G128", f"unknown format 'int4-G128'; did you mean 'int4-g128'? also near: int8-g128, int7-g128; {LIST}"),
        ("int9-g128", f"unknown format 'int9-g128'; did you mean 'int8-g128'? also near: int7-g128, int6-g128; {LIST}"),
        ("mxfp5", f"unknown format 'mxfp5'; did you mean 'mxfp4'? also near: mxfp8-e5m2; {LIST}"),
        ("zzz", f"unknown format 'zzz'; {LIST}"),
        ("", f"unknown format ''; {LIST}"),
        (
            "int4-g100",
            "group 100 of format 'int4-g100' is not supported; use a power of two from 8 to 65536, such as int4-g128",
        ),
        (
            "nf4-g4",
            "group 4 of format 'nf4-g4' is not supported; use a power of two from 8 to 65536, such as nf4-g128",
        ),
    ],
)
def test_a_wrong_name_is_refused_with_what_is_near(name: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        parse_format(name)
    assert str(error.value) == message


@given(st.text(max_size=12) | st.from_regex(r"(int|nf|mxfp|q)[0-9]{1,2}(-(g[0-9]{1,12}|token|asym))?", fullmatch=True))
def test_any_text_is_a_format_or_an_input_error(text: str) -> None:
    try:
        form = parse_format(text)
    except InputError as error:
        assert "\n" not in str(error)
        assert repr(text) in str(error)
    else:
        assert form.bits in range(1, 33)
        assert form.name == text


@pytest.mark.parametrize("name", [None, 5, b"int4"])
def test_what_is_no_name_is_no_format(name: object) -> None:
    with pytest.raises(InputError, match="a format is no"):
        quantize(np.ones((1, 32), np.float32), name)  # type: ignore[arg-type]
