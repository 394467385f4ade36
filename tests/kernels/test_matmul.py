"""Matrix products with packed weights, ragged in every direction."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archsim.common.errors import InputError
from archsim.formats import Packed, parse_format, quantize
from archsim.formats.sign import TernaryFormat
from archsim.kernels import reference
from archsim.kernels.alone import run_alone, write_alone
from archsim.kernels.layout import pack_weights
from archsim.kernels.matmul import MatMul, Tiling
from archsim.kernels.weight_code import coded, weight_code
from tests.kernels.checking import DESIGNS, check, design_of, target

FORMATS = ("int4-g128", "int4-g32", "int4-g256", "int4-channel", "int8", "int8-g64", "int2-g64", "int4-g128-asym")
EVERY = (
    "int8-channel", "int4-g128", "int3-g64", "int2-g64", "int2", "int8-channel-asym", "int4-g128-asym", "int3-g32-asym",
    "int2-g256-asym", "ternary", "ternary-g64", "ternary-tensor", "binary-g64", "binary-g16", "mxfp4", "mxint8",
    "mxfp8-e4m3", "mxfp8-e5m2", "mxfp6-e3m2", "nf4-g64", "nf4-channel", "iq4_nl", "q4_0", "q8_0", "q4_k",
)  # fmt: skip


def matmul(name: str, rows: int, depth: int, columns: int, form: str) -> MatMul:
    return MatMul("matmul", target(name), rows, depth, columns, weight_code(parse_format(form)))


def compare(name: str, rows: int, depth: int, columns: int, form: str, tiling: Tiling | None = None) -> None:
    """Random activations: what the reference gives, to the bit."""
    random = np.random.default_rng(rows * depth * columns)
    weights = quantized(random.normal(size=(columns, depth)), form)
    codes = random.integers(-127, 128, (rows, depth)).astype(np.int8)
    kernel = matmul(name, rows, depth, columns, form)
    tiling = tiling or write_alone(kernel).tiling
    layout = kernel.layout(tiling.steps)
    scales = random.random(rows).astype(np.float32)
    packed = np.frombuffer(pack_weights(coded(weights), layout), np.uint8)
    out = reference.matmul(codes, scales, weights, layout.step)
    check(kernel, design_of(name), {"codes": codes, "scales": scales, "weights": packed}, {"out": out}, tiling)


def quantized(values: np.ndarray, form: str) -> Packed:
    """A format's groups divide rows, a kernel's need not: zeros fill the last group, and are cut off."""
    (rows, depth), shape = values.shape, parse_format(form)
    group = weight_code(shape).group or depth
    filled = np.zeros((rows, -(-depth // group) * group), np.float32)
    filled[:, :depth] = values
    whole = quantize(filled, form)
    if filled.shape == values.shape:
        return whole
    codes = whole.codes[:, :depth]
    kept = codes.view(np.uint8) if not isinstance(shape, TernaryFormat) else codes
    return Packed(shape, (rows, depth), {**whole.arrays, "codes": shape.pack(np.ascontiguousarray(kept))})


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize("form", FORMATS)
def test_formats(name: str, form: str) -> None:
    compare(name, 3, 300, 70, form)


@pytest.mark.parametrize("form", EVERY)
def test_every_format(form: str) -> None:
    compare("edge-npu-formats", 3, 768, 21, form)


@pytest.mark.parametrize("form", EVERY)
def test_one_hot_activations_read_the_weights_as_the_format_says(form: str) -> None:
    """Dequantised on the machine: row k of the identity takes out column k of the weights."""
    depth, columns = 256, 20
    random = np.random.default_rng(7)
    values = random.normal(size=(columns, depth)) * np.exp2(random.integers(-8, 8, (columns, 1)))
    values[3] = 0
    values[4, 1:] = 0
    weights = quantize(values.astype(np.float32), form)
    kernel = matmul("edge-npu-formats", depth, depth, columns, form)
    layout = kernel.layout(write_alone(kernel).tiling.steps)
    inputs = {
        "codes": np.eye(depth, dtype=np.int8),
        "scales": np.ones(depth, np.float32),
        "weights": np.frombuffer(pack_weights(coded(weights), layout), np.uint8),
    }
    outputs, _ = run_alone(kernel, design_of("edge-npu-formats"), inputs, fidelity="functional")
    # -0 and 0 are the same number: a sum that starts at 0 has no -0
    np.testing.assert_array_equal(outputs["out"], weights.dequantize().T)


@pytest.mark.parametrize(
    "name, form, depth, words",
    [
        ("edge-npu", "mxfp4", 256, "need a matrix unit that multiplies fp4"),
        ("edge-npu", "q4_k", 256, "need the extension xqk"),
        ("edge-npu", "binary", 200, "have no zero that fills rows of 200"),
    ],
)
def test_what_a_design_cannot_multiply_is_said(name: str, form: str, depth: int, words: str) -> None:
    with pytest.raises(InputError, match=words):
        matmul(name, 1, depth, 16, form)


@pytest.mark.parametrize("form", ["int5-g64", "q2_k", "nvfp4", "fp8-e4m3", "turboquant-4", "int8-token"])
def test_formats_without_a_kernel_are_refused(form: str) -> None:
    with pytest.raises(InputError, match="no kernel multiplies weights of format"):
        weight_code(parse_format(form))


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize("rows, depth, columns", [(1, 128, 16), (1, 1300, 150), (17, 128, 1), (70, 200, 40)])
def test_sizes(name: str, rows: int, depth: int, columns: int) -> None:
    compare(name, rows, depth, columns, "int4-g128")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(("q4_k", "mxfp4", "int2-g64-asym", "ternary-g64", "nf4-g64")),
    st.integers(1, 40), st.integers(1, 4), st.integers(1, 80), st.integers(1, 40), st.integers(1, 9),
)  # fmt: skip
def test_any_tiling_of_other_codes(form: str, rows: int, blocks: int, columns: int, block: int, steps: int) -> None:
    compare("edge-npu-formats", rows, 256 * blocks, columns, form, Tiling(min(rows, block), steps))


@pytest.mark.parametrize("name", ["edge-npu", "server-npu"])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(1, 90), st.integers(1, 900), st.integers(1, 300), st.integers(1, 64), st.integers(1, 8))
def test_any_size_and_tiling(name: str, rows: int, depth: int, columns: int, block: int, steps: int) -> None:
    compare(name, rows, depth, columns, "int4-g128", Tiling(min(rows, block), steps))


def test_cores_share_rows_where_columns_are_few() -> None:
    # one block of columns, many rows: 8 cores would otherwise leave 7 idle
    kernel = matmul("server-npu", 1024, 256, 128, "int4-g128")
    _, run = run_alone(kernel, design_of("server-npu"), {}, tiling=Tiling(128, 2, row_shares=8), fidelity="addresses")
    busy = [hart["instructions"] for hart in run.harts]
    assert min(busy) > 0.9 * max(busy)
    assert kernel.tilings()[0].row_shares == 8


def test_decode_loop_is_lean_enough_to_keep_the_dram_busy() -> None:
    # a k-group of 16 x 128 int4 weights and 16 scales is 1056 bytes: 20.6 cycles at 51.2 bytes per cycle
    kernel = matmul("edge-npu", 1, 4096, 1024, "int4-g128")
    _, run = run_alone(kernel, design_of("edge-npu"), {}, fidelity="addresses")
    groups = 4096 // 128 * (1024 // 16)
    assert run.instructions / groups < 10
    assert run.dram_read_bytes / (run.cycles * 51.2) > 0.8


def test_prefill_keeps_the_multipliers_busy() -> None:
    kernel = matmul("edge-npu", 128, 1024, 256, "int4-g128")
    _, run = run_alone(kernel, design_of("edge-npu"), {}, fidelity="addresses")
    assert 128 * 1024 * 256 / 256 / run.cycles > 0.9


def test_int8_unit_pays_for_unpacking() -> None:
    def cycles(name: str) -> int:
        kernel = matmul(name, 1, 4096, 256, "int4-g128")
        return run_alone(kernel, design_of(name), {}, fidelity="addresses")[1].cycles

    # 2048 codes a group through a vector unit of 64 bytes per cycle: 32 cycles instead of 20.6
    assert 1.3 < cycles("edge-npu-int8") / cycles("edge-npu") < 1.6
