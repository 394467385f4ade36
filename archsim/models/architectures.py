"""Architectures by their Hugging Face names: which fields say what, and which choices each of them made.

Choices that no field states are those of the model's code in Hugging Face's transformers (models/*/modeling_*.py).
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any

from archsim.models.config import Image, TransformerConfig
from archsim.models.config_fields import Fields

_MODEL_TYPES = {
    "llama": "LlamaForCausalLM", "mistral": "MistralForCausalLM", "phi3": "Phi3ForCausalLM",
    "mixtral": "MixtralForCausalLM", "qwen2": "Qwen2ForCausalLM", "gemma": "GemmaForCausalLM",
    "gpt2": "GPT2LMHeadModel", "gptj": "GPTJForCausalLM", "bert": "BertForMaskedLM", "vit": "ViTForImageClassification",
    "t5": "T5ForConditionalGeneration",
}  # fmt: skip
_DIFFERENCES = {
    "Qwen3ForCausalLM": "q and k are normalised",
    "Gemma2ForCausalLM": "four norms per layer, and scores that are capped",
    "PhiForCausalLM": "biases beside a rotation of a part of the head",
    "BertModel": "no head; give BertForMaskedLM",
    "ViTModel": "no head; give ViTForImageClassification",
}
_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts")
_SIZES = {
    "hidden": "hidden_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "ffn": "intermediate_size",
    "vocab": "vocab_size",
    "max_positions": "max_position_embeddings",
}
_GPT_SIZES = {"hidden": "n_embd", "layers": "n_layer", "heads": "n_head", "vocab": "vocab_size",
              "max_positions": "n_positions"}  # fmt: skip
_TANH = {"gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "gelu_fast": "gelu_tanh"}
_GELUS = {"gelu": "gelu_erf", **_TANH, "relu": "relu"}


def config_of(fields: Fields) -> TransformerConfig:
    """The configuration that a file's fields state.

    Raises:
        InputError: a field is missing or wrong, or the architecture is not supported.
    """
    name = _architecture(fields)
    if name not in _READERS:
        field = "architectures" if "architectures" in fields.tree else "model_type"
        message = f"architecture {name!r}{_difference(fields, str(name))} is not supported"
        raise fields.error(field, message, f"supported: {', '.join(_READERS)}")
    return TransformerConfig(**_READERS[name](fields))


def _architecture(fields: Fields) -> Any:
    """The name of the architecture."""
    field = "architectures" if "architectures" in fields.tree else "model_type"
    names = fields.tree.get(field)
    if names is None:
        raise fields.missing("architectures")
    name = names[0] if isinstance(names, list) and names else names
    name = _MODEL_TYPES.get(str(name), name) if field == "model_type" else name
    return name if isinstance(name, str) else str(name)


def _difference(fields: Fields, name: str) -> str:
    """Why an architecture is not supported, in brackets, where it is known."""
    if name in _DIFFERENCES:
        return f" ({_DIFFERENCES[name]})"
    return " (a mixture of experts)" if any(field in fields.tree for field in _EXPERTS) else ""


def _llama(fields: Fields) -> dict[str, Any]:
    """Llama, and what it shares with its descendants."""
    config = _sizes(fields, _SIZES)
    fields.choice("hidden_act", "silu", {"silu": "silu"})
    for bias in ("attention_bias", "mlp_bias"):
        if fields.flag(bias):
            raise fields.error(bias, f"{bias} true is not supported", "only models without biases are")
    return {
        **config,
        **_heads(fields, config, rotary=True),
        "norm_eps": fields.real("rms_norm_eps", 1e-6),
        "tied": fields.flag("tie_word_embeddings"),
        "window": fields.size("sliding_window") if "sliding_window" in fields.tree else None,
        **_rope(fields),
    }


def _phi3(fields: Fields) -> dict[str, Any]:
    return {**_llama(fields), "fused": True}


def _mixtral(fields: Fields) -> dict[str, Any]:
    experts, top_k = fields.size("num_local_experts"), fields.size("num_experts_per_tok")
    if not top_k <= experts <= 64:
        message = f"{top_k} of {experts} experts for a token"
        raise fields.error("num_experts_per_tok", message, "use 1 to num_local_experts, and of these 64 or fewer")
    return {**_llama(fields), "experts": experts, "top_k": top_k}


def _qwen2(fields: Fields) -> dict[str, Any]:
    if fields.flag("use_sliding_window"):
        message = "use_sliding_window true, a window in some of the layers, is not supported"
        raise fields.error("use_sliding_window", message, "only false is")
    return {**_llama(fields), "biases": ("qkv",), "window": None}


def _gemma(fields: Fields) -> dict[str, Any]:
    """Its norms multiply by 1 + weight, which is what the graph's gains hold; "gelu" means the form with tanh."""
    word = fields.choice("hidden_activation", "gelu_pytorch_tanh", _TANH)
    fields.choice("hidden_act", "gelu", {"gelu": word, **_TANH})
    # what the other names stand for has been checked
    fields.tree["hidden_act"] = "silu"
    fields.tree.setdefault("tie_word_embeddings", True)
    config = _llama(fields)
    return {**config, "activation": word, "embed_scale": sqrt(config["hidden"])}


def _gpt2(fields: Fields) -> dict[str, Any]:
    biases = ("qkv", "out", "ffn")
    return {**_gpt(fields), "positions": "learned", "tied": _tied(fields), "biases": biases}


