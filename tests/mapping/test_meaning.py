"""Graphs compute what their architectures do: chains of ops come as near to plain transformers as int8 lets them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archsim.design import load_design
from archsim.kernels import reference
from archsim.kernels.target import target_of
from archsim.models import Graph, Model
from tests.mapping import transformers as t
from tests.mapping.whole import NumpyLayer
from tests.models.tiny import tiny

TOKENS = 21
CLOSE = 0.03
"""Relative error of what a layer adds, with int8 activations and keys; T5's scores, not divided, make it largest."""


class Run:
    """A layer's chain of reference kernels on one sequence: x before and after it, and its weights."""

    def __init__(self, model: Model, graph: Graph, seed: int = 0) -> None:
        self.config = model.config
        self.layer = NumpyLayer(model.config, target_of(load_design("edge-npu")), seed)
        self.layer.prepare(graph.layer, graph.rows, 1, graph.context, graph.context)
        self.x = np.random.default_rng(9).normal(size=(graph.rows, self.config.hidden)).astype(np.float32)
        # layers whose norms come last take codes of x, too
        codes, scales = reference.quantize(self.x)
        self.layer.values |= {"x": self.x, "x.codes": codes, "x.scales": scales}
        self.layer.run(graph.layer)
        self.after = self.layer.values["x"].astype(np.float64)

    def w(self, name: str) -> np.ndarray:
        """A matrix, or a vector."""
        packed = self.layer.weights.get(f"{name}.weight")
        return (self.layer.values[name] if packed is None else packed.dequantize()).astype(np.float64)

    def linear(self, name: str, x: np.ndarray, bias: bool = False) -> np.ndarray:
        return x @ self.w(name).T + (self.w(f"{name}.bias") if bias else 0)

    def norm(self, name: str, x: np.ndarray) -> np.ndarray:
        gain = self.w(f"{name}.weight")
        if self.config.norm == "rms":
            return t.rms_norm(x, gain, self.config.norm_eps)
        return t.layer_norm(x, gain, self.w(f"{name}.bias"), self.config.norm_eps)

    def cached(self, name: str) -> np.ndarray:
        """Keys or values of the only sequence: [tokens, heads, size]."""
        codes, scales = (self.layer.values[f"{name}.{part}"][0].astype(np.float64) for part in ("codes", "scales"))
        codes = codes if name.endswith("k_cache") else codes.swapaxes(1, 2)
        return (codes * scales[..., None]).swapaxes(0, 1)

    def check(self, expected: np.ndarray) -> None:
        x = self.x.astype(np.float64)
        error = np.linalg.norm(self.after - expected) / np.linalg.norm(expected - x)
        assert error < CLOSE, error


def run(name: str, folder: Path, phase: str = "prefill", context: int = TOKENS, **changes: object) -> Run:
    model = tiny(name, folder, changes, weights="int8")
    return Run(model, model.graph(phase, 1, context))


@pytest.mark.parametrize(
    "name, act", [("llama-3-8b", t.silu), ("qwen2-7b", t.silu), ("gemma-2b", t.gelu_tanh), ("mistral-7b", t.silu)]
)
def test_llama_and_descendants(name: str, act: object, tmp_path: Path) -> None:
    """Mistral with a window of 9 keys."""
    r = run(name, tmp_path, **({"sliding_window": 9} if name == "mistral-7b" else {}))
    x, c = r.x.astype(np.float64), r.config
    qkv = r.linear("qkv", r.norm("attn_norm", x), name.startswith("qwen"))
    q, k, v = t.split_heads(qkv, c.heads, c.kv_heads, c.kv_heads)
    q, k = t.rope_halves(q, c.rope_theta), t.rope_halves(k, c.rope_theta)
    mixed = t.attend(q, k, v, t.seen(TOKENS, True, c.window), c.head_dim**-0.5)
    x = x + r.linear("out", mixed)
    gate, up = np.split(r.linear("gate_up", r.norm("ffn_norm", x)), 2, axis=1)
    r.check(x + r.linear("down", act(gate) * up))  # type: ignore[operator]


def test_gpt2(tmp_path: Path) -> None:
    r = run("gpt2", tmp_path)
    x, c = r.x.astype(np.float64), r.config
    q, k, v = t.split_heads(r.linear("qkv", r.norm("attn_norm", x), True), c.heads, c.heads, c.heads)
    x = x + r.linear("out", t.attend(q, k, v, t.seen(TOKENS, True), c.head_dim**-0.5), True)
    inner = t.gelu_tanh(r.linear("up", r.norm("ffn_norm", x), True))
    r.check(x + r.linear("down", inner, True))


