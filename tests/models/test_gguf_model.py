"""GGUF files as models: sizes from metadata, formats from tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

import archsim
from archsim.common.errors import InputError
from archsim.formats import parse_format
from archsim.models import TransformerConfig, load_model
from archsim.models.memory import model_memory

SIZES = {"embedding_length": 256, "block_count": 2, "feed_forward_length": 512, "context_length": 128,
         "attention.head_count": 4, "attention.head_count_kv": 2}  # fmt: skip
RMS = {"attention.layer_norm_rms_epsilon": 1e-5}
VOCAB = 96


def write(path: Path, architecture: str, keys: dict[str, Any], tensors: dict[str, tuple[tuple[int, ...], str]]) -> Path:
    """A file of the gguf package, whose tensors hold zeros."""
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in keys.items():
        add = writer.add_float32 if isinstance(value, float) else writer.add_uint32
        add(f"{architecture}.{key}", value)
    for name, (shape, kind) in tensors.items():
        form = parse_format(kind)
        stored = form.storage(int(np.prod(shape[:-1])), shape[-1])["codes"]
        raw = np.zeros((*shape[:-1], stored.shape[-1]), stored.dtype)
        number = gguf.GGMLQuantizationType[{"fp16": "F16", "fp32": "F32"}.get(kind, kind.upper())]
        writer.add_tensor(f"{name}.weight", raw, raw_dtype=number)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def layers(down: str = "q8_0", **other: tuple[tuple[int, ...], str]) -> dict[str, tuple[tuple[int, ...], str]]:
    """Tensors of two layers; values and the last layer's down have types of their own."""
    tensors: dict[str, tuple[tuple[int, ...], str]] = {"token_embd": ((VOCAB, 256), "q8_0")}
    for layer in range(2):
        rows = {"attn_q": 256, "attn_k": 128, "attn_output": 256, "ffn_gate": 512, "ffn_up": 512}
        tensors |= {f"blk.{layer}.{name}": ((count, 256), "q4_k") for name, count in rows.items()}
        tensors |= {f"blk.{layer}.attn_v": ((128, 256), "q8_0")}
        tensors |= {f"blk.{layer}.ffn_down": ((256, 512), down if layer else "q4_k")}
    return tensors | other


def llama(path: Path, **other: Any) -> Path:
    return write(path, "llama", SIZES | RMS | {"rope.freq_base": 5e5}, layers(output=((VOCAB, 256), "q4_k"), **other))


def test_a_llama_file(tmp_path: Path) -> None:
    model = load_model(llama(tmp_path / "small.gguf"))
    c = model.config
    assert (model.name, model.weights.name) == ("small", "gguf:small.gguf")
    assert (c.hidden, c.layers, c.heads, c.kv_heads, c.head_dim, c.ffn, c.vocab) == (256, 2, 4, 2, 64, 512, VOCAB)
    assert (c.rope_theta, c.tied, c.is_llama) == (5e5, False, True)
    assert pytest.approx(1e-5) == c.norm_eps
    graph = model.graph("decode", 1, 20)
    formats = [{op.name: op.weights[0].format for op in kind.ops if op.kind == "matmul"} for kind in graph.kinds]
    # q, k and v differ in type, and are products of their own; gate and up are one
    first = {"q": "q4_k", "k": "q4_k", "v": "q8_0", "out": "q4_k", "gate_up": "q4_k", "down": "q4_k"}
    assert formats == [first, first | {"down": "q8_0"}]
    assert graph.head[1].weights[0].format == "q4_k"


def test_a_file_simulates_with_its_own_types(tmp_path: Path) -> None:
    path = llama(tmp_path / "small.gguf")
    result = archsim.simulate(load_model(path), "edge-npu-formats", phase="prefill", context=20)
    assert result.weights == "gguf:small.gguf"
    assert {op.weights for op in result.ops if op.kind == "matmul"} == {"q4_k", "q8_0"}
    assert load_model(path, weights="int8-g64").graph("decode", 1, 20).layer[1].weights[0].format == "int8-g64"


def test_memory_is_that_of_its_tensors(tmp_path: Path) -> None:
    model = load_model(llama(tmp_path / "small.gguf"))
    memory = {part.name: part for part in model_memory(model.config, model.weights, "int8", 20).classes}
    # Q4_K: 144 bytes for 256 weights; Q8_0: 34 for 32
    assert memory["attention_q"].nbytes == 2 * 256 * 144
    assert memory["attention_v"].nbytes == 2 * 128 * 256 // 32 * 34
    assert memory["mlp_down"].nbytes == 256 * 2 * 144 + 256 * 512 // 32 * 34
    assert memory["mlp_down"].formats == ("q4_k", "q8_0")
    assert memory["lm_head"].nbytes == VOCAB * 144


