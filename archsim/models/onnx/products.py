"""ONNX products: MatMul, Gemm and Conv become a product of int8 rows with a matrix of weights; attention."""

from __future__ import annotations

from math import isclose, prod, sqrt

import numpy as np

from archsim.common.errors import InputError
from archsim.models.graph import Op, Tensor, array, weight_matrix
from archsim.models.onnx.file import Node
from archsim.models.onnx.values import IMAGES, PIXELS, PLANES, ROWS, Lowering, Unsupported, Value, codes_of
from archsim.models.onnx.weights import Weight, find_weight
from archsim.models.onnx.windows import Images, window_sizes


def matmul(low: Lowering, node: Node) -> None:
    """Of rows with a constant matrix [in, out]."""
    weight = _weight(low, node.inputs[1])
    if weight is None:
        raise Unsupported("a product of two activations that is not part of softmax attention")
    if weight.values.ndim != 2:
        raise Unsupported(f"weights of {weight.values.ndim} dimensions, not 2")
    _rows_product(low, node, weight.transposed(1, 0), node.input(2))


def gemm(low: Lowering, node: Node) -> None:
    """Of rows with a constant matrix, and a bias."""
    for name, wanted in (("alpha", 1.0), ("beta", 1.0), ("transA", 0)):
        if node.attributes.get(name, wanted) != wanted:
            raise Unsupported(f"{name} is {node.attributes[name]}, not {wanted:g}")
    weight = _weight(low, node.inputs[1])
    if weight is None:
        raise Unsupported("its second input is no constant")
    _rows_product(low, node, weight if node.attributes.get("transB") else weight.transposed(1, 0), node.input(2))


def conv(low: Lowering, node: Node) -> None:
    """Windows of images as rows (im2col) with the kernels; 1 x 1 kernels take the pixels as they are."""
    value, weight = low.value(node.inputs[0]), _weight(low, node.inputs[1])
    if weight is None:
        raise Unsupported("its weights are no constant")
    if value.layout not in (PIXELS, PLANES) or weight.values.ndim != 4 or len(value.shape) != 4:
        raise Unsupported("its input is no batch of 2-D images")
    if node.attributes.get("group", 1) != 1:
        raise Unsupported(f"group is {node.attributes['group']}, not 1")
    kernel = weight.values.shape[2:]
    if weight.values.shape[1] != value.features or tuple(node.attributes.get("kernel_shape", kernel)) != kernel:
        raise Unsupported(f"weights of shape {weight.values.shape} do not fit its input or its kernel_shape")
    images = window_sizes(node, value, kernel)
    if value.layout == PIXELS and images.pointwise:
        codes = low.codes(value)
    else:
        codes = _windows(low, node, value, images)
    weight, bias = _normalised(low, node, weight, _bias(low, node.input(2), len(weight.values)))
    ordered = weight if value.layout == PLANES else weight.transposed(0, 2, 3, 1)
    tensor = _product(low, node, codes, ordered, bias, "")
    shape = low.shape(node.outputs[0])
    low.values[node.outputs[0]] = Value(tensor, shape, PIXELS, (shape[2], shape[3]))


def _normalised(low: Lowering, node: Node, weight: Weight, bias: np.ndarray | None) -> tuple[Weight, np.ndarray | None]:
    """Weights and bias with the BatchNormalization behind them, (y - mean) / sqrt(variance + eps) * gain + shift."""
    if "norm" not in node.attributes:
        return weight, bias
    gain, shift, mean, variance = (_row(low, name, len(weight.values)) for name in node.attributes["norm"])
    factor = gain / np.sqrt(variance + node.attributes["epsilon"])
    own = np.zeros_like(mean) if bias is None else bias
    return weight.scaled(factor), (own - mean) * factor + shift


def _windows(low: Lowering, node: Node, value: Value, images: Images) -> tuple[Tensor, Tensor]:
    name = low.name(node, "im2col")
    sizes = images.attributes | {"planes": int(value.layout == PLANES)}
    made = codes_of(name, sizes["rows"], images.size * sizes["channels"])
    low.emit(Op(name, "im2col", sizes, (low.tensor(value),), made))
    return made


def _rows_product(low: Lowering, node: Node, weight: Weight, bias: str) -> None:
    """Of [..., in] with a matrix [out, in]; images that were flattened are one window each."""
    value = low.value(node.inputs[0])
    if value.layout not in (ROWS, IMAGES):
        raise Unsupported("its input's last axis does not adjoin: it lies as images do")
    if value.shape[-1] != weight.values.shape[1]:
        raise Unsupported(f"weights of shape {weight.values.shape}")
    if value.layout == IMAGES:
        height, width = value.image
        shape = (value.shape[0], value.features, height, width)
        pixels = Value(value.tensor, shape, PIXELS, value.image)
        codes = _windows(low, node, pixels, Images.whole(shape))
        weight = _by_pixel(weight, value)
    else:
        codes = low.codes(value)
    place = low.places.get(node.outputs[0], ("", 0, 0))
    tensor = _product(low, node, codes, weight, _bias(low, bias, len(weight.values)), *place)
    low.values[node.outputs[0]] = Value(tensor, low.shape(node.outputs[0]))


def _by_pixel(weight: Weight, value: Value) -> Weight:
    """Columns (channel, row, column) in the order (row, column, channel)."""
    if weight.scales is not None and weight.scales.shape[1] > 1:
        raise Unsupported("weights with blocks behind a Flatten")
    order = np.arange(value.shape[1]).reshape(value.features, -1).T.reshape(-1)
    return Weight(weight.values[:, order], weight.scales, weight.bits)


