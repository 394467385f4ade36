"""Fields of GPT-2, GPT-J, BERT, ViT and T5."""

from __future__ import annotations

from typing import Any

from archsim.models.config import Image
from archsim.models.config_fields import TANH_FORMS, Fields, heads, sizes, tied
from archsim.models.llama_fields import SIZES

_GPT_SIZES = {"hidden": "n_embd", "layers": "n_layer", "heads": "n_head", "vocab": "vocab_size",
              "max_positions": "n_positions"}  # fmt: skip
_GELUS = {"gelu": "gelu_erf", **TANH_FORMS, "relu": "relu"}


def gpt2(fields: Fields) -> dict[str, Any]:
    biases = ("qkv", "out", "ffn")
    return {**_gpt(fields), "positions": "learned", "tied": tied(fields), "biases": biases}


def gptj(fields: Fields) -> dict[str, Any]:
    """Its rotation pairs neighbours; rows of q and k in another order, which changes no score, make that halves."""
    config = _gpt(fields)
    rotary = fields.size("rotary_dim", config["head_dim"])
    if rotary % 2 or rotary > config["head_dim"]:
        message = f"rotary_dim is {rotary}, of heads of {config['head_dim']}"
        raise fields.error("rotary_dim", message, "use an even number, no more than a head has")
    biases = ("ffn", "head")
    return {**config, "order": "parallel", "rotary_dim": rotary, "tied": tied(fields, False), "biases": biases}


def _gpt(fields: Fields) -> dict[str, Any]:
    """What GPT-2 and GPT-J share."""
    config = sizes(fields, _GPT_SIZES)
    return {
        **config,
        **heads(fields, config, head_field="n_head", hidden_field="n_embd"),
        "ffn": fields.size("n_inner", 4 * config["hidden"]),
        "norm_eps": fields.real("layer_norm_epsilon", 1e-5),
        "norm": "layer",
        "activation": fields.choice("activation_function", "gelu_new", _GELUS),
        "gated": False,
    }


def bert(fields: Fields) -> dict[str, Any]:
    fields.choice("position_embedding_type", "absolute", {"absolute": "learned"})
    return {
        **_encoder(fields, SIZES),
        "order": "post",
        "token_types": fields.size("type_vocab_size", 2),
        "tied": tied(fields),
        "biases": ("qkv", "out", "ffn", "head"),
    }


def vit(fields: Fields) -> dict[str, Any]:
    side, patch = fields.size("image_size"), fields.size("patch_size")
    if side % patch:
        raise fields.error("patch_size", f"image_size {side} is no multiple of patch_size {patch}", "correct one")
    image = Image((side // patch) ** 2, patch, fields.size("num_channels", 3))
    names = {name: field for name, field in SIZES.items() if name not in ("vocab", "max_positions")}
    labels = fields.tree.get("id2label")
    qkv = ("qkv",) if fields.flag("qkv_bias", True) else ()
    return {
        **_encoder(fields, names),
        "vocab": len(labels) if isinstance(labels, dict) and labels else fields.size("num_labels"),
        "max_positions": image.patches + 1,
        "image": image,
        "biases": (*qkv, "out", "ffn", "head"),
    }


def _encoder(fields: Fields, names: dict[str, str]) -> dict[str, Any]:
    """What BERT and ViT share."""
    config = sizes(fields, names)
    return {
        **config,
        **heads(fields, config),
        "role": "encoder",
        "norm_eps": fields.real("layer_norm_eps", 1e-12),
        "norm": "layer",
        "activation": fields.choice("hidden_act", "gelu", _GELUS),
        "gated": False,
        "positions": "learned",
    }


def t5(fields: Fields) -> dict[str, Any]:
    """Scores are not divided; a tied head is, by sqrt(d_model), which the last norm's gains hold."""
    names = {"hidden": "d_model", "layers": "num_layers", "heads": "num_heads", "ffn": "d_ff", "vocab": "vocab_size",
             "head_dim": "d_kv"}  # fmt: skip
    config = sizes(fields, names)
    return {
        **config,
        "kv_heads": config["heads"],
        "role": "encoder_decoder",
        "decoder_layers": fields.size("num_decoder_layers", config["layers"]),
        "max_positions": fields.size("n_positions", 512),
        "norm_eps": fields.real("layer_norm_epsilon", 1e-6),
        "tied": tied(fields),
        "scaled": False,
        "activation": fields.choice("feed_forward_proj", "relu", {"relu": "relu"}),
        "gated": False,
        "positions": "relative",
        "buckets": fields.size("relative_attention_num_buckets", 32),
        "bucket_distance": fields.size("relative_attention_max_distance", 128),
    }
