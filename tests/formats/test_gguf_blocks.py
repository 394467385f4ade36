"""GGUF's types: bytes and values of the gguf package, and for what it cannot write, its reading and the error."""

from __future__ import annotations

import warnings

import gguf
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from archsim.common.errors import InputError
from archsim.formats import parse_format, quantize
from archsim.formats.format import Packed
from archsim.formats.gguf_types import GGUF_TYPES, PLAIN_TYPES

WRITTEN = ("q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "tq1_0", "tq2_0", "gguf-mxfp4")
SEARCHED = ("iq4_nl", "q2_k", "q3_k", "q4_k", "q5_k", "q6_k")
# gguf divides by scales below 2**-127, and converts what is then infinite or NaN to integers: none that small
ELEMENTS = (
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, 7.0, -8.0, 2.0**-24])
    | st.floats(2.0**-100, 2.0**14, width=32)
    | st.floats(-(2.0**14), -(2.0**-100), width=32)
)
WEIGHTS = hnp.arrays(np.float32, (2, 256), elements=ELEMENTS)


def number(name: str) -> gguf.GGMLQuantizationType:
    return gguf.GGMLQuantizationType[name.removeprefix("gguf-").upper()]


def edges() -> np.ndarray:
    """Zeros, constants, ties, two equal largest magnitudes, one weight alone, subnormal scales, powers of two."""
    random = np.random.default_rng(7)
    rows = [np.zeros(256), np.full(256, -3.5), np.arange(256) / 16 - 8, np.tile([1.0, -1.0], 128)]
    rows += [np.eye(1, 256, 100)[0] * 5, random.normal(size=256) * 1e-6, np.exp2(random.integers(-20, 10, 256))]
    rows += [-rows[-1], random.integers(-8, 8, 256) / 2.0, random.standard_t(2, 256)]
    return np.array(rows, np.float32)


@pytest.mark.parametrize("name", [*GGUF_TYPES, *PLAIN_TYPES])
def test_numbers_and_sizes_are_ggufs(name: str) -> None:
    kind = {**GGUF_TYPES, **PLAIN_TYPES}[name]
    theirs = number({"fp32": "F32", "fp16": "F16"}.get(name, name))
    assert (kind.number, (kind.block, kind.nbytes)) == (theirs.value, gguf.GGML_QUANT_SIZES[theirs])
    assert parse_format(name).bits_per_weight(3, 512) == 8 * kind.nbytes / kind.block


@pytest.mark.parametrize("name", WRITTEN)
def test_bytes_of_edges_and_of_normal_weights_are_ggufs(name: str) -> None:
    normal = np.random.default_rng(8).normal(0, 0.02, (300, 1024)).astype(np.float32)
    for weights in (edges(), normal):
        assert np.array_equal(quantize(weights, name).packed, gguf.quants.quantize(weights, number(name)))


@pytest.mark.parametrize("name", WRITTEN)
@given(weights=WEIGHTS)
def test_bytes_of_any_weights_are_ggufs(name: str, weights: np.ndarray) -> None:
    if name.endswith("_1"):
        # which zero is the least of +0 and -0 is up to numpy's vectors; we write +0
        weights = weights + np.float32(0)
    assert np.array_equal(quantize(weights, name).packed, gguf.quants.quantize(weights, number(name)))


@pytest.mark.parametrize("name", [*WRITTEN, *SEARCHED])
def test_any_bytes_read_as_in_gguf(name: str) -> None:
    kind = GGUF_TYPES[name]
    stored = np.random.default_rng(9).integers(0, 256, (64, 1024 // kind.block * kind.nbytes), dtype=np.uint8)
    packed = Packed(parse_format(name), (64, 1024), {"codes": stored})
    with warnings.catch_warnings():
        # float16 patterns of infinity and NaN among them
        warnings.simplefilter("ignore", RuntimeWarning)
        expected = gguf.quants.dequantize(stored, number(name))
    ours = packed.dequantize()
    same = ours.view(np.uint32) == expected.view(np.uint32)
    assert (same | (np.isnan(ours) & np.isnan(expected))).all()


@pytest.mark.parametrize("name", SEARCHED)
def test_what_we_write_gguf_reads(name: str) -> None:
    for weights in (edges(), np.random.default_rng(8).normal(0, 0.02, (64, 1024)).astype(np.float32)):
        packed = quantize(weights, name)
        assert np.array_equal(gguf.quants.dequantize(packed.packed, number(name)), packed.dequantize())


@pytest.mark.parametrize(
    ("name", "bits"),
    # rounding to nearest of as many bits, with a 16-bit scale for each part that has one, and with a zero point
    [("q2_k", "int2-g16-asym"), ("q3_k", "int3-g16"), ("q4_k", "int4-g32-asym"), ("q5_k", "int5-g32-asym"),
     ("q6_k", "int6-g16"), ("iq4_nl", "int4-g32")],
)  # fmt: skip
def test_searched_scales_beat_rounding_to_nearest(name: str, bits: str) -> None:
    for weights in (
        np.random.default_rng(8).normal(0, 0.02, (64, 1024)).astype(np.float32),
        np.random.default_rng(8).standard_t(4, (64, 1024)).astype(np.float32),
    ):
        ours, nearest = (np.square(quantize(weights, form).dequantize() - weights).mean() for form in (name, bits))
        # the scales of parts have 4 to 8 bits, those of the other 16
        assert ours < nearest * 1.02
        assert quantize(weights, name).bits_per_weight <= quantize(weights, bits).bits_per_weight


@pytest.mark.parametrize("name", SEARCHED)
@given(weights=WEIGHTS)
def test_any_weights_can_be_written(name: str, weights: np.ndarray) -> None:
    packed = quantize(weights, name)
    error = np.abs(packed.dequantize() - weights).reshape(-1, GGUF_TYPES[name].block).max(1)
    assert (error <= np.abs(weights).reshape(-1, GGUF_TYPES[name].block).max(1)).all()
    assert not quantize(0 * weights, name).dequantize().any()


@pytest.mark.parametrize("name", ["q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "tq1_0", "tq2_0", "gguf-mxfp4"])
def test_what_was_read_back_stays(name: str) -> None:
    once = quantize(np.random.default_rng(8).normal(0, 1, (16, 512)).astype(np.float16), name).dequantize()
    again = quantize(once, name).dequantize()
    # the scale found again differs from the one of float16 by its rounding
    assert np.abs(again - once).max() <= 2**-9 * np.abs(once).max()


def test_rows_and_codes_are_refused_clearly() -> None:
    for name, columns, message in (
        (
            "q4_k",
            128,
            "blocks of 256 of format 'q4_k' do not divide rows of 128; use a format with smaller blocks, such as q8_0",
        ),
        ("q4_0", 40, "blocks of 32 of format 'q4_0' do not divide rows of 40; fill the rows"),
    ):
        with pytest.raises(InputError) as error:
            quantize(np.ones((2, columns)), name)
        assert str(error.value) == message
    with pytest.raises(InputError, match="codes and scales of format 'q4_0' lie together in blocks"):
        _ = quantize(np.ones((2, 32)), "q4_0").codes
    with pytest.raises(InputError, match="format 'q4_0' has no array of scales; it has codes"):
        _ = quantize(np.ones((2, 32)), "q4_0").scales
    with pytest.raises(InputError, match="does not fit float16"):
        quantize(np.full((2, 32), 1e9), "q4_0")
