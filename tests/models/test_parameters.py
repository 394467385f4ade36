"""Parameters, work and bytes of real models, against published counts and by hand."""

from __future__ import annotations

from math import prod

import pytest

import archsim
from archsim.models import Op, TransformerConfig
from tests.models.reference import SHIPPED, published

PUBLISHED = published()


def op(ops: tuple[Op, ...], name: str) -> Op:
    return next(op for op in ops if op.name == name)


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_that_follow_from_a_shape_are_the_published_ones(name: str) -> None:
    row = PUBLISHED[name]
    fields = ("hidden", "layers", "heads", "kv_heads", "head_dim", "ffn", "vocab")
    config = TransformerConfig(**{field: row[field] for field in fields}, max_positions=4096, tied=bool(row["tied"]))
    assert config.layer_parameters == row["layer_params"]
    assert config.parameters == row["published_total"]


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_models_have_the_published_parameters(name: str) -> None:
    model = archsim.load_model(name)
    row = PUBLISHED[SHIPPED[name]]
    assert model.name == name
    assert model.parameters == row["published_total"]
    assert model.config.layer_parameters == row["layer_params"]


@pytest.mark.parametrize("name", SHIPPED)
def test_weights_of_the_graph_are_those_parameters(name: str) -> None:
    row = PUBLISHED[SHIPPED[name]]
    graph = archsim.load_model(name).graph("decode", context=1)
    sizes = {op.name: sum(prod(tensor.shape) for tensor in op.weights) for op in graph.layer}
    assert sizes["qkv"] == row["q_params"] + row["k_params"] + row["v_params"]
    assert sizes["out"] == row["o_params"]
    assert sizes["gate_up"] + sizes["down"] == row["ffn_params"]
    assert sizes["attn_norm"] + sizes["ffn_norm"] == row["norm_params"]
    assert sum(sizes.values()) == row["layer_params"]
    assert prod(op(graph.head, "lm_head").weights[0].shape) == row["lm_head_params"]
    assert op(graph.embed, "embed").weight_bytes == 2 * row["embed_params"]


def test_weight_bytes_of_llama_3_8b_by_hand() -> None:
    """4 bits and a 16-bit scale per 128: 33/64 of a byte per weight; norms are float32."""
    graph = archsim.load_model("llama-3-8b", weights="int4-g128").graph("decode")
    assert op(graph.layer, "qkv").weight_bytes == 6144 * 4096 * 33 // 64 == 12_976_128
    assert op(graph.layer, "out").weight_bytes == 4096 * 4096 * 33 // 64 == 8_650_752
    assert op(graph.layer, "gate_up").weight_bytes == 28672 * 4096 * 33 // 64 == 60_555_264
    assert op(graph.layer, "down").weight_bytes == 4096 * 14336 * 33 // 64 == 30_277_632
    assert op(graph.layer, "attn_norm").weight_bytes == op(graph.layer, "ffn_norm").weight_bytes == 4096 * 4
    assert op(graph.head, "lm_head").weight_bytes == 128256 * 4096 * 33 // 64 == 270_876_672
    layer = 12_976_128 + 8_650_752 + 60_555_264 + 30_277_632 + 2 * 16_384
    assert graph.weight_bytes == 32 * layer + 270_876_672 + 16_384 == 3_870_654_464


def test_int8_per_channel_is_a_byte_per_weight_and_a_scale_per_row() -> None:
    graph = archsim.load_model("llama-3-8b", weights="int8-channel").graph("decode")
    assert op(graph.layer, "down").weight_bytes == 4096 * (14336 + 2)


@pytest.mark.parametrize("name", SHIPPED)
def test_one_decoded_token_multiplies_every_matrix_weight_once(name: str) -> None:
    row = PUBLISHED[SHIPPED[name]]
    graph = archsim.load_model(name).graph("decode", batch=3, context=100)
    weights = row["layers"] * (row["layer_params"] - row["norm_params"]) + row["lm_head_params"]
    attention = row["layers"] * row["heads"] * row["head_dim"] * 100 * 2
    assert graph.macs == 3 * (weights + attention)


@pytest.mark.parametrize("name", SHIPPED)
def test_prefill_multiplies_the_head_for_the_last_tokens_alone(name: str) -> None:
    row = PUBLISHED[SHIPPED[name]]
    graph = archsim.load_model(name).graph("prefill", batch=2, context=50)
    matrices = 50 * row["layers"] * (row["layer_params"] - row["norm_params"]) + row["lm_head_params"]
    # a token attends over itself and what precedes it
    pairs = sum(1 for query in range(50) for key in range(50) if key <= query)
    assert graph.macs == 2 * (matrices + row["layers"] * 2 * pairs * row["heads"] * row["head_dim"])


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("phase", ["prefill", "decode"])
def test_kv_cache_is_half_of_float16_and_its_scales(name: str, phase: str) -> None:
    row = PUBLISHED[SHIPPED[name]]
    graph = archsim.load_model(name).graph(phase, batch=4, context=1000)
    scales = 2 * row["layers"] * row["kv_heads"] * 2
    assert graph.kv_bytes == 4000 * (row["kv_bytes_per_token_fp16"] // 2 + scales)
