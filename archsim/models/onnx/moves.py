"""ONNX operators that only change how a value is looked at: no bytes move, or the next product gathers them."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from archsim.models.onnx.file import Node
from archsim.models.onnx.values import IMAGES, PIXELS, PLANES, ROWS, Lowering, Unsupported

_FLOATS = (1, 10, 11, 16)
"""Element types FLOAT, FLOAT16, DOUBLE and BFLOAT16 of TensorProto: all are float32 here."""


def same(low: Lowering, node: Node) -> None:
    """Identity, Dropout and Cast between floats."""
    if node.op == "Cast" and node.attributes["to"] not in _FLOATS:
        raise Unsupported("it is not to floats")
    if any(node.outputs[1:]):
        raise Unsupported("its mask is used")
    low.values[node.outputs[0]] = low.value(node.inputs[0])


def reshape(low: Lowering, node: Node) -> None:
    """Reshape, Flatten, Squeeze and Unsqueeze: rows stay rows, pixels stay pixels, or images become rows."""
    value, shape = low.value(node.inputs[0]), low.shape(node.outputs[0])
    same_rows = value.layout == ROWS and shape[-1:] == value.shape[-1:]
    same_pixels = value.layout == PIXELS and len(shape) > 2 and shape[:2] == value.shape[:2]
    if same_rows or same_pixels:
        low.values[node.outputs[0]] = replace(value, shape=shape)
    elif value.layout == PIXELS and shape == (value.shape[0], prod(value.shape[1:])):
        if prod(value.image) == 1:
            low.values[node.outputs[0]] = replace(value, shape=shape, layout=ROWS, image=(0, 0))
        else:
            low.values[node.outputs[0]] = replace(value, shape=shape, layout=IMAGES)
    else:
        raise Unsupported(f"it moves data: {list(value.shape)} to {list(shape)}")


def transpose(low: Lowering, node: Node) -> None:
    """Channels of pixels become the last axis, or the other way round."""
    value, shape = low.value(node.inputs[0]), low.shape(node.outputs[0])
    axes = tuple(node.attributes.get("perm") or reversed(range(len(value.shape))))
    channels_last = (0, *range(2, len(axes)), 1)
    channels_first = (0, len(axes) - 1, *range(1, len(axes) - 1))
    if axes == tuple(range(len(axes))):
        low.values[node.outputs[0]] = value
    elif value.layout == PIXELS and axes == channels_last:
        low.values[node.outputs[0]] = replace(value, shape=shape, layout=ROWS, image=(0, 0))
    elif value.layout == ROWS and axes == channels_first:
        height, width = (shape[2], prod(shape[3:])) if len(shape) > 2 else (1, 1)
        low.values[node.outputs[0]] = replace(value, shape=shape, layout=PIXELS, image=(height, width))
    else:
        raise Unsupported(f"it moves data: axes {list(axes)} of {list(value.shape)}")


def split(low: Lowering, node: Node) -> None:
    """Split in front of attention, which takes its input as it is."""
    users = [user for name in node.outputs for user in low.nodes.users.get(name, [])]
    if any(user.op != "Attention" for user in users) or not users:
        raise Unsupported("it moves data")
    if low.value(node.inputs[0]).layout == PLANES:
        raise Unsupported("its input lies as images do")
