"""Large matrices are quantised some rows at a time."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from archsim.formats import quantize

NAMES = ("int4-g128", "int3-g64-asym", "int4-g128-clip", "ternary", "fp8-e4m3", "mxfp6-e2m3", "nvfp4", "nf4-g64",
         "kmeans2", "codebook3-g64", "q4_0", "q4_k", "tq1_0", "bf16")  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_temporaries_do_not_grow_with_the_matrix(name: str, dtype: type) -> None:
    weights = np.random.default_rng(0).normal(0, 0.02, (1024, 4096)).astype(dtype)
    # once before, since compiling allocates, too
    quantize(weights[:64], name).dequantize()
    tracemalloc.start()
    packed = quantize(weights, name)
    written = tracemalloc.get_traced_memory()[1] - packed.nbytes
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    values = packed.dequantize()
    read = tracemalloc.get_traced_memory()[1] - before - values.nbytes
    tracemalloc.stop()
    # a block of rows has a megabyte; a codebook is learned from four megabytes, which take several forms
    assert written < (40e6 if name.startswith("codebook") else 9e6)
    assert read < 9e6


def test_blocks_of_rows_give_what_the_whole_gives() -> None:
    weights = np.random.default_rng(0).normal(0, 0.02, (300, 4096)).astype(np.float32)
    for name in NAMES:
        if name.startswith(("codebook", "nvfp4")):
            continue  # the tensor shares something
        whole, part = quantize(weights, name), quantize(weights[200:210], name)
        assert np.array_equal(whole.dequantize()[200:210], part.dequantize())
