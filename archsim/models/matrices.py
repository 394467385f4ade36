"""Names of a model's matrices, as Hugging Face's Llama has them (without ".weight"), for every architecture."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archsim.models.config import TransformerConfig

QKV = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
GATES = ("mlp.gate_proj", "mlp.up_proj")
UP = GATES[1]
OUT, DOWN = "self_attn.o_proj", "mlp.down_proj"
LINEARS = (*QKV, OUT, *GATES, DOWN)
"""Matrices of a layer of Llama, in the order in which they are used."""
CROSS_Q, CROSS_OUT = "cross_attn.q_proj", "cross_attn.o_proj"
CROSS_KV = ("cross_attn.k_proj", "cross_attn.v_proj")
ROUTER = "mlp.router"
HEAD, TRANSFORM, PATCHES = "lm_head", "head_transform", "patch_embedding"
DECODER, ENCODER = "model", "encoder"
"""Stacks of layers; a model of one stack has the first name."""


def layer_part(layer: int, part: str, stack: str = DECODER) -> str:
    """Name of a layer's part."""
    return f"{stack}.layers.{layer}.{part}"


def expert_part(expert: int, part: str) -> str:
    """Name of an expert's matrix, by that of a plain feed-forward."""
    return part.replace("mlp.", f"mlp.experts.{expert}.")


def layer_matrices(layers: int) -> list[str]:
    """Names of the matrices of all layers of Llama, in the order in which they are used."""
    return [layer_part(layer, part) for layer in range(layers) for part in LINEARS]


def linears(c: TransformerConfig) -> list[str]:
    """Matrices of one layer, in the order in which they are used; those of cross-attention apart."""
    inner = [*(GATES if c.gated else (UP,)), DOWN]
    experts = [expert_part(expert, part) for expert in range(c.experts) for part in inner]
    return [*QKV, OUT, *([ROUTER, *experts] if c.experts else inner)]


def decoder_linears(c: TransformerConfig) -> list[str]:
    """Matrices of one layer of a decoder that attends to an encoder."""
    own = linears(c)
    return [*own[:4], CROSS_Q, *CROSS_KV, CROSS_OUT, *own[4:]]


def matrix_names(c: TransformerConfig) -> list[str]:
    """Names of all matrices, in the order in which they are used."""
    stack = ENCODER if c.decoder_layers else DECODER
    names = [PATCHES] if c.image else []
    names += [layer_part(layer, part, stack) for layer in range(c.layers) for part in linears(c)]
    names += [layer_part(layer, part) for layer in range(c.decoder_layers) for part in decoder_linears(c)]
    return [*names, *([TRANSFORM] if c.order == "post" else []), HEAD]


OP_MATRICES = {
    "qkv": QKV,
    **dict(zip("qkv", ((part,) for part in QKV), strict=True)),
    "out": (OUT,),
    "gate_up": GATES,
    **dict(zip(("gate", "up"), ((part,) for part in GATES), strict=True)),
    "down": (DOWN,),
}
"""Name of a graph's op in a layer of Llama -> the matrices whose rows it multiplies."""
