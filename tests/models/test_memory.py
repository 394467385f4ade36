"""Memory of models: sums anyone can redo, and the published sizes of GGUF files."""

from __future__ import annotations

import csv

import pytest

from archsim.common.errors import InputError
from archsim.common.resources import data_root, shipped
from archsim.models import load_model
from archsim.models.gguf_file_types import FILE_TYPES, Place, tensor_type
from archsim.models.memory import model_memory

with (data_root() / "workloads/reference/gguf_sizes.csv").open(encoding="utf-8") as file:
    PUBLISHED = list(csv.DictReader(line for line in file if not line.startswith("#")))


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: f"{row['model']}-{row['file_type']}")
def test_file_types_give_published_sizes(row: dict[str, str]) -> None:
    weights = model_memory(load_model(row["model"]).config, row["file_type"], "fp16", 1).weights
    if row["bits_per_weight"]:
        assert weights.bits_per_element == pytest.approx(float(row["bits_per_weight"]), rel=1e-3)
        assert f"{weights.bits_per_element:.4f}" == row["bits_per_weight"]
    else:
        assert weights.nbytes == pytest.approx(1e9 * float(row["size_gb"]), rel=0.01)


@pytest.mark.parametrize("name", shipped("workloads/models", ".yaml"))
def test_every_model_adds_up(name: str) -> None:
    model = load_model(name)
    # which types files give to experts is not known
    for weights in ("fp16", "int8", *(() if model.config.experts else ("q4_k_m",))):
        memory = model_memory(model.config, weights, "fp16", 16, 2)
        assert memory.weights.elements == model.parameters
        assert memory.total.nbytes == sum(part.nbytes for part in memory.classes)
    plain = model_memory(model.config, "fp16", "fp16", 16, 2)
    wide = sum(part.elements for part in plain.classes if part.name in ("norms", "relative_bias"))
    assert plain.weights.nbytes == 2 * model.parameters + 2 * wide
    caches = {"decoder": 1, "encoder": 0, "encoder_decoder": 2}[model.config.role]
    width = model.config.layers * model.config.kv_heads * model.config.head_dim
    assert plain.kv_cache.nbytes == 2 * 2 * 2 * 16 * caches * width


def test_a_model_by_hand() -> None:
    """Llama 2 70B: 80 layers, 8 heads of 128 cached; 8192 features, 64 heads, 28672, 32000 tokens."""
    memory = model_memory(load_model("llama-2-70b").config, "int4-g128", "int8", 4096)
    found = {part.name: part.nbytes for part in memory.classes}
    assert found["embedding"] == 32000 * 8192 * 2
    assert found["lm_head"] == 32000 * 8192 * 4.125 / 8
    assert found["attention_q"] == found["attention_o"] == 80 * 8192 * 8192 * 4.125 / 8
    assert found["attention_k"] == found["attention_v"] == 80 * 1024 * 8192 * 4.125 / 8
    assert found["mlp_gate"] == found["mlp_up"] == found["mlp_down"] == 80 * 28672 * 8192 * 4.125 / 8
    assert found["norms"] == 161 * 8192 * 4
    assert found["kv_cache"] == 80 * 4096 * 8 * 2 * (128 + 2)
    # 1.34 GB of cache against 138 GB of weights in FP16
    assert memory.kv_cache.fp16_bytes == 4096 * 327_680
    assert memory.weights.compression == pytest.approx(16 / 4.125, rel=0.02)


def test_weights_take_what_the_graph_takes() -> None:
    model = load_model("llama-3-8b", weights="int4-g128")
    graph = model.graph("decode", 3, 1000)
    memory = model_memory(model.config, "int4-g128", "int8", 1000, 3)
    table = next(part for part in memory.classes if part.name == "embedding")
    assert memory.weights.nbytes - table.nbytes == graph.weight_bytes
    assert memory.kv_cache.nbytes == graph.kv_bytes


def test_checkpoints_with_fused_matrices_count_the_same() -> None:
    config = load_model("phi-3-mini").config
    assert config.fused
    names = [part.name for part in model_memory(config, "q4_k_m", "fp16", 1).classes]
    assert "attention_qkv" in names and "mlp_gate_up" in names and "attention_q" not in names


@pytest.mark.parametrize("file_type", FILE_TYPES)
def test_rows_that_blocks_do_not_divide_fall_back(file_type: str) -> None:
    for kind in ("embedding", "attention_v", "mlp_down", "lm_head"):
        assert tensor_type(file_type, Place(kind, 0, 32, 4096 + 32, 1, False, False))[-1] in "01l"
        assert tensor_type(file_type, Place(kind, 0, 32, 4096 + 1, 1, False, False)) == "fp16"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("q4_k_x", "int8", 1), "unknown format 'q4_k_x'; did you mean 'q4_k'"),
        (("int4", "int8", 0), "context is 0; use 1 to 4096"),
        (("int4", "int8", 4097), "context is 4097; use 1 to 4096"),
        (("int4", "int8", 1, 0), "batch is 0; use 1 to 1048576"),
        (("int4", "q4_k", 1), "blocks of 256 of format 'q4_k' do not divide rows of 128"),
        (("int4-g512", "int8", 1), "groups of 512 do not divide rows of 11008"),
    ],
)
def test_what_cannot_be_is_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(InputError) as error:
        model_memory(load_model("llama-2-7b").config, *arguments)
    assert str(error.value).startswith(message)
