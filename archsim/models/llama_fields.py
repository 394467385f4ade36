"""Fields of Llama and its descendants: Mistral, Phi-3, Mixtral, Qwen2, Gemma."""

from __future__ import annotations

from math import sqrt
from typing import Any

from archsim.models.config_fields import TANH_FORMS, Fields, heads, sizes

SIZES = {
    "hidden": "hidden_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "ffn": "intermediate_size",
    "vocab": "vocab_size",
    "max_positions": "max_position_embeddings",
}


def llama(fields: Fields) -> dict[str, Any]:
    fields.choice("hidden_act", "silu", {"silu": "silu"})
    return _decoder(fields, fields.flag("tie_word_embeddings"))


def _decoder(fields: Fields, tied: bool) -> dict[str, Any]:
    """What Llama shares with its descendants."""
    config = sizes(fields, SIZES)
    for bias in ("attention_bias", "mlp_bias"):
        if fields.flag(bias):
            raise fields.error(bias, f"{bias} true is not supported", "only models without biases are")
    return {
        **config,
        **heads(fields, config, rotary=True),
        "norm_eps": fields.real("rms_norm_eps", 1e-6),
        "tied": tied,
        "window": fields.size("sliding_window") if "sliding_window" in fields.tree else None,
        **_rope(fields),
    }


def phi3(fields: Fields) -> dict[str, Any]:
    return {**llama(fields), "fused": True}


def mixtral(fields: Fields) -> dict[str, Any]:
    experts, top_k = fields.size("num_local_experts"), fields.size("num_experts_per_tok")
    if not top_k <= experts <= 64:
        message = f"{top_k} of {experts} experts for a token"
        raise fields.error("num_experts_per_tok", message, "use 1 to num_local_experts, and of these 64 or fewer")
    return {**llama(fields), "experts": experts, "top_k": top_k}


def qwen2(fields: Fields) -> dict[str, Any]:
    if fields.flag("use_sliding_window"):
        message = "use_sliding_window true, a window in some of the layers, is not supported"
        raise fields.error("use_sliding_window", message, "only false is")
    return {**llama(fields), "biases": ("qkv",), "window": None}


def gemma(fields: Fields) -> dict[str, Any]:
    """Its norms multiply by 1 + weight, which is what the graph's gains hold; "gelu" means the form with tanh."""
    word = fields.choice("hidden_activation", "gelu_pytorch_tanh", TANH_FORMS)
    fields.choice("hidden_act", "gelu", {"gelu": word, **TANH_FORMS})
    config = _decoder(fields, fields.flag("tie_word_embeddings", True))
    return {**config, "activation": word, "embed_scale": sqrt(config["hidden"])}


def _rope(fields: Fields) -> dict[str, Any]:
    """rope_theta and rope_type, from their own fields or from the rope_parameters of later files."""
    tables = {field: fields.tree.get(field, {}) for field in ("rope_scaling", "rope_parameters")}
    for field, table in tables.items():
        if not isinstance(table, dict):
            raise fields.error(field, f"{field} is {table!r}", "write an object, or null")
    both = {**fields.tree, **tables["rope_parameters"]}
    if both.get("partial_rotary_factor", 1) != 1:
        field = "partial_rotary_factor" if "partial_rotary_factor" in fields.tree else "rope_parameters"
        raise fields.error(field, "rotary positions on a part of the head are not supported", "only factor 1 is")
    scaling = tables["rope_scaling"] or tables["rope_parameters"]
    rope_type = str(scaling.get("rope_type", scaling.get("type", "default")))
    return {"rope_theta": fields.real("rope_theta", 10000.0, both), "rope_type": rope_type}
