"""Which type each tensor of a GGUF file gets, by the file's type (Q4_K_M, Q2_K, ...).

The rule is that of llama.cpp, llama_tensor_get_type_impl in src/llama-quant.cpp, without an importance matrix and
without experts. `q2_k-2023` is Q2_K as it was before January 2024, of which the published Llama 2 files are.
"""

from __future__ import annotations

from dataclasses import dataclass

from archsim.formats.gguf_types import GGUF_TYPES

_BASE = {
    "q4_0": "q4_0", "q4_1": "q4_1", "q5_0": "q5_0", "q5_1": "q5_1", "q8_0": "q8_0", "q2_k": "q2_k", "q2_k_s": "q2_k",
    "q2_k-2023": "q3_k", "q3_k_s": "q3_k", "q3_k_m": "q3_k", "q3_k_l": "q3_k", "q4_k_s": "q4_k", "q4_k_m": "q4_k",
    "q5_k_s": "q5_k", "q5_k_m": "q5_k", "q6_k": "q6_k", "iq4_nl": "iq4_nl", "tq1_0": "tq1_0", "tq2_0": "tq2_0",
}  # fmt: skip
FILE_TYPES = tuple(_BASE)
_FALLBACK = {
    "q2_k": "q4_0",
    "q3_k": "q4_0",
    "tq1_0": "q4_0",
    "tq2_0": "q4_0",
    "q4_k": "q5_0",
    "q5_k": "q5_1",
    "q6_k": "q8_0",
}
"""For rows that blocks of 256 do not divide."""


@dataclass(frozen=True)
class Place:
    """Where a tensor stands.

    Attributes:
        kind: embedding, attention_q, attention_k, attention_v, attention_qkv, attention_o, mlp_gate, mlp_up, mlp_down
            or lm_head.
        layer: of `layers`; 0 outside of layers.
        columns: of the tensor.
        shared_by: query heads for each head of keys and values.
        is_70b: 80 layers of 8192 features, for which llama.cpp has a rule of its own.
        tied: the head is the embedding table.
    """

    kind: str
    layer: int
    layers: int
    columns: int
    shared_by: int
    is_70b: bool
    tied: bool


def tensor_type(file_type: str, place: Place) -> str:
    """The type of a tensor: a name of GGUF_TYPES, or fp16 where no block divides its rows."""
    chosen = _chosen(file_type, place)
    if place.columns % GGUF_TYPES[chosen].block:
        chosen = _FALLBACK.get(chosen, chosen)
    return "fp16" if place.columns % GGUF_TYPES[chosen].block else chosen


def _chosen(file_type: str, place: Place) -> str:
    base = _BASE[file_type]
    if place.kind == "lm_head" or (place.kind == "embedding" and place.tied):
        return "q8_0" if base == "q8_0" or place.columns % GGUF_TYPES[base].block else "q6_k"
    if place.kind == "embedding":
        return {"tq1_0": "q4_k", "tq2_0": "q4_k", "q2_k-2023": "q2_k"}.get(file_type, base)
    rule = _RULES.get(place.kind)
    return (rule(file_type, place) if rule else None) or base


def _value(file_type: str, place: Place) -> str | None:
    """attn_v; a matrix of q, k and v together counts as one."""
    many = place.shared_by >= 4
    first_two = "q5_k" if place.layer < 2 else "q4_k"
    chosen = {
        "q2_k": "q4_k" if many else "q3_k",
        "q2_k-2023": "q4_k" if many else "q3_k",
        "q2_k_s": "q4_k" if many else None,
        "q3_k_m": first_two,
        "q3_k_l": "q5_k",
        "iq4_nl": "q5_k" if many else None,
        "q4_k_m": "q6_k" if _more_bits(place) else None,
        "q5_k_m": "q6_k" if _more_bits(place) else None,
        "q4_k_s": "q5_k" if place.layer < 4 else None,
    }.get(file_type)
    if place.is_70b and (chosen or _BASE[file_type]) in ("q3_k", "q4_k"):
        return "q5_k"
    return chosen


def _down(file_type: str, place: Place) -> str | None:
    """ffn_down."""
    first_eighth = place.layer < place.layers // 8
    return {
        "q2_k": "q3_k",
        "q2_k_s": "q4_k" if first_eighth else None,
        "q3_k_m": "q5_k" if place.layer < place.layers // 16 else "q4_k",
        "q3_k_l": "q5_k",
        "q4_k_m": "q6_k" if _more_bits(place) else None,
        "iq4_nl": "q5_k" if first_eighth else None,
        "q5_k_m": "q6_k" if _more_bits(place) else None,
        "q4_k_s": "q5_k" if first_eighth else None,
    }.get(file_type)


def _out(file_type: str, place: Place) -> str | None:
    """attn_output."""
    return {"q2_k": "q3_k", "q3_k_m": "q4_k", "q3_k_l": "q5_k"}.get(file_type)


def _query_or_key(file_type: str, place: Place) -> str | None:
    """attn_q and attn_k."""
    return "q2_k" if file_type == "q2_k-2023" else None


_RULES = {
    "attention_v": _value,
    "attention_qkv": _value,
    "attention_q": _query_or_key,
    "attention_k": _query_or_key,
    "attention_o": _out,
    "mlp_down": _down,
}


def _more_bits(place: Place) -> bool:
    """Layers that _M files give more bits: the first and last eighth, and every third between."""
    eighth = place.layers // 8
    return place.layer < eighth or place.layer >= 7 * place.layers // 8 or (place.layer - eighth) % 3 == 2
