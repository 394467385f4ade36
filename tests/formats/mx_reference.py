"""MX and NVFP4 slowly, sentence by sentence of the OCP Microscaling specification 1.0, elements by ml_dtypes.

torchao and compressed-tensors, which also implement them, need torch: gigabytes for an oracle of two pages. What they
make of some rows lies in data/mx.npz, and test_golden_vectors.py says where it is the same and where it is not.
"""

from __future__ import annotations

import math

import ml_dtypes
import numpy as np

ELEMENTS = {
    "mxfp8-e4m3": (ml_dtypes.float8_e4m3fn, 8, 448.0),
    "mxfp8-e5m2": (ml_dtypes.float8_e5m2, 15, 57344.0),
    "mxfp6-e3m2": (ml_dtypes.float6_e3m2fn, 4, 28.0),
    "mxfp6-e2m3": (ml_dtypes.float6_e2m3fn, 2, 7.5),
    "mxfp4": (ml_dtypes.float4_e2m1fn, 2, 6.0),
}
"""Element type, exponent of its largest power of two (emax), largest number (section 5.3)."""


def exponent_of(block: np.ndarray, emax: int) -> int:
    """Section 6.3: the largest power of two up to max |v|, over that of the element type; E8M0 ends at 2**-127."""
    largest = float(np.abs(block).max())
    return max(math.frexp(largest)[1] - 1 - emax, -127) if largest else -127


def mx(values: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """E8M0 codes, element codes and values of a matrix."""
    scales, codes, result = [], [], []
    for block in values.reshape(-1, 32).astype(np.float64):
        if name == "mxint8":
            exponent = exponent_of(block, 0)
            elements = np.clip(np.rint(block / 2.0**exponent * 64), -127, 127).astype(np.int8)
            codes.append(elements.view(np.uint8))
            result.append(elements * 2.0 ** (exponent - 6))
        else:
            dtype, emax, top = ELEMENTS[name]
            exponent = exponent_of(block, emax)
            # float32 holds the quotient exactly, but for what is far below the smallest element
            elements = np.clip(block / 2.0**exponent, -top, top).astype(np.float32).astype(dtype)
            codes.append(elements.view(np.uint8))
            result.append(elements.astype(np.float64) * 2.0**exponent)
        scales.append(exponent + 127)
    shape = values.shape
    scales_array = np.array(scales, np.uint8).reshape(len(values), -1)
    return scales_array, np.array(codes).reshape(shape), np.array(result, np.float32).reshape(shape)


def nvfp4(values: np.ndarray) -> tuple[np.float32, np.ndarray, np.ndarray, np.ndarray]:
    """Tensor scale, E4M3 codes, E2M1 codes and values of a matrix, in float32, as NVIDIA has it."""
    tensor = np.abs(values).max() / np.float32(448 * 6)
    blocks = values.reshape(-1, 16)
    divisor = tensor if tensor else np.float32(1)
    scales = (np.abs(blocks).max(1) / np.float32(6) / divisor).clip(max=448).astype(ml_dtypes.float8_e4m3fn)
    product = scales.astype(np.float32) * tensor
    ratio = np.divide(blocks, product[:, None], out=np.zeros_like(blocks), where=product[:, None] > 0)
    elements = ratio.clip(-6, 6).astype(ml_dtypes.float4_e2m1fn)
    result = elements.astype(np.float32) * product[:, None]
    codes = elements.view(np.uint8).reshape(values.shape)
    return tensor, scales.view(np.uint8).reshape(len(values), -1), codes, result.reshape(values.shape)
