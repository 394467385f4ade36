"""Patterns of ONNX operators that are one op here: attention, GELU, SiLU, and products with a bias."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from archsim.models.onnx.file import Node, OnnxFile

_NEAR = 1e-3
"""Relative difference up to which constants of a pattern are what they should be."""


class Nodes:
    """The nodes of a file, of which patterns replace some.

    Attributes:
        reasons: by the label of a Softmax, why it is not attention that has an op.
    """

    def __init__(self, file: OnnxFile) -> None:
        self.file = file
        self.nodes = list(file.nodes)
        self.reasons: dict[str, str] = {}
        self._index()

    def _index(self) -> None:
        self.names = {node.name for node in self.nodes}
        self.makers = {name: node for node in self.nodes for name in node.outputs}
        self.users: dict[str, list[Node]] = {}
        for node in self.nodes:
            for name in node.inputs:
                self.users.setdefault(name, []).append(node)

    def maker(self, name: str, *ops: str) -> Node | None:
        """The node that makes a value, if it is one of these operators."""
        node = self.makers.get(name)
        return node if node and node.op in ops else None

    def only_user(self, name: str, *ops: str) -> Node | None:
        """The one node that uses a value, if it is one of these operators."""
        users = self.users.get(name, [])
        alone = len(users) == 1 and name not in self.file.outputs
        return users[0] if alone and users[0].op in ops else None

    def number(self, name: str) -> float | None:
        """The value of a constant of one element."""
        if prod(self.file.shapes.get(name, (0,))) != 1:
            return None
        values = self.file.constant(name)
        return None if values is None else float(values.reshape(-1)[0])

    def is_number(self, name: str, wanted: float) -> bool:
        found = self.number(name)
        return found is not None and abs(found - wanted) <= _NEAR * abs(wanted)

    def other_input(self, node: Node, name: str) -> str:
        """The other of two inputs."""
        return node.inputs[1] if node.inputs[0] == name else node.inputs[0]

    def with_number(self, node: Node, wanted: float) -> str | None:
        """The other input of a node one of whose inputs is a number."""
        for name in node.inputs:
            if self.is_number(name, wanted):
                return self.other_input(node, name)
        return None

    def replace(self, old: Sequence[Node], new: Node) -> None:
        """Put a node in the place of several, at that of the last of them."""
        names = {node.name for node in old}
        last = max(number for number, node in enumerate(self.nodes) if node.name in names)
        self.nodes[last] = new
        self.nodes = [node for number, node in enumerate(self.nodes) if node.name not in names or number == last]
        self._index()

    def prune(self) -> None:
        """Drop nodes whose outputs nobody uses."""
        while True:
            used = {name for node in self.nodes for name in node.inputs} | set(self.file.outputs)
            kept = [node for node in self.nodes if used.intersection(node.outputs)]
            if len(kept) == len(self.nodes):
                self._index()
                return
            self.nodes = kept


def find_patterns(file: OnnxFile) -> Nodes:
    """The nodes of a file with patterns as one node each.

    There are ops Attention, Gelu and Silu, MatMul may have a third input, and Conv an attribute `norm`: the inputs of a
    BatchNormalization behind it.
    """
    from archsim.models.onnx.attention import match_attention
    from archsim.models.onnx.layer_norm import match_layer_norm

    nodes = Nodes(file)
    for node in file.nodes:
        if node.name not in nodes.names:
            continue
        for match in (_match_bias, _match_norm, match_layer_norm, _match_silu, _match_gelu_erf, _match_gelu_tanh):
            found = match(nodes, node)
            if found:
                nodes.replace(*found)
                break
    for node in [node for node in nodes.nodes if node.op == "Softmax"]:
        found = match_attention(nodes, node)
        if found:
            nodes.replace(*found)
    nodes.prune()
    return nodes


Match = tuple[list[Node], Node]
"""Nodes, and what stands in their place."""


def _match_bias(nodes: Nodes, node: Node) -> Match | None:
    """MatMul, then Add of a constant row."""
    add = nodes.only_user(node.outputs[0], "Add") if node.op == "MatMul" else None
    if add is None:
        return None
    bias = nodes.other_input(add, node.outputs[0])
    values = nodes.file.constant(bias)
    if values is None or values.size != nodes.file.shapes[node.outputs[0]][-1] or values.shape[-1] != values.size:
        return None
    return [node, add], replace(node, inputs=(*node.inputs[:2], bias), outputs=add.outputs)


def _match_norm(nodes: Nodes, node: Node) -> Match | None:
    """Conv, then BatchNormalization."""
    norm = nodes.only_user(node.outputs[0], "BatchNormalization") if node.op == "Conv" else None
    if norm is None or norm.attributes.get("training_mode", 0) or norm.inputs[0] != node.outputs[0]:
        return None
    more = {"norm": norm.inputs[1:5], "epsilon": norm.attributes.get("epsilon", 1e-5)}
    return [node, norm], replace(node, outputs=norm.outputs[:1], attributes={**node.attributes, **more})


def _match_silu(nodes: Nodes, node: Node) -> Match | None:
    """x * Sigmoid(x)."""
    product = nodes.only_user(node.outputs[0], "Mul") if node.op == "Sigmoid" else None
    if product is None or nodes.other_input(product, node.outputs[0]) != node.inputs[0]:
        return None
    return [node, product], replace(product, op="Silu", inputs=node.inputs)


@dataclass(frozen=True)
class _Gelu:
    """x / 2 * (1 + f): the node that makes f, and x."""

    f: Node
    x: str


def _match_gelu_erf(nodes: Nodes, node: Node) -> Match | None:
    """x / 2 * (1 + Erf(x / sqrt(2)))."""
    if node.op != "Erf":
        return None
    inner = nodes.maker(node.inputs[0], "Div", "Mul")
    if inner is None:
        return None
    x = nodes.with_number(inner, 2**-0.5 if inner.op == "Mul" else 2**0.5)
    return _gelu(nodes, _Gelu(node, x), [inner], "none") if x else None


def _match_gelu_tanh(nodes: Nodes, node: Node) -> Match | None:
    """x / 2 * (1 + Tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))."""
    outer = nodes.maker(node.inputs[0], "Mul") if node.op == "Tanh" else None
    total = nodes.makers.get(nodes.with_number(outer, (2 / np.pi) ** 0.5) or "") if outer else None
    if outer is None or total is None or total.op != "Add":
        return None
    for x in total.inputs:
        cubic = nodes.maker(nodes.other_input(total, x), "Mul")
        power = nodes.maker(nodes.with_number(cubic, 0.044715) or "", "Pow") if cubic else None
        if cubic and power and power.inputs[0] == x and nodes.is_number(power.inputs[1], 3):
            return _gelu(nodes, _Gelu(node, x), [outer, total, cubic, power], "tanh")
    return None


def _gelu(nodes: Nodes, found: _Gelu, inner: list[Node], approximate: str) -> Match | None:
    """Complete a GELU: 1 + f, which meets x and 1 / 2 in two products of either order."""
    one = nodes.only_user(found.f.outputs[0], "Add")
    if one is None or nodes.with_number(one, 1) is None:
        return None
    for first, last, halved in _products(nodes, one.outputs[0]):
        if halved == found.x:
            old = [*inner, found.f, one, *first, last]
            return old, replace(last, op="Gelu", inputs=(found.x,), attributes={"approximate": approximate})
    return None


def _products(nodes: Nodes, name: str) -> Iterator[tuple[list[Node], Node, str]]:
    """name x y / 2: the nodes before the last, the last, and y."""
    product = nodes.only_user(name, "Mul")
    if product is None:
        return
    other = nodes.other_input(product, name)
    half = nodes.maker(other, "Mul")
    if half and nodes.with_number(half, 0.5):
        yield [half], product, nodes.with_number(half, 0.5) or ""
    scaled = nodes.only_user(product.outputs[0], "Mul")
    if scaled and nodes.with_number(scaled, 0.5) == product.outputs[0]:
        yield [product], scaled, other
    elif scaled and nodes.is_number(other, 0.5):
        yield [product], scaled, nodes.other_input(scaled, product.outputs[0])
