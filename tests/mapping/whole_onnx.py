"""A model out of an ONNX file in numpy: the reference kernels in the order of its ops."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from archsim.kernels import reference, reference_images
from archsim.kernels.target import Target
from archsim.mapping.bind_onnx import FLOAT, window_of
from archsim.models.graph import Op
from archsim.models.onnx.model import OnnxModel
from tests.mapping.whole import NumpyLayer


class NumpyOnnx(NumpyLayer):
    """The ops of a model on given inputs."""

    def __init__(self, model: OnnxModel, target: Target) -> None:
        super().__init__(SimpleNamespace(norm_eps=0.0), target)
        self.model = model
        self.weights = {name: model.packed(name) for name in model.weights}

    def run_model(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs as rows."""
        model, ops = self.model, self.model.graph.layer
        self.values = dict(model.constants)
        for name, values in inputs.items():
            self.values[model.inputs[name].tensor] = values.reshape(-1, values.shape[-1])
        for tensor in {tensor.name: tensor for op in ops for tensor in op.outputs}.values():
            if "_cache." in tensor.name:
                swapped = tensor.name.endswith("v_cache.codes")
                shape = (*tensor.shape[:2], *tensor.shape[:1:-1]) if swapped else tensor.shape
                self.values[tensor.name] = np.zeros(shape, tensor.format)
        for op in ops:
            self.config.norm_eps = model.eps.get(op.name)
            self.run((op,))
        return {name: self.values[value.tensor] for name, value in model.outputs.items()}

    def _matmul(self, op: Op) -> None:
        out, first = op.outputs[0], op.attributes.get("first", 0)
        if first:
            super()._matmul(op)
            return
        # columns of a tensor that others share may come in any order
        held = self.values.get(out.name)
        super()._matmul(op)
        if held is not None:
            end = op.attributes["out_features"]
            self.values[out.name][:, end:] = held[:, end:]

    def _layer_norm(self, op: Op) -> None:
        if not op.attributes.get("out"):
            super()._layer_norm(op)
            return
        rows, (gamma, beta) = self.values[op.inputs[0].name], (self.values[one.name] for one in op.weights)
        self.values[op.outputs[0].name] = reference.layer_norm(rows, gamma, beta, self.config.norm_eps)

    def _embed(self, op: Op) -> None:
        table, ids = self.values[op.weights[0].name], self.values[op.inputs[0].name].reshape(-1)
        self.values[op.outputs[0].name] = table[ids].astype(np.float32)

    def _im2col(self, op: Op) -> None:
        made = reference_images.im2col(self.values[op.inputs[0].name], window_of(op))
        for tensor, values in zip(op.outputs, made, strict=True):
            self.values[tensor.name] = values

    def _max_pool(self, op: Op) -> None:
        images, largest = self.values[op.inputs[0].name], op.kind == "max_pool"
        self.values[op.outputs[0].name] = reference_images.pool(images, window_of(op), largest)

    _average_pool = _max_pool

    def _float(self, op: Op) -> None:
        operands = (self.values[tensor.name] for tensor in (*op.inputs, *op.weights))
        self.values[op.outputs[0].name] = reference_images.row_function(op.kind.removeprefix(FLOAT), *operands)

    _float_relu = _float_silu = _float_gelu_erf = _float_gelu_tanh = _float_softmax = _float
    _float_add = _float_sub = _float_mul = _float