def _gptj(fields: Fields) -> dict[str, Any]:
    """Its rotation pairs neighbours; rows of q and k in another order, which changes no score, make that halves."""
    config = _gpt(fields)
    rotary = fields.size("rotary_dim", config["head_dim"])
    if rotary % 2 or rotary > config["head_dim"]:
        message = f"rotary_dim is {rotary}, of heads of {config['head_dim']}"
        raise fields.error("rotary_dim", message, "use an even number, no more than a head has")
    biases = ("ffn", "head")
    return {**config, "order": "parallel", "rotary_dim": rotary, "tied": _tied(fields, False), "biases": biases}


def _gpt(fields: Fields) -> dict[str, Any]:
    """What GPT-2 and GPT-J share."""
    config = _sizes(fields, _GPT_SIZES)
    return {
        **config,
        **_heads(fields, config, head_field="n_head", hidden_field="n_embd"),
        "ffn": fields.size("n_inner", 4 * config["hidden"]),
        "norm_eps": fields.real("layer_norm_epsilon", 1e-5),
        "norm": "layer",
        "activation": fields.choice("activation_function", "gelu_new", _GELUS),
        "gated": False,
    }


def _bert(fields: Fields) -> dict[str, Any]:
    fields.choice("position_embedding_type", "absolute", {"absolute": "learned"})
    return {
        **_encoder(fields, _SIZES),
        "order": "post",
        "token_types": fields.size("type_vocab_size", 2),
        "tied": _tied(fields),
        "biases": ("qkv", "out", "ffn", "head"),
    }


def _vit(fields: Fields) -> dict[str, Any]:
    side, patch = fields.size("image_size"), fields.size("patch_size")
    if side % patch:
        raise fields.error("patch_size", f"image_size {side} is no multiple of patch_size {patch}", "correct one")
    image = Image((side // patch) ** 2, patch, fields.size("num_channels", 3))
    sizes = {name: field for name, field in _SIZES.items() if name not in ("vocab", "max_positions")}
    labels = fields.tree.get("id2label")
    qkv = ("qkv",) if fields.flag("qkv_bias", True) else ()
    return {
        **_encoder(fields, sizes),
        "vocab": len(labels) if isinstance(labels, dict) and labels else fields.size("num_labels"),
        "max_positions": image.patches + 1,
        "image": image,
        "biases": (*qkv, "out", "ffn", "head"),
    }


def _encoder(fields: Fields, sizes: dict[str, str]) -> dict[str, Any]:
    """What BERT and ViT share."""
    config = _sizes(fields, sizes)
    return {
        **config,
        **_heads(fields, config),
        "role": "encoder",
        "norm_eps": fields.real("layer_norm_eps", 1e-12),
        "norm": "layer",
        "activation": fields.choice("hidden_act", "gelu", _GELUS),
        "gated": False,
        "positions": "learned",
    }


def _t5(fields: Fields) -> dict[str, Any]:
    """Scores are not divided; a tied head is, by sqrt(d_model), which the last norm's gains hold."""
    names = {"hidden": "d_model", "layers": "num_layers", "heads": "num_heads", "ffn": "d_ff", "vocab": "vocab_size",
             "head_dim": "d_kv"}  # fmt: skip
    config = _sizes(fields, names)
    return {
        **config,
        "kv_heads": config["heads"],
        "role": "encoder_decoder",
        "decoder_layers": fields.size("num_decoder_layers", config["layers"]),
        "max_positions": fields.size("n_positions", 512),
        "norm_eps": fields.real("layer_norm_epsilon", 1e-6),
        "tied": _tied(fields),
        "scaled": False,
        "activation": fields.choice("feed_forward_proj", "relu", {"relu": "relu"}),
        "gated": False,
        "positions": "relative",
        "buckets": fields.size("relative_attention_num_buckets", 32),
        "bucket_distance": fields.size("relative_attention_max_distance", 128),
    }


def _sizes(fields: Fields, names: dict[str, str]) -> dict[str, Any]:
    return {name: fields.size(field) for name, field in names.items()}


def _tied(fields: Fields, default: bool = True) -> bool:
    return fields.flag("tie_word_embeddings", default)


def _heads(
    fields: Fields,
    config: dict[str, Any],
    rotary: bool = False,
    head_field: str = "num_attention_heads",
    hidden_field: str = "hidden_size",
) -> dict[str, Any]:
    """kv_heads and head_dim."""
    hidden, heads = config["hidden"], config["heads"]
    kv_heads = fields.size("num_key_value_heads", heads)
    if heads % kv_heads:
        message = f"{head_field} {heads} is no multiple of num_key_value_heads {kv_heads}"
        raise fields.error("num_key_value_heads", message, "correct one of them")
    if "head_dim" not in fields.tree and hidden % heads:
        message = f"{hidden_field} {hidden} is no multiple of {head_field} {heads}"
        raise fields.error(head_field, message, "correct one, or add head_dim")
    head_dim = fields.size("head_dim", hidden // heads)
    if rotary and head_dim % 2:
        field = "head_dim" if "head_dim" in fields.tree else head_field
        raise fields.error(field, f"head_dim {head_dim} is odd", "rotary positions need an even one")
    return {"kv_heads": kv_heads, "head_dim": head_dim}


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


_READERS: dict[str, Callable[[Fields], dict[str, Any]]] = {
    "LlamaForCausalLM": _llama,
    "MistralForCausalLM": _llama,
    "Phi3ForCausalLM": _phi3,
    "MixtralForCausalLM": _mixtral,
    "Qwen2ForCausalLM": _qwen2,
    "GemmaForCausalLM": _gemma,
    "GPT2LMHeadModel": _gpt2,
    "GPTJForCausalLM": _gptj,
    "BertForMaskedLM": _bert,
    "ViTForImageClassification": _vit,
    "T5ForConditionalGeneration": _t5,
}
