"""Small ONNX models for tests, built with the onnx package: a convolutional net, and transformer blocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HIDDEN, HEADS, TOKENS, FFN = 64, 2, 16, 128


class Net:
    """A graph under construction: names of values are those of the calls' results."""

    def __init__(self, seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def node(self, op: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """Append a node; gives the name of its output, or of all outputs."""
        number = len(self.nodes)
        names = [f"v{number}" + (f"_{part}" if part else "") for part in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, name=f"{op}_{number}", **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, values: Any, dtype: int | None = None) -> str:
        name, values = f"c{len(self.constants)}", np.asarray(values)
        if dtype is None:
            tensor = numpy_helper.from_array(values, name)
        else:
            tensor = helper.make_tensor(name, dtype, values.shape, values.reshape(-1))
        self.constants.append(tensor)
        return name

    def floats(self, *shape: int, scale: float = 1.0, offset: float = 0.0) -> str:
        return self.constant((offset + scale * self.random.normal(size=shape)).astype(np.float32))

    def quantised(self, inputs: int, outputs: int, bits: int) -> str:
        """A matrix [inputs, outputs]: int8 with a scale per output, or int4 in blocks of 32 inputs."""
        most = 127 if bits == 8 else 7
        codes = self.random.integers(-most, most + 1, (inputs, outputs))
        shape = (outputs,) if bits == 8 else (inputs // 32, outputs)
        # scales that float16 holds
        scales = (self.random.uniform(0.5, 1.5, shape) / most / np.sqrt(inputs)).astype(np.float16).astype(np.float32)
        kind = TensorProto.INT8 if bits == 8 else TensorProto.INT4
        attributes = {"axis": 1} if bits == 8 else {"axis": 0, "block_size": 32}
        return str(self.node("DequantizeLinear", self.constant(codes, kind), self.constant(scales), **attributes))

    def model(self, inputs: dict[str, Any], outputs: dict[str, Any]) -> Any:
        """The model with these inputs and outputs, and their shapes; None: it must be inferred."""
        sides = [
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape or ["?"]) for name, shape in one.items()]
            for one in (inputs, outputs)
        ]
        graph = helper.make_graph(self.nodes, "net", *sides, self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def save(model: Any, folder: Path, name: str = "net.onnx") -> str:
    path = folder / name
    onnx.save(model, str(path))
    return str(path)


def conv_net() -> Any:
    """[2, 3, 16, 16]: two convolutions with pads and a stride, pooling, and a matrix."""
    net = Net()
    x = net.node("Conv", "x", net.floats(16, 3, 3, 3, scale=0.2), net.floats(16, scale=0.1), pads=[1, 1, 1, 1])
    x = net.node("MaxPool", net.node("Relu", x), kernel_shape=[2, 2], strides=[2, 2])
    x = net.node("Conv", x, net.floats(32, 16, 3, 3, scale=0.08), net.floats(32, scale=0.1), pads=[1, 0, 1, 0],
                 strides=[2, 1])  # fmt: skip
    x = net.node("AveragePool", net.node("Relu", x), kernel_shape=[2, 2])
    x = net.node("Flatten", x)
    net.node("Gemm", x, net.floats(10, 32 * 3 * 5, scale=0.05), net.floats(10, scale=0.1), transB=1)
    return net.model({"x": [2, 3, 16, 16]}, {net.nodes[-1].output[0]: [2, 10]})


def linear(net: Net, x: str, inputs: int, outputs: int, bits: int) -> str:
    """A product and a bias; of 0 bits, with floats."""
    floats = net.floats(inputs, outputs, scale=inputs**-0.5) if not bits else ""
    product = net.node("MatMul", x, floats or net.quantised(inputs, outputs, bits))
    return str(net.node("Add", product, net.floats(outputs, scale=0.1)))


def attend(net: Net, x: str, bits: int, causal: bool, batch: int) -> str:
    """Softmax attention as PyTorch exports it."""
    width = HIDDEN // HEADS
    heads = net.constant(np.array([batch, TOKENS, HEADS, width]))
    q, k, v = (net.node("Reshape", linear(net, x, HIDDEN, HIDDEN, bits), heads) for _ in range(3))
    q, v = (net.node("Transpose", one, perm=[0, 2, 1, 3]) for one in (q, v))
    scores = net.node("MatMul", q, net.node("Transpose", k, perm=[0, 2, 3, 1]))
    scores = net.node("Div", scores, net.constant(np.float32(np.sqrt(width))))
    if causal:
        mask = np.triu(np.full((TOKENS, TOKENS), -1e9, np.float32), 1)
        scores = net.node("Add", scores, net.constant(mask))
    out = net.node("MatMul", net.node("Softmax", scores, axis=-1), v)
    out = net.node("Transpose", out, perm=[0, 2, 1, 3])
    return str(net.node("Reshape", out, net.constant(np.array([batch, TOKENS, HIDDEN]))))


def norm(net: Net, x: str) -> str:
    gains = net.floats(HIDDEN, scale=0.1, offset=1.0), net.floats(HIDDEN, scale=0.1)
    return str(net.node("LayerNormalization", x, *gains, axis=-1, epsilon=1e-6))


def gelu(net: Net, x: str, way: str) -> str:
    """GELU: the operator, or what exporters made of it before there was one."""
    if way in ("none", "tanh"):
        return str(net.node("Gelu", x, approximate=way))
    half, one = net.constant(np.float32(0.5)), net.constant(np.float32(1))
    if way == "erf":
        inner = net.node("Erf", net.node("Div", x, net.constant(np.float32(np.sqrt(2)))))
    else:
        cubic = net.node("Mul", net.node("Pow", x, net.constant(np.float32(3))), net.constant(np.float32(0.044715)))
        inner = net.node("Mul", net.node("Add", x, cubic), net.constant(np.float32(np.sqrt(2 / np.pi))))
        inner = net.node("Tanh", inner)
    product = net.node("Mul", x, net.node("Add", inner, one))
    return str(net.node("Mul", product, half))


def block(bits: int = 8, causal: bool = False, batch: int = 1, way: str = "erf") -> Any:
    """A block with norms before attention and feed-forward, and one at the end."""
    net = Net(bits)
    x = net.node("Add", "x", linear(net, attend(net, norm(net, "x"), bits, causal, batch), HIDDEN, HIDDEN, bits))
    inner = gelu(net, linear(net, norm(net, x), HIDDEN, FFN, bits), way)
    x = net.node("Add", x, linear(net, inner, FFN, HIDDEN, bits))
    shape = [batch, TOKENS, HIDDEN]
    return net.model({"x": shape}, {norm(net, x): shape})


def residual_net() -> Any:
    """[1, 8, 9, 9]: convolutions with batch norms around a sum, 1 x 1 kernels, a mean over images, and classes."""
    net = Net(5)

    def conv(x: str, inputs: int, outputs: int, size: int, **attributes: Any) -> str:
        weights = net.floats(outputs, inputs, size, size, scale=(inputs * size * size) ** -0.5)
        x = net.node("Conv", x, weights, **attributes)
        spread = net.constant(net.random.uniform(0.5, 2, outputs).astype(np.float32))
        return str(
            net.node(
                "BatchNormalization", x, *(net.floats(outputs, scale=0.2, offset=one) for one in (1, 0, 0)), spread
            )
        )

    x = net.node("Relu", conv("x", 8, 16, 3, auto_pad="SAME_UPPER"))
    inner = net.node("Relu", conv(x, 16, 4, 1))
    inner = conv(inner, 4, 16, 3, pads=[1, 1, 1, 1])
    x = net.node("Relu", net.node("Add", inner, x))
    x = net.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    x = net.node("Flatten", net.node("GlobalAveragePool", conv(x, 16, 20, 1, strides=[2, 2])))
    x = net.node("Softmax", net.node("Gemm", x, net.floats(20, 10, scale=0.5)))
    return net.model({"x": [1, 8, 9, 9]}, {x: [1, 10]})


def vision_net() -> Any:
    """[2, 3, 16, 16]: patches and positions, a block with norms behind sums, one product of q, k and v, a SiLU gate."""
    net, width = Net(6), HIDDEN // HEADS
    patches = net.node(
        "Conv", "x", net.floats(HIDDEN, 3, 4, 4, scale=0.15), net.floats(HIDDEN, scale=0.1), strides=[4, 4]
    )
    rows = net.node("Reshape", patches, net.constant(np.array([0, HIDDEN, -1])))
    x = net.node("Add", net.node("Transpose", rows, perm=[0, 2, 1]), net.floats(1, TOKENS, HIDDEN))
    qkv = net.node(
        "Reshape", linear(net, x, HIDDEN, 3 * HIDDEN, 8), net.constant(np.array([2, TOKENS, 3, HEADS, width]))
    )
    qkv = net.node("Transpose", qkv, perm=[2, 0, 3, 1, 4])
    q, k, v = (net.node("Gather", qkv, net.constant(np.array(part)), axis=0) for part in range(3))
    scale = net.constant(np.float32(width**-0.25))
    k = net.node("Transpose", k, perm=[0, 1, 3, 2])
    scores = net.node("MatMul", net.node("Mul", q, scale), net.node("Mul", k, scale))
    out = net.node("Transpose", net.node("MatMul", net.node("Softmax", scores), v), perm=[0, 2, 1, 3])
    out = net.node("Reshape", out, net.constant(np.array([2, TOKENS, HIDDEN])))
    x = norm(net, net.node("Add", linear(net, out, HIDDEN, HIDDEN, 8), x))
    gate, up = (linear(net, x, HIDDEN, FFN, 8) for _ in range(2))
    gated = net.node("Mul", net.node("Mul", gate, net.node("Sigmoid", gate)), up)
    x = norm(net, net.node("Add", x, net.node("Div", linear(net, gated, FFN, HIDDEN, 8), net.constant(np.float32(2)))))
    return net.model({"x": [2, 3, 16, 16]}, {x: [2, TOKENS, HIDDEN]})


def language_net(hidden: int = 72, heads: int = 2, tokens: int = 12, vocab: int = 100) -> Any:
    """[2, tokens] numbers: embeddings, a block as GPT-2's with its mask by Where, norms in their parts, and a head."""
    net, width = Net(8), hidden // heads
    table = net.random.normal(size=(vocab, hidden)).astype(np.float16).astype(np.float32)
    place = net.node("Gather", net.floats(20, hidden), net.constant(np.arange(tokens)[None]))
    x = net.node("Add", net.node("Gather", net.constant(table), "ids"), place)
    split = net.constant(np.array(3 * [hidden]))
    qkv = net.node("Split", linear(net, norm_of_parts(net, x, hidden), hidden, 3 * hidden, 0), split, outputs=3, axis=2)
    parts = net.constant(np.array([0, 0, heads, width]))
    q, k, v = (net.node("Transpose", net.node("Reshape", one, parts), perm=[0, 2, 1, 3]) for one in qkv)
    scores = net.node("MatMul", q, net.node("Transpose", k, perm=[0, 1, 3, 2]))
    scores = net.node("Div", scores, net.constant(np.float32(width**0.5)))
    seen = net.constant(np.tril(np.ones((1, 1, tokens, tokens), bool)))
    scores = net.node("Where", seen, scores, net.constant(np.float32(np.finfo(np.float32).min)))
    out = net.node("Transpose", net.node("MatMul", net.node("Softmax", scores), v), perm=[0, 2, 1, 3])
    out = net.node("Reshape", out, net.constant(np.array([0, 0, hidden])))
    x = net.node("Add", x, linear(net, out, hidden, hidden, 0))
    inner = gelu(net, linear(net, norm_of_parts(net, x, hidden), hidden, 4 * hidden, 0), "tanh_parts")
    x = norm_of_parts(net, net.node("Add", linear(net, inner, 4 * hidden, hidden, 0), x), hidden)
    logits = net.node("MatMul", x, net.node("Transpose", net.constant(table), perm=[1, 0]))
    proto = net.model({"ids": [2, tokens]}, {logits: [2, tokens, vocab]})
    proto.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    return proto


def norm_of_parts(net: Net, x: str, hidden: int) -> str:
    """LayerNorm as exporters write it for operators before version 17."""
    centred = net.node("Sub", x, net.node("ReduceMean", x, net.constant(np.array([-1]))))
    square = net.node("Pow", centred, net.constant(np.float32(2)))
    variance = net.node(
        "Add", net.node("ReduceMean", square, net.constant(np.array([-1]))), net.constant(np.float32(1e-5))
    )
    normal = net.node("Div", centred, net.node("Sqrt", variance))
    gained = net.node("Mul", normal, net.floats(hidden, scale=0.1, offset=1.0))
    return str(net.node("Add", gained, net.floats(hidden, scale=0.1)))


def quantised_conv_net() -> Any:
    """[1, 3, 10, 8]: int8 kernels with a scale per channel and a batch norm behind them, then one scale per matrix."""
    net = Net(9)
    codes = net.constant(net.random.integers(-128, 128, (16, 3, 3, 3)), TensorProto.INT8)
    scales = net.constant(net.random.uniform(0.5, 1, 16).astype(np.float32) / 400)
    x = net.node(
        "Conv", "x", net.node("DequantizeLinear", codes, scales, axis=0), net.floats(16, scale=0.1), strides=[2, 1]
    )
    spread = net.constant(net.random.uniform(0.5, 2, 16).astype(np.float32))
    x = net.node("BatchNormalization", x, *(net.floats(16, scale=0.2, offset=one) for one in (1, 0, 0)), spread)
    codes = net.constant(net.random.integers(-128, 128, (10, 16 * 4 * 6)), TensorProto.INT8)
    matrix = net.node("DequantizeLinear", codes, net.constant(np.float32(0.001)))
    x = net.node("Gemm", net.node("Flatten", net.node("Relu", x)), matrix, transB=1)
    return net.model({"x": [1, 3, 10, 8]}, {x: [1, 10]})


def resnet_18() -> Any:
    """ResNet-18 (He et al., 2016) for an image of 224 x 224, batch norms folded into its convolutions."""
    net, channels = Net(7), 64

    def conv(x: str, inputs: int, outputs: int, size: int, stride: int) -> str:
        weights = net.constant(np.zeros((outputs, inputs, size, size), np.float32))
        return str(net.node("Conv", x, weights, strides=[stride] * 2, pads=[size // 2] * 4))

    x = net.node("Relu", conv("x", 3, 64, 7, 2))
    x = net.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    for number in range(8):
        outputs, stride = 64 << number // 2, 2 if number in (2, 4, 6) else 1
        inner = conv(net.node("Relu", conv(x, channels, outputs, 3, stride)), outputs, outputs, 3, 1)
        x = net.node("Relu", net.node("Add", inner, conv(x, channels, outputs, 1, stride) if stride == 2 else x))
        channels = outputs
    x = net.node("Flatten", net.node("GlobalAveragePool", x))
    x = net.node("Gemm", x, net.floats(1000, channels), net.floats(1000), transB=1)
    return net.model({"x": [1, 3, 224, 224]}, {x: [1, 1000]})
