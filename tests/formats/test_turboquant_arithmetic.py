"""TurboQuant with the Hadamard rotation, defined to the bit: order of sums, choice of codes, rounding of lengths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from archsim.formats import parse_format, quantize
from archsim.formats.rotation import randomised_hadamard
from archsim.formats.turboquant import TurboQuantFormat
from archsim.formats.turboquant_vector import VectorCodec
from archsim.formats.walsh_hadamard import rotate_rows, rotate_rows_back
from tests.formats import turboquant_reference as reference


def codec(name: str, width: int) -> VectorCodec:
    form = parse_format(name)
    assert isinstance(form, TurboQuantFormat)
    return form.codecs(width)[0]


@pytest.mark.parametrize("width", [8, 16, 64, 128, 256, 1024])
@pytest.mark.parametrize("bits", [1, 2, 3, 4, 5])
def test_every_step_is_float32_in_one_order(width: int, bits: int) -> None:
    name = f"turboquant-{bits}"
    own = codec(name, width)
    rng = np.random.default_rng(width)
    # lengths from what float16 has no number for to its largest
    x = (rng.standard_normal((60, width)) * 10.0 ** rng.uniform(-9, 2.5, (60, 1))).astype(np.float32)
    x[0], x[1], x[2] = 0, np.eye(width, dtype=np.float32)[3], 1
    packed = quantize(x, name)
    codes, lengths = reference.encode(x, own.signs(), own.levels())
    assert np.array_equal(packed.codes, codes)
    norms = packed.arrays["norms"][:, 0]
    assert np.array_equal(norms.view(np.uint16), lengths.astype(np.float16).view(np.uint16))
    wanted = reference.decode(codes, norms, own.signs(), own.levels())
    assert np.array_equal(packed.dequantize().view(np.uint32), wanted.view(np.uint32))


def test_a_corrected_norm_is_divided_by_the_length_of_the_levels() -> None:
    own = codec("turboquant-3-nc", 128)
    x = np.random.default_rng(3).standard_normal((50, 128)).astype(np.float32)
    codes, lengths = reference.encode(x, own.signs(), own.levels())
    wanted = lengths / reference.lengths(own.levels()[codes])
    assert np.array_equal(quantize(x, "turboquant-3-nc").arrays["norms"][:, 0], wanted.astype(np.float16))


@pytest.mark.parametrize("size", [8, 64, 512])
def test_the_transform_is_the_matrix(size: int) -> None:
    x = np.random.default_rng(size).standard_normal((20, size)).astype(np.float32)
    own = codec("turboquant-3", size)
    turned = rotate_rows(x, own.signs())
    exact = x.astype(np.float64) @ randomised_hadamard(size, own.variant.seed).T.astype(np.float64)
    assert np.abs(turned - exact).max() < 2e-6 * np.abs(exact).max()
    assert np.abs(rotate_rows_back(turned, own.signs()) - x).max() < 2e-6 * np.abs(x).max()


@given(hnp.arrays(np.float32, (2, 16), elements=st.floats(-100, 100, width=32)))
def test_a_code_is_that_of_the_nearest_level(x: np.ndarray) -> None:
    own = codec("turboquant-2", 16)
    codes = quantize(x, "turboquant-2").codes
    turned = rotate_rows(x, own.signs()).astype(np.float64)
    scaled = own.levels()[None] * np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)
    distance = np.abs(turned[:, :, None] - scaled[:, None])
    chosen = np.take_along_axis(distance, codes[:, :, None].astype(np.int64), axis=2)[:, :, 0]
    # float32 rounds what is nearly halfway, and squares of what is far below float16 to 0
    assert (chosen <= distance.min(axis=2) + 1e-6 * np.linalg.norm(x, axis=1, keepdims=True) + 1e-18).all()
