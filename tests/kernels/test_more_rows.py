"""Kernels of rows that architectures other than Llama take."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.formats import parse_format, quantize
from archsim.kernels import reference
from archsim.kernels.activation import INSTRUCTIONS, Activation
from archsim.kernels.alone import run_alone
from archsim.kernels.layer_norm import LayerNorm
from archsim.kernels.layout import pack_weights
from archsim.kernels.matmul import MatMul
from archsim.kernels.route import Route
from archsim.kernels.rowops import Add, Embed
from archsim.kernels.weight_code import coded, weight_code
from tests.kernels.checking import DESIGNS, check, design_of, target

SHAPES = [(1, 64), (3, 7), (19, 200), (9, 1000)]


def floats(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_layer_norm_is_that_of_its_definition() -> None:
    """Mean 0 and variance 1, then gain and bias; in double precision."""
    x, gamma, beta = floats(1, 5, 300), floats(2, 300), floats(3, 300)
    wide = x.astype(np.float64)
    wanted = (wide - wide.mean(1, keepdims=True)) / np.sqrt(wide.var(1, keepdims=True) + 1e-5) * gamma + beta
    np.testing.assert_allclose(reference.layer_norm(x, gamma, beta, 1e-5), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize("rows, features", SHAPES)
@pytest.mark.parametrize("inputs, post, gelu", [
    (("x",), False, False), (("x", "delta"), False, False), (("x", "delta"), True, False), (("x",), True, False),
    (("delta",), False, True),
])  # fmt: skip
def test_layer_norm(name: str, rows: int, features: int, inputs: tuple[str, ...], post: bool, gelu: bool) -> None:
    arrays = {one: floats(seed, rows, features) for seed, one in enumerate(inputs)}
    gamma, beta = floats(7, features), floats(8, features)
    s = arrays[inputs[0]] + arrays[inputs[1]] if len(inputs) > 1 else arrays[inputs[0]]
    s = reference.gelu_erf(s) if gelu else s
    y = reference.layer_norm(s, gamma, beta, 1e-5)
    expected = dict(zip(("codes", "scales"), reference.quantize(y), strict=True))
    if post or len(inputs) > 1:
        expected["x"] = y if post else s
    kernel = LayerNorm("norm", target(name), rows, features, inputs, 1e-5, post=post, gelu=gelu)
    check(kernel, design_of(name), {**arrays, "gamma": gamma, "beta": beta}, expected)


@pytest.mark.parametrize("function", INSTRUCTIONS)
@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("rows, features", SHAPES)
def test_activations(function: str, gated: bool, rows: int, features: int) -> None:
    x = 3 * floats(rows, rows, features * (2 if gated else 1))
    codes, scales = reference.activation(x, function, gated)
    kernel = Activation("activation", target("edge-npu"), rows, features, function, gated)
    check(kernel, design_of("edge-npu"), {"x": x}, {"codes": codes, "scales": scales})


def test_add_of_two() -> None:
    x, one, two = (floats(seed, 13, 70) for seed in range(3))
    kernel = Add("add", target("edge-npu"), 13, 70, ("delta", "delta2"))
    check(kernel, design_of("edge-npu"), {"x": x, "delta": one, "delta2": two}, {"x": x + one + two})


@pytest.mark.parametrize("name", DESIGNS)
def test_embed_with_positions_and_a_factor(name: str) -> None:
    """Two sequences of 11 tokens that begin at position 4."""
    table, places = floats(1, 50, 96).astype(np.float16), floats(2, 20, 96).astype(np.float16)
    ids = np.random.default_rng(2).integers(0, 50, 22).astype(np.int32)
    x = table[ids].astype(np.float32) * np.float32(3.5) + places[4 + np.arange(22) % 11].astype(np.float32)
    kernel = Embed("embed", target(name), 22, 96, 50, 0, 3.5, 20, 4, 11)
    check(kernel, design_of(name), {"ids": ids, "table": table, "positions": places}, {"x": x})


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize("form", ["int4-g128", "int4-g32", "int8-channel", "int4-g64-asym", "int8"])
@pytest.mark.parametrize("rows, inputs, outputs", [(1, 128, 16), (5, 256, 100), (70, 384, 33), (200, 256, 48)])
def test_matmul_with_a_bias(name: str, form: str, rows: int, inputs: int, outputs: int) -> None:
    _biased(name, form, rows, inputs, outputs)


@pytest.mark.parametrize("form", ["mxfp4", "mxint8", "nf4-g64", "q4_k", "q8_0"])
def test_biases_beside_formats_with_multipliers_of_their_own(form: str) -> None:
    _biased("edge-npu-formats", form, 5, 512, 70)


def _biased(name: str, form: str, rows: int, inputs: int, outputs: int) -> None:
    random = np.random.default_rng(rows)
    packed = quantize(floats(1, outputs, inputs), form)
    codes, scales = reference.quantize(floats(2, rows, inputs))
    kernel = MatMul("up", target(name), rows, inputs, outputs, weight_code(parse_format(form)), bias=True)
    bias = random.normal(size=outputs).astype(np.float16)
    whole = np.zeros(kernel.arrays()["bias"].shape, np.float16)
    whole[:outputs] = bias
    tiling = kernel.tilings()[0]
    stored = np.frombuffer(pack_weights(coded(packed), kernel.layout(tiling.steps)), np.uint8)
    arrays = {"codes": codes, "scales": scales, "weights": stored, "bias": whole}
    out = reference.matmul(codes, scales, packed, kernel.layout().step, bias)
    check(kernel, design_of(name), arrays, {"out": out}, tiling)


@pytest.mark.parametrize("name", ["edge-npu", "server-npu"])
@pytest.mark.parametrize("rows, experts, top_k", [(1, 8, 2), (300, 8, 2), (40, 64, 3), (7, 4, 1)])
def test_route(name: str, rows: int, experts: int, top_k: int) -> None:
    """Negative logits, and equal ones, of which the first counts."""
    logits = np.rint(floats(rows, rows, experts) * 4) / np.float32(4)
    logits += np.float32(0)
    slots, gates = reference.route(logits, top_k)
    chosen = np.argsort(-logits, axis=1, kind="stable")[:, :top_k]
    counts = tuple(np.bincount(chosen.reshape(-1), minlength=experts).tolist())
    kernel = Route("route", target(name), rows, experts, top_k, counts)
    outputs, _ = run_alone(kernel, design_of(name), {"logits": logits})
    np.testing.assert_array_equal(outputs["slots"], slots)
    np.testing.assert_array_equal(outputs["gates"], gates)
    np.testing.assert_allclose(gates.sum(axis=1), 1, rtol=1e-6)
