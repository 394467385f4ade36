"""ONNX operators that work row by row, on channels, or on windows without weights."""

from __future__ import annotations

from math import prod

import numpy as np

from archsim.models.graph import Op, array
from archsim.models.onnx.file import Node
from archsim.models.onnx.values import IDS, PIXELS, ROWS, Lowering, Unsupported, Value, codes_of
from archsim.models.onnx.windows import Images, window_sizes

_TWO = {"Add": "add", "Sub": "sub", "Mul": "mul", "Div": "mul"}
"""Division is by a constant, whose reciprocal multiplies."""
_ACTIVATIONS = {"Relu": "relu", "Silu": "silu", "Softmax": "softmax"}
_ALSO_QUANTISED = ("relu", "gelu_tanh", "gelu_erf")
"""Activations with a kernel that quantises, too."""


def layer_norm(low: Lowering, node: Node) -> None:
    value = low.rows(node.inputs[0])
    if node.attributes.get("axis", -1) not in (-1, len(value.shape) - 1) or value.layout != ROWS:
        raise Unsupported("its axis is not the last one")
    if any(node.outputs[1:]):
        raise Unsupported("its mean or deviation is used")
    name = low.name(node)
    gains = [_row(low, node.input(number), value.features, float(number == 1)) for number in (1, 2)]
    weights = tuple(array(f"{name}.{part}", (value.features,), "float32") for part in ("weight", "bias"))
    low.constants |= {tensor.name: row for tensor, row in zip(weights, gains, strict=True)}
    low.eps[name] = node.attributes.get("epsilon", 1e-5)
    sizes = {"rows": value.rows, "features": value.features, "residual": 0, "post": 0, "gelu": 0}
    tensor = low.results(node, value, f"{name}.out").tensor
    if low.only_codes(node.outputs[0]):
        made = codes_of(name, value.rows, value.features)
        low.quantised[tensor] = made
        low.emit(Op(name, "layer_norm", sizes, (low.tensor(value),), made, weights))
        return
    out = array(tensor, (value.rows, value.features), "float32")
    low.emit(Op(name, "layer_norm", sizes | {"out": 1}, (low.tensor(value),), (out,), weights))


def gather(low: Lowering, node: Node) -> None:
    """Rows of a constant table, float16, at an input's numbers; the first axis alone."""
    table, ids = low.file.constant(node.inputs[0]), low.value(node.inputs[1])
    if table is None or table.ndim != 2 or ids.layout != IDS or node.attributes.get("axis", 0) != 0:
        raise Unsupported("it does not take rows of a constant table at numbers that are an input")
    if np.abs(table).max(initial=0) > np.finfo(np.float16).max:
        raise Unsupported("its table does not fit float16")
    name, rows = low.name(node), prod(ids.shape)
    tensor = array(f"{name}.weight", table.shape, "float16")
    low.constants[tensor.name] = table.astype(np.float16)
    out = array(f"{name}.out", (rows, table.shape[1]), "float32")
    sizes = {"rows": rows, "features": table.shape[1], "pitched": 1}
    low.emit(Op(name, "embed", sizes, (array(ids.tensor, (rows,), "int32"),), (out,), (tensor,)))
    low.values[node.outputs[0]] = Value(out.name, low.shape(node.outputs[0]))


def _row(low: Lowering, name: str, features: int, default: float) -> np.ndarray:
    """A constant row, float32."""
    if not name:
        return np.full(features, default, np.float32)
    values = low.file.constant(name)
    if values is None or values.size != features:
        raise Unsupported(f"its input {name[:60]!r} is no constant row")
    return values.reshape(-1).astype(np.float32)


def activation(low: Lowering, node: Node) -> None:
    """A function of each number, or Softmax of rows; quantised at once where only products use it."""
    value = low.rows(node.inputs[0])
    function = _function(node, value)
    name = low.name(node)
    sizes = {"rows": value.rows, "features": value.features}
    tensor = low.results(node, value, f"{name}.out").tensor
    if function in _ALSO_QUANTISED and low.only_codes(node.outputs[0]) and value.layout == ROWS:
        made = codes_of(name, value.rows, value.features)
        low.quantised[tensor] = made
        low.emit(Op(name, function, sizes, (low.tensor(value),), made))
        return
    out = array(tensor, (value.rows, value.features), "float32")
    low.emit(Op(name, f"float_{function}", sizes, (low.tensor(value),), (out,)))


