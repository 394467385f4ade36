"""Work, bytes and parameters of every shipped model, counted once more from the fields of its file."""

from __future__ import annotations

import csv
from dataclasses import replace
from typing import Any

import pytest

import archsim
from archsim.common.errors import InputError
from archsim.common.resources import data_root
from archsim.common.yamlfile import load_yaml
from archsim.models.experts import expert_rows
from archsim.models.memory import model_memory
from tests.models.tiny import SHIPPED

with (data_root() / "workloads/reference/parameters.csv").open(encoding="utf-8") as file:
    PUBLISHED = list(csv.DictReader(line for line in file if not line.startswith("#")))
DECODERS = [name for name in SHIPPED if not name.startswith(("bert", "vit", "t5"))]


def fields_of(name: str) -> dict[str, Any]:
    return dict(load_yaml(SHIPPED[name])["config"])


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: f"{row['model']}-{row['kind']}")
def test_parameters_are_the_published_ones(row: dict[str, str]) -> None:
    """Papers round."""
    found, published = archsim.load_model(row["model"]).parameters, float(row["parameters"])
    assert found == (pytest.approx(published, rel=0.01) if row["kind"] == "rounded" else published)


def layer_macs(f: dict[str, Any]) -> int:
    """Of a token in a decoder's layer, attention scores apart."""
    if "n_embd" in f:
        return 4 * f["n_embd"] ** 2 + 2 * f["n_embd"] * 4 * f["n_embd"]
    h, heads, kv = f["hidden_size"], f["num_attention_heads"], f["num_key_value_heads"]
    attention = h * f.get("head_dim", h // heads) * 2 * (heads + kv)
    swiglu = 3 * h * f["intermediate_size"]
    if "num_local_experts" in f:
        return attention + h * f["num_local_experts"] + f["num_experts_per_tok"] * swiglu
    return attention + swiglu


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("phase, batch, context", [("decode", 3, 300), ("prefill", 2, 256)])
def test_macs_of_decoders(name: str, phase: str, batch: int, context: int) -> None:
    f = fields_of(name)
    h, layers = f.get("hidden_size", f.get("n_embd")), f.get("num_hidden_layers", f.get("n_layer"))
    heads = f.get("num_attention_heads", f.get("n_head"))
    width = heads * (f.get("head_dim") or h // heads)
    tokens = batch * (1 if phase == "decode" else context)
    pairs = batch * (context if phase == "decode" else context * (context + 1) // 2)
    expected = layers * (tokens * layer_macs(f) + 2 * pairs * width) + batch * h * f["vocab_size"]
    assert archsim.load_model(name).graph(phase, batch, context).macs == expected


def test_macs_of_encoders() -> None:
    """BERT: 12 layers of 768, 3072; ViT: as many, 196 patches of 768 numbers, 1000 labels."""
    layer = 4 * 768 * 768 + 2 * 768 * 3072
    pairs = 2 * 12 * 64 * 128 * 128
    bert = 128 * (12 * layer + 768 * 768 + 768 * 30522) + 12 * pairs
    assert archsim.load_model("bert-base-uncased").graph("prefill", 3, 128).macs == 3 * bert
    vit = 196 * 768 * 768 + 197 * 12 * layer + 12 * 2 * 12 * 64 * 197 * 197 + 768 * 1000
    assert archsim.load_model("vit-base-patch16-224").graph("prefill", 3, 197).macs == 3 * vit


def test_macs_of_an_encoder_and_its_decoder() -> None:
    """T5 small: 6 layers each of 512, 8 heads of 64, 2048; 32128 tokens."""
    square, inner, source = 512 * 512, 2 * 512 * 2048, 100
    model = archsim.load_model("t5-small")
    encoder = source * 6 * (4 * square + inner) + 6 * 2 * 512 * source * source
    cross = source * 6 * 2 * square
    assert model.graph("prefill", 2, source).macs == 2 * (encoder + cross)
    decoder = 6 * (4 * square + 2 * square + inner) + 6 * 2 * 2 * 512 * source + 512 * 32128
    assert model.graph("decode", 2, source).macs == 2 * decoder


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("weights", ["int4-g128", "int8-channel"])
def test_weights_of_the_graph_are_those_of_the_memory(name: str, weights: str) -> None:
    model = archsim.load_model(name, weights=weights)
    context = model.config.max_positions if model.config.image else 100
    graphs = [model.graph("prefill", 1, context)]
    if model.config.role == "encoder_decoder":
        graphs.append(model.graph("decode", 1, context))
    # segments and class token are in the table of positions; biases by distance are made for a context
    apart = ("token_types", "class_token", "relative_bias")
    memory = model_memory(model.config, weights, "int8", context)
    held = sum(part.nbytes for part in memory.classes if part.name not in (*apart, "kv_cache"))
    assert sum(graph.weight_bytes for graph in graphs) + graphs[0].table_bytes == held
    assert graphs[-1].kv_bytes == memory.kv_cache.nbytes


def test_a_window_bounds_what_a_query_sees() -> None:
    """Mistral: 32 layers, 32 heads of 128, a window of 4096."""
    model = archsim.load_model("mistral-7b")

    def pairs(phase: str, context: int) -> int:
        (op,) = (op for op in model.graph(phase, 1, context).layer if op.kind == "attention")
        return op.macs // (2 * 32 * 128)

    assert [pairs("decode", context) for context in (4095, 4096, 4097, 30000)] == [4095, 4096, 4096, 4096]
    assert pairs("prefill", 5000) == sum(min(token + 1, 4096) for token in range(5000))
    (op,) = (op for op in model.graph("decode", 1, 30000).layer if op.kind == "attention")
    # keys and values of 8 heads, with a scale of 2 bytes each
    assert sum(tensor.nbytes for tensor in op.inputs if "cache" in tensor.name) == 2 * 8 * 4096 * (128 + 2)


def test_one_token_touches_exactly_the_experts_it_takes() -> None:
    """Mixtral: 8 experts of 3 x 4096 x 14336, of which a token takes 2."""
    model = archsim.load_model("mixtral-8x7b")
    one, many = model.graph("decode", 1, 100), model.graph("decode", 64, 100)
    expert = 3 * 4096 * 14336 * 33 // 64
    assert many.weight_bytes - one.weight_bytes == 32 * 6 * expert
    assert [op.name for op in one.layer if op.kind == "gather"] == ["gather.0", "gather.1"]


@pytest.mark.parametrize(
    "tokens, shares, rows",
    [
        (1, None, [1, 1, 0, 0]),
        (3, None, [2, 2, 1, 1]),
        (16, None, [8, 8, 8, 8]),
        (16, [1, 0, 0, 3], [11, 3, 2, 16]),
        (10, [4, 3, 2, 1], [8, 6, 4, 2]),
    ],
)
def test_rows_by_share(tokens: int, shares: list[float] | None, rows: list[int]) -> None:
    """Two of four experts; none has more rows than there are tokens, and what it leaves the others share equally."""
    config = archsim.load_model("mixtral-8x7b").config
    assert expert_rows(tokens, replace(config, experts=4), shares) == rows


@pytest.mark.parametrize(
    ("name", "routing", "message"),
    [
        ("mixtral-8x7b", [1, 2], "routing has 2 shares; give one for each of 8 experts"),
        ("mixtral-8x7b", [0] * 8, "routing has a share that is no number from 0 on, or only zeros; correct it"),
        ("mixtral-8x7b", [-1, *[1] * 7], "routing has a share that is no number from 0 on, or only zeros; correct it"),
        ("llama-3-8b", [1], "routing is for mixtures of experts; leave it out"),
    ],
)
def test_a_wrong_routing_is_refused(name: str, routing: list[float], message: str) -> None:
    with pytest.raises(InputError) as error:
        archsim.load_model(name, routing=routing)
    assert str(error.value) == message
