"""Architectures by their Hugging Face names: which fields say what, and which choices each of them made.

Choices that no field states are those of the model's code in Hugging Face's transformers (models/*/modeling_*.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archsim.models.config import TransformerConfig
from archsim.models.config_fields import Fields
from archsim.models.llama_fields import gemma, llama, mixtral, phi3, qwen2
from archsim.models.other_fields import bert, gpt2, gptj, t5, vit

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


_READERS: dict[str, Callable[[Fields], dict[str, Any]]] = {
    "LlamaForCausalLM": llama,
    "MistralForCausalLM": llama,
    "Phi3ForCausalLM": phi3,
    "MixtralForCausalLM": mixtral,
    "Qwen2ForCausalLM": qwen2,
    "GemmaForCausalLM": gemma,
    "GPT2LMHeadModel": gpt2,
    "GPTJForCausalLM": gptj,
    "BertForMaskedLM": bert,
    "ViTForImageClassification": vit,
    "T5ForConditionalGeneration": t5,
}
