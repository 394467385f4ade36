"""Gradients of a Llama's logits, by hand in numpy; llama.py is the same function without them.

RMSNorm (Zhang and Sennrich, 2019), rotary positions on halves of a head (Su et al., 2021), grouped queries (Ainslie et
al., 2023), SwiGLU (Shazeer, 2020).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from archsim.accuracy.llama import FINAL_NORM, NORMS, TABLE
from archsim.accuracy.loss import log_softmax
from archsim.models.config import TransformerConfig
from archsim.models.matrices import DOWN, GATES, HEAD, OUT, QKV, layer_part

Weights = Mapping[str, np.ndarray]
"""Floating-point arrays of one dtype, under the names of llama.Llama."""


class Inputs:
    """What is done to the inputs of a layer's matrices, and to gradients on their way back: nothing."""

    def forward(self, name: str, x: np.ndarray) -> tuple[np.ndarray, Any]:
        """What matrix `name` multiplies instead of x [tokens, inputs], and what backward needs to know."""
        return x, None

    def backward(self, name: str, dx: np.ndarray, saved: Any) -> np.ndarray:
        """Gradient of x, given that of what forward made of it; both [tokens, inputs]."""
        return dx


def loss_and_gradient(
    weights: Weights, config: TransformerConfig, tokens: np.ndarray
) -> tuple[float, dict[str, np.ndarray]]:
    """Mean cross-entropy of the next token in nats, and its gradient.

    Args:
        tokens: integers [sequences, length + 1].
    """
    run = ForwardPass(weights, config, tokens[:, :-1])
    targets = tokens[:, 1:].ravel()
    rows = np.arange(len(targets))
    log_probabilities = log_softmax(run.logits)
    loss = -float(log_probabilities[rows, targets].mean())
    d = np.exp(log_probabilities)
    d[rows, targets] -= 1
    return loss, run.backward(d / len(targets))


