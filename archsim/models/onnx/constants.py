"""What is constant in an ONNX graph, computed by the reference implementation of the onnx package."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from archsim.common.errors import InputError

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

    from archsim.models.onnx.shapes import Shapes

_FOLDABLE = (
    "Add And Cast Concat Constant ConstantOfShape Cos DequantizeLinear Div Equal Exp Expand Flatten Floor Gather "
    "Greater GreaterOrEqual Identity Less LessOrEqual Max Min Mul Neg Not Or Pow Range Reciprocal ReduceProd Reshape "
    "Shape Sin Size Slice Split Sqrt Squeeze Sub Tanh Transpose Trilu Unsqueeze Where"
)
"""Operators that are computed where their inputs are constant."""
_LARGEST = 1 << 26
"""Elements of a constant that is computed: more would be a mistake, or malice."""
_NARROW = (2, 3, 21, 22)
"""Element types UINT8, INT8, UINT4 and INT4 of TensorProto: of weights that stay quantised."""

Read = Callable[["TensorProto"], np.ndarray]


def fold(model: ModelProto, read: Read, infer: Callable[[], Shapes]) -> Shapes:
    """Replace nodes with constant inputs by their values, until there are none; gives the shapes of what is left.

    DequantizeLinear of int8 and int4 matrices, and Transpose behind it, stay: they are weights.
    """
    while True:
        shapes = infer()
        known: dict[str, Any] = {tensor.name: tensor for tensor in model.graph.initializer}
        kept = [node for node in model.graph.node if not _folded(model, node, known, shapes, read)]
        if len(kept) == len(model.graph.node):
            return shapes
        del model.graph.node[:]
        model.graph.node.extend(kept)
        del model.graph.initializer[:]
        model.graph.initializer.extend(known.values())


def _folded(model: ModelProto, node: NodeProto, known: dict[str, Any], shapes: Shapes, read: Read) -> bool:
    """Compute a node if its inputs are constant; whether they were."""
    from onnx.numpy_helper import from_array

    if node.op_type not in _FOLDABLE.split() or node.domain not in ("", "ai.onnx"):
        return False
    if node.op_type == "Shape" and node.input[0] in shapes and node.input[0] not in known:
        values = [np.array(_shape_of(node, shapes[node.input[0]]), np.int64)]
    elif not _is_constant(node, known, shapes):
        return False
    else:
        values = _compute(model, node, {name: read(known[name]) for name in node.input if name})
    for name, value in zip(node.output, values, strict=False):
        known[name] = from_array(np.asarray(value), name)
    return True


def _is_constant(node: NodeProto, known: Mapping[str, Any], shapes: Shapes) -> bool:
    """Whether a node's inputs are constant, and its outputs neither weights nor too large, or of unknown size."""
    constant = all(not name or name in known for name in node.input)
    small = all(prod(shapes.get(name, (_LARGEST + 1,))) <= _LARGEST for name in node.output)
    return constant and small and not _is_weight(node, known)


def _shape_of(node: NodeProto, shape: tuple[int, ...]) -> tuple[int, ...]:
    limits = {one.name: one.i for one in node.attribute}
    return shape[limits.get("start", 0) : limits.get("end")]


def _is_weight(node: NodeProto, known: Mapping[str, Any]) -> bool:
    if node.op_type != "DequantizeLinear":
        return False
    tensor = known[node.input[0]]
    return tensor.data_type in _NARROW and len(tensor.dims) > 1


def _compute(model: ModelProto, node: NodeProto, values: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
        for name, value in values.items()
    ]
    outputs = [helper.make_empty_tensor_value_info(name) for name in node.output]
    graph = helper.make_graph([node], "constant", inputs, outputs)
    alone = helper.make_model(graph, opset_imports=model.opset_import)
    try:
        return list(ReferenceEvaluator(alone).run(None, dict(values)))
    except Exception as error:
        # numpy raises what it has
        what = f"{node.op_type} {node.name[:60]!r} of constants cannot be computed: {str(error).splitlines()[0][:100]}"
        raise InputError(what, remedy="repair the file") from None
