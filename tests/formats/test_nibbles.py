"""Packing of four-bit codes, against ml_dtypes and against Python's integers."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from archsim.common.errors import InputError
from archsim.formats import pack_int4, unpack_int4

CODES = hnp.arrays(np.int8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=33), elements=st.integers(-8, 7))


@given(CODES)
def test_unpacking_undoes_packing(codes: np.ndarray) -> None:
    packed = pack_int4(codes)
    rows, columns = codes.shape
    assert packed.dtype == np.uint8
    assert packed.shape == (rows, (columns + 1) // 2)
    assert np.array_equal(unpack_int4(packed, columns), codes)
    if columns % 2 == 0:
        assert np.array_equal(unpack_int4(packed), codes)


@given(CODES)
def test_a_row_is_a_little_endian_number_of_nibbles(codes: np.ndarray) -> None:
    for row, stored in zip(codes, pack_int4(codes), strict=True):
        assert int.from_bytes(stored.tobytes(), "little") == sum((int(c) % 16) << 4 * k for k, c in enumerate(row))


def test_all_bytes_mean_what_ml_dtypes_says() -> None:
    every = np.arange(256, dtype=np.uint8).reshape(1, -1)
    low, high = (np.asarray(n).view(ml_dtypes.int4).astype(np.int8) for n in (every & 15, every >> 4))
    assert np.array_equal(unpack_int4(every), np.stack([low, high], axis=2).reshape(1, -1))
    assert unpack_int4(every).dtype == np.int8


@pytest.mark.parametrize("code", [-9, 8])
def test_a_code_that_is_no_int4_is_refused(code: int) -> None:
    with pytest.raises(InputError) as error:
        pack_int4(np.array([[0, code]], np.int8))
    assert str(error.value) == f"codes from {min(0, code)} to {max(0, code)} are no int4; give codes from -8 to 7"
