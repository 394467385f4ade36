"""FP8, FP6, FP4 and bfloat16, bit for bit against ml_dtypes."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from archsim.common.errors import InputError
from archsim.formats import parse_format, quantize
from archsim.formats.minifloat import MINIFLOATS

ORACLES = {
    "fp8-e4m3": ml_dtypes.float8_e4m3fn,
    "fp8-e5m2": ml_dtypes.float8_e5m2,
    "fp6-e3m2": ml_dtypes.float6_e3m2fn,
    "fp6-e2m3": ml_dtypes.float6_e2m3fn,
    "fp4-e2m1": ml_dtypes.float4_e2m1fn,
}
VALUES = hnp.arrays(np.float32, (4, 16), elements=st.floats(-1e6, 1e6, width=32) | st.floats(-8, 8, width=16))


def every_code(name: str) -> np.ndarray:
    return np.arange(1 << MINIFLOATS[name].bits, dtype=np.uint8)


@pytest.mark.parametrize("name", ORACLES)
def test_every_code_means_what_ml_dtypes_says(name: str) -> None:
    expected = every_code(name).view(ORACLES[name]).astype(np.float32)
    assert MINIFLOATS[name].levels().tobytes() == expected.tobytes() or np.array_equal(
        MINIFLOATS[name].levels(), expected, equal_nan=True
    )
    assert MINIFLOATS[name].maximum == float(ml_dtypes.finfo(ORACLES[name]).max)


@pytest.mark.parametrize("name", ORACLES)
def test_values_ties_and_their_neighbours_round_as_in_ml_dtypes(name: str) -> None:
    levels = MINIFLOATS[name].levels()
    finite = np.sort(levels[np.isfinite(levels)].astype(np.float64))
    middle = ((finite[1:] + finite[:-1]) / 2).astype(np.float32)
    edges = np.concatenate([finite.astype(np.float32), middle, [np.float32(1e-30), -0.0]]).astype(np.float32)
    edges = np.concatenate([edges, np.nextafter(edges, np.float32(1e9)), np.nextafter(edges, np.float32(-1e9))])
    edges = np.clip(edges, finite[0], finite[-1])[None]
    assert np.array_equal(quantize(edges, f"{name}-cast").codes, edges.astype(ORACLES[name]).view(np.uint8))


@pytest.mark.parametrize("name", ORACLES)
@given(values=VALUES)
def test_any_value_rounds_as_in_ml_dtypes_and_saturates(name: str, values: np.ndarray) -> None:
    packed = quantize(values, f"{name}-cast")
    top = MINIFLOATS[name].maximum
    # ml_dtypes makes NaN or infinity of what is too large for FP8; OCP FP8 1.0, table 3 lets us saturate
    expected = np.clip(values, -top, top).astype(ORACLES[name])
    assert np.array_equal(packed.codes, expected.view(np.uint8))
    assert np.array_equal(packed.dequantize(), expected.astype(np.float32))


@pytest.mark.parametrize("name", ORACLES)
def test_the_largest_of_a_group_is_the_largest_number(name: str) -> None:
    weights = np.random.default_rng(0).normal(0, 0.02, (8, 128)).astype(np.float32)
    packed = quantize(weights, f"{name}-g32")
    assert packed.scales.dtype == np.float32
    assert np.array_equal(
        packed.scales, np.abs(weights).reshape(8, 4, 32).max(2) / np.float32(MINIFLOATS[name].maximum)
    )
    wide = np.repeat(packed.scales, 32, axis=1)
    limit = np.float32(MINIFLOATS[name].maximum)
    expected = np.clip(weights / wide, -limit, limit).astype(ORACLES[name])
    assert np.array_equal(packed.codes, expected.view(np.uint8))
    assert np.array_equal(packed.dequantize(), expected.astype(np.float32) * wide)


@given(hnp.arrays(np.float32, (3, 16), elements=st.floats(-(2.0**127), 2.0**127, width=32)))
def test_bfloat16_rounds_as_in_ml_dtypes(values: np.ndarray) -> None:
    packed = quantize(values, "bf16")
    expected = values.astype(ml_dtypes.bfloat16)
    assert np.array_equal(packed.codes, expected.view(np.uint16))
    assert np.array_equal(packed.dequantize(), expected.astype(np.float32))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("fp16", 7e4, "a weight of 70000 does not fit fp16; use fp32"),
        ("bf16", 3.4e38, "a weight of 3.4e+38 does not fit bf16; use fp32"),
    ],
)
def test_a_weight_beyond_a_plain_type_is_refused(name: str, value: float, message: str) -> None:
    with pytest.raises(InputError) as error:
        quantize(np.full((1, 4), value, np.float32), name)
    assert str(error.value) == message


def test_plain_types_keep_what_they_hold() -> None:
    values = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float16).astype(np.float32)
    for name in ("fp16", "fp32"):
        assert np.array_equal(quantize(values, name).dequantize(), values)
        assert parse_format(name).bits_per_weight(4, 5) == parse_format(name).bits
