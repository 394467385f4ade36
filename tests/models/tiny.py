"""Small variants of the shipped models: two layers, their architecture and all its choices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from archsim.common.resources import shipped
from archsim.common.yamlfile import load_yaml
from archsim.models import Model, load_model

SHIPPED = shipped("workloads/models", ".yaml")
_LLAMA = {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2, "vocab_size": 320,
          "max_position_embeddings": 512}  # fmt: skip
_GPT = {"n_embd": 128, "n_layer": 2, "n_head": 2, "vocab_size": 300, "n_positions": 256}
CHANGES: dict[str, dict[str, Any]] = {
    "LlamaForCausalLM": {**_LLAMA, "num_attention_heads": 4, "num_key_value_heads": 2},
    "MistralForCausalLM": {**_LLAMA, "num_attention_heads": 4, "num_key_value_heads": 2, "sliding_window": 48},
    "Phi3ForCausalLM": {**_LLAMA, "num_attention_heads": 2, "num_key_value_heads": 2, "sliding_window": 48},
    "MixtralForCausalLM": {**_LLAMA, "num_attention_heads": 4, "num_key_value_heads": 2},
    "Qwen2ForCausalLM": {**_LLAMA, "num_attention_heads": 4, "num_key_value_heads": 2},
    "GemmaForCausalLM": {**_LLAMA, "num_attention_heads": 2, "num_key_value_heads": 1},
    "GPT2LMHeadModel": _GPT,
    "GPTJForCausalLM": {**_GPT, "rotary_dim": 16},
    "BertForMaskedLM": {**_LLAMA, "num_attention_heads": 2, "max_position_embeddings": 64},
    "ViTForImageClassification": {**_LLAMA, "num_attention_heads": 2, "image_size": 16, "patch_size": 8,
                                  "num_channels": 2, "num_labels": 40},
    "T5ForConditionalGeneration": {"d_model": 128, "d_ff": 256, "d_kv": 32, "num_heads": 4, "num_layers": 2,
                                   "vocab_size": 320, "n_positions": 128},
}  # fmt: skip
"""Fields of the small variant, by architecture."""


def tiny(name: str, folder: Path, changes: dict[str, Any] | None = None, **formats: Any) -> Model:
    """The small variant of a shipped model, with other changes."""
    fields = dict(load_yaml(SHIPPED[name])["config"])
    fields |= CHANGES[fields["architectures"][0]] | (changes or {})
    path = folder / f"tiny-{name}.yaml"
    path.write_text("source: small\nconfig:\n" + "".join(f"  {key}: {_text(value)}\n" for key, value in fields.items()))
    return load_model(path, **formats)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(str, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {one}" for key, one in value.items()) + "}"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
