"""Llama's forward pass in numpy, float32, whole sequences at once.

RMSNorm (Zhang and Sennrich, 2019), rotary positions on halves of a head (Su et al., 2021, as Hugging Face lays them
out), grouped queries (Ainslie et al., 2023), SwiGLU (Shazeer, 2020).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from archsim.models.config import TransformerConfig
from archsim.models.matrices import DOWN, GATES, HEAD, OUT, QKV, layer_matrices, layer_part

NORMS = ("input_layernorm", "post_attention_layernorm")
TABLE, FINAL_NORM = "model.embed_tokens", "model.norm"


class Numerics:
    """How a model computes: exactly, unless a subclass says otherwise."""

    def linear(self, name: str, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """x [tokens, inputs] times weight [outputs, inputs]."""
        return x @ weight.T

    def keys(self, layer: int, k: np.ndarray) -> np.ndarray:
        """Keys as they come out of the cache: float32 [sequences, tokens, kv_heads, head_dim]."""
        return k

    def values(self, layer: int, v: np.ndarray) -> np.ndarray:
        """Values as they come out of the cache: float32 [sequences, tokens, kv_heads, head_dim]."""
        return v


@dataclass(frozen=True)
class Llama:
    """A model.

    Attributes:
        weights: float32, by Hugging Face's names without ".weight": matrices [outputs, inputs], gains [features]. Where
            there is no "lm_head", the embedding table is the head.
        rotations: what the inputs of a matrix are multiplied by when the model runs (rows times matrix), by its name;
            and what queries and keys are, behind the rotary positions, as "model.layers.N.self_attn.keys".
    """

    config: TransformerConfig
    weights: Mapping[str, np.ndarray]
    rotations: Mapping[str, np.ndarray] = field(default_factory=dict)

    def linear_names(self) -> list[str]:
        """Names of the matrices of all layers, in the order in which they are used."""
        return layer_matrices(self.config.layers)

    def with_weights(self, changed: Mapping[str, np.ndarray]) -> Llama:
        """The model with some weights replaced."""
        return replace(self, weights={**self.weights, **changed})

    def logits(self, tokens: np.ndarray, numerics: Numerics) -> np.ndarray:
        """float32 [sequences x length, vocabulary].

        Args:
            tokens: integers [sequences, length].
        """
        x = self.weights[TABLE][tokens.ravel()]
        rotary = self._rotary(tokens.shape[1])
        for layer in range(self.config.layers):
            x = x + self._attention(layer, self._norm(layer_part(layer, NORMS[0]), x), tokens.shape, rotary, numerics)
            x = x + self._mlp(layer, self._norm(layer_part(layer, NORMS[1]), x), numerics)
        return self._norm(FINAL_NORM, x) @ self.weights.get(HEAD, self.weights[TABLE]).T

    def _norm(self, name: str, x: np.ndarray) -> np.ndarray:
        mean = np.square(x).mean(1, keepdims=True)
        return x / np.sqrt(mean + np.float32(self.config.norm_eps)) * self.weights[name]

    def _linear(self, name: str, x: np.ndarray, numerics: Numerics) -> np.ndarray:
        if name in self.rotations:
            x = x @ self.rotations[name]
        return numerics.linear(name, x, self.weights[name])

    def _mlp(self, layer: int, h: np.ndarray, numerics: Numerics) -> np.ndarray:
        gate, up = (self._linear(layer_part(layer, part), h, numerics) for part in GATES)
        # a large negative gate has exp infinite and SiLU 0
        with np.errstate(over="ignore"):
            inner = gate / (1 + np.exp(-gate)) * up
        return self._linear(layer_part(layer, DOWN), inner, numerics)

    def _attention(
        self, layer: int, h: np.ndarray, shape: tuple[int, ...], rotary: np.ndarray, numerics: Numerics
    ) -> np.ndarray:
        c, (sequences, length) = self.config, shape
        q, k, v = (
            self._linear(layer_part(layer, part), h, numerics).reshape(sequences, length, -1, c.head_dim)
            for part in QKV
        )
        q, k = rotate(q, rotary), rotate(k, rotary)
        turn = self.rotations.get(layer_part(layer, "self_attn.keys"))
        if turn is not None:
            q, k = q @ turn, k @ turn
        k, v = numerics.keys(layer, k), numerics.values(layer, v)
        mixed = np.concatenate([attend(*one) for one in zip(q, k, v, strict=True)])
        return self._linear(layer_part(layer, OUT), mixed, numerics)

    def _rotary(self, length: int) -> np.ndarray:
        """Cosines and sines of positions: float32 [2, length, 1, head_dim/2]."""
        c = self.config
        angles = np.arange(length)[:, None] * c.rope_theta ** (-np.arange(0, c.head_dim, 2) / c.head_dim)
        return np.stack([np.cos(angles), np.sin(angles)]).astype(np.float32)[:, :, None]


def rotate(x: np.ndarray, rotary: np.ndarray) -> np.ndarray:
    """Rotary positions of [sequences, length, heads, head_dim]."""
    a, b = np.split(x, 2, axis=-1)
    cos, sin = rotary
    return np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)


def attend(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Causal attention of one sequence: queries [length, heads, head_dim] -> [length, heads x head_dim]."""
    length, heads, width = q.shape
    kv_heads = k.shape[1]
    grouped = q.reshape(length, kv_heads, -1, width).transpose(1, 2, 0, 3)
    scores = grouped @ k.transpose(1, 2, 0)[:, None] * np.float32(width**-0.5)
    scores += np.triu(np.full((length, length), -np.inf, np.float32), 1)
    scores -= scores.max(-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(-1, keepdims=True)
    mixed = scores @ v.transpose(1, 0, 2)[:, None]
    return mixed.transpose(2, 0, 1, 3).reshape(length, heads * width)


def batches(tokens: np.ndarray, limit: int = 8192) -> Iterator[np.ndarray]:
    """Sequences, some at a time, of no more than so many tokens together if there is more than one."""
    step = max(1, limit // tokens.shape[1])
    for start in range(0, len(tokens), step):
        yield tokens[start : start + step]
