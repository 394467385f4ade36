"""Writes what torchao and compressed-tensors make of some rows: run where both are installed, not by any test."""

import sys

import numpy as np
import torch
from compressed_tensors.quantization.utils import cast_to_fp4, generate_gparam
from compressed_tensors.quantization.utils.mxfp_utils import generate_mx_scales
from torchao.prototype.mx_formats.kernels import unpack_uint4
from torchao.prototype.mx_formats.mx_tensor import DTYPE_FP6_E2M3, DTYPE_FP6_E3M2, to_mx
from torchao.prototype.mx_formats.nvfp4_tensor import nvfp4_quantize, per_tensor_amax_to_scale

KINDS = {
    "mxfp8-e4m3": torch.float8_e4m3fn,
    "mxfp8-e5m2": torch.float8_e5m2,
    "mxfp6-e2m3": DTYPE_FP6_E2M3,
    "mxfp6-e3m2": DTYPE_FP6_E3M2,
    "mxfp4": torch.float4_e2m1fn_x2,
}


def rows() -> np.ndarray:
    """float32 [14, 32]: normal, wide, zeros, ties, above the largest number, large; the last three subnormal."""
    random = np.random.default_rng(0)
    above = [1, -1, 6, 6.5, 7, -7.99, 7.5, 7.75, 28, 29, 31, 30, 57344, 61440, -65535, 448, 464, 480, 510]
    signs = 1 - 2 * (np.arange(32) % 2)
    matrix = [
        *random.normal(size=(3, 32)),
        random.normal(size=32) * np.exp2(random.integers(-20, 20, 32)),
        np.zeros(32) * signs,
        random.integers(-16, 17, 32) / 4,
        random.integers(-64, 65, 32) / 16,
        random.integers(-512, 513, 32) / 32,
        np.resize(above[:8], 32),
        np.resize(above[8:], 32),
        2.0 ** -np.arange(32) * signs,
        np.finfo(np.float32).max * np.linspace(-1, 1, 32),
        2.0 ** np.arange(-149, -117),
        3 * 2.0 ** random.integers(-149, -125, 32) * signs,
    ]
    return np.array(matrix, np.float32)


def two_levels() -> np.ndarray:
    """float32 [6, 32] for NVFP4: normal ones; ties, whose scales are powers of two; blocks far below the largest."""
    random = np.random.default_rng(1)
    matrix = np.vstack([random.normal(0, 500, (3, 32)), random.integers(-24, 25, (1, 32)) / 4, np.zeros((2, 32))])
    matrix[0, 0], matrix[3, ::16], matrix[4] = 448 * 6, 6, random.normal(0, 0.01, 32)
    return matrix.astype(np.float32)


def of_torchao(values: np.ndarray, small: np.ndarray) -> dict[str, np.ndarray]:
    arrays = {}
    for name, kind in KINDS.items():
        scales, codes = to_mx(torch.from_numpy(values), kind, 32)  # floor, as it is unless asked otherwise
        arrays[f"{name} scales"] = scales.view(torch.uint8).numpy().reshape(len(values), -1)
        codes = unpack_uint4(codes.view(torch.uint8)) if name == "mxfp4" else codes.view(torch.uint8)
        arrays[f"{name} codes"] = codes.numpy().reshape(values.shape)
    tensor = per_tensor_amax_to_scale(torch.tensor(np.abs(small).max()))
    scales, codes = nvfp4_quantize(torch.from_numpy(small), 16, tensor)
    arrays["nvfp4 tensor"] = tensor.numpy()
    arrays["nvfp4 scales"] = scales.view(torch.uint8).numpy().reshape(len(small), -1)
    arrays["nvfp4 codes"] = unpack_uint4(codes.view(torch.uint8)).numpy().reshape(small.shape)
    return arrays


def of_compressed_tensors(values: np.ndarray, small: np.ndarray) -> dict[str, np.ndarray]:
    """Its steps are functions of their own; a quantised NVFP4 value is element x scale / global scale."""
    x, largest = torch.from_numpy(small), torch.tensor(np.abs(small).max())
    tensor = generate_gparam(-largest, largest)
    blocks = x.reshape(-1, 16)
    scales = (tensor * (blocks.abs().amax(1) / 6)).to(torch.float8_e4m3fn)
    divisor = torch.where(scales.float() == 0, 1.0, scales.float() / tensor)
    elements = cast_to_fp4((blocks / divisor[:, None]).clamp(-6, 6))
    exponents = generate_mx_scales(torch.from_numpy(np.abs(values[:10]).max(1, keepdims=True)))
    return {
        "even mxfp4 scales": exponents.clamp(0, 254).to(torch.uint8).numpy(),
        "global nvfp4 scales": scales.view(torch.uint8).numpy().reshape(len(small), -1),
        "global nvfp4 elements": elements.numpy().reshape(small.shape),
    }


def main(path: str) -> None:
    values, small = rows(), two_levels()
    made = {**of_torchao(values, small), **of_compressed_tensors(values, small)}
    np.savez_compressed(path, **{"x": values, "nvfp4 x": small, **made})


if __name__ == "__main__":
    main(sys.argv[1])