def _product(
    low: Lowering,
    node: Node,
    codes: tuple[Tensor, Tensor],
    weight: Weight,
    bias: np.ndarray | None,
    place: str,
    *columns: int,
) -> str:
    """Emit a product; gives the name of its tensor: one of its own, or columns of `place`."""
    name, matrix = low.name(node), weight.matrix()
    out_features, in_features = matrix.values.shape
    rows = codes[0].shape[0]
    sizes = {"rows": rows, "in_features": in_features, "out_features": out_features}
    width = out_features
    if place:
        sizes |= {"first": columns[0], "width": columns[1]}
        width = columns[1]
    weights = [weight_matrix(f"{name}.weight", out_features, in_features, matrix.format(low.form))]
    low.weights[weights[0].name] = matrix
    if bias is not None:
        if np.abs(bias).max() > np.finfo(np.float16).max:
            raise Unsupported("its bias does not fit float16")
        weights.append(array(f"{name}.bias", (out_features,), "float16"))
        low.constants[weights[1].name] = bias.astype(np.float16)
    out = array(place or f"{name}.out", (rows, width), "float32")
    low.emit(Op(name, "matmul", sizes, codes, (out,), tuple(weights)))
    return out.name


def _bias(low: Lowering, name: str, features: int) -> np.ndarray | None:
    return _row(low, name, features) if name else None


def _row(low: Lowering, name: str, features: int) -> np.ndarray:
    """A constant row as float32 [features]."""
    values = low.file.constant(name)
    if values is None or values.size not in (1, features) or values.shape[-1:] not in ((), (1,), (features,)):
        raise Unsupported(f"its input {name[:60]!r} is no constant row")
    return np.broadcast_to(values.reshape(-1), features).astype(np.float32)


def _weight(low: Lowering, name: str) -> Weight | None:
    try:
        return find_weight(low.file, low.nodes.makers, name)
    except InputError as error:
        raise Unsupported(str(error)) from None


def place_heads(low: Lowering) -> None:
    """Let the products that make queries, keys and values of an attention write into one tensor."""
    for node in low.nodes.nodes:
        if node.op != "Attention":
            continue
        features = node.attributes["heads"] * node.attributes["head_dim"]
        products = [low.nodes.maker(name, "MatMul", "Gemm") for name in node.inputs]
        alone = all(low.nodes.only_user(name, "Attention") for name in node.inputs)
        if all(products) and alone and len(set(node.inputs)) == 3:
            for number, name in enumerate(node.inputs):
                low.places[name] = (f"{node.name}.qkv", number * features, 3 * features)


def attention(low: Lowering, node: Node) -> None:
    """Heads into a cache of its own, then attention over it."""
    a, qkv = node.attributes, _qkv(low, node)
    features, rows = a["heads"] * a["head_dim"], qkv.shape[0]
    exact = isclose(a["scale"], 1 / sqrt(a["head_dim"]), rel_tol=1e-3)
    if not exact and not isclose(a["scale"], 1, rel_tol=1e-3):
        raise Unsupported(f"its scores are multiplied by {a['scale']:.4g}, neither 1 / sqrt(head_dim) nor 1")
    name = low.name(node)
    sizes = {"rows": rows, "batch": a["batch"], "heads": a["heads"], "kv_heads": a["heads"]}
    sizes |= {"head_dim": a["head_dim"], "context": rows // a["batch"]}
    cached = _cached(name, sizes)
    low.emit(Op(f"{name}_heads", "heads_kv", {**sizes, "position": 0}, (qkv,), cached))
    low.taken.add(f"{name}_heads")
    out = array(f"{name}.out", (rows, features), "float32")
    choices = {"causal": a["causal"]} | ({} if exact else {"unscaled": 1})
    low.emit(Op(name, "attention", sizes | choices, cached, (out,)))
    low.values[node.outputs[0]] = Value(out.name, low.shape(node.outputs[0]))


def _cached(name: str, sizes: dict[str, int]) -> tuple[Tensor, ...]:
    """Codes and scales of queries, keys and values."""
    heads, width = sizes["heads"], sizes["head_dim"]
    lines = (sizes["batch"], heads, sizes["context"])
    caches = (f"{name}.{one}_cache" for one in "kv")
    return (
        array(f"{name}.q.codes", (sizes["rows"], heads, width), "int8"),
        array(f"{name}.q.scales", (sizes["rows"], heads), "float32"),
        *(
            tensor
            for one in caches
            for tensor in (array(f"{one}.codes", (*lines, width), "int8"), array(f"{one}.scales", lines, "float16"))
        ),
    )


def _qkv(low: Lowering, node: Node) -> Tensor:
    """The tensor that holds queries, keys and values: of three products, or of one and a Split."""
    rows = prod(low.shape(node.inputs[0])[:-1])
    width = 3 * node.attributes["heads"] * node.attributes["head_dim"]
    if node.attributes["fused"]:
        value = low.rows(node.inputs[0])
        if value.shape[-1] != width:
            raise Unsupported("what is split is not [queries, keys, values]")
        return low.tensor(value)
    if all(name in low.places for name in node.inputs):
        for name in node.inputs:
            # what makes it may have failed
            low.value(name)
        return array(low.places[node.inputs[0]][0], (rows, width), "float32")
    split = low.nodes.maker(node.inputs[0], "Split")
    if split is None or tuple(split.outputs) != tuple(node.inputs):
        raise Unsupported("its queries, keys and values are neither products of their own nor one that is split")
    value = low.rows(split.inputs[0])
    if value.shape[-1] != width or split.attributes.get("axis", 0) not in (-1, len(value.shape) - 1):
        raise Unsupported("what is split is not [queries, keys, values]")
    return low.tensor(value)
