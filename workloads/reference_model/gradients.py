"""Loss of a Llama-style byte model and its gradient, by hand in numpy.

Weights are float arrays [outputs, inputs] under their Hugging Face names. RMSNorm (Zhang and Sennrich, 2019), rotary
positions on halves (Su et al., 2021), grouped queries (Ainslie et al., 2023), SwiGLU (Shazeer, 2020), tied head.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Weights = dict[str, np.ndarray]


class Shape(NamedTuple):
    """Sizes of the model."""

    hidden: int = 256
    layers: int = 2
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 64
    ffn: int = 256
    vocab: int = 256
    theta: float = 10000.0
    eps: float = 1e-5


def layer_name(layer: int, part: str) -> str:
    return f"model.layers.{layer}.{part}.weight"


def loss_and_gradient(w: Weights, shape: Shape, tokens: np.ndarray) -> tuple[float, Weights]:
    """Mean cross-entropy of the next byte in nats, and its gradient.

    Args:
        tokens: integers [sequences, length + 1].
    """
    inputs, targets = tokens[:, :-1], tokens[:, 1:].ravel()
    batch, length = inputs.shape
    table = w["model.embed_tokens.weight"]
    rotary = _angles(shape, length, table.dtype)
    x = table[inputs.ravel()]
    saved: list[Any] = []
    for layer in range(shape.layers):
        x, attention = _attention(w, shape, layer, x, batch, rotary)
        x, mlp = _mlp(w, shape, layer, x)
        saved.append((attention, mlp))
    h, norm = _norm(x, w["model.norm.weight"], shape.eps)
    logits = h @ table.T
    logits -= logits.max(1, keepdims=True)
    picked = logits[np.arange(len(targets)), targets].copy()
    np.exp(logits, out=logits)
    total = logits.sum(1, keepdims=True)
    loss = float((np.log(total[:, 0]) - picked).mean())

    g: Weights = {}
    logits /= total
    logits[np.arange(len(targets)), targets] -= 1
    logits /= len(targets)
    g["model.embed_tokens.weight"] = logits.T @ h
    dx, g["model.norm.weight"] = _norm_back(logits @ table, norm)
    for layer in reversed(range(shape.layers)):
        attention, mlp = saved[layer]
        dx = _mlp_back(w, g, layer, dx, mlp)
        dx = _attention_back(w, g, shape, layer, dx, attention, rotary)
    np.add.at(g["model.embed_tokens.weight"], inputs.ravel(), dx)
    return loss, g


def _angles(shape: Shape, length: int, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
    frequency = shape.theta ** (-np.arange(0, shape.head_dim, 2) / shape.head_dim)
    angle = np.arange(length)[:, None, None] * frequency
    return np.cos(angle).astype(dtype), np.sin(angle).astype(dtype)


def _rotate(x: np.ndarray, rotary: tuple[np.ndarray, np.ndarray], sign: int) -> np.ndarray:
    """Rotary positions of [batch, length, heads, head_dim]; sign -1 turns back."""
    cos, sin = rotary[0], sign * rotary[1]
    a, b = np.split(x, 2, axis=-1)
    return np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)


def _norm(x: np.ndarray, gain: np.ndarray, eps: float) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    inverse = 1 / np.sqrt(np.einsum("td,td->t", x, x)[:, None] / x.shape[1] + eps)
    unit = x * inverse
    return unit * gain, (unit, inverse, gain)


def _norm_back(dy: np.ndarray, saved: tuple[np.ndarray, ...]) -> tuple[np.ndarray, np.ndarray]:
    unit, inverse, gain = saved
    dgain = np.einsum("td,td->d", dy, unit)
    du = dy * gain
    du -= unit * (np.einsum("td,td->t", du, unit)[:, None] / unit.shape[1])
    du *= inverse
    return du, dgain


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


def _attention(w: Weights, shape: Shape, layer: int, x: np.ndarray, batch: int, rotary: Any) -> tuple[np.ndarray, Any]:
    h, norm = _norm(x, w[layer_name(layer, "input_layernorm")], shape.eps)
    length = len(x) // batch
    split = (batch, length, -1, shape.head_dim)
    q, k, v = ((h @ w[layer_name(layer, f"self_attn.{p}_proj")].T).reshape(split) for p in "qkv")
    q, k, v = (_grouped(y, shape.kv_heads) for y in (_rotate(q, rotary, 1), _rotate(k, rotary, 1), v))
    scores = q @ k.transpose(0, 1, 3, 2)
    scores *= shape.head_dim**-0.5
    by_query = scores.reshape(batch, shape.kv_heads, -1, length, length)
    by_query += np.triu(np.full((length, length), -1e30, x.dtype), 1)
    scores -= scores.max(-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(-1, keepdims=True)
    mixed = _ungrouped(scores @ v, length)
    out = x + mixed @ w[layer_name(layer, "self_attn.o_proj")].T
    return out, (h, norm, q, k, v, scores, mixed)


def _attention_back(w: Weights, g: Weights, shape: Shape, layer: int, dy: np.ndarray, saved: Any, rotary: Any) -> Any:
    h, norm, q, k, v, p, mixed = saved
    name = layer_name(layer, "self_attn.o_proj")
    g[name] = dy.T @ mixed
    batch, length = len(q), k.shape[2]
    dmixed = _grouped((dy @ w[name]).reshape(batch, length, -1, shape.head_dim), shape.kv_heads)
    dv = p.transpose(0, 1, 3, 2) @ dmixed
    ds = dmixed @ v.transpose(0, 1, 3, 2)
    ds -= np.einsum("bhqk,bhqk->bhq", ds, p)[..., None]
    ds *= p
    ds *= shape.head_dim**-0.5
    dq, dk = ds @ k, ds.transpose(0, 1, 3, 2) @ q
    dh = np.zeros_like(h)
    for part, d in (("q", dq), ("k", dk), ("v", dv)):
        flat = _ungrouped(d, length)
        if part != "v":
            flat = _rotate(flat.reshape(batch, length, -1, shape.head_dim), rotary, -1).reshape(flat.shape)
        name = layer_name(layer, f"self_attn.{part}_proj")
        g[name] = flat.T @ h
        dh += flat @ w[name]
    dx, g[layer_name(layer, "input_layernorm")] = _norm_back(dh, norm)
    return dy + dx


def _mlp(w: Weights, shape: Shape, layer: int, x: np.ndarray) -> tuple[np.ndarray, Any]:
    h, norm = _norm(x, w[layer_name(layer, "post_attention_layernorm")], shape.eps)
    gate, up = (h @ w[layer_name(layer, f"mlp.{p}_proj")].T for p in ("gate", "up"))
    sigmoid = 1 / (1 + np.exp(-gate))
    inner = gate * sigmoid * up
    return x + inner @ w[layer_name(layer, "mlp.down_proj")].T, (h, norm, gate, up, sigmoid, inner)


def _mlp_back(w: Weights, g: Weights, layer: int, dy: np.ndarray, saved: Any) -> np.ndarray:
    h, norm, gate, up, sigmoid, inner = saved
    down, gates, ups = (layer_name(layer, f"mlp.{p}_proj") for p in ("down", "gate", "up"))
    g[down] = dy.T @ inner
    dinner = dy @ w[down]
    dup = dinner * gate * sigmoid
    dgate = dinner * up * sigmoid * (1 + gate * (1 - sigmoid))
    g[gates], g[ups] = dgate.T @ h, dup.T @ h
    dx, g[layer_name(layer, "post_attention_layernorm")] = _norm_back(dgate @ w[gates] + dup @ w[ups], norm)
    return dy + dx
