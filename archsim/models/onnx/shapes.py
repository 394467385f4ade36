"""Shapes of an ONNX model: open dimensions fixed, the others inferred."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archsim.common.errors import InputError, unknown

if TYPE_CHECKING:
    from onnx import ModelProto

Shapes = dict[str, tuple[int, ...]]
_LARGEST = 1 << 40
_SMALL = 1024
"""Elements of a constant that may be a shape."""


def fix_dimensions(model: ModelProto, dims: Mapping[str, int], path: Path) -> None:
    """Give open dimensions of inputs their sizes.

    Args:
        dims: sizes by name; one without a name is called INPUT.NUMBER.

    Raises:
        InputError: there is none for a dimension, none of that name, or one is no size.
    """
    constants = {tensor.name for tensor in model.graph.initializer}
    names = set()
    for value in model.graph.input:
        if value.name in constants:
            continue
        if not value.type.tensor_type.HasField("shape"):
            raise InputError(f"input {value.name!r} is no tensor of a known shape", file=path, remedy="give it one")
        for number, dim in enumerate(value.type.tensor_type.shape.dim):
            if dim.HasField("dim_value"):
                continue
            name = dim.dim_param or f"{value.name}.{number}"
            names.add(name)
            if name not in dims:
                what = f"input {value.name!r}: dimension {number}, {name!r}, is dynamic"
                raise InputError(what, file=path, remedy=f"fix it with --dim {name}=VALUE")
            dim.dim_value = dims[name]
    for name, size in dims.items():
        if name not in names:
            raise unknown("dimension", name, names, file=path)
        if not 1 <= size <= _LARGEST:
            raise InputError(f"dimension {name!r} is {size}", file=path, remedy="use 1 or more")
    _forget(model)


def _forget(model: ModelProto) -> None:
    """Drop the shapes of values and outputs that the file states: they are inferred anew."""
    del model.graph.value_info[:]
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")


def infer(model: ModelProto, path: Path) -> Shapes:
    """Shapes of all values that have one.

    Raises:
        InputError: operators do not fit their inputs.
    """
    from onnx.shape_inference import InferenceError, infer_shapes

    try:
        inferred = infer_shapes(_skeleton(model), check_type=True, strict_mode=True, data_prop=True)
    except (InferenceError, ValueError) as error:
        text = " ".join(str(error).split())[:200]
        raise InputError(f"shapes do not fit: {text}", file=path, remedy="repair the file") from None
    graph = inferred.graph
    shapes: Shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        shape = _shape(value)
        if shape is not None:
            shapes[value.name] = shape
    return shapes


def _skeleton(model: ModelProto) -> ModelProto:
    """The model with large constants as inputs, of which shapes do not depend: inference copies it several times."""
    from onnx import ModelProto
    from onnx.helper import make_tensor_value_info

    small = ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    graph, own = model.graph, small.graph
    own.name = graph.name
    own.node.extend(graph.node)
    own.input.extend(graph.input)
    own.output.extend(graph.output)
    named = {value.name for value in graph.input}
    for tensor in graph.initializer:
        if prod(tensor.dims) <= _SMALL:
            own.initializer.append(tensor)
        elif tensor.name not in named:
            own.input.append(make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    return small


def _shape(value: Any) -> tuple[int, ...] | None:
    """The shape of a tensor if all of it is known."""
    kind = value.type.tensor_type
    if not kind.HasField("shape") or not all(dim.HasField("dim_value") for dim in kind.shape.dim):
        return None
    return tuple(dim.dim_value for dim in kind.shape.dim)
