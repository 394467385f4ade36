"""ONNX models on a design, with values: those of the reference kernels to the bit, and near those of ONNX."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

import archsim
from archsim.common.errors import InputError
from archsim.design import load_design
from archsim.kernels.target import target_of
from archsim.mapping.onnx_run import run_onnx
from archsim.mapping.onnx_simulation import onnx_program
from archsim.models.onnx.model import OnnxModel, load_onnx
from archsim.models.onnx.values import IDS
from tests.mapping.whole_onnx import NumpyOnnx
from tests.models.onnx_nets import (
    Net,
    block,
    conv_net,
    language_net,
    quantised_conv_net,
    residual_net,
    save,
    vision_net,
)

# Int8 activations with a scale per row err by 1 / 254 of a row's largest number at most: 0.3 to 0.5 % of a typical
# product's norm, each product and attention adding its own, and as much where the file's weights are floats.
CLOSE = 0.02
NETS = {
    "conv": conv_net,
    "block of int8": lambda: block(8),
    "residual": residual_net,
    "quantised conv": quantised_conv_net,
    "vision": vision_net,
    "language": language_net,
    "block of int4, causal": lambda: block(4, causal=True, batch=2, way="tanh_parts"),
}


def inputs_of(model: OnnxModel) -> dict[str, np.ndarray]:
    random = np.random.default_rng(3)
    return {
        name: random.integers(0, 100, value.shape)
        if value.layout == IDS
        else random.normal(size=value.shape).astype(np.float32)
        for name, value in model.inputs.items()
    }


def relative(found: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


@pytest.mark.parametrize("design", ["edge-npu", "server-npu"])
@pytest.mark.parametrize("net", NETS)
def test_values(net: str, design: str, tmp_path: Path) -> None:
    """One with a single core, one with many."""
    proto, chip = NETS[net](), load_design(design)
    model = load_onnx(save(proto, tmp_path))
    inputs = inputs_of(model)
    found, run = run_onnx(model, chip, inputs)
    wanted = NumpyOnnx(model, target_of(chip)).run_model(inputs)
    (onnx_values,) = ReferenceEvaluator(proto).run(None, inputs)
    for name, values in found.items():
        assert values.shape == onnx_values.shape
        np.testing.assert_array_equal(values.reshape(-1), wanted[name].reshape(-1))
        assert relative(values, onnx_values) < CLOSE
    if not any(op.kind == "embed" for op in model.graph.layer):
        # which rows of a table are read makes a difference
        assert run.cycles == archsim.simulate(model, chip).cycles


def test_arrays_of_a_tensor_lie_alike(tmp_path: Path) -> None:
    """Whoever reads a tensor finds its rows where its writer has put them."""
    for number, net in enumerate(NETS.values()):
        model = load_onnx(save(net(), tmp_path, f"{number}.onnx"))
        pitches: dict[str, set[Any]] = {}
        for op in onnx_program(model, load_design("edge-npu")).plan.ops:
            for name, array in op.bound.kernel.arrays().items():
                if name not in ("weights", "bias"):
                    pitches.setdefault(op.bound.tensors[name], set()).add((array.pitch or array.row_bytes, array.dtype))
        assert all(len(one) == 1 for one in pitches.values()), pitches


def test_inputs_are_checked(tmp_path: Path) -> None:
    model, chip = load_onnx(save(conv_net(), tmp_path)), load_design("edge-npu")
    with pytest.raises(InputError, match=r"input 'x' is missing; give an array of shape \(2, 3, 16, 16\)"):
        run_onnx(model, chip, {})
    with pytest.raises(InputError, match=r"input 'x' has shape \(3, 16, 16\)"):
        run_onnx(model, chip, {"x": np.zeros((3, 16, 16))})
    language = load_onnx(save(language_net(), tmp_path, "language.onnx"))
    with pytest.raises(InputError, match="input 'ids' has numbers from 0 to 100"):
        run_onnx(language, chip, {"ids": np.arange(24).reshape(2, 12) * 100 // 23})
    with pytest.raises(InputError, match="unknown input 'y'"):
        run_onnx(model, chip, {"y": np.zeros(1)})
    with pytest.raises(InputError, match="'addresses' has no values"):
        run_onnx(model, chip, {}, "addresses")


def test_an_input_that_nobody_reads(tmp_path: Path) -> None:
    net = Net()
    out = net.node("Relu", "x")
    model = load_onnx(save(net.model({"x": [2, 8], "y": [2, 8]}, {out: None}), tmp_path))
    x = np.arange(-8, 8, dtype=np.float32).reshape(2, 8)
    found, _ = run_onnx(model, load_design("edge-npu"), {"x": x, "y": x}, "functional")
    np.testing.assert_array_equal(found[out], np.maximum(x, 0))


def test_a_design_without_these_kernels(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no kernel for ops of kind im2col; use a design with xqt tiles"):
        archsim.simulate(save(conv_net(), tmp_path), "edge-rvv")
