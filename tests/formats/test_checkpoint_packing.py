"""Words of GPTQ's and AWQ's checkpoints, bit by bit, against their definitions in plain integers."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.common.errors import InputError
from archsim.formats.checkpoint_packing import (
    grouped_weights,
    pack_awq,
    pack_gptq,
    pack_gptq_zeros,
    unpack_awq,
    unpack_gptq,
    unpack_gptq_zeros,
)


def codes(bits: int, outputs: int, inputs: int) -> np.ndarray:
    return np.random.default_rng(bits).integers(0, 1 << bits, (outputs, inputs), dtype=np.uint8)


def field(word: int, at: int, bits: int) -> int:
    return (int(word) & 0xFFFFFFFF) >> at & ((1 << bits) - 1)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_gptq_puts_consecutive_inputs_into_a_word(bits: int) -> None:
    """Input k of an output: bits `bits` x (k % per) on of qweight[k // per, output], per = 32 / bits."""
    weights, per = codes(bits, 6, 64), 32 // bits
    words = pack_gptq(weights, bits)
    assert (words.dtype, words.shape) == (np.dtype("<i4"), (64 // per, 6))
    for output, row in enumerate(weights):
        for k, code in enumerate(row):
            assert field(words[k // per, output], bits * (k % per), bits) == code
    assert np.array_equal(unpack_gptq(words, bits), weights)


def test_gptq_stores_zero_points_less_one_in_its_first_version() -> None:
    zeros = codes(4, 16, 3).astype(np.int16)
    for version, stored in ((1, zeros), (2, zeros)):
        words = pack_gptq_zeros(stored + (2 - version), 4, version)
        assert words.shape == (3, 2)
        for output in range(16):
            for group in range(3):
                assert field(words[group, output // 8], 4 * (output % 8), 4) == zeros[output, group]
        assert np.array_equal(unpack_gptq_zeros(words, 4, version), stored + (2 - version))
    # what a symmetric model of version 1 stores for its zero points of 8
    assert pack_gptq_zeros(np.full((8, 1), 8)).tolist() == [[0x77777777]]


def test_awq_interleaves_eight_outputs() -> None:
    """From its nibbles, lowest first, come outputs 0, 2, 4, 6, 1, 3, 5 and 7."""
    assert pack_awq(np.arange(8, dtype=np.uint8)[:, None]).tolist() == [[0x75316420]]
    weights = codes(4, 24, 5)
    words = pack_awq(weights)
    assert (words.dtype, words.shape) == (np.dtype("<i4"), (5, 3))
    for output in range(24):
        # even ones first: their nibble is half the number; odd ones in the upper half of the word
        nibble = (output % 8) // 2 + 4 * (output % 2)
        for k in range(5):
            assert field(words[k, output // 8], 4 * nibble, 4) == weights[output, k]
    assert np.array_equal(unpack_awq(words), weights)


@pytest.mark.parametrize("order", [False, True])
def test_weights_are_those_of_each_group(order: bool) -> None:
    random = np.random.default_rng(7)
    weights, zeros = codes(4, 8, 32), random.integers(0, 16, (8, 4))
    scales = random.random((4, 8)).astype(np.float16)
    groups = random.integers(0, 4, 32) if order else None
    result = grouped_weights(weights, zeros, scales, groups)
    for output in range(8):
        for k in range(32):
            group = groups[k] if groups is not None else k // 8
            expected = (int(weights[output, k]) - int(zeros[output, group])) * float(scales[group, output])
            assert result[output, k] == np.float32(expected)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pack_gptq(codes(4, 2, 12)), "12 inputs do not fill words of 8"),
        (lambda: pack_gptq(codes(8, 2, 16)), "do not fit 4 bits"),
        (lambda: pack_gptq(codes(3, 2, 32), 3), "3 bits are not supported"),
        (lambda: pack_gptq_zeros(np.zeros((8, 1), np.int16)), "codes from -1"),
        (lambda: unpack_gptq_zeros(np.zeros((1, 1), np.int32), 4, 3), "no version 3"),
        (lambda: pack_awq(codes(4, 12, 2)), "12 outputs do not fill words of 8"),
        (lambda: unpack_awq(np.zeros((2, 2))), "words are float64"),
        (lambda: grouped_weights(codes(4, 8, 32), np.zeros((8, 3)), np.zeros((3, 8))), "do not belong together"),
        (lambda: grouped_weights(codes(4, 8, 8), np.zeros((8, 2)), np.zeros((2, 8)), np.full(8, 2)), "g_idx"),
    ],
)
def test_what_does_not_fit_is_refused(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
