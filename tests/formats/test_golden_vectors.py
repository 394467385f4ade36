"""MX and NVFP4 bit for bit as torchao and compressed-tensors have them, but where those leave the specification."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archsim.formats import quantize
from archsim.formats.microscaling import e8m0_values
from tests.formats import mx_reference

GOLDEN = np.load(Path(__file__).parent / "data" / "mx.npz")


def smallest_scale(name: str) -> np.ndarray:
    """Rows, not of zeros, for which E8M0 has no scale but its smallest, 2**-127: bool [rows]."""
    return (GOLDEN[f"{name} scales"][:, 0] == 0) & GOLDEN["x"].any(axis=1)


@pytest.mark.parametrize("name", mx_reference.ELEMENTS)
def test_mx_is_torchaos_with_its_floor_rule(name: str) -> None:
    """Normal rows, wide ones, zeros of both signs, ties, numbers above the largest, the largest float32."""
    packed = quantize(GOLDEN["x"], name)
    assert np.array_equal(packed.scales, GOLDEN[f"{name} scales"])
    same = ~smallest_scale(name)
    assert same.sum() >= 12
    assert np.array_equal(packed.codes[same], GOLDEN[f"{name} codes"][same])


@pytest.mark.parametrize("name", mx_reference.ELEMENTS)
def test_torchao_divides_by_twice_the_smallest_scale(name: str) -> None:
    """It stores 2**-127 and divides by 2**-126 (a comment of its source says why): what it reads back is half.

    The specification divides by what is stored (section 6.3), and so do we: our error is no more than half a spacing
    of the elements, theirs half of the number.
    """
    rows = smallest_scale(name)
    assert rows.any()
    values = GOLDEN["x"][rows]
    ours = quantize(values, name).dequantize()
    element, _, _ = mx_reference.ELEMENTS[name]
    theirs = GOLDEN[f"{name} codes"][rows].view(element).astype(np.float32) * e8m0_values()[0]
    assert np.array_equal(theirs, quantize(values / 2, name).dequantize())
    exact = values.astype(np.float64)
    assert np.abs(ours - exact).sum() < 0.2 * np.abs(theirs - exact).sum()


def test_nvfp4_is_that_of_compressed_tensors() -> None:
    """Block scales down to subnormal E4M3 and to zero; elements, ties among them, from its own cast."""
    packed = quantize(GOLDEN["nvfp4 x"], "nvfp4")
    assert packed.arrays["tensor_scale"].item() == 1
    assert np.array_equal(packed.scales, GOLDEN["global nvfp4 scales"])
    elements = packed.codes.view(mx_reference.ELEMENTS["mxfp4"][0]).astype(np.float32)
    assert np.array_equal(elements, GOLDEN["global nvfp4 elements"])


def test_torchao_raises_small_block_scales_of_nvfp4() -> None:
    """To 2**-6, the smallest normal E4M3, of which NVIDIA's recipe (2025, appendix B) says nothing; the rest agrees."""
    packed, smallest = quantize(GOLDEN["nvfp4 x"], "nvfp4"), 0x08
    theirs = GOLDEN["nvfp4 scales"]
    assert packed.arrays["tensor_scale"].item() == GOLDEN["nvfp4 tensor"]
    assert np.array_equal(np.maximum(packed.scales, smallest), theirs)
    same = np.repeat(packed.scales == theirs, 16, axis=1)
    assert 0.5 < same.mean() < 1
    assert np.array_equal(packed.codes[same], GOLDEN["nvfp4 codes"][same])


def test_compressed_tensors_rounds_the_scales_of_mxfp4() -> None:
    """Its even rule: a block's largest magnitude goes up to the next power of two from 1.75 times its own power on.

    Ours, the specification's, always goes down, and what would be more than 6 saturates.
    """
    values = GOLDEN["x"][:10]
    mantissas = 2 * np.frexp(np.abs(values).max(1, keepdims=True))[0]
    assert (mantissas >= 1.75).any() and (mantissas < 1.75).any()
    packed = quantize(values, "mxfp4")
    assert np.array_equal(packed.scales + (mantissas >= 1.75), GOLDEN["even mxfp4 scales"])
