"""The parameters of a model by class: what `archsim model memory` lists, and publishers count."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from archsim.models.config import TransformerConfig

MATRIX, TABLE, RELATIVE, NORM, BIAS = "matrix", "table", "relative", "norm", "bias"
"""Kinds: multiplied; gathered from or added by row; a bias of scores by distance; of norms; of products."""


@dataclass(frozen=True)
class ParameterClass:
    """Equal tensors.

    Attributes:
        kind: one of the kinds above.
        shape: of each, [outputs, inputs].
        count: of them.
    """

    name: str
    kind: str
    shape: tuple[int, int]
    count: int = 1

    @property
    def elements(self) -> int:
        return self.count * self.shape[0] * self.shape[1]

    def times(self, count: int) -> ParameterClass:
        """The same in so many layers."""
        return ParameterClass(self.name, self.kind, self.shape, self.count * count)


def parameters(c: TransformerConfig) -> list[ParameterClass]:
    """All of them: embedding, layers, final norms, head."""
    parts = [*_embedding(c)]
    parts += [part.times(c.layers) for part in layer_parameters(c)]
    if c.decoder_layers:
        parts += [part.times(c.decoder_layers) for part in (*layer_parameters(c), *_cross_attention(c))]
    parts += _head(c)
    return _merged(parts)


def layer_parameters(c: TransformerConfig) -> list[ParameterClass]:
    """Of one layer (the encoder's, where there are two kinds)."""
    return _merged([*_attention(c, "attention"), *_feed_forward(c), *_norms(c, 1 if c.order == "parallel" else 2)])


def _merged(parts: list[ParameterClass]) -> list[ParameterClass]:
    """Classes of one name and shape become one; norms and biases each become one row of all their elements."""
    merged: dict[tuple[str, tuple[int, int]], ParameterClass] = {}
    for part in parts:
        if part.kind in (NORM, BIAS):
            known = merged.get((part.name, (0, 0)))
            total = part.elements + (known.elements if known else 0)
            merged[part.name, (0, 0)] = ParameterClass(part.name, part.kind, (1, total))
            continue
        count = part.count + (merged[part.name, part.shape].count if (part.name, part.shape) in merged else 0)
        merged[part.name, part.shape] = ParameterClass(part.name, part.kind, part.shape, count)
    return list(merged.values())


def _embedding(c: TransformerConfig) -> Iterator[ParameterClass]:
    if c.image:
        yield ParameterClass("patch_embedding", MATRIX, (c.hidden, c.image.features))
        yield _bias(c.hidden)
        yield ParameterClass("class_token", TABLE, (1, c.hidden))
    else:
        yield ParameterClass("embedding", TABLE, (c.vocab, c.hidden))
    if c.positions == "learned":
        yield ParameterClass("positions", TABLE, (c.max_positions, c.hidden))
    if c.token_types:
        yield ParameterClass("token_types", TABLE, (c.token_types, c.hidden))
    if c.positions == "relative":
        yield ParameterClass("relative_bias", RELATIVE, (c.buckets, c.heads), 2)


def _attention(c: TransformerConfig, name: str) -> Iterator[ParameterClass]:
    features, cached = c.heads * c.head_dim, c.kv_heads * c.head_dim
    if c.fused:
        yield ParameterClass(f"{name}_qkv", MATRIX, (features + 2 * cached, c.hidden))
    else:
        for part, size in (("q", features), ("k", cached), ("v", cached)):
            yield ParameterClass(f"{name}_{part}", MATRIX, (size, c.hidden))
    yield ParameterClass(f"{name}_o", MATRIX, (c.hidden, features))
    if "qkv" in c.biases:
        yield _bias(features + 2 * cached)
    if "out" in c.biases:
        yield _bias(c.hidden)


def _cross_attention(c: TransformerConfig) -> Iterator[ParameterClass]:
    yield from _attention(c, "cross")
    yield from _norms(c, 1)


def _feed_forward(c: TransformerConfig) -> Iterator[ParameterClass]:
    count = c.experts or 1
    if c.experts:
        yield ParameterClass("router", MATRIX, (c.experts, c.hidden))
    if c.fused:
        yield ParameterClass("mlp_gate_up", MATRIX, (2 * c.ffn, c.hidden), count)
    else:
        for part in ("gate", "up") if c.gated else ("up",):
            yield ParameterClass(f"mlp_{part}", MATRIX, (c.ffn, c.hidden), count)
    yield ParameterClass("mlp_down", MATRIX, (c.hidden, c.ffn), count)
    if "ffn" in c.biases:
        yield _bias(c.ffn + c.hidden)


def _norms(c: TransformerConfig, count: int) -> Iterator[ParameterClass]:
    yield ParameterClass("norms", NORM, (1, c.hidden * (2 if c.norm == "layer" else 1)), count)


def _head(c: TransformerConfig) -> Iterator[ParameterClass]:
    """The final norm (of encoder and decoder; behind post-norms the embedding's instead), and the head."""
    yield from _norms(c, 2 if c.decoder_layers or has_transform(c) else 1)
    if has_transform(c):
        yield ParameterClass("head_transform", MATRIX, (c.hidden, c.hidden))
        yield _bias(c.hidden)
    if not c.tied:
        yield ParameterClass("lm_head", MATRIX, (c.vocab, c.hidden))
    if "head" in c.biases:
        yield _bias(c.vocab)


def has_transform(c: TransformerConfig) -> bool:
    """Whether a product, an activation and a norm stand before the head, as in BERT's masked language model."""
    return c.order == "post"


def _bias(size: int) -> ParameterClass:
    return ParameterClass("biases", BIAS, (1, size))
