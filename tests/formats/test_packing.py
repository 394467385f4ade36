"""Packing of codes, against ml_dtypes, against Python's integers, and against the published orders of AWQ and GPTQ."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from archsim.common.errors import InputError
from archsim.formats import pack_int4, unpack_int4
from archsim.formats.packing import pack_bits, pack_trits, packed_bytes, sign_extend, unpack_bits, unpack_trits

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


BITS_AND_CODES = st.integers(1, 8).flatmap(
    lambda bits: st.tuples(
        st.just(bits),
        hnp.arrays(
            np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=33), elements=st.integers(0, 2**bits - 1)
        ),
    )
)


@given(BITS_AND_CODES)
def test_codes_of_any_width_come_back(bits_and_codes: tuple[int, np.ndarray]) -> None:
    bits, codes = bits_and_codes
    packed = pack_bits(codes, bits)
    assert packed.shape == (len(codes), packed_bytes(codes.shape[1], bits))
    assert np.array_equal(unpack_bits(packed, bits, codes.shape[1]), codes)
    for row, stored in zip(codes, packed, strict=True):
        assert int.from_bytes(stored.tobytes(), "little") == sum(int(c) << bits * k for k, c in enumerate(row))


@given(BITS_AND_CODES)
def test_signs_are_kept(bits_and_codes: tuple[int, np.ndarray]) -> None:
    bits, codes = bits_and_codes
    wide = codes.astype(np.int16)
    signed = (wide - (wide >> (bits - 1)) * 2**bits).astype(np.int8)
    assert np.array_equal(sign_extend(unpack_bits(pack_bits(signed, bits), bits, codes.shape[1]), bits), signed)


@given(hnp.arrays(np.int8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=33), elements=st.integers(-1, 1)))
def test_five_ternary_codes_are_a_byte(codes: np.ndarray) -> None:
    packed = pack_trits(codes)
    assert packed.max() <= 242
    assert np.array_equal(unpack_trits(packed, codes.shape[1]), codes)
    # the rule in the head of isa/xqt.yaml
    rule = [[int(packed[r, k // 5]) // 3 ** (k % 5) % 3 - 1 for k in range(codes.shape[1])] for r in range(len(codes))]
    assert np.array_equal(rule, codes)


AWQ_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)
"""Nibble i of an AWQ word holds column AWQ_ORDER[i] of eight (llm-awq, packing of the GEMM kernels)."""


def test_gptq_words_are_rows_of_ours() -> None:
    """GPTQ, qweight of 4 bits: value k of a column in bits 4 (k % 8) of word k // 8, along the input features."""
    codes = np.random.default_rng(1).integers(0, 16, (5, 64), dtype=np.uint8)
    words = pack_bits(codes, 4).view("<u4")
    expected = [[sum(int(row[8 * w + i]) << 4 * i for i in range(8)) for w in range(8)] for row in codes]
    assert np.array_equal(words, expected)


def test_gptq_three_bit_words_are_rows_of_ours() -> None:
    """GPTQ, 3 bits: 32 values in three words; value 10 lies in bits 30 and 31 and in bit 0 of the next, value 21
    in bit 31 and in bits 0 and 1 of the next."""
    codes = np.random.default_rng(2).integers(0, 8, (4, 32), dtype=np.uint8)
    words = pack_bits(codes, 3).view("<u4").astype(np.int64)
    assert np.array_equal(words[:, 0] >> 30 | (words[:, 1] & 1) << 2, codes[:, 10])
    assert np.array_equal(words[:, 1] >> 31 | (words[:, 2] & 3) << 1, codes[:, 21])


def test_awq_words_are_ours_after_its_permutation() -> None:
    codes = np.random.default_rng(3).integers(0, 16, (5, 64), dtype=np.uint8)
    words = pack_bits(codes.reshape(5, 8, 8)[:, :, AWQ_ORDER].reshape(5, 64), 4).view("<u4")
    for row, packed in zip(codes, words, strict=True):
        for w, word in enumerate(packed):
            slots = [int(word) >> 4 * slot & 15 for slot in range(8)]
            assert [slots[AWQ_ORDER.index(column)] for column in range(8)] == row[8 * w : 8 * w + 8].tolist()


def test_compressed_tensors_words_are_ours_with_an_offset() -> None:
    """compressed-tensors, pack_to_int32: -8 to 7 are stored as 0x76543210 and 0xfedcba98."""
    words = pack_bits((np.arange(-8, 8) + 8).astype(np.uint8)[None], 4).view("<u4")
    assert [f"{int(word):08x}" for word in words[0]] == ["76543210", "fedcba98"]