def test_a_mixture_of_experts_whose_experts_stand_in_one_tensor(tmp_path: Path) -> None:
    tensors = {name: entry for name, entry in layers().items() if "ffn" not in name}
    for layer in range(2):
        tensors |= {
            f"blk.{layer}.ffn_gate_inp": ((4, 256), "q8_0"),
            f"blk.{layer}.ffn_gate_exps": ((4, 512, 256), "q4_k"),
            f"blk.{layer}.ffn_up_exps": ((4, 512, 256), "q4_k"),
            f"blk.{layer}.ffn_down_exps": ((4, 256, 512), "q4_k"),
        }
    keys = SIZES | RMS | {"expert_count": 4, "expert_used_count": 2}
    model = load_model(write(tmp_path / "moe.gguf", "llama", keys, tensors))
    assert (model.config.experts, model.config.top_k, model.config.tied) == (4, 2, True)
    names = [op.name for op in model.graph("decode", 1, 20).layer if op.kind == "gather"]
    assert names == ["gather.0", "gather.1"]


def runs(path: Path) -> TransformerConfig:
    """Configuration of a file that simulates."""
    model = load_model(path)
    assert archsim.simulate(model, "edge-npu-formats", context=20).cycles > 0
    return model.config


def fused(qkv: int, up: int) -> dict[str, tuple[tuple[int, ...], str]]:
    """Tensors of two layers, q, k and v in one."""
    apart = ("attn_q", "attn_k", "attn_v", "ffn_gate", "ffn_up")
    kept = {name: entry for name, entry in layers().items() if not name.endswith(apart)}
    rows = {"attn_qkv": qkv, "ffn_up": up}
    return kept | {f"blk.{layer}.{part}": ((count, 256), "q4_k") for layer in (0, 1) for part, count in rows.items()}


def test_qwen_and_gemma_files(tmp_path: Path) -> None:
    qwen = runs(write(tmp_path / "q.gguf", "qwen2", SIZES | RMS, layers()))
    assert (qwen.biases, qwen.gated, qwen.tied) == (("qkv",), True, True)
    gemma = runs(write(tmp_path / "g.gguf", "gemma", SIZES | RMS, layers()))
    assert (gemma.activation, gemma.embed_scale) == ("gelu_tanh", 16.0)


def test_phi_and_gpt_files(tmp_path: Path) -> None:
    """Phi-3 has gate and up in one tensor, too."""
    window = {"attention.sliding_window": 16}
    phi = runs(write(tmp_path / "p.gguf", "phi3", SIZES | RMS | window, fused(512, 1024)))
    assert (phi.fused, phi.window) == (True, 16)
    keys = {**SIZES, "attention.head_count_kv": 4, "attention.layer_norm_epsilon": 1e-5}
    gpt = runs(write(tmp_path / "t.gguf", "gpt2", keys, fused(768, 512)))
    assert (gpt.norm, gpt.positions, gpt.biases) == ("layer", "learned", ("qkv", "out", "ffn"))


def test_bad_files_are_refused_in_one_line(tmp_path: Path) -> None:
    def refused(architecture: str, keys: dict[str, Any], tensors: dict[str, Any]) -> str:
        with pytest.raises(InputError) as error:
            load_model(write(tmp_path / "bad.gguf", architecture, keys, tensors))
        return str(error.value).replace(f"{tmp_path}/", "")

    good = SIZES | RMS
    assert refused("mamba", good, layers()) == (
        "bad.gguf: architecture 'mamba' is not supported in GGUF files; supported: llama, qwen2, gemma, phi3, gpt2"
    )
    without = {key: value for key, value in good.items() if key != "block_count"}
    assert refused("llama", without, layers()) == "bad.gguf: llama.block_count is missing; it must be a number above 0"
    assert "5 heads, 2 of keys and values, do not divide" in refused(
        "llama", good | {"attention.head_count": 5}, layers()
    )
    assert "no tensor 'blk.2.attn_q.weight'" in refused("llama", good | {"block_count": 3}, layers())
    assert refused("llama", good | {"feed_forward_length": 256}, layers()) == (
        "bad.gguf: tensor 'blk.0.ffn_gate.weight' has shape [512, 256], where the metadata make [256, 256]; "
        "give another file"
    )
    assert "no tensor 'token_embd.weight'" in refused("llama", good, {"output": ((VOCAB, 256), "q8_0")})


def test_types_without_a_kernel_are_refused_where_they_would_run(tmp_path: Path) -> None:
    model = load_model(write(tmp_path / "m.gguf", "llama", SIZES | RMS, layers(down="q6_k")))
    assert model_memory(model.config, model.weights, "int8", 20).weights.nbytes > 0
    with pytest.raises(InputError, match="no kernel multiplies weights of format 'q6_k'"):
        archsim.simulate(model, "edge-npu-formats", context=20)
