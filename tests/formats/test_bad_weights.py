"""Whatever the format: weights that are none are one clear error; other element types than float32 are welcome."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.common.errors import InputError
from archsim.formats import quantize

NAMES = [
    "int4-g32", "int3-g32-asym", "int4-tensor", "ternary-g64", "binary", "fp8-e4m3", "fp8-e5m2-cast", "mxfp4", "mxint8",
    "nvfp4", "nf4-g32", "kmeans2-g64", "codebook2-g32", "q4_0", "q6_k", "tq1_0", "gguf-mxfp4", "fp16", "bf16", "fp32",
]  # fmt: skip


def with_value(value: float) -> np.ndarray:
    weights = np.ones((700, 512), np.float32)
    weights[650, 3] = value
    return weights


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (with_value(np.nan), "weight [650, 3] is nan; give finite float32 numbers"),
        (with_value(-np.inf), "weight [650, 3] is -inf; give finite float32 numbers"),
        (np.zeros((0, 512)), "weights of shape (0, 512) are no matrix; give real numbers [rows, columns]"),
        (np.zeros((512, 0)), "weights of shape (512, 0) are no matrix; give real numbers [rows, columns]"),
        (np.zeros(512), "weights of shape (512,) are no matrix; give real numbers [rows, columns]"),
        (np.float32(1), "weights of shape () are no matrix; give real numbers [rows, columns]"),
        (np.zeros((2, 2, 256)), "weights of shape (2, 2, 256) are no matrix; give real numbers [rows, columns]"),
        (np.array([["a"] * 256]), "the weights are no numbers; give real numbers [rows, columns]"),
    ],
)
def test_weights_that_are_none_are_refused(name: str, weights: np.ndarray, message: str) -> None:
    with pytest.raises(InputError) as error:
        quantize(weights, name)
    assert str(error.value) == message


@pytest.mark.parametrize("name", [n for n in NAMES if "-g" in n or n.startswith(("mx", "nv", "q", "tq", "gguf"))])
def test_groups_and_blocks_that_do_not_divide_the_row_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="do not divide rows of 40; "):
        quantize(np.ones((2, 40)), name)


@pytest.mark.parametrize("name", NAMES)
def test_other_element_types_and_strides_give_the_same(name: str) -> None:
    half = np.random.default_rng(0).normal(0, 1, (8, 512)).astype(np.float16)
    expected = quantize(half.astype(np.float32), name).dequantize()
    wide = np.zeros((16, 512), np.float64)
    wide[::2] = half
    for same in (half, wide[::2], np.asfortranarray(half), half.tolist()):
        assert np.array_equal(quantize(same, name).dequantize(), expected)
    out = np.empty((8, 512), np.float32)
    assert quantize(half, name).dequantize(out) is out and np.array_equal(out, expected)


@pytest.mark.parametrize("name", NAMES)
def test_values_go_into_a_given_array(name: str) -> None:
    packed = quantize(np.random.default_rng(0).normal(0, 1, (8, 512)), name)
    for out in (
        np.empty((8, 1024), np.float32)[:, ::2],
        np.empty((512, 8), np.float32).T,
        np.empty((16, 512), "f4")[::2],
    ):
        assert packed.dequantize(out) is out
        assert np.array_equal(out, packed.dequantize())
    for out in (np.empty((8, 511), np.float32), np.empty((8, 512))):
        with pytest.raises(InputError, match="no float32 array of shape \\(8, 512\\)"):
            packed.dequantize(out)
