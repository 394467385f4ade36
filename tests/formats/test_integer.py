"""Group quantisation: the nearest codes, the promised error, the promised size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import archsim
from archsim.common.errors import InputError
from archsim.formats import Packed, parse_format, quantize, unpack_int4

NAMES = ("int4-g8", "int4-g32", "int8-g16", "int4", "int8", "int4-channel", "int8-token")
SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=70)
# a scale above 65504 does not fit float16
WEIGHTS = SHAPES.flatmap(lambda s: hnp.arrays(np.float32, s, elements=st.floats(-4e5, 4e5, width=32)))


def expected_scales(weights: np.ndarray, group: int, maximum: int) -> np.ndarray:
    """Scales, group by group, in the order of the definition."""
    starts = range(0, weights.shape[1], group)
    groups = [weights[:, start : start + group] for start in starts]
    return np.stack([(np.abs(g).max(axis=1) / np.float32(maximum)).astype(np.float16) for g in groups], axis=1)


@given(WEIGHTS, st.sampled_from(NAMES))
def test_error_is_half_a_step_and_what_the_scale_lost_by_rounding(weights: np.ndarray, name: str) -> None:
    packed = quantize(weights, name)
    maximum, columns = packed.format.maximum, weights.shape[1]
    group = packed.format.group or columns
    assert np.array_equal(packed.scales, expected_scales(weights, group, maximum))
    wide = np.repeat(packed.scales.astype(np.float64), group, axis=1)[:, :columns]
    largest = np.repeat(
        np.stack([np.abs(weights[:, s : s + group]).max(axis=1) for s in range(0, columns, group)], axis=1),
        group,
        axis=1,
    )[:, :columns].astype(np.float64)
    rounding = np.abs(largest - maximum * wide)
    error = np.abs(packed.dequantize().astype(np.float64) - weights)
    assert (error <= wide / 2 + rounding + 1e-6 * largest).all()


@given(WEIGHTS, st.sampled_from(NAMES))
def test_every_code_is_the_nearest_one_there_is(weights: np.ndarray, name: str) -> None:
    packed = quantize(weights, name)
    columns, top = weights.shape[1], packed.format.maximum
    wide = np.repeat(packed.scales.astype(np.float64), packed.format.group or columns, axis=1)[:, :columns]
    error = np.abs(packed.codes * wide - weights)
    for step in (-1, 1):
        other = np.clip(packed.codes.astype(np.int64) + step, -top, top)
        # a quotient in float32 may fall on the other side of a tie
        assert (error <= np.abs(other * wide - weights) + 1e-6 * top * wide).all()
    assert (packed.codes[wide == 0] == 0).all()


@given(SHAPES, st.sampled_from(NAMES), st.integers(-14, 8), st.data())
def test_what_is_on_the_grid_comes_back_exactly(
    shape: tuple[int, int], name: str, power: int, data: st.DataObject
) -> None:
    form = parse_format(name)
    codes = data.draw(hnp.arrays(np.int8, shape, elements=st.integers(-form.maximum, form.maximum)))
    codes[:, :: form.group or shape[1]] = form.maximum
    weights = codes.astype(np.float32) * np.float32(2.0**power)
    packed = quantize(weights, name)
    assert np.array_equal(packed.codes, codes)
    assert np.array_equal(packed.dequantize(), weights)
    assert packed.dequantize().dtype == np.float32


@given(WEIGHTS, st.sampled_from(NAMES))
def test_size_is_that_of_the_stored_arrays(weights: np.ndarray, name: str) -> None:
    packed = quantize(weights, name)
    assert (packed.codes.dtype, packed.scales.dtype, packed.packed.dtype) == (np.int8, np.float16, np.uint8)
    assert packed.nbytes == packed.packed.nbytes + packed.scales.nbytes
    assert packed.bits_per_weight * weights.size == pytest.approx(8 * packed.nbytes, rel=1e-12)
    columns = weights.shape[1]
    stored = unpack_int4(packed.packed, columns) if packed.format.bits == 4 else packed.packed.view(np.int8)
    assert np.array_equal(stored, packed.codes)


def test_a_known_matrix() -> None:
    """By hand: scales 14/7 = 2 and 0.875/7 = 1/8; ties go to even, the last group has two codes."""
    weights = np.zeros((1, 10), np.float32)
    weights[0] = [14, -14, 1, 3, 5, -1.5, 0, 0.9, 0.875, -0.3125]
    packed = archsim.quantize(weights, "int4-g8")
    assert packed.scales.tolist() == [[2.0, 0.125]]
    assert packed.codes.tolist() == [[7, -7, 0, 2, 2, -1, 0, 0, 7, -2]]
    assert packed.packed.tobytes() == bytes.fromhex("9720f200e7")
    assert packed.nbytes == 9
    assert packed.bits_per_weight == 7.2
    assert packed.dequantize().tolist() == [[14, -14, 0, 4, 4, -2, 0, 0, 0.875, -0.25]]


def test_real_size() -> None:
    weights = np.random.default_rng(7).normal(0, 0.02, (64, 4096)).astype(np.float32)
    packed = quantize(weights, "int4-g128")
    assert isinstance(packed, Packed)
    assert packed.nbytes == 64 * 4096 // 2 + 64 * 32 * 2
    assert packed.bits_per_weight == 4.125
    noise = float(np.square(packed.dequantize() - weights).mean() / np.square(weights).mean())
    # a step of E[max of 128]/7 = 2.78/7 sigma gives step^2/12 = 0.0131; 0.0138 was measured on a million normal weights
    assert noise == pytest.approx(0.0138, rel=0.05)


@pytest.mark.parametrize("name", NAMES)
def test_zeros_and_vanishing_weights_become_zero(name: str) -> None:
    weights = np.full((3, 40), 1e-9, np.float32)
    weights[1] = 0
    assert not quantize(weights, name).dequantize().any()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.zeros(4), "weights of shape (4,) are no matrix; give real numbers [rows, columns]"),
        (np.zeros((4, 0)), "weights of shape (4, 0) are no matrix; give real numbers [rows, columns]"),
        (np.array([[1, np.nan]]), "weight [0, 1] is nan; give finite float32 numbers"),
        (np.array([[1], [1e39]]), "weight [1, 0] is inf; give finite float32 numbers"),
        (np.array([["a"]]), "the weights are no numbers; give real numbers [rows, columns]"),
        (np.array([[7e5]]), "a scale of 100000 does not fit float16; divide the weights by a constant"),
    ],
)
def test_what_cannot_be_quantised_is_refused(weights: np.ndarray, message: str) -> None:
    with pytest.raises(InputError) as error:
        quantize(weights, "int4-g8")
    assert str(error.value) == message