def test_gptj_whose_pairs_became_halves(tmp_path: Path) -> None:
    """GPT-J turns neighbours: its rows of q and k, put in their own order again, give the same layer."""
    r = run("gpt-j-6b", tmp_path)
    x, c = r.x.astype(np.float64), r.config
    h = r.norm("attn_norm", x)
    q, k, v = t.split_heads(r.linear("qkv", h), c.heads, c.heads, c.heads)
    turned = c.rotary_dim or 0
    # feature i of the first half is 2i of the checkpoint, of the second half 2i + 1
    own = np.concatenate([np.arange(turned).reshape(2, -1).T.reshape(-1), np.arange(turned, c.head_dim)])
    q, k = t.rope_pairs(q[..., own], turned), t.rope_pairs(k[..., own], turned)
    attention = r.linear("out", t.attend(q, k, v, t.seen(TOKENS, True), c.head_dim**-0.5))
    r.check(x + attention + r.linear("down", t.gelu_tanh(r.linear("up", h, True)), True))


def test_bert(tmp_path: Path) -> None:
    r = run("bert-base-uncased", tmp_path)
    x, c = r.x.astype(np.float64), r.config
    q, k, v = t.split_heads(r.linear("qkv", x, True), c.heads, c.heads, c.heads)
    mixed = t.attend(q, k, v, t.seen(TOKENS, False), c.head_dim**-0.5)
    x = r.norm("attn_norm", x + r.linear("out", mixed, True))
    r.check(r.norm("ffn_norm", x + r.linear("down", t.gelu(r.linear("up", x, True)), True)))


def test_vit(tmp_path: Path) -> None:
    r = run("vit-base-patch16-224", tmp_path, context=5)
    x, c = r.x.astype(np.float64), r.config
    q, k, v = t.split_heads(r.linear("qkv", r.norm("attn_norm", x), True), c.heads, c.heads, c.heads)
    x = x + r.linear("out", t.attend(q, k, v, t.seen(5, False), c.head_dim**-0.5), True)
    r.check(x + r.linear("down", t.gelu(r.linear("up", r.norm("ffn_norm", x), True)), True))


def test_t5s_encoder(tmp_path: Path) -> None:
    r = run("t5-small", tmp_path)
    x, c = r.x.astype(np.float64), r.config
    q, k, v = t.split_heads(r.linear("qkv", r.norm("attn_norm", x)), c.heads, c.heads, c.heads)
    distance = np.arange(TOKENS) - np.arange(TOKENS)[:, None]
    bias = r.w("relative_bias")[:, distance + TOKENS - 1]
    x = x + r.linear("out", t.attend(q, k, v, t.seen(TOKENS, False), 1.0, bias))
    r.check(x + r.linear("down", np.maximum(r.linear("up", r.norm("ffn_norm", x)), 0)))


def test_t5s_decoder(tmp_path: Path) -> None:
    """One token, whose own past and whose source stand in caches."""
    r = run("t5-small", tmp_path, "decode")
    x, c = r.x.astype(np.float64), r.config
    (q, *_) = t.split_heads(r.linear("qkv", r.norm("attn_norm", x)), c.heads, c.heads, c.heads)
    everything = np.ones((1, TOKENS), bool)
    bias = r.w("relative_bias")[:, None]
    x = x + r.linear("out", t.attend(q, r.cached("k_cache"), r.cached("v_cache"), everything, 1.0, bias))
    (q,) = t.split_heads(r.linear("cross_q", r.norm("cross_norm", x)), c.heads)
    mixed = t.attend(q, r.cached("cross_k_cache"), r.cached("cross_v_cache"), everything, 1.0)
    x = x + r.linear("cross_out", mixed)
    r.check(x + r.linear("down", np.maximum(r.linear("up", r.norm("ffn_norm", x)), 0)))


def test_mixtral(tmp_path: Path) -> None:
    """Softmax over all experts, of which the two largest are kept and made one: that of the two alone."""
    plain = tiny("mixtral-8x7b", tmp_path, weights="int8")
    first = Run(plain, plain.graph("prefill", 1, TOKENS))
    chosen = np.argsort(-first.layer.values["router"], axis=1)[:, :2]
    counts = np.bincount(chosen.reshape(-1), minlength=8).tolist()
    routed = tiny("mixtral-8x7b", tmp_path, weights="int8", routing=counts)
    r = Run(routed, routed.graph("prefill", 1, TOKENS))
    x, c = r.x.astype(np.float64), r.config
    q, k, v = t.split_heads(r.linear("qkv", r.norm("attn_norm", x)), c.heads, c.kv_heads, c.kv_heads)
    q, k = t.rope_halves(q, c.rope_theta), t.rope_halves(k, c.rope_theta)
    x = x + r.linear("out", t.attend(q, k, v, t.seen(TOKENS, True), c.head_dim**-0.5))
    h = r.norm("ffn_norm", x)
    shares = t.softmax(r.linear("router", h))
    # near ties may fall otherwise in double precision
    np.put_along_axis(kept := np.zeros_like(shares), chosen, np.take_along_axis(shares, chosen, 1), 1)
    kept /= kept.sum(1, keepdims=True)
    for expert in np.flatnonzero(kept.any(axis=0)):
        gate, up = np.split(r.linear(f"gate_up.{expert}", h), 2, axis=1)
        x = x + kept[:, expert : expert + 1] * r.linear(f"down.{expert}", t.silu(gate) * up)
    r.check(x)
