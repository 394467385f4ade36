"""The state of a lowering: which tensor holds each ONNX value and how, the ops so far, and what could not be done."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod

import numpy as np

from archsim.models.graph import Op, Tensor, array
from archsim.models.onnx.file import Node, OnnxFile, unique
from archsim.models.onnx.patterns import Nodes
from archsim.models.onnx.weights import Weight

ROWS, PIXELS, PLANES, IMAGES, IDS = "rows", "pixels", "planes", "images", "ids"


class Unsupported(Exception):
    """A node cannot be lowered; the message says why."""


@dataclass(frozen=True)
class Value:
    """An ONNX value in a tensor.

    Attributes:
        tensor: name of a float32 tensor.
        shape: as ONNX has it.
        layout: ROWS: the last axis adjoins, all others are rows. PIXELS: [images, channels, ...] whose channels adjoin.
            PLANES: [images, channels, height, width] as ONNX has it. IMAGES: [images, features], where an image's
            pixels were flattened (channel, row, column), but lie as PIXELS do. IDS: int32 numbers of rows of a table.
        image: height and width of an image; (0, 0) of ROWS.
    """

    tensor: str
    shape: tuple[int, ...]
    layout: str = ROWS
    image: tuple[int, int] = (0, 0)

    @property
    def features(self) -> int:
        """Numbers of a row, or channels."""
        if self.layout == IMAGES:
            return self.shape[1] // prod(self.image)
        return self.shape[-1] if self.layout == ROWS else self.shape[1]

    @property
    def rows(self) -> int:
        return prod(self.shape) // self.features


@dataclass
class Lowering:
    """What a graph has become so far.

    Attributes:
        form: format that float32 weights take.
        quantised: the tensor of int8 codes of a tensor (and its scales), once there is one.
        places: of the queries, keys and values of attention: tensor, first column and width.
        eps: of each norm, by op.
        constants: contents of float32 and float16 tensors.
        weights: matrices by tensor.
    """

    file: OnnxFile
    nodes: Nodes
    form: str
    ops: list[Op] = field(default_factory=list)
    values: dict[str, Value] = field(default_factory=dict)
    quantised: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)
    places: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    eps: dict[str, float] = field(default_factory=dict)
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    weights: dict[str, Weight] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    def name(self, node: Node, part: str = "") -> str:
        """A name for an op of a node."""
        return unique(f"{node.name}_{part}" if part else node.name, self.taken)

    def unique(self, name: str) -> str:
        """A name for a tensor of a value."""
        return unique(name, self.taken)

    def value(self, name: str) -> Value:
        """An input of a node.

        Raises:
            Unsupported: it is a constant, or what makes it is not lowered.
        """
        if name not in self.values:
            what = "a constant" if self.file.constant(name) is not None else "not there"
            raise Unsupported(f"its input {name[:60]!r} is {what}")
        return self.values[name]

    def rows(self, name: str) -> Value:
        """An input whose rows may be worked on one by one.

        Raises:
            Unsupported: they lie otherwise.
        """
        value = self.value(name)
        if value.layout not in (ROWS, PIXELS):
            raise Unsupported(f"its input {name[:60]!r} lies as images do")
        return value

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a value.

        Raises:
            Unsupported: it is not known.
        """
        if name not in self.file.shapes:
            raise Unsupported("its shape depends on data")
        return self.file.shapes[name]

    def tensor(self, value: Value) -> Tensor:
        """The float32 tensor of a value."""
        if value.layout == PLANES:
            return array(value.tensor, value.shape, "float32")
        return array(value.tensor, (value.rows, value.features), "float32")

    def emit(self, op: Op) -> None:
        self.ops.append(op)

    def results(self, node: Node, like: Value, tensor: str) -> Value:
        """Note that a node's result is in a tensor, laid out as another value is."""
        value = replace(like, tensor=tensor, shape=self.shape(node.outputs[0]))
        self.values[node.outputs[0]] = value
        return value

    def codes(self, value: Value) -> tuple[Tensor, Tensor]:
        """Names of int8 codes and scales of a tensor's rows: those that are there, or quantised now."""
        if value.tensor not in self.quantised:
            name = unique(f"{value.tensor.removesuffix('.out')}_quant", self.taken)
            made = codes_of(name, value.rows, value.features)
            sizes = {"rows": value.rows, "features": value.features}
            self.emit(Op(name, "quantize", sizes, (self.tensor(value),), made))
            self.quantised[value.tensor] = made
        return self.quantised[value.tensor]

    def only_codes(self, name: str) -> bool:
        """Whether a value is only multiplied by weights, so that nobody wants it as float32."""
        users = self.nodes.users.get(name, [])
        products = all(one.op in ("MatMul", "Gemm") and one.inputs[0] == name for one in users)
        return bool(users) and products and name not in self.file.outputs


def codes_of(name: str, rows: int, features: int) -> tuple[Tensor, Tensor]:
    """Quantised rows and their scales."""
    return array(f"{name}.codes", (rows, features), "int8"), array(f"{name}.scales", (rows,), "float32")
