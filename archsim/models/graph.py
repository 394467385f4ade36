"""The ops of a decoder-only transformer in one phase, with shapes, formats, bytes and MACs."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from archsim.common.errors import InputError
from archsim.formats import Format
from archsim.models.config import TransformerConfig


@dataclass(frozen=True)
class Tensor:
    """A named array: shape, format name, and bytes of storage."""

    name: str
    shape: tuple[int, ...]
    format: str
    nbytes: int


@dataclass(frozen=True)
class Op:
    """A node: what, how large, and what it reads besides activations.

    Attributes:
        kind: embed, norm, matmul, rope_kv, attention, quantize, silu_mul or add.
        attributes: its sizes (rows are tokens processed).
        weights: parameters it reads.
        macs: multiply-accumulates on matrix units.
    """

    name: str
    kind: str
    attributes: dict[str, int]
    weights: tuple[Tensor, ...] = ()
    macs: int = 0

    @property
    def weight_bytes(self) -> int:
        return sum(tensor.nbytes for tensor in self.weights)


@dataclass(frozen=True)
class Graph:
    """A phase of a model: `embed`, then `layers` times `layer`, then `head`."""

    phase: str
    batch: int
    context: int
    layers: int
    embed: tuple[Op, ...]
    layer: tuple[Op, ...]
    head: tuple[Op, ...]
    kv_bytes: int

    @property
    def macs(self) -> int:
        """All multiply-accumulates of the phase."""
        return sum(op.macs for op in (*self.embed, *self.head)) + self.layers * sum(op.macs for op in self.layer)

    @property
    def weight_bytes(self) -> int:
        """Bytes of all weights read once."""
        outside = sum(op.weight_bytes for op in (*self.embed, *self.head))
        return outside + self.layers * sum(op.weight_bytes for op in self.layer)


def build_graph(
    config: TransformerConfig, phase: str, batch: int, context: int, weights: Format, kv: Format
) -> Graph:
    """The graph of a phase.

    Args:
        phase: "prefill" processes batch x context tokens, causally; "decode" one token per sequence, which attends
            over `context` tokens in the cache, itself included.

    Raises:
        InputError: the phase or a size is wrong.
    """
    if phase not in ("prefill", "decode"):
        raise InputError(f"unknown phase {phase!r}", remedy="use prefill or decode")
    for name, value, most in (("batch", batch, 65536), ("context", context, config.max_positions)):
        if not 1 <= value <= most:
            raise InputError(f"{name} is {value}", remedy=f"use 1 to {most}")
    rows = batch * context if phase == "prefill" else batch
    layer = _layer(config, phase, rows, batch, context, weights)
    head = (
        _norm("final_norm", batch, config, residual=False),
        _matmul("lm_head", batch, config.hidden, config.vocab, weights),
    )
    embed = Op("embed", "embed", {"rows": rows, "features": config.hidden})
    token_bytes = 2 * config.kv_heads * (config.head_dim * kv.bits // 8 + 2)
    return Graph(
        phase, batch, context, config.layers, (embed,), layer, head, batch * context * config.layers * token_bytes
    )


def _layer(
    c: TransformerConfig, phase: str, rows: int, batch: int, context: int, weights: Format
) -> tuple[Op, ...]:
    sizes = {"rows": rows, "batch": batch, "heads": c.heads, "kv_heads": c.kv_heads, "head_dim": c.head_dim}
    sizes |= {"context": context, "position": 0 if phase == "prefill" else context - 1}
    features = c.heads * c.head_dim
    pairs = batch * (context * (context + 1) // 2 if phase == "prefill" else context)
    attention_macs = 2 * pairs * c.heads * c.head_dim
    return (
        _norm("attn_norm", rows, c, residual=False),
        _matmul("qkv", rows, c.hidden, (c.heads + 2 * c.kv_heads) * c.head_dim, weights),
        Op("rope_kv", "rope_kv", sizes),
        Op("attention", "attention", {**sizes, "causal": int(phase == "prefill")}, (), attention_macs),
        Op("attn_quant", "quantize", {"rows": rows, "features": features}),
        _matmul("attn_out", rows, features, c.hidden, weights),
        _norm("ffn_norm", rows, c, residual=True),
        _matmul("gate_up", rows, c.hidden, 2 * c.ffn, weights),
        Op("silu_mul", "silu_mul", {"rows": rows, "features": c.ffn}),
        _matmul("down", rows, c.ffn, c.hidden, weights),
        Op("residual", "add", {"rows": rows, "features": c.hidden}),
    )


def _norm(name: str, rows: int, c: TransformerConfig, *, residual: bool) -> Op:
    """RMSNorm; with `residual` it first adds what the op before made to the residual stream."""
    gamma = Tensor(f"{name}.weight", (c.hidden,), "fp32", 4 * c.hidden)
    return Op(name, "norm", {"rows": rows, "features": c.hidden, "residual": int(residual)}, (gamma,))


def _matmul(name: str, rows: int, in_features: int, out_features: int, form: Format) -> Op:
    shape = (out_features, in_features)
    tensor = Tensor(f"{name}.weight", shape, form.name, out_features * form.row_bytes(in_features))
    attributes = {"rows": rows, "in_features": in_features, "out_features": out_features}
    return Op(name, "matmul", attributes, (tensor,), rows * prod(shape))
