"""LayerNorm in its parts, as exporters wrote it before there was an operator for it (version 17)."""

from __future__ import annotations

from archsim.models.onnx.file import Node
from archsim.models.onnx.patterns import Match, Nodes


def match_layer_norm(nodes: Nodes, node: Node) -> Match | None:
    """(x - mean) / Sqrt(mean of squares + eps) * gain + bias, all over the last axis; `node` is the Sqrt."""
    divide = nodes.only_user(node.outputs[0], "Div") if node.op == "Sqrt" else None
    gain = nodes.only_user(divide.outputs[0], "Mul") if divide else None
    bias = nodes.only_user(gain.outputs[0], "Add") if gain else None
    total = nodes.maker(node.inputs[0], "Add")
    if divide is None or gain is None or bias is None or total is None or divide.inputs[1] != node.outputs[0]:
        return None
    variance = next((one for name in total.inputs if (one := nodes.maker(name, "ReduceMean"))), None)
    eps = nodes.number(nodes.other_input(total, variance.outputs[0])) if variance else None
    centred = nodes.maker(divide.inputs[0], "Sub")
    square = nodes.maker(variance.inputs[0], "Pow") if variance else None
    mean = nodes.maker(centred.inputs[1], "ReduceMean") if centred else None
    if not (variance and eps and centred and square and mean):
        return None
    right = square.inputs[0] == centred.outputs[0] and nodes.is_number(square.inputs[1], 2)
    if not right or mean.inputs[0] != centred.inputs[0] or not (_is_last(nodes, mean) and _is_last(nodes, variance)):
        return None
    rows = nodes.other_input(gain, divide.outputs[0]), nodes.other_input(bias, gain.outputs[0])
    inputs = (mean.inputs[0], *rows)
    attributes = {"axis": -1, "epsilon": eps}
    whole = Node(bias.name, "LayerNormalization", bias.label, inputs, bias.outputs, attributes)
    return [node, divide, gain, bias], whole


def _is_last(nodes: Nodes, mean: Node) -> bool:
    """Whether a mean is over the last axis, and keeps it."""
    last = len(nodes.file.shapes.get(mean.inputs[0], ())) - 1
    axes = nodes.file.constant(mean.input(1))
    listed = list(mean.attributes.get("axes", ())) if axes is None else axes.reshape(-1).tolist()
    return listed in ([-1], [last]) and bool(mean.attributes.get("keepdims", 1))
