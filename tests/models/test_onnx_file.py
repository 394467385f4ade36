"""ONNX files: what they become, and what is said of those that are wrong."""

from __future__ import annotations

import re
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator

from archsim.common.errors import InputError
from archsim.models.onnx.model import OnnxModel, load_onnx
from tests.models.onnx_nets import FFN, HEADS, HIDDEN, TOKENS, Net, block, conv_net, gelu, linear, resnet_18, save


def load(net: Net, folder: Path, shape: list[Any], output: str, **choices: Any) -> OnnxModel:
    return load_onnx(save(net.model({"x": shape}, {output: None}), folder), **choices)


def refused(net: Net, folder: Path, shape: list[Any], output: str) -> str:
    with pytest.raises(InputError) as caught:
        load(net, folder, shape, output)
    text = str(caught.value)
    assert "\n" not in text
    return text


def kinds(model: OnnxModel) -> list[str]:
    return [op.kind for op in model.graph.layer]


@pytest.mark.parametrize("batch", [1, 3])
def test_macs_of_a_block(batch: int, tmp_path: Path) -> None:
    """Rows x in x out of each matrix, and of attention queries x keys x hidden, twice."""
    model = load_onnx(save(block(8, batch=batch), tmp_path))
    rows = batch * TOKENS
    assert model.graph.macs == rows * (4 * HIDDEN * HIDDEN + 2 * HIDDEN * FFN) + 2 * rows * TOKENS * HIDDEN
    assert model.graph.batch == batch and model.graph.context == TOKENS


def test_macs_of_a_convolutional_net(tmp_path: Path) -> None:
    """Output elements x kernel x input channels of each convolution, and the matrix."""
    model = load_onnx(save(conv_net(), tmp_path))
    # 16 x 16 outputs, pooled to 8 x 8; then (8 + 2 - 3) // 2 + 1 = 4 rows and 6 columns, pooled to 3 x 5
    first, second = 16 * 16 * 16 * (3 * 3 * 3), 32 * 4 * 6 * (3 * 3 * 16)
    assert model.graph.macs == 2 * (first + second + 10 * 32 * 3 * 5)


def test_resnet_18_has_its_published_size(tmp_path: Path) -> None:
    """torchvision: 1.81 GMACs, 11,689,512 parameters, of which batch norms have 9,600."""
    model = load_onnx(save(resnet_18(), tmp_path))
    assert round(model.graph.macs / 1e9, 2) == 1.81
    weights = [prod(tensor.shape) for op in model.graph.layer for tensor in op.weights]
    assert sum(weights) == 11_689_512 - 9_600


def test_ops_of_a_block(tmp_path: Path) -> None:
    """Norms and activations that only products use are quantised at once."""
    product = ["matmul"]
    wanted = ["layer_norm", *3 * product, "heads_kv", "attention", "quantize", "matmul", "float_add", "layer_norm"]
    wanted += ["matmul", "gelu_erf", "matmul", "float_add", "layer_norm"]
    assert kinds(load_onnx(save(block(), tmp_path))) == wanted


@pytest.mark.parametrize("way, kind", [("none", "gelu_erf"), ("erf", "gelu_erf"), ("tanh", "gelu_tanh"),
                                       ("tanh_parts", "gelu_tanh")])  # fmt: skip
def test_every_way_to_write_gelu(way: str, kind: str, tmp_path: Path) -> None:
    net = Net()
    out = net.node("Identity", gelu(net, "x", way))
    assert kinds(load(net, tmp_path, [4, 64], out)) == [f"float_{kind}"]


