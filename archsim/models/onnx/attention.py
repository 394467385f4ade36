"""Softmax attention in ONNX graphs: MatMul, scale, mask, Softmax, MatMul between the reshapes of its heads."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from archsim.models.onnx.file import Node
from archsim.models.onnx.patterns import Match, Nodes

_HEADS = (0, 2, 1, 3)
"""Order of axes that makes [batch, heads, tokens, head_dim] of [batch, tokens, heads, head_dim]."""
_KEYS = (0, 2, 3, 1)
"""The same for keys, whose last two change places."""
_MASKED = -1e4
"""A score that is as low as this is out of sight."""


@dataclass(frozen=True)
class _Source:
    """Where a head's matrix comes from.

    Attributes:
        name: of the value [batch, tokens, heads x head_dim].
        heads: [batch, tokens, heads, head_dim].
        axes: the order in which these axes stand.
        scale: what it has been multiplied by.
        number: of a value [batch, tokens, 3 x heads x head_dim] of which it is a third, which third; else -1.
    """

    name: str
    heads: tuple[int, ...]
    axes: tuple[int, ...]
    scale: float
    number: int = -1


def match_attention(nodes: Nodes, softmax: Node) -> Match | None:
    """The attention around a Softmax, as a node Attention of q, k and v with heads, causal and scale."""
    shape = nodes.file.shapes.get(softmax.inputs[0], ())
    if len(shape) != 4 or softmax.attributes.get("axis", -1) not in (-1, 3):
        return None
    nodes.reasons[softmax.label] = "it is not between products of heads that a Reshape and a Transpose make"
    product = nodes.only_user(softmax.outputs[0], "MatMul")
    end = _end(nodes, product.outputs[0]) if product else None
    before = _scores(nodes, softmax, shape)
    if product is None or end is None or before is None or product.inputs[0] != softmax.outputs[0]:
        return None
    scores, scale, causal, between = before
    q, k, v = (_source(nodes, name) for name in (*scores.inputs, product.inputs[1]))
    if not q or not k or not v or q.axes != _HEADS or k.axes != _KEYS or v.axes != _HEADS:
        return None
    if not q.heads == k.heads == v.heads or v.scale != 1:
        return None
    thirds = q.number, k.number, v.number
    fused = thirds == (0, 1, 2) and q.name == k.name == v.name
    if not fused and thirds != (-1, -1, -1):
        return None
    attributes = {
        "heads": q.heads[2],
        "head_dim": q.heads[3],
        "batch": q.heads[0],
        "causal": int(causal),
        "scale": scale * q.scale * k.scale,
        "fused": int(fused),
    }
    del nodes.reasons[softmax.label]
    name, label, (transpose, reshape) = scores.name, f"Attention {softmax.label.partition(' ')[2]}", end
    node = Node(name, "Attention", label, (q.name, k.name, v.name), reshape.outputs, attributes)
    return [scores, *between, softmax, product, transpose, reshape], node


def _end(nodes: Nodes, name: str) -> tuple[Node, Node] | None:
    """Transpose and Reshape that put heads beside each other again."""
    transpose = nodes.only_user(name, "Transpose")
    if transpose is None or tuple(transpose.attributes.get("perm", ())) != _HEADS:
        return None
    reshape = nodes.only_user(transpose.outputs[0], "Reshape")
    if reshape is None:
        return None
    heads, joined = (nodes.file.shapes[one.outputs[0]] for one in (transpose, reshape))
    return (transpose, reshape) if joined[-1] == heads[2] * heads[3] else None


def _scores(nodes: Nodes, softmax: Node, shape: tuple[int, ...]) -> tuple[Node, float, bool, list[Node]] | None:
    """Walk back from a Softmax to its product: that, the scale, whether there is a causal mask, nodes between."""
    scale, causal, name = 1.0, False, softmax.inputs[0]
    between: list[Node] = []
    while True:
        node = nodes.makers.get(name)
        if node is None or (nodes.only_user(name, "Softmax", "Add", "Mul", "Div", "Where") is None):
            return None
        if node.op == "MatMul":
            return node, scale, causal, between
        factor = _factor(nodes, node)
        if factor:
            scale, name = scale * factor[1], factor[0]
        elif node.op == "Add" and (mask := _mask(nodes, node, shape)):
            # a scale behind the mask would change it, but nothing that counts
            causal, name = causal or mask[1], mask[0]
        elif node.op == "Where" and (kept := _where(nodes, node, shape)):
            causal, name = True, kept
        else:
            if node.op in ("Add", "Where"):
                nodes.reasons[softmax.label] = "its mask is neither causal nor empty"
            return None
        between.append(node)


def _factor(nodes: Nodes, node: Node) -> tuple[str, float] | None:
    """The input of a node that multiplies by a number, and that number."""
    if node.op not in ("Mul", "Div"):
        return None
    first, second = node.inputs
    number = nodes.number(second)
    if number:
        return first, 1 / number if node.op == "Div" else number
    number = nodes.number(first)
    return (second, number) if number and node.op == "Mul" else None


def _mask(nodes: Nodes, node: Node, shape: tuple[int, ...]) -> tuple[str, bool] | None:
    """The input of a node that adds a constant mask, and whether that is causal; else it hides nothing."""
    for name in node.inputs:
        values = nodes.file.constant(name)
        if values is None:
            continue
        try:
            hidden = np.broadcast_to(values, shape) <= _MASKED
        except ValueError:
            return None
        if np.any(np.broadcast_to(values, shape)[~hidden]):
            return None
        later = np.triu(np.ones(shape[2:], bool), 1)
        if not hidden.any() or (shape[2] == shape[3] and np.array_equal(hidden, np.broadcast_to(later, shape))):
            return nodes.other_input(node, name), bool(hidden.any())
    return None


def _where(nodes: Nodes, node: Node, shape: tuple[int, ...]) -> str | None:
    """The input of a Where that leaves what precedes a token, and itself, and masks the rest."""
    seen, other = (nodes.file.constant(node.inputs[number]) for number in (0, 2))
    earlier = np.tril(np.ones(shape[2:], bool))
    if seen is None or other is None or (other > _MASKED).any() or shape[2] != shape[3]:
        return None
    fits = (
        seen.ndim <= 4
        and seen.shape[-2:] == shape[2:]
        and np.array_equal(np.broadcast_to(seen, shape), np.broadcast_to(earlier, shape))
    )
    return node.inputs[1] if fits else None


def _source(nodes: Nodes, name: str) -> _Source | None:
    """Walk back from an operand of a product to the value whose features are heads."""
    axes: tuple[int, ...] = (0, 1, 2, 3)
    heads: tuple[int, ...] = ()
    scale = 1.0
    while node := nodes.makers.get(name):
        factor = _factor(nodes, node)
        if factor:
            scale *= factor[1]
        elif not heads and (part := _part(nodes, node)):
            return _Source(part.name, part.heads, tuple(_HEADS[axis] for axis in axes), scale, part.number)
        elif heads or node.op not in ("Transpose", "Reshape"):
            break
        elif node.op == "Transpose":
            order = node.attributes.get("perm") or (3, 2, 1, 0)
            axes = tuple(order[axis] for axis in axes)
        else:
            heads, flat = (nodes.file.shapes[one] for one in (node.outputs[0], node.inputs[0]))
            if len(heads) != 4 or flat[-1] != heads[2] * heads[3] or prod(flat[:-1]) != heads[0] * heads[1]:
                return None
        name = factor[0] if factor else node.inputs[0]
    return _Source(name, heads, axes, scale) if heads else None


def _part(nodes: Nodes, node: Node) -> _Source | None:
    """A third of [batch, tokens, 3, heads, head_dim], whose 3 is put first; by Gather, or Split and Squeeze."""
    split = nodes.maker(node.inputs[0], "Split") if node.op == "Squeeze" else None
    if split and split.attributes.get("axis", 0) == 0:
        number, whole = split.outputs.index(node.inputs[0]), split.inputs[0]
    elif node.op == "Gather" and node.attributes.get("axis", 0) == 0 and nodes.number(node.inputs[1]) is not None:
        number, whole = int(nodes.number(node.inputs[1]) or 0), node.inputs[0]
    else:
        return None
    transpose = nodes.maker(whole, "Transpose")
    reshape = nodes.maker(transpose.inputs[0], "Reshape") if transpose else None
    if transpose is None or reshape is None or tuple(transpose.attributes.get("perm", ())) != (2, 0, 3, 1, 4):
        return None
    shape, flat = (nodes.file.shapes[one] for one in (reshape.outputs[0], reshape.inputs[0]))
    if len(shape) != 5 or shape[2] != 3 or flat[-1] != prod(shape[2:]) or len(nodes.file.shapes[node.outputs[0]]) != 4:
        return None
    return _Source(reshape.inputs[0], (*shape[:2], *shape[3:]), _HEADS, 1.0, number)
