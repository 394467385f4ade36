"""Programs of every shipped architecture equal the chain of reference kernels, bit for bit, in all that they write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archsim.design import load_design
from archsim.kernels.target import target_of
from archsim.machine.run import run
from archsim.mapping.bind import Setting, bind_all
from archsim.mapping.layer import write_program
from archsim.models import Graph, Model, Op
from tests.mapping.whole import NumpyLayer
from tests.models.tiny import tiny

DECODERS = ["gemma-2b", "gpt-j-6b", "gpt2", "mistral-7b", "qwen2-0.5b", "qwen2-7b"]
PHASES = [("decode", 2, 50), ("prefill", 2, 21)]


def check(model: Model, graph: Graph, ops: Sequence[Op], design: Any, x: np.ndarray | None = None) -> NumpyLayer:
    """Run ops as one program, timed and by addresses alone, and compare every tensor that they write."""
    target, capacity = target_of(design), graph.context + 3
    rows = graph.rows
    every = rows // ops[0].attributes["rows"] if ops[0].name == "final_norm" else 1
    setting = Setting(target, model.config.norm_eps, capacity, every, scale=model.config.embed_scale)
    program = write_program("part", bind_all(ops, setting), design)
    numpy_layer = NumpyLayer(model.config, target)
    numpy_layer.prepare(tuple(ops), rows, graph.batch, graph.context, capacity)
    if x is not None:
        numpy_layer.values["x"] = x
    timed = run(program.program, design, memory=numpy_layer.memory(program))
    numpy_layer.run(tuple(ops))
    for name in {tensor.name: None for op in ops for tensor in op.outputs}:
        address, array = program.plan.tensors[name]
        found = array.load(timed.read(address, array.nbytes))
        np.testing.assert_array_equal(found, numpy_layer.values[name].reshape(array.shape), err_msg=name)
    if all(op.kind not in ("route", "embed") for op in ops):
        assert run(program.program, design, fidelity="addresses").cycles == timed.cycles
    return numpy_layer


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("phase, batch, context", PHASES)
def test_decoders(name: str, phase: str, batch: int, context: int, tmp_path: Path) -> None:
    model = tiny(name, tmp_path)
    graph = model.graph(phase, batch, context)
    for ops in (graph.embed, graph.layer, graph.head):
        check(model, graph, ops, load_design("edge-npu"))


@pytest.mark.parametrize("name", ["gpt2", "gpt-j-6b", "qwen2-7b"])
@pytest.mark.parametrize("weights", ["int8-channel", "int4-g32", "int2-g64-asym"])
def test_biases_beside_other_formats_on_several_cores(name: str, weights: str, tmp_path: Path) -> None:
    model = tiny(name, tmp_path, weights=weights)
    graph = model.graph("prefill", 1, 40)
    check(model, graph, graph.layer, load_design("edge-npu", {"cores": 3}))


@pytest.mark.parametrize("name", ["bert-base-uncased", "vit-base-patch16-224"])
@pytest.mark.parametrize("batch", [1, 3])
def test_encoders(name: str, batch: int, tmp_path: Path) -> None:
    model = tiny(name, tmp_path)
    graph = model.graph("prefill", batch, model.config.max_positions if model.config.image else 37)
    for ops in (graph.embed, graph.layer, graph.head):
        check(model, graph, ops, load_design("edge-npu"))


@pytest.mark.parametrize("phase", ["prefill", "decode"])
@pytest.mark.parametrize("batch", [1, 2])
def test_an_encoder_and_its_decoder(phase: str, batch: int, tmp_path: Path) -> None:
    model = tiny("t5-small", tmp_path)
    graph = model.graph(phase, batch, 37)
    for ops in (graph.embed, graph.layer, graph.head):
        check(model, graph, ops, load_design("edge-npu"))


@pytest.mark.parametrize("cores", [1, 3])
@pytest.mark.parametrize("phase, batch, context", [("decode", 1, 1), ("decode", 5, 1), ("prefill", 2, 21)])
def test_experts(phase: str, batch: int, context: int, cores: int, tmp_path: Path) -> None:
    """Experts get the rows that the router's own logits choose for them."""
    design = load_design("edge-npu", {"cores": cores})
    model = tiny("mixtral-8x7b", tmp_path)
    graph = model.graph(phase, batch, context)
    x = np.random.default_rng(5).normal(size=(graph.rows, model.config.hidden)).astype(np.float32)
    first = [op.kind for op in graph.layer].index("route")
    found = check(model, graph, graph.layer[:first], design, x)
    chosen = np.argsort(-found.values["router"], axis=1)[:, :2]
    counts = np.bincount(chosen.reshape(-1), minlength=8)
    routed = tiny("mixtral-8x7b", tmp_path, routing=counts.tolist())
    graph = routed.graph(phase, batch, context)
    rows = [op.attributes["rows"] for op in graph.layer if op.kind == "gather"]
    assert rows == [count for count in counts if count]
    check(routed, graph, graph.layer, design, x)


@pytest.mark.parametrize("batch, context", [(1, 49), (2, 100), (1, 170)])
@pytest.mark.parametrize("name", ["mistral-7b", "phi-3-mini"])
def test_prompts_longer_than_a_window(name: str, batch: int, context: int, tmp_path: Path) -> None:
    """A window of 48 keys."""
    model = tiny(name, tmp_path)
    graph = model.graph("prefill", batch, context)
    assert any("window" in op.attributes for op in graph.layer)
    check(model, graph, graph.layer, load_design("edge-npu", {"cores": 2}))
