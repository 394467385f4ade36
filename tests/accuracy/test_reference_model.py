"""The model that ships: what its recipe says, and that other people's files of it are read alike."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from archsim.accuracy.experiment import Experiment, load_experiment
from archsim.accuracy.llama import Llama, Numerics
from archsim.accuracy.load import _GGUF_PARTS, load_llama, reference_folder
from archsim.accuracy.loss import mean_loss, read_tokens, window_losses
from archsim.common.errors import InputError
from archsim.models.matrices import layer_part


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    return load_experiment("reference")


def recipe() -> dict:
    return json.loads((reference_folder() / "recipe.json").read_text())


def test_files_are_those_of_the_recipe() -> None:
    for name, digest in recipe()["sha256"].items():
        assert hashlib.sha256((reference_folder() / name).read_bytes()).hexdigest() == digest
    assert (reference_folder() / "model.safetensors").stat().st_size < 3 << 20


def test_loss_is_that_of_the_recipe(experiment: Experiment) -> None:
    loss = mean_loss(experiment.exact)
    assert loss.mean == pytest.approx(recipe()["loss_nats_per_byte"]["heldout.txt"], abs=2e-4)
    assert sum(w.size for w in experiment.model.weights.values()) == recipe()["parameters"]


def slow_logits(model: Llama, tokens: list[int]) -> np.ndarray:
    """Token by token, head by head, in float64: float64 [tokens, vocabulary]."""
    c, w = model.config, {name: value.astype(np.float64) for name, value in model.weights.items()}

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        return x / np.sqrt((x * x).mean() + c.norm_eps) * w[name]

    def turned(x: np.ndarray, position: int) -> np.ndarray:
        half = c.head_dim // 2
        angle = position * c.rope_theta ** (-2 * np.arange(half) / c.head_dim)
        z = (x[:half] + 1j * x[half:]) * np.exp(1j * angle)
        return np.concatenate([z.real, z.imag])

    cache: list[dict[str, list]] = [{"k": [], "v": []} for _ in range(c.layers)]
    out = []
    for position, token in enumerate(tokens):
        x = w["model.embed_tokens"][token]
        for layer in range(c.layers):
            part = {name: layer_part(layer, name) for name in (*_GGUF_PARTS,)}
            h = norm(x, part["input_layernorm"])
            q, k, v = ((w[part[f"self_attn.{name}_proj"]] @ h).reshape(-1, c.head_dim) for name in ("q", "k", "v"))
            cache[layer]["k"].append([turned(head, position) for head in k])
            cache[layer]["v"].append(v)
            heads = []
            for number, head in enumerate(q):
                group = number * c.kv_heads // c.heads
                scores = np.array([turned(head, position) @ past[group] for past in cache[layer]["k"]])
                p = np.exp((scores - scores.max()) / np.sqrt(c.head_dim))
                heads.append(sum(a * past[group] for a, past in zip(p / p.sum(), cache[layer]["v"], strict=True)))
            x = x + w[part["self_attn.o_proj"]] @ np.concatenate(heads)
            h = norm(x, part["post_attention_layernorm"])
            gate, up = w[part["mlp.gate_proj"]] @ h, w[part["mlp.up_proj"]] @ h
            x = x + w[part["mlp.down_proj"]] @ (gate / (1 + np.exp(-gate)) * up)
        out.append(w.get("lm_head", w["model.embed_tokens"]) @ norm(x, "model.norm"))
    return np.array(out)


def test_logits_are_those_of_plain_python(experiment: Experiment) -> None:
    tokens = list(b"def forward(self, x):\n    return ")
    fast = experiment.model.logits(np.array([tokens]), Numerics())
    assert np.abs(fast - slow_logits(experiment.model, tokens)).max() < 2e-3


def test_a_gguf_file_of_it_computes_the_same(experiment: Experiment, tmp_path: Path) -> None:
    """Written with the gguf package, queries and keys permuted as llama.cpp wants them."""
    import gguf

    model = experiment.model
    c = model.config
    writer = gguf.GGUFWriter(tmp_path / "model.gguf", "llama")
    writer.add_embedding_length(c.hidden)
    writer.add_block_count(c.layers)
    writer.add_head_count(c.heads)
    writer.add_head_count_kv(c.kv_heads)
    writer.add_feed_forward_length(c.ffn)
    writer.add_context_length(c.max_positions)
    writer.add_rope_freq_base(c.rope_theta)
    writer.add_layer_norm_rms_eps(c.norm_eps)
    fixed = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
    for name, value in model.weights.items():
        if name in fixed:
            own = fixed[name]
        else:
            _, _, layer, part = name.split(".", 3)
            own = f"blk.{layer}.{_GGUF_PARTS[part]}"
            if part in ("self_attn.q_proj", "self_attn.k_proj"):
                value = value.reshape(-1, 2, c.head_dim // 2, c.hidden).swapaxes(1, 2).reshape(value.shape)
        writer.add_tensor(f"{own}.weight", np.ascontiguousarray(value, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    again = load_llama(tmp_path / "model.gguf")
    windows = experiment.windows[:2]
    assert np.array_equal(window_losses(again, windows, Numerics()), window_losses(model, windows, Numerics()))


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"short", "too few"), (None, "cannot read")],
)
def test_texts_that_are_refused(content: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_tokens(path, 256)


def test_models_that_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no model"):
        load_llama("nowhere")
    (tmp_path / "config.json").write_text((reference_folder() / "config.json").read_text())
    with pytest.raises(InputError, match="no safetensors file"):
        load_llama(tmp_path)