class ForwardPass:
    """A forward pass that remembers what its gradients need.

    Args:
        tokens: integers [sequences, length].
        inputs: of the matrices of the layers; the head's and the table's stay as they are.

    Attributes:
        logits: [sequences x length, vocabulary].
    """

    def __init__(
        self, weights: Weights, config: TransformerConfig, tokens: np.ndarray, inputs: Inputs | None = None
    ) -> None:
        self._w, self._config, self._tokens = weights, config, tokens
        self._inputs = inputs or Inputs()
        self._g: dict[str, np.ndarray] = {}
        table = weights[TABLE]
        self._rotary = _angles(config, tokens.shape[1], table.dtype)
        x = table[tokens.ravel()]
        self._saved: list[Any] = []
        for layer in range(config.layers):
            x, attention = self._attention(layer, x)
            x, mlp = self._mlp(layer, x)
            self._saved.append((attention, mlp))
        self._last, self._norm = self._normalised(FINAL_NORM, x)
        self.logits = self._last @ weights.get(HEAD, table).T

    def backward(self, dlogits: np.ndarray) -> dict[str, np.ndarray]:
        """Gradients of all weights, by name, of what has gradient `dlogits` [sequences x length, vocabulary]."""
        head = HEAD if HEAD in self._w else TABLE
        g = self._g = {head: dlogits.T @ self._last}
        dx = self._normalised_back(FINAL_NORM, dlogits @ self._w[head], self._norm)
        for layer in reversed(range(self._config.layers)):
            attention, mlp = self._saved[layer]
            dx = self._mlp_back(layer, dx, mlp)
            dx = self._attention_back(layer, dx, attention)
        if head == HEAD:
            g[TABLE] = np.zeros_like(self._w[TABLE])
        np.add.at(g[TABLE], self._tokens.ravel(), dx)
        return g

    def _linear(self, name: str, x: np.ndarray) -> tuple[np.ndarray, Any]:
        x, saved = self._inputs.forward(name, x)
        return x @ self._w[name].T, (x, saved)

    def _linear_back(self, name: str, dy: np.ndarray, saved: Any) -> np.ndarray:
        x, own = saved
        self._g[name] = dy.T @ x
        return self._inputs.backward(name, dy @ self._w[name], own)

    def _normalised(self, name: str, x: np.ndarray) -> tuple[np.ndarray, Any]:
        inverse = 1 / np.sqrt(np.einsum("td,td->t", x, x)[:, None] / x.shape[1] + self._config.norm_eps)
        unit = x * inverse
        return unit * self._w[name], (unit, inverse)

    def _normalised_back(self, name: str, dy: np.ndarray, saved: Any) -> np.ndarray:
        unit, inverse = saved
        self._g[name] = np.einsum("td,td->d", dy, unit)
        du = dy * self._w[name]
        du -= unit * (np.einsum("td,td->t", du, unit)[:, None] / unit.shape[1])
        du *= inverse
        return du

    def _attention(self, layer: int, x: np.ndarray) -> tuple[np.ndarray, Any]:
        c, (batch, length) = self._config, self._tokens.shape
        h, norm = self._normalised(layer_part(layer, NORMS[0]), x)
        ys, saved = zip(*(self._linear(layer_part(layer, part), h) for part in QKV), strict=True)
        q, k, v = (y.reshape(batch, length, -1, c.head_dim) for y in ys)
        q, k, v = (_grouped(y, c.kv_heads) for y in (_rotate(q, self._rotary, 1), _rotate(k, self._rotary, 1), v))
        scores = q @ k.transpose(0, 1, 3, 2)
        scores *= c.head_dim**-0.5
        by_query = scores.reshape(batch, c.kv_heads, -1, length, length)
        by_query += np.triu(np.full((length, length), -1e30, x.dtype), 1)
        scores -= scores.max(-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(-1, keepdims=True)
        out, mixed = self._linear(layer_part(layer, OUT), _ungrouped(scores @ v, length))
        return x + out, (norm, saved, q, k, v, scores, mixed)

    def _attention_back(self, layer: int, dy: np.ndarray, saved: Any) -> np.ndarray:
        c, (batch, length) = self._config, self._tokens.shape
        norm, projections, q, k, v, p, mixed = saved
        dmixed = self._linear_back(layer_part(layer, OUT), dy, mixed).reshape(batch, length, -1, c.head_dim)
        dmixed = _grouped(dmixed, c.kv_heads)
        dv = p.transpose(0, 1, 3, 2) @ dmixed
        ds = dmixed @ v.transpose(0, 1, 3, 2)
        ds -= np.einsum("bhqk,bhqk->bhq", ds, p)[..., None]
        ds *= p
        ds *= c.head_dim**-0.5
        dh = np.zeros_like(dy)
        for part, d, own in zip(QKV, (ds @ k, ds.transpose(0, 1, 3, 2) @ q, dv), projections, strict=True):
            flat = _ungrouped(d, length)
            if part != QKV[2]:
                flat = _rotate(flat.reshape(batch, length, -1, c.head_dim), self._rotary, -1).reshape(flat.shape)
            dh += self._linear_back(layer_part(layer, part), flat, own)
        return dy + self._normalised_back(layer_part(layer, NORMS[0]), dh, norm)

    def _mlp(self, layer: int, x: np.ndarray) -> tuple[np.ndarray, Any]:
        h, norm = self._normalised(layer_part(layer, NORMS[1]), x)
        (gate, gate_saved), (up, up_saved) = (self._linear(layer_part(layer, part), h) for part in GATES)
        # a large negative gate has exp infinite and SiLU 0
        with np.errstate(over="ignore"):
            sigmoid = 1 / (1 + np.exp(-gate))
        out, down = self._linear(layer_part(layer, DOWN), gate * sigmoid * up)
        return x + out, (norm, gate, gate_saved, up, up_saved, sigmoid, down)

    def _mlp_back(self, layer: int, dy: np.ndarray, saved: Any) -> np.ndarray:
        norm, gate, gate_saved, up, up_saved, sigmoid, down = saved
        dinner = self._linear_back(layer_part(layer, DOWN), dy, down)
        dup = dinner * gate * sigmoid
        dgate = dinner * up * sigmoid * (1 + gate * (1 - sigmoid))
        dh = self._linear_back(layer_part(layer, GATES[0]), dgate, gate_saved)
        dh = dh + self._linear_back(layer_part(layer, GATES[1]), dup, up_saved)
        return dy + self._normalised_back(layer_part(layer, NORMS[1]), dh, norm)


def _angles(config: TransformerConfig, length: int, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
    frequency = config.rope_theta ** (-np.arange(0, config.head_dim, 2) / config.head_dim)
    angle = np.arange(length)[:, None, None] * frequency
    return np.cos(angle).astype(dtype), np.sin(angle).astype(dtype)


def _rotate(x: np.ndarray, rotary: tuple[np.ndarray, np.ndarray], sign: int) -> np.ndarray:
    """Rotary positions of [batch, length, heads, head_dim]; sign -1 turns back."""
    cos, sin = rotary[0], sign * rotary[1]
    a, b = np.split(x, 2, axis=-1)
    return np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)


def _grouped(x: np.ndarray, kv_heads: int) -> np.ndarray:
    """[batch, length, heads, head_dim] as [batch, kv_heads, heads per kv head x length, head_dim]."""
    batch, length, heads, width = x.shape
    x = x.reshape(batch, length, kv_heads, heads // kv_heads, width).transpose(0, 2, 3, 1, 4)
    return np.ascontiguousarray(x).reshape(batch, kv_heads, -1, width)


def _ungrouped(x: np.ndarray, length: int) -> np.ndarray:
    """The inverse of _grouped, as [batch x length, heads x head_dim]."""
    batch, kv_heads, _, width = x.shape
    x = x.reshape(batch, kv_heads, -1, length, width).transpose(0, 3, 1, 2, 4)
    return np.ascontiguousarray(x).reshape(batch * length, -1)
