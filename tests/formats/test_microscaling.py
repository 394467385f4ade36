"""MX and NVFP4 against the specification's own rules, and against gguf where that differs."""

from __future__ import annotations

import gguf
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from archsim.formats import quantize
from archsim.formats.microscaling import e8m0_values
from tests.formats import mx_reference

MX = (*mx_reference.ELEMENTS, "mxint8")
ELEMENT = (
    st.floats(-8, 8, width=16)
    | st.floats(-(2.0**127), 2.0**127, width=32)
    | st.sampled_from([0.0, 2.0**-149, 1.5, 5.0, -0.25])
)
VALUES = hnp.arrays(np.float32, (2, 64), elements=ELEMENT)


def scaled(seed: int) -> np.ndarray:
    """Normal weights whose blocks differ much in size, with ties among them."""
    random = np.random.default_rng(seed)
    weights = random.normal(size=(64, 256)) * np.exp2(random.integers(-40, 40, (64, 8))).repeat(32, axis=1)
    weights[::2] = np.round(weights[::2] * 4) / 4
    return weights.astype(np.float32)


@pytest.mark.parametrize("name", MX)
@given(values=VALUES)
def test_scales_codes_and_values_are_the_specifications(name: str, values: np.ndarray) -> None:
    scales, codes, expected = mx_reference.mx(values, name)
    packed = quantize(values, name)
    assert np.array_equal(packed.scales, scales)
    assert np.array_equal(packed.codes.view(np.uint8), codes)
    assert np.array_equal(packed.dequantize(), expected)


@pytest.mark.parametrize("name", MX)
def test_large_matrices_too(name: str) -> None:
    values = scaled(1)
    scales, codes, expected = mx_reference.mx(values, name)
    packed = quantize(values, name)
    assert np.array_equal(packed.scales, scales)
    assert np.array_equal(packed.codes.view(np.uint8), codes)
    assert np.array_equal(packed.dequantize(), expected)
    again = quantize(packed.dequantize(), name)
    assert np.array_equal(again.dequantize(), packed.dequantize())


def test_what_lies_between_the_largest_number_and_the_next_power_saturates() -> None:
    """The floor rule: 6 to 8 in units of the scale become 6."""
    values = np.zeros((1, 32), np.float32)
    values[0, :4] = [7.99, 6.5, -7, 6]
    packed = quantize(values, "mxfp4")
    assert packed.scales.tolist() == [[127]]
    assert packed.dequantize()[0, :4].tolist() == [6, 6, -6, 6]


def test_e8m0_has_no_zero_and_one_nan() -> None:
    values = e8m0_values()
    assert (values[0], values[127], values[254]) == (2.0**-127, 1, 2.0**127)
    assert np.isnan(values).tolist() == [False] * 255 + [True]


@given(VALUES)
def test_nvfp4_is_nvidias(values: np.ndarray) -> None:
    tensor, scales, codes, expected = mx_reference.nvfp4(values)
    packed = quantize(values, "nvfp4")
    assert packed.arrays["tensor_scale"].tolist() == [[tensor]]
    assert np.array_equal(packed.scales, scales)
    live = np.repeat(packed.format.scales(packed.arrays, 2) > 0, 16, axis=1)  # type: ignore[attr-defined]
    assert np.array_equal(packed.codes[live], codes[live])
    assert np.array_equal(packed.dequantize(), expected)


def test_mxfp4_ties_go_to_even_where_gguf_goes_toward_zero() -> None:
    """OCP, ml_dtypes and torchao round 0.75 to 1, 1.75 to 2, 3.5 to 4; gguf and llama.cpp to 0.5, 1.5 and 3."""
    values = np.zeros((1, 32), np.float32)
    values[0, :8] = [4, 0.25, 0.75, 1.25, 1.75, 2.5, 3.5, -0.75]
    ours, theirs = quantize(values, "mxfp4"), quantize(values, "gguf-mxfp4")
    assert ours.dequantize()[0, :8].tolist() == [4, 0, 1, 1, 2, 2, 4, -1]
    assert theirs.dequantize()[0, :8].tolist() == [4, 0, 0.5, 1, 1.5, 2, 3, -0.5]
    kind = gguf.GGMLQuantizationType.MXFP4
    assert np.array_equal(gguf.quants.quantize(values, kind), theirs.packed)
    assert np.array_equal(gguf.quants.dequantize(theirs.packed, kind), theirs.dequantize())


def test_away_from_ties_both_mxfp4_agree() -> None:
    values = np.random.default_rng(4).normal(size=(64, 256)).astype(np.float32)
    ours, theirs = quantize(values, "mxfp4"), quantize(values, "gguf-mxfp4")
    assert np.array_equal(ours.dequantize(), theirs.dequantize())


@pytest.mark.parametrize(
    ("name", "noise"),
    # of normal weights, measured with torchao and gguf on a million of them (NVFP4 with its tensor's scale)
    [("mxint8", 5.71e-5), ("mxfp8-e4m3", 8.59e-4), ("mxfp8-e5m2", 2.89e-3), ("mxfp6-e2m3", 7.86e-4),
     ("mxfp6-e3m2", 2.89e-3), ("mxfp4", 1.301e-2), ("nvfp4", 9.05e-3)],
)  # fmt: skip
def test_noise_is_what_others_measured(name: str, noise: float) -> None:
    weights = np.random.default_rng(5).normal(0, 0.02, (256, 4096)).astype(np.float32)
    error = quantize(weights, name).dequantize() - weights
    assert np.square(error).mean() / np.square(weights).mean() == pytest.approx(noise, rel=0.01)
