"""Reading ONNX files, which may come from strangers: checked, of fixed shapes, what is constant computed.

The onnx package (Apache-2.0) reads and checks them; it is imported when a file is read, since it takes a while.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from archsim.common.errors import InputError
from archsim.models.onnx.constants import fold
from archsim.models.onnx.shapes import fix_dimensions, infer

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

SUFFIX = ".onnx"
ONNX_WEIGHTS = "int8-channel"
"""Of weights that a file holds as floats: kernels of convolutions have rows of any length."""
_LONGEST_LABEL = 60
_LEAST_VERSION = 13


@dataclass(frozen=True)
class Node:
    """An operator of a graph.

    Attributes:
        name: unique, of letters, digits and _ alone.
        op: its type, as "MatMul"; with its domain if that is another than ONNX's.
        label: type and name as the file has them, for messages.
        inputs, outputs: names of values; "" stands for one that is left out.
    """

    name: str
    op: str
    label: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def input(self, number: int) -> str:
        """The name of an input, "" if there is none."""
        return self.inputs[number] if number < len(self.inputs) else ""


@dataclass(frozen=True)
class OnnxFile:
    """A file's graph.

    Attributes:
        nodes: those that work on the inputs, in an order in which they can run.
        shapes: of every value that has one.
        types: of the elements of inputs, by numpy's names.
        inputs, outputs: names of values.
    """

    path: Path
    nodes: tuple[Node, ...]
    shapes: Mapping[str, tuple[int, ...]]
    types: Mapping[str, str]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    tensors: Mapping[str, TensorProto]

    def constant(self, name: str) -> np.ndarray | None:
        """The values of a constant, or None if the value is not one."""
        return read_tensor(self.tensors[name], self.path) if name in self.tensors else None


def is_onnx(name: str) -> bool:
    """Whether a model's name is that of an ONNX file."""
    return name.endswith(SUFFIX)


def read_onnx(path: Path, dims: Mapping[str, int]) -> OnnxFile:
    """Read a file.

    Args:
        dims: sizes of dimensions that the file leaves open, by name.

    Raises:
        InputError: it is no ONNX file, is malformed, leaves a dimension open, or lacks its external data.
    """
    model = _load(path)
    fix_dimensions(model, dims, path)
    constants = {tensor.name for tensor in model.graph.initializer}
    shapes = fold(model, lambda tensor: read_tensor(tensor, path), lambda: infer(model, path))
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    inputs = tuple(one.name for one in model.graph.input if one.name not in constants)
    outputs = tuple(one.name for one in model.graph.output)
    types = {one.name: _element(one.type.tensor_type.elem_type) for one in model.graph.input}
    return OnnxFile(path, tuple(_nodes(model.graph.node)), shapes, types, inputs, outputs, tensors)


def read_tensor(tensor: TensorProto, path: Path) -> np.ndarray:
    """A stored tensor's values.

    Raises:
        InputError: they are malformed, or their file is not there.
    """
    from onnx.numpy_helper import to_array

    try:
        return to_array(tensor, str(path.parent))
    except Exception as error:
        # the package has no error of its own for what a file may hold
        raise InputError(f"tensor {tensor.name!r}: {_short(error)}", file=path, remedy="repair the file") from None


def external_files(path: Path) -> list[Path]:
    """Files beside an ONNX file that hold tensors of it; none if it is no ONNX file."""
    try:
        places = {path.parent / place for _, place in _external(_parse(path))}
    except InputError:
        return []  # whoever reads the file says what is wrong with it
    return sorted(place for place in places if place.is_file())


def _load(path: Path) -> ModelProto:
    """The model without what lies in other files."""
    from onnx.checker import check_model

    model = _parse(path)
    _check_version(model, path)
    _check_external(model, path)
    try:
        check_model(str(path))
    except Exception as error:
        # not ValidationError alone: names may be no UTF-8
        raise InputError(f"the checker of onnx refuses it: {_short(error)}", file=path, remedy="repair it") from None
    return model


def _parse(path: Path) -> ModelProto:
    import onnx

    if not path.is_file():
        raise InputError("cannot read: no such file", file=path, remedy="check the path")
    try:
        model = onnx.load(str(path), load_external_data=False)
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror}", file=path, remedy="check the path") from None
    except Exception:
        # protobuf raises what its implementation has
        raise InputError("this is no ONNX file", file=path, remedy="give a file that onnx.save wrote") from None
    if not model.ir_version or not model.graph.node:
        raise InputError("this is no ONNX file: it holds no graph", file=path, remedy="give one that onnx.save wrote")
    for node in model.graph.node:
        # protobuf gives bytes for what is no UTF-8
        if not all(isinstance(name, str) for name in (node.name, node.op_type, node.domain, *node.input, *node.output)):
            raise InputError("a name in it is no text", file=path, remedy="repair the file")
    return model


def _check_version(model: ModelProto, path: Path) -> None:
    """Before version 13 Softmax, Squeeze and others meant something else."""
    for one in model.opset_import:
        if one.domain in ("", "ai.onnx") and one.version < _LEAST_VERSION:
            what = f"its operators are of version {one.version}, before {_LEAST_VERSION}"
            raise InputError(what, file=path, remedy="convert it with onnx.version_converter")


def _check_external(model: ModelProto, path: Path) -> None:
    """Refuse tensors whose file is missing, or not below the model's folder."""
    for name, place in _external(model):
        if place.is_absolute() or ".." in place.parts or not (path.parent / place).is_file():
            what = f"tensor {name!r} lies in {str(place)!r}, which is not there"
            raise InputError(what, file=path, remedy="put that file beside the model's")


def _external(model: ModelProto) -> Iterator[tuple[str, Path]]:
    """Tensors that lie in other files, and the file of each."""
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                yield tensor.name, Path(entry.value)


def _element(number: int) -> str:
    """numpy's name of an element type."""
    from onnx.helper import tensor_dtype_to_np_dtype

    return str(tensor_dtype_to_np_dtype(number).name)


def _nodes(protos: Any) -> Iterator[Node]:
    from onnx.helper import get_attribute_value

    taken: set[str] = set()
    for proto in protos:
        attributes = {one.name: get_attribute_value(one) for one in proto.attribute}
        plain = {
            key: value.decode("utf-8", "replace") if isinstance(value, bytes) else value
            for key, value in attributes.items()
        }
        name = unique(proto.name or proto.output[0], taken)
        yield Node(name, op_type(proto), _label(proto), tuple(proto.input), tuple(proto.output), plain)


def unique(name: str, taken: set[str]) -> str:
    """A name of letters, digits and _ that is not taken yet; takes it."""
    # programs show names in comments: no line breaks, nor what has a meaning in names of tensors
    plain = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_")[-_LONGEST_LABEL:] or "node"
    number, found = 1, plain
    while found in taken:
        number += 1
        found = f"{plain}_{number}"
    taken.add(found)
    return found


def op_type(proto: NodeProto) -> str:
    """An operator's type; with its domain if that is another than ONNX's."""
    return f"{proto.domain}.{proto.op_type}" if proto.domain not in ("", "ai.onnx") else proto.op_type


def _label(proto: NodeProto) -> str:
    return f"{op_type(proto)} {(proto.name or proto.output[0])[:_LONGEST_LABEL]!r}"


def _short(error: Exception) -> str:
    """The first line of an error."""
    return str(error).strip().partition("\n")[0][:200]