def _function(node: Node, value: Value) -> str:
    if node.op == "Gelu":
        return "gelu_tanh" if node.attributes.get("approximate", "none") == "tanh" else "gelu_erf"
    last = node.attributes.get("axis", -1) in (-1, len(value.shape) - 1) and value.layout == ROWS
    if node.op == "Softmax" and not last:
        raise Unsupported("its axis is not the last one")
    return _ACTIVATIONS[node.op]


def two(low: Lowering, node: Node) -> None:
    """Add, Sub or Mul of two activations of one shape, or of one and a constant; Div by a constant."""
    first, second = node.inputs
    if first not in low.values and node.op in ("Add", "Mul"):
        first, second = second, first
    value, name = low.rows(first), low.name(node)
    sizes = {"rows": value.rows, "features": value.features}
    values = low.file.constant(second)
    if values is None and node.op == "Div":
        raise Unsupported("its divisor is no constant")
    if values is None:
        other = low.rows(second)
        if other.shape != value.shape or other.layout != value.layout:
            raise Unsupported(f"shapes {value.shape} and {other.shape}")
        beside, weights = [low.tensor(other)], []
    else:
        rows = _spread(1 / values.astype(np.float32) if node.op == "Div" else values, value)
        beside, weights = [], [array(f"{name}.weight", rows.shape, "float32")]
        low.constants[weights[0].name] = rows
    sizes["other_rows"] = (*beside, *weights)[0].shape[0]
    out = array(low.results(node, value, f"{name}.out").tensor, (value.rows, value.features), "float32")
    low.emit(Op(name, f"float_{_TWO[node.op]}", sizes, (low.tensor(value), *beside), (out,), tuple(weights)))


def _spread(values: np.ndarray, value: Value) -> np.ndarray:
    """A constant as rows float32 that are used again and again: one, or those of a sequence."""
    if values.ndim > len(value.shape):
        raise Unsupported(f"a constant of shape {values.shape} makes {value.shape} larger")
    shape = (1,) * (len(value.shape) - values.ndim) + values.shape
    aligned = values.reshape(shape)
    if any(size not in (1, whole) for size, whole in zip(shape, value.shape, strict=True)):
        raise Unsupported(f"a constant of shape {values.shape} makes {value.shape} larger")
    whole, channel = value.shape, 1 if value.layout == PIXELS else len(shape) - 1
    # leading axes along which nothing changes need no rows
    axes = [axis for axis in range(len(shape)) if axis != channel]
    while axes and shape[axes[0]] == 1:
        axes.pop(0)
    kept = tuple(whole[axis] if axis in axes or axis == channel else 1 for axis in range(len(shape)))
    rows = np.moveaxis(np.broadcast_to(aligned, kept), channel, -1)
    return np.ascontiguousarray(rows.reshape(-1, value.features), np.float32)


def pool(low: Lowering, node: Node) -> None:
    """MaxPool and AveragePool over windows, GlobalAveragePool over images."""
    value = low.value(node.inputs[0])
    if value.layout != PIXELS or len(value.shape) != 4:
        raise Unsupported("its input is no batch of 2-D images that an operator has made")
    largest = node.op == "MaxPool"
    if node.op == "GlobalAveragePool":
        images = Images.whole(value.shape)
    else:
        images = window_sizes(node, value, node.attributes["kernel_shape"])
    if not largest and any(images.pads) and not node.attributes.get("count_include_pad", 0):
        raise Unsupported("count_include_pad is 0 with pads: windows of different sizes")
    if any(node.outputs[1:]):
        raise Unsupported("its indices are used")
    _pooled(low, node, value, images, "max_pool" if largest else "average_pool")


def mean(low: Lowering, node: Node) -> None:
    """ReduceMean over the rows and columns of images."""
    value, axes = low.value(node.inputs[0]), low.file.constant(node.input(1))
    listed = node.attributes.get("axes", ()) if axes is None else axes.tolist()
    if value.layout != PIXELS or len(value.shape) != 4 or sorted(axis % 4 for axis in listed) != [2, 3]:
        raise Unsupported("it is not over the rows and columns of images")
    _pooled(low, node, value, Images.whole(value.shape), "average_pool")


def _pooled(low: Lowering, node: Node, value: Value, images: Images, kind: str) -> None:
    name, shape = low.name(node), low.shape(node.outputs[0])
    rows = images.attributes["rows"]
    out = array(f"{name}.out", (rows, value.features), "float32")
    low.emit(Op(name, kind, images.attributes, (low.tensor(value),), (out,)))
    # what is left of an image may be a row
    layout = PIXELS if len(shape) > 2 else ROWS
    size = images.out if prod(shape[2:]) > 1 or layout == PIXELS else (0, 0)
    low.values[node.outputs[0]] = Value(out.name, shape, layout, size)