@pytest.mark.parametrize("bits, form", [(8, "int8-channel"), (4, "int4-g32")])
def test_quantised_weights_stay_as_they_are(bits: int, form: str, tmp_path: Path) -> None:
    net = Net()
    out = net.node("MatMul", "x", net.quantised(64, 48, bits))
    model = load(net, tmp_path, [2, 64], out, weights="int4-g64")
    (op,) = (op for op in model.graph.layer if op.kind == "matmul")
    assert op.weights[0].format == form
    unit = {"x": np.eye(64, dtype=np.float32)}
    (onnx_weights,) = ReferenceEvaluator(net.model({"x": [64, 64]}, {out: None})).run(None, unit)
    np.testing.assert_array_equal(model.packed(op.weights[0].name).dequantize(), onnx_weights.T)


def test_the_smallest_code_of_int4(tmp_path: Path) -> None:
    """-8, which archsim's own quantisation does not make."""
    net = Net()
    codes = net.constant(np.arange(-8, 8).repeat(4).reshape(64, 1), TensorProto.INT4)
    weights = net.node("DequantizeLinear", codes, net.constant(np.ones(1, np.float32)), axis=1)
    model = load(net, tmp_path, [1, 64], net.node("MatMul", "x", weights))
    assert model.packed(model.graph.layer[-1].weights[0].name).codes.min() == -8


def test_floats_take_the_format_that_is_named(tmp_path: Path) -> None:
    net = Net()
    out = net.node("Gemm", "x", net.floats(48, 64), net.floats(48), transB=1)
    assert load(net, tmp_path, [2, 64], out).graph.layer[-1].weights[0].format == "int8-channel"
    assert load(net, tmp_path, [2, 64], out, weights="int4-g32").graph.layer[-1].weights[0].format == "int4-g32"


def test_constants_are_computed(tmp_path: Path) -> None:
    """Exporters reshape to [batch, tokens, heads, width] of the input's own shape."""
    net = Net()
    shape = net.node("Shape", "x")
    batch = net.node("Gather", shape, net.constant(np.array(0)))
    rows = net.node(
        "Concat", net.node("Unsqueeze", batch, net.constant(np.array([0]))), net.constant(np.array([8, 32])), axis=0
    )
    out = net.node("MatMul", net.node("Reshape", "x", rows), net.floats(32, 16))
    model = load(net, tmp_path, [3, 2, 4, 32], out)
    assert kinds(model) == ["quantize", "matmul"]
    assert model.outputs[out].shape == (3, 8, 16)


