"""Graphs that were damaged at random are refused in one line, or give ONNX's values: nothing is lowered wrongly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from archsim.common.errors import InputError
from archsim.design import load_design
from archsim.kernels.target import target_of
from archsim.mapping.onnx_run import shaped
from archsim.models.onnx.model import load_onnx
from tests.mapping.whole_onnx import NumpyOnnx
from tests.models.onnx_nets import block, conv_net, residual_net, save, vision_net

MUTANTS = 100
_OPERATORS = (
    "Add Cast Conv Div Dropout Erf Flatten Gather Gelu Gemm GlobalAveragePool Identity LayerNormalization MatMul "
    "MaxPool Mul ReduceMean Relu Reshape Softmax Split Squeeze Sub Transpose Unsqueeze"
)


def damage(model: Any, random: np.random.Generator) -> None:
    """Take another operator, input or attribute for one of a node's, or leave it out."""
    nodes = model.graph.node
    names = [name for node in nodes for name in node.output] + [one.name for one in model.graph.initializer]
    node, way = nodes[random.integers(len(nodes))], random.integers(5)
    if way == 0:
        node.op_type = str(random.choice(_OPERATORS.split()))
    elif way == 1:
        node.input[random.integers(len(node.input))] = names[random.integers(len(names))]
    elif way == 2:
        del node.input[-1]
    elif node.attribute:
        number = random.integers(len(node.attribute))
        attribute = node.attribute[number]
        if way == 3:
            del node.attribute[number]
        elif attribute.ints:
            attribute.ints[random.integers(len(attribute.ints))] = int(random.integers(-2, 6))
        else:
            attribute.i = int(random.integers(-3, 5))


def mutants(proto: Any, random: np.random.Generator) -> Iterator[Any]:
    for _ in range(MUTANTS):
        mutant = onnx.ModelProto()
        mutant.CopyFrom(proto)
        damage(mutant, random)
        yield mutant


def lengths(values: np.ndarray) -> np.ndarray:
    """Norms of rows."""
    return np.linalg.norm(values.reshape(-1, values.shape[-1]), axis=1)


@pytest.mark.parametrize("net", [conv_net, block, residual_net, vision_net])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_mutants(net: Any, tmp_path: Path) -> None:
    random, target = np.random.default_rng(17), target_of(load_design("edge-npu"))
    proto, lowered = net(), 0
    shape = [dim.dim_value for dim in proto.graph.input[0].type.tensor_type.shape.dim]
    x = random.normal(size=shape).astype(np.float32)
    for mutant in mutants(proto, random):
        try:
            model = load_onnx(save(mutant, tmp_path))
        except InputError as error:
            assert "\n" not in str(error)
            continue
        wanted = ReferenceEvaluator(mutant).run(None, {"x": x})[0]
        ((name, rows),) = NumpyOnnx(model, target).run_model({"x": x}).items()
        found = shaped(rows, model.outputs[name])
        # weights at random scales make scores so large that a rounding may turn a token's softmax: not most tokens'
        errors = lengths(found - wanted) / (lengths(wanted) + 1e-6)
        assert np.median(errors) < 0.06, mutant.graph.node
        lowered += 1
    assert MUTANTS // 10 < lowered < MUTANTS
