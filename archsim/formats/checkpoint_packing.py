"""How checkpoints of GPTQ and of AWQ lay out their codes in words of 32 bits.

Both store a linear layer of `outputs` x `inputs` as `qweight`, `qzeros` and `scales`, inputs first. Their codes have no
sign; a weight is (code - zero) x scale of its group of inputs.

GPTQ (AutoGPTQ's QuantLinear.pack): word k of a column holds consecutive inputs, the first one lowest; zero points of
consecutive outputs lie likewise in words of a row. Its first format stores zero points less one, "gptq_v2" as they are.

AWQ (AutoAWQ's WQLinear_GEMM): words hold eight outputs, nibble i the one that AWQ_ORDER[i] names; zero points likewise.
"""

from __future__ import annotations

import numpy as np

from archsim.common.errors import InputError
from archsim.formats.packing import pack_bits, unpack_bits

AWQ_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)
"""The column of eight that each nibble of a word holds, the lowest first."""
_GPTQ_BITS = (2, 4, 8)
_WORD = 32


def pack_gptq(codes: np.ndarray, bits: int = 4) -> np.ndarray:
    """Codes of weights as GPTQ's qweight.

    Args:
        codes: uint8 [outputs, inputs], below 2**bits.
        bits: 2, 4 or 8.

    Returns:
        int32 [inputs x bits / 32, outputs].

    Raises:
        InputError: codes do not fit bits, inputs do not fill words, or bits are others.
    """
    return np.ascontiguousarray(_to_words(codes, bits, "inputs").T)


def unpack_gptq(qweight: np.ndarray, bits: int = 4) -> np.ndarray:
    """The inverse of pack_gptq: uint8 [outputs, inputs].

    Raises:
        InputError: bits are others than 2, 4 or 8, or qweight is no matrix of int32.
    """
    return _from_words(np.ascontiguousarray(_checked(qweight).T), bits)


def pack_gptq_zeros(zeros: np.ndarray, bits: int = 4, version: int = 1) -> np.ndarray:
    """Zero points as GPTQ's qzeros.

    Args:
        zeros: integers [outputs, groups]: 1 to 2**bits in version 1, which stores them less one; 0 to 2**bits - 1 in
            version 2.

    Returns:
        int32 [groups, outputs x bits / 32].

    Raises:
        InputError: a zero point does not fit, or outputs do not fill words.
    """
    return _to_words(zeros.T.astype(np.int16) - _offset(version), bits, "outputs")


def unpack_gptq_zeros(qzeros: np.ndarray, bits: int = 4, version: int = 1) -> np.ndarray:
    """The inverse of pack_gptq_zeros: int16 [outputs, groups].

    Raises:
        InputError: the version is neither 1 nor 2, or qzeros is no matrix of int32.
    """
    return np.ascontiguousarray(_from_words(_checked(qzeros), bits).T).astype(np.int16) + _offset(version)


def pack_awq(codes: np.ndarray) -> np.ndarray:
    """Codes of weights as AWQ's qweight, or zero points as its qzeros; four bits each.

    Args:
        codes: uint8 [outputs, inputs or groups], below 16.

    Returns:
        int32 [inputs or groups, outputs / 8].

    Raises:
        InputError: a code does not fit, or outputs do not fill words.
    """
    outputs, rows = codes.shape
    if outputs % len(AWQ_ORDER):
        raise _unfilled("outputs", outputs, len(AWQ_ORDER))
    shuffled = codes.T.reshape(rows, -1, len(AWQ_ORDER))[:, :, AWQ_ORDER]
    return _to_words(shuffled.reshape(rows, outputs), 4, "outputs")


def unpack_awq(words: np.ndarray) -> np.ndarray:
    """The inverse of pack_awq: uint8 [outputs, inputs or groups].

    Raises:
        InputError: words are no matrix of int32.
    """
    nibbles = _from_words(_checked(words), 4).reshape(len(words), -1, len(AWQ_ORDER))
    return np.ascontiguousarray(nibbles[:, :, np.argsort(AWQ_ORDER)].reshape(len(words), -1).T)


def grouped_weights(
    codes: np.ndarray, zeros: np.ndarray, scales: np.ndarray, groups: np.ndarray | None = None
) -> np.ndarray:
    """(code - zero) x scale: float32 [outputs, inputs].

    Args:
        codes: [outputs, inputs].
        zeros: [outputs, groups].
        scales: float16 [groups, outputs], as stored.
        groups: the group of each input (GPTQ's g_idx, of models quantised by order of activations); unless given,
            groups are of consecutive inputs.

    Raises:
        InputError: shapes do not belong together, or a group is out of range.
    """
    (outputs, inputs), count = codes.shape, zeros.shape[1]
    fits = (
        zeros.shape == (outputs, count)
        and scales.shape == (count, outputs)
        and (inputs % count == 0 or groups is not None)
    )
    if not fits:
        shapes = f"codes {codes.shape}, zeros {zeros.shape} and scales {scales.shape}"
        raise InputError(f"{shapes} do not belong together", remedy="give tensors of one layer")
    of_input = np.arange(inputs) // (inputs // count) if groups is None else groups
    if of_input.shape != (inputs,) or of_input.min() < 0 or of_input.max() >= count:
        raise InputError(f"g_idx is no group of {count} for each of {inputs} inputs", remedy="give that of this layer")
    steps = codes.astype(np.float32) - zeros.astype(np.float32)[:, of_input]
    return steps * scales.T.astype(np.float32)[:, of_input]


def _to_words(codes: np.ndarray, bits: int, along: str) -> np.ndarray:
    """Rows of codes as little-endian int32, the first code lowest."""
    _check_bits(bits)
    if codes.size and (codes.min() < 0 or codes.max() >= 1 << bits):
        raise InputError(f"codes from {codes.min()} to {codes.max()} do not fit {bits} bits", remedy="use more bits")
    if codes.shape[1] * bits % _WORD:
        raise _unfilled(along, codes.shape[1], _WORD // bits)
    return pack_bits(codes.astype(np.uint8), bits).view("<i4")


def _from_words(words: np.ndarray, bits: int) -> np.ndarray:
    _check_bits(bits)
    return unpack_bits(words.astype("<i4").view(np.uint8), bits, words.shape[1] * _WORD // bits)


def _checked(words: np.ndarray) -> np.ndarray:
    if words.ndim != 2 or words.dtype.kind not in "iu" or words.dtype.itemsize != 4:
        raise InputError(f"words are {words.dtype} {words.shape}", remedy="give a matrix of int32")
    return words


def _check_bits(bits: int) -> None:
    if bits not in _GPTQ_BITS:
        raise InputError(f"codes of {bits} bits are not supported", remedy="use 2, 4 or 8: they fill words")


def _offset(version: int) -> np.int16:
    if version not in (1, 2):
        raise InputError(f"there is no version {version} of GPTQ's zero points", remedy="use 1 (gptq) or 2 (gptq_v2)")
    return np.int16(2 - version)


def _unfilled(along: str, count: int, each: int) -> InputError:
    return InputError(f"{count} {along} do not fill words of {each} codes", remedy=f"use a multiple of {each}")