def test_one_product_of_queries_keys_and_values(tmp_path: Path) -> None:
    net, heads = Net(), np.array([1, TOKENS, HEADS, HIDDEN // HEADS])
    qkv = linear(net, "x", HIDDEN, 3 * HIDDEN, 8)
    parts = net.node("Split", qkv, net.constant(np.array(3 * [HIDDEN])), outputs=3, axis=-1)
    q, k, v = (net.node("Reshape", one, net.constant(heads)) for one in parts)
    q, k, v = (net.node("Transpose", one, perm=[0, 2, 1, 3]) for one in (q, k, v))
    q = net.node("Mul", q, net.constant(np.float32((HIDDEN // HEADS) ** -0.5)))
    scores = net.node("Softmax", net.node("MatMul", q, net.node("Transpose", k, perm=[0, 1, 3, 2])))
    out = net.node("Transpose", net.node("MatMul", scores, v), perm=[0, 2, 1, 3])
    out = net.node("Reshape", out, net.constant(np.array([1, TOKENS, HIDDEN])))
    model = load(net, tmp_path, [1, TOKENS, HIDDEN], out)
    assert kinds(model) == ["quantize", "matmul", "heads_kv", "attention"]
    assert "unscaled" not in model.graph.layer[-1].attributes


@pytest.mark.parametrize("mask, causal", [(np.triu(np.full((16, 16), -np.inf), 1), 1), (np.zeros((1, 1, 1, 16)), 0)])
def test_masks(mask: np.ndarray, causal: int, tmp_path: Path) -> None:
    model = load_onnx(save(_masked(mask), tmp_path))
    (op,) = (op for op in model.graph.layer if op.kind == "attention")
    assert op.attributes["causal"] == causal


def _masked(mask: np.ndarray) -> Any:
    """A block whose causal mask is another one."""
    proto = block(causal=True)
    for tensor in proto.graph.initializer:
        if tuple(tensor.dims) == (TOKENS, TOKENS):
            tensor.CopyFrom(onnx.numpy_helper.from_array(mask.astype(np.float32), tensor.name))
    return proto


def test_another_mask_is_refused(tmp_path: Path) -> None:
    window = np.triu(np.full((16, 16), -np.inf), 1) + np.tril(np.full((16, 16), -np.inf), -4)
    with pytest.raises(InputError, match=r"Softmax 'Softmax_\d+': its mask is neither causal nor empty; Reshape"):
        load_onnx(save(_masked(window), tmp_path))


def test_all_that_is_unknown_is_listed(tmp_path: Path) -> None:
    net = Net()
    x = net.node("LpNormalization", net.node("Relu", "x"))
    out = net.node("HardSwish", net.node("Add", net.node("Tanh", x), x))
    text = refused(net, tmp_path, [2, 8], out)
    for name in ("LpNormalization 'LpNormalization_1'", "Tanh 'Tanh_2'", "HardSwish 'HardSwish_4'"):
        assert f"{name}: no such op" in text
    # what only follows from them is not
    assert "Add" not in text


@pytest.mark.parametrize(
    "attributes, why",
    [
        ({"dilations": [2, 2]}, "dilations are [2, 2], not 1"),
        ({"group": 2}, "group is 2, not 1"),
        ({"pads": [3, 3, 3, 3]}, "pads [3, 3, 3, 3] for a kernel of [3, 3]"),
    ],
)
def test_convolutions_that_are_not_supported(attributes: dict[str, Any], why: str, tmp_path: Path) -> None:
    net = Net()
    out = net.node("Conv", "x", net.floats(8, 4 // attributes.get("group", 1), 3, 3), **attributes)
    assert f"Conv 'Conv_0': {why}" in refused(net, tmp_path, [1, 4, 8, 8], out)


def test_weights_that_do_not_fit(tmp_path: Path) -> None:
    """Which ONNX's own inference of shapes does not see."""
    net = Net()
    out = net.node("Conv", "x", net.floats(8, 5, 3, 3))
    assert "weights of shape (8, 5, 3, 3) do not fit its input" in refused(net, tmp_path, [1, 4, 8, 8], out)


def test_other_limits_are_told(tmp_path: Path) -> None:
    for make, why in (
        (lambda net: net.node("Gemm", "x", net.floats(8, 4), alpha=2.0), "alpha is 2.0, not 1"),
        (lambda net: net.node("Transpose", "x", perm=[1, 0]), "it moves data"),
        (lambda net: net.node("Reshape", "x", net.constant(np.array([4, 4]))), "it moves data: [2, 8] to [4, 4]"),
        (lambda net: net.node("Softmax", "x", axis=0), "its axis is not the last one"),
        (lambda net: net.node("Add", "x", net.floats(3, 1, 8)), "a constant of shape (3, 1, 8) makes (2, 8) larger"),
        (lambda net: net.node("MatMul", "x", net.node("DequantizeLinear", net.constant(np.ones((8, 4)), 3),
            net.constant(np.ones(1, np.float32)), net.constant(np.ones(1), 3), axis=1)), "zero points"),
    ):  # fmt: skip
        net = Net()
        out = make(net)
        assert why in refused(net, tmp_path, [2, 8], out)


def test_dynamic_dimensions(tmp_path: Path) -> None:
    net = Net()
    out = net.node("MatMul", "x", net.floats(16, 4))
    file = save(net.model({"x": ["batch", None, 16]}, {out: None}), tmp_path)
    with pytest.raises(
        InputError, match=re.escape("input 'x': dimension 0, 'batch', is dynamic; fix it with --dim batch=VALUE")
    ):
        load_onnx(file)
    with pytest.raises(InputError, match=re.escape("'x.1', is dynamic; fix it with --dim x.1=VALUE")):
        load_onnx(file, dims={"batch": 2})
    assert load_onnx(file, dims={"batch": 2, "x.1": 3}).outputs[out].shape == (2, 3, 4)
    with pytest.raises(InputError, match="unknown dimension 'bach'; did you mean 'batch'"):
        load_onnx(file, dims={"batch": 2, "x.1": 3, "bach": 1})
    with pytest.raises(InputError, match="dimension 'batch' is 0; use 1 or more"):
        load_onnx(file, dims={"batch": 0, "x.1": 3})


def test_files_that_are_none(tmp_path: Path) -> None:
    file = tmp_path / "no.onnx"
    with pytest.raises(InputError, match=r"no.onnx: cannot read: no such file"):
        load_onnx(file)
    for content in (b"", b"hello", bytes(range(256)) * 20):
        file.write_bytes(content)
        with pytest.raises(InputError, match="this is no ONNX file"):
            load_onnx(file)
    whole = conv_net().SerializeToString()
    for cut in range(1, len(whole), len(whole) // 20):
        file.write_bytes(whole[:cut])
        with pytest.raises(InputError) as caught:
            load_onnx(file)
        assert "\n" not in str(caught.value)


def test_shapes_that_do_not_fit(tmp_path: Path) -> None:
    net = Net()
    assert "shapes do not fit" in refused(net, tmp_path, [2, 8], net.node("MatMul", "x", net.floats(9, 4)))


def test_graphs_without_work(tmp_path: Path) -> None:
    net = Net()
    out = net.node("Identity", "x")
    assert f"output '{out}' is constant, or an input" in refused(net, tmp_path, [2, 8], out)
    proto = net.model({}, {out: None})
    proto.graph.node[0].input[0] = net.floats(2, 8)
    proto.graph.initializer.extend(net.constants)
    with pytest.raises(InputError, match="the graph has no inputs or no outputs"):
        load_onnx(save(proto, tmp_path))


def test_old_operators_and_integers_are_refused(tmp_path: Path) -> None:
    proto = conv_net()
    proto.opset_import[0].version = 11
    with pytest.raises(InputError, match=r"operators are of version 11, before 13; convert it"):
        load_onnx(save(proto, tmp_path))
    net = Net()
    out = net.node("MatMul", net.node("Cast", "ids", to=TensorProto.FLOAT), net.floats(8, 4))
    proto = net.model({"ids": [2, 8]}, {out: None})
    proto.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    with pytest.raises(InputError, match=r"cannot be lowered: input 'ids' is int64, not float32;"):
        load_onnx(save(proto, tmp_path))


def test_external_data(tmp_path: Path) -> None:
    proto, file = conv_net(), tmp_path / "net.onnx"
    onnx.save(proto, str(file), save_as_external_data=True, location="net.data", size_threshold=0)
    model = load_onnx(file)
    assert model.graph.macs == load_onnx(save(conv_net(), tmp_path, "one.onnx")).graph.macs
    (tmp_path / "net.data").unlink()
    with pytest.raises(InputError, match=r"lies in 'net.data', which is not there; put that file beside the model's"):
        load_onnx(file)
    for place in ("../net.data", "/etc/hostname"):
        proto = onnx.load(str(file), load_external_data=False)
        for tensor in proto.graph.initializer:
            tensor.external_data[0].value = place
        file.write_bytes(proto.SerializeToString())
        with pytest.raises(InputError, match="which is not there"):
            load_onnx(file)


def test_names_cannot_leave_a_comment(tmp_path: Path) -> None:
    """Names of nodes come from strangers, and stand in programs."""
    proto = conv_net()
    for node in proto.graph.node:
        node.name = "conv\n    ecall # x_cache.codes"
    model = load_onnx(save(proto, tmp_path))
    names = [op.name for op in model.graph.layer]
    assert all(re.fullmatch(r"\w+", name) for name in names) and len(set(names)) == len(names)
