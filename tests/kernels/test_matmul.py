"""Matrix products with packed weights, ragged in every direction."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archsim.formats import IntegerFormat, parse_format, quantize
from archsim.kernels import reference
from archsim.kernels.alone import run_alone, write_alone
from archsim.kernels.layout import pack_weights
from archsim.kernels.matmul import MatMul, Tiling
from tests.kernels.checking import DESIGNS, check, design_of, target

FORMATS = ("int4-g128", "int4-g32", "int4-g256", "int4-channel", "int8", "int8-g64")


def compare(name: str, rows: int, depth: int, columns: int, form: str, tiling: Tiling | None = None) -> None:
    random = np.random.default_rng(rows * depth * columns)
    shape = parse_format(form)
    assert isinstance(shape, IntegerFormat)
    bits, group = shape.bits, shape.group
    # a format's groups divide rows, a kernel's need not: zeros fill the last group, and are cut off
    filled = np.zeros((columns, -(-depth // (group or depth)) * (group or depth)), np.float32)
    filled[:, :depth] = random.normal(size=(columns, depth))
    weights = quantize(filled, form)
    integers = weights.codes[:, :depth]
    kernel = MatMul("matmul", target(name), rows, depth, columns, bits, group)
    tiling = tiling or write_alone(kernel).tiling
    layout = kernel.layout(tiling.steps)
    codes = random.integers(-127, 128, (rows, depth)).astype(np.int8)
    scales = random.random(rows).astype(np.float32)
    packed = np.frombuffer(pack_weights(integers, weights.scales, layout), np.uint8)
    out = reference.matmul(codes, scales, integers, weights.scales, group, layout.step)
    check(kernel, design_of(name), {"codes": codes, "scales": scales, "weights": packed}, {"out": out}, tiling)


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize("form", FORMATS)
def test_formats(name: str, form: str) -> None:
    compare(name, 3, 300, 70, form)


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize("rows, depth, columns", [(1, 128, 16), (1, 1300, 150), (17, 128, 1), (70, 200, 40)])
def test_sizes(name: str, rows: int, depth: int, columns: int) -> None:
    compare(name, rows, depth, columns, "int4-g128")


@pytest.mark.parametrize("name", ["edge-npu", "server-npu"])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(1, 90), st.integers(1, 900), st.integers(1, 300), st.integers(1, 64), st.integers(1, 8))
def test_any_size_and_tiling(name: str, rows: int, depth: int, columns: int, block: int, steps: int) -> None:
    compare(name, rows, depth, columns, "int4-g128", Tiling(min(rows, block), steps))


def test_cores_share_rows_where_columns_are_few() -> None:
    # one block of columns, many rows: 8 cores would otherwise leave 7 idle
    kernel = MatMul("matmul", target("server-npu"), 1024, 256, 128, 4, 128)
    _, run = run_alone(kernel, design_of("server-npu"), {}, tiling=Tiling(128, 2), fidelity="addresses")
    busy = [hart["instructions"] for hart in run.harts]
    assert min(busy) > 0.9 * max(busy)


def test_decode_loop_is_lean_enough_to_keep_the_dram_busy() -> None:
    # a k-group of 16 x 128 int4 weights and 16 scales is 1056 bytes: 20.6 cycles at 51.2 bytes per cycle
    kernel = MatMul("matmul", target("edge-npu"), 1, 4096, 1024, 4, 128)
    _, run = run_alone(kernel, design_of("edge-npu"), {}, fidelity="addresses")
    groups = 4096 // 128 * (1024 // 16)
    assert run.instructions / groups < 10
    assert run.dram_read_bytes / (run.cycles * 51.2) > 0.8


def test_prefill_keeps_the_multipliers_busy() -> None:
    kernel = MatMul("matmul", target("edge-npu"), 128, 1024, 256, 4, 128)
    _, run = run_alone(kernel, design_of("edge-npu"), {}, fidelity="addresses")
    assert 128 * 1024 * 256 / 256 / run.cycles > 0.9


def test_int8_unit_pays_for_unpacking() -> None:
    def cycles(name: str) -> int:
        kernel = MatMul("matmul", target(name), 1, 4096, 256, 4, 128)
        return run_alone(kernel, design_of(name), {}, fidelity="addresses")[1].cycles

    # 2048 codes a group through a vector unit of 64 bytes per cycle: 32 cycles instead of 20.6
    assert 1.3 < cycles("edge-npu-int8") / cycles("edge-npu") < 1.6
