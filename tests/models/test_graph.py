"""The graph: order and sizes of ops, and that tensors flow from one op to the next."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import archsim
from archsim.common.errors import InputError
from archsim.models import Graph, Op, Tensor

TINY = "tiny-llama-test"
PHASES = st.sampled_from(["prefill", "decode"])
BATCHES = st.integers(1, 9)
CONTEXTS = st.integers(1, 512)


def graph_of(phase: str, batch: int, context: int) -> Graph:
    return archsim.load_model(TINY).graph(phase, batch, context)


def test_ops_of_a_layer_in_order() -> None:
    graph = graph_of("decode", 1, 8)
    assert [(op.name, op.kind) for op in graph.layer] == [
        ("attn_norm", "norm"),
        ("qkv", "matmul"),
        ("rope_kv", "rope_kv"),
        ("attention", "attention"),
        ("attn_quant", "quantize"),
        ("out", "matmul"),
        ("ffn_norm", "norm"),
        ("gate_up", "matmul"),
        ("silu_mul", "silu_mul"),
        ("down", "matmul"),
        ("residual", "add"),
    ]
    assert [(op.name, op.kind) for op in graph.embed] == [("embed", "embed")]
    assert [(op.name, op.kind) for op in graph.head] == [("final_norm", "norm"), ("lm_head", "matmul")]
    assert graph.layers == 2


@pytest.mark.parametrize(("phase", "rows", "position", "causal"), [("prefill", 3 * 20, 0, 1), ("decode", 3, 19, 0)])
def test_attributes(phase: str, rows: int, position: int, causal: int) -> None:
    """tiny-llama-test: hidden 256, 4 heads, 2 KV heads, head_dim 64, ffn 512, vocab 512."""
    graph = graph_of(phase, 3, 20)
    sizes = {"rows": rows, "batch": 3, "heads": 4, "kv_heads": 2, "head_dim": 64, "context": 20}
    assert [op.attributes for op in graph.layer] == [
        {"rows": rows, "features": 256, "residual": 0},
        {"rows": rows, "in_features": 256, "out_features": 512},
        {**sizes, "position": position},
        {**sizes, "causal": causal},
        {"rows": rows, "features": 256},
        {"rows": rows, "in_features": 256, "out_features": 256},
        {"rows": rows, "features": 256, "residual": 1},
        {"rows": rows, "in_features": 256, "out_features": 1024},
        {"rows": rows, "features": 512},
        {"rows": rows, "in_features": 512, "out_features": 256},
        {"rows": rows, "features": 256},
    ]
    assert [op.attributes for op in graph.embed] == [{"rows": rows, "features": 256}]
    assert [op.attributes for op in graph.head] == [
        {"rows": 3, "features": 256, "residual": 0},
        {"rows": 3, "in_features": 256, "out_features": 512},
    ]


@given(PHASES, BATCHES, CONTEXTS)
def test_every_input_was_written_before_with_its_shape(phase: str, batch: int, context: int) -> None:
    graph = graph_of(phase, batch, context)
    written: dict[str, Tensor] = {"token_ids": graph.embed[0].inputs[0]}
    for op in (*graph.embed, *graph.layer, *graph.layer):
        for tensor in op.inputs:
            if "_cache." in tensor.name:
                assert _cached(tensor, written[tensor.name], context)
            else:
                assert tensor == written[tensor.name], op.name
        written |= {tensor.name: tensor for tensor in op.outputs}
    last_rows, x = graph.head[0].inputs[0], written["x"]
    assert (last_rows.name, last_rows.shape, last_rows.format) == ("x", (batch, x.shape[1]), x.format)
    assert graph.head[1].inputs == graph.head[0].outputs


def _cached(tensor: Tensor, appended: Tensor, context: int) -> bool:
    """Whether a cache of `context` tokens is what was appended to, except for the number of tokens."""
    sizes = (*appended.shape[:2], context, *appended.shape[3:])
    return (tensor.shape, tensor.format) == (sizes, appended.format)


@given(PHASES, BATCHES, CONTEXTS)
def test_bytes_are_those_of_numpy_arrays(phase: str, batch: int, context: int) -> None:
    graph = graph_of(phase, batch, context)
    for op in (*graph.embed, *graph.layer, *graph.head):
        for tensor in (*op.inputs, *op.outputs):
            # without memory: a view of one element
            assert tensor.nbytes == np.broadcast_to(np.zeros((), tensor.format), tensor.shape).nbytes


@given(BATCHES, CONTEXTS)
def test_a_prefill_is_as_much_attention_as_decoding_its_tokens(batch: int, context: int) -> None:
    def attention(graph: Graph) -> Op:
        return next(op for op in graph.layer if op.kind == "attention")

    prefill = attention(graph_of("prefill", batch, context)).macs
    assert prefill == sum(attention(graph_of("decode", batch, length)).macs for length in range(1, context + 1))


def test_numpy_sizes_become_ints() -> None:
    graph = archsim.load_model("llama-3-70b").graph("prefill", np.int32(100), np.int32(8192))
    assert type(graph.layer[0].attributes["rows"]) is int
    assert graph.macs > 2**53


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        (TINY, ("train", 1, 8), "unknown phase 'train'; use prefill or decode"),
        (TINY, ("decode", 0, 8), "batch is 0; use 1 to 65536"),
        (TINY, ("decode", True, 8), "batch is True; use 1 to 65536"),
        (TINY, ("decode", 1, 513), "context is 513; use 1 to 512"),
        (TINY, ("prefill", 1, 8.0), "context is 8.0; use 1 to 512"),
        ("phi-3-mini", ("decode", 1, 4097), "context is 4097; use 1 to 4096"),
        ("bert-base-uncased", ("decode", 1, 8), "an encoder generates no tokens; use phase prefill: its one pass"),
        (
            "vit-base-patch16-224",
            ("prefill", 1, 196),
            "context is 196; use 197: an image has so many patches, and one class token",
        ),
    ],
)
def test_wrong_sizes_are_refused(name: str, arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(InputError) as error:
        archsim.load_model(name).graph(*arguments)
    assert str(error.value) == message
