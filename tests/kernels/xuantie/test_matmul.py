"""Products with int4 and int8 weights on XuanTie's tiles, bit for bit; packed weights take the format's bytes."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.common.errors import InputError
from archsim.formats import parse_format, quantize
from archsim.kernels import reference
from archsim.kernels.alone import run_alone
from archsim.kernels.rvv.target import STEP
from archsim.kernels.rvv.weights import require_columns
from archsim.kernels.xuantie.matmul import MatMul
from archsim.kernels.xuantie.target import XuanTieTarget, xuantie_target_of
from tests.kernels.checking import design_of
from tests.kernels.rvv.checking import floats

DESIGN = "edge-xuantie"


def target() -> XuanTieTarget:
    return xuantie_target_of(design_of(DESIGN))


@pytest.mark.parametrize(
    "form, rows, columns, outputs, tiling",
    [
        ("int4-g64", 1, 128, 128, 1),
        ("int4-g64", 21, 256, 300, 16),
        ("int4-g128", 2, 256, 70, 2),
        ("int4-g32", 7, 96, 129, 4),
        ("int4-g256", 1, 512, 16, 1),
        ("int4", 3, 300, 150, 3),
        ("int8-g64", 3, 192, 140, 3),
        ("int8", 2, 150, 9, 2),
    ],
)
def test_matmul(form: str, rows: int, columns: int, outputs: int, tiling: int) -> None:
    weights = quantize(floats(outputs, outputs, columns), form)
    codes, scales = reference.quantize(floats(rows, rows, columns))
    expected = reference.matmul(codes, scales, weights, STEP)
    kernel = MatMul("matmul", target(), rows, columns, outputs, require_columns(parse_format(form)))
    stored = kernel.pack(weights, tiling)
    assert stored.nbytes == parse_format(form).nbytes(outputs, columns)
    inputs = {"codes": codes, "scales": scales, "weights": stored}
    out, timed = run_alone(kernel, design_of(DESIGN), inputs, tiling=tiling)
    np.testing.assert_array_equal(out["out"], expected)
    assert timed.macs["int8"] == rows * columns * outputs


def test_groups_that_make_no_tiles() -> None:
    with pytest.raises(InputError, match="no tiles of 64 make 94 inputs"):
        MatMul("matmul", target(), 1, 94, 16, require_columns(parse_format("int8")))
