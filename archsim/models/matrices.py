"""Names of a decoder's matrices, as Hugging Face's Llama has them (without ".weight")."""

from __future__ import annotations

QKV = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
GATES = ("mlp.gate_proj", "mlp.up_proj")
OUT, DOWN = "self_attn.o_proj", "mlp.down_proj"
LINEARS = (*QKV, OUT, *GATES, DOWN)
"""Matrices of a layer, in the order in which they are used."""
HEAD = "lm_head"


def layer_part(layer: int, part: str) -> str:
    """Name of a layer's part."""
    return f"model.layers.{layer}.{part}"


def layer_matrices(layers: int) -> list[str]:
    """Names of the matrices of all layers, in the order in which they are used."""
    return [layer_part(layer, part) for layer in range(layers) for part in LINEARS]


OP_MATRICES = {
    "qkv": QKV,
    **dict(zip("qkv", ((part,) for part in QKV), strict=True)),
    "out": (OUT,),
    "gate_up": GATES,
    **dict(zip(("gate", "up"), ((part,) for part in GATES), strict=True)),
    "down": (DOWN,),
}
"""Name of a graph's op in a layer -> the matrices whose rows it multiplies."""
