"""Products with int4 and int8 weights in RVV, bit for bit; packed weights take the format's bytes."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.common.errors import InputError
from archsim.formats import parse_format, quantize
from archsim.kernels import reference
from archsim.kernels.rvv.matmul import MatMul
from archsim.kernels.rvv.target import STEP
from archsim.kernels.rvv.weights import require_columns
from tests.kernels.rvv.checking import check, floats, target


@pytest.mark.parametrize(
    "form, rows, columns, outputs",
    [
        ("int4-g64", 1, 128, 128),
        ("int4-g64", 5, 256, 300),
        ("int4-g128", 2, 256, 70),
        ("int4-g32", 3, 96, 129),
        ("int4-g256", 1, 512, 16),
        ("int4", 3, 300, 150),
        ("int8-g64", 3, 192, 140),
        ("int8", 2, 150, 9),
    ],
)
def test_matmul(form: str, rows: int, columns: int, outputs: int) -> None:
    weights = quantize(floats(outputs, outputs, columns), form)
    codes, scales = reference.quantize(floats(rows, rows, columns))
    expected = reference.matmul(codes, scales, weights, STEP)
    kernel = MatMul("matmul", target(), rows, columns, outputs, require_columns(parse_format(form)))
    stored = kernel.pack(weights, 1)
    assert stored.nbytes == kernel.layout().nbytes == parse_format(form).nbytes(outputs, columns)
    check(kernel, {"codes": codes, "scales": scales, "weights": stored}, {"out": expected})


def test_sums_of_16_bits_do_not_overflow() -> None:
    """32 products of the largest magnitudes, -127 and -8: the most that they are summed in."""
    weights = quantize(floats(1, 8, 64), "int4-g64")
    weights.packed[:] = 0x88
    codes, scales = np.full((1, 64), -127, np.int8), np.ones(1, np.float32)
    expected = reference.matmul(codes, scales, weights, STEP)
    kernel = MatMul("matmul", target(), 1, 64, 8, require_columns(weights.format))
    check(kernel, {"codes": codes, "scales": scales, "weights": kernel.pack(weights, 1)}, {"out": expected})


def test_columns_of_a_wider_output() -> None:
    weights = quantize(floats(1, 40, 64), "int8")
    codes, scales = reference.quantize(floats(2, 3, 64))
    expected = np.zeros((3, 100), np.float32)
    expected[:, 17:57] = reference.matmul(codes, scales, weights, STEP)
    kernel = MatMul("matmul", target(), 3, 64, 40, require_columns(weights.format), first=17, width=100)
    check(kernel, {"codes": codes, "scales": scales, "weights": kernel.pack(weights, 1)}, {"out": expected})


@pytest.mark.parametrize("form", ["nf4-g64", "int4-g64-asym", "mxfp4", "q4_k", "int3-g64"])
def test_other_formats_are_named(form: str) -> None:
    with pytest.raises(InputError, match=f"no kernel of RVV multiplies weights of format '{form}'"):
        require_columns(parse_format(form))
