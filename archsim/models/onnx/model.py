"""A model out of an ONNX file: a graph of ops, the contents of its weights, and where inputs and outputs stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from archsim.common.errors import InputError
from archsim.formats import Packed
from archsim.models.graph import Graph, LayerKind
from archsim.models.onnx import moves, products, rows
from archsim.models.onnx.file import ONNX_WEIGHTS, Node, OnnxFile, read_onnx
from archsim.models.onnx.patterns import find_patterns
from archsim.models.onnx.values import IDS, PLANES, ROWS, Lowering, Unsupported, Value
from archsim.models.onnx.weights import Weight, find_weight
from archsim.models.weight_plan import parse_weights

PHASE = "run"

_HANDLERS: dict[str, Callable[[Lowering, Node], None]] = {
    "MatMul": products.matmul,
    "Gemm": products.gemm,
    "Conv": products.conv,
    "Attention": products.attention,
    "LayerNormalization": rows.layer_norm,
    **dict.fromkeys(("Relu", "Gelu", "Silu", "Softmax"), rows.activation),
    **dict.fromkeys(("Add", "Sub", "Mul", "Div"), rows.two),
    **dict.fromkeys(("MaxPool", "AveragePool", "GlobalAveragePool"), rows.pool),
    "ReduceMean": rows.mean,
    "Gather": rows.gather,
    **dict.fromkeys(("Identity", "Dropout", "Cast"), moves.same),
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), moves.reshape),
    "Transpose": moves.transpose,
    "Split": moves.split,
}


@dataclass(frozen=True)
class OnnxModel:
    """An ONNX file as ops.

    Attributes:
        form: format that its float32 weights take.
        eps: of each norm, by op.
        constants: contents of float32 and float16 tensors, by name.
        weights: contents of matrices, by name.
        inputs, outputs: where the file's values stand, by their names.
    """

    name: str
    form: str
    graph: Graph
    eps: Mapping[str, float]
    constants: Mapping[str, np.ndarray]
    weights: Mapping[str, Weight]
    inputs: Mapping[str, Value]
    outputs: Mapping[str, Value]

    def packed(self, name: str) -> Packed:
        """The quantised matrix of a tensor."""
        forms = {tensor.name: tensor.format for op in self.graph.layer for tensor in op.weights}
        return self.weights[name].packed(forms[name])


def load_onnx(name: str | Path, weights: str = ONNX_WEIGHTS, dims: Mapping[str, int] | None = None) -> OnnxModel:
    """Load an ONNX file.

    Args:
        weights: format of weights that the file holds as floats.
        dims: sizes of dimensions that the file leaves open, by name.

    Raises:
        InputError: the file or the format is wrong, or operators have no ops here: all of them are named.
    """
    plan = parse_weights(weights)
    if len(plan.all_formats()) != 1:
        raise InputError("plans of weights are not for ONNX files", remedy="use one format")
    path = Path(name)
    file = read_onnx(path, dims or {})
    if not file.inputs or not file.outputs:
        raise InputError("the graph has no inputs or no outputs", file=path, remedy="export it with some")
    low = _lower(file, plan.name)
    inputs = {one: low.values[one] for one in file.inputs}
    outputs = {one: low.values[one] for one in file.outputs}
    graph = _graph(low, next(iter(inputs.values())).shape[0])
    return OnnxModel(path.stem, low.form, graph, low.eps, low.constants, low.weights, inputs, outputs)


def _lower(file: OnnxFile, form: str) -> Lowering:
    low = Lowering(file, find_patterns(file), form)
    problems = [*_inputs(low)]
    products.place_heads(low)
    lost: set[str] = {name for name in file.inputs if name not in low.values}
    for node in low.nodes.nodes:
        why = _lower_node(low, node, lost)
        if why is not None:
            lost.update(node.outputs)
            problems += [f"{node.label}: {why}"] if why else []
    problems += _outputs(low, lost)
    if problems:
        problems = [*(f"{label}: {why}" for label, why in low.nodes.reasons.items()), *problems]
        remedy = "export the model without that, or name another format of weights where that is the reason"
        raise InputError(f"cannot be lowered: {'; '.join(problems)}", file=file.path, remedy=remedy)
    return low


def _lower_node(low: Lowering, node: Node, lost: set[str]) -> str | None:
    """Lower a node; why it could not be, "" if only because of what precedes it."""
    handler = _HANDLERS.get(node.op)
    try:
        if node.op in ("DequantizeLinear", "Transpose") and find_weight(low.file, low.nodes.makers, node.outputs[0]):
            return None
        if handler is None:
            return "no such op"
        if lost.intersection(node.inputs):
            return ""
        handler(low, node)
    except (Unsupported, InputError) as error:
        return str(error)
    return None


def _inputs(low: Lowering) -> list[str]:
    """Tensors for the inputs; those that cannot have one."""
    problems = []
    for name in low.file.inputs:
        shape, kind = low.file.shapes[name], low.file.types[name]
        users = low.nodes.users.get(name, [])
        numbers = kind in ("int32", "int64") and all(one.op == "Gather" and one.inputs[1] == name for one in users)
        if numbers and users and shape:
            low.values[name] = Value(f"input.{low.unique(name)}", shape, IDS)
        elif kind not in ("float32", "float16", "bfloat16", "float64"):
            problems.append(f"input {name!r} is {kind}, not float32")
        elif len(shape) < 2 or 0 in shape:
            problems.append(f"input {name!r} has shape {list(shape)}, not [rows, features] or more")
        else:
            images = len(shape) == 4 and any(user.op == "Conv" for user in users)
            size = (shape[2], shape[3]) if images else (0, 0)
            tensor = f"input.{low.unique(name)}"
            low.values[name] = Value(tensor, shape, PLANES if images else ROWS, size)
    return problems


def _outputs(low: Lowering, lost: set[str]) -> list[str]:
    """Outputs that no op makes."""
    made = {tensor.name for op in low.ops for tensor in op.outputs}
    there = (name for name in low.file.outputs if name not in lost)
    return [
        f"output {name!r} is constant, or an input"
        for name in there
        if name not in low.values or low.values[name].tensor not in made
    ]


def _graph(low: Lowering, batch: int) -> Graph:
    """One pass over all ops."""
    attentions = [op for op in low.ops if op.kind == "attention"]
    context = max((op.attributes["context"] for op in attentions), default=1)
    cached = sum(tensor.nbytes for op in attentions for tensor in op.inputs[2:])
    return Graph(PHASE, batch, context, (), (LayerKind(tuple(low.ops), (0,)),), (), cached)
