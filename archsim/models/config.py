"""Configurations of decoder-only transformers, from a Hugging Face config.json."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archsim.common.errors import InputError, nearest

SUPPORTED = ("LlamaForCausalLM", "MistralForCausalLM")


@dataclass(frozen=True)
class TransformerConfig:
    """Shape of a decoder-only transformer (RMSNorm, rotary positions, gated SiLU feed-forward, grouped queries)."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    vocab: int
    max_positions: int
    rope_theta: float
    norm_eps: float
    tied: bool

    @property
    def layer_parameters(self) -> int:
        """Parameters of one decoder layer: projections, feed-forward, two norms."""
        attention = self.hidden * self.head_dim * (2 * self.heads + 2 * self.kv_heads)
        return attention + 3 * self.hidden * self.ffn + 2 * self.hidden

    @property
    def parameters(self) -> int:
        """All parameters, embedding and head included (once if they are tied)."""
        return self.layers * self.layer_parameters + self.hidden + self.vocab * self.hidden * (1 if self.tied else 2)


def read_config(path: Path) -> TransformerConfig:
    """Read a config.json.

    Raises:
        InputError: no JSON, a field is missing or malformed, or the architecture is another.
    """
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror}", file=path, remedy="check the path") from None
    except UnicodeDecodeError:
        raise InputError("is not UTF-8 text", file=path, remedy="give a config.json") from None
    except json.JSONDecodeError as error:
        raise InputError(f"not valid JSON: {error.msg}", file=path, line=error.lineno, remedy="mend it") from None
    if not isinstance(tree, dict):
        raise InputError("the top must be an object", file=path, line=1, remedy="give a config.json")
    return _Reader(tree, path).config()


class _Reader:
    def __init__(self, tree: dict[str, Any], path: Path) -> None:
        self.tree, self.path = tree, path
        self.text = path.read_text(encoding="utf-8").splitlines()

    def line(self, field: str) -> int | None:
        """The line a field stands on."""
        return next((number for number, text in enumerate(self.text, 1) if f'"{field}"' in text), None)

    def fail(self, field: str, message: str, remedy: str) -> InputError:
        return InputError(message, file=self.path, line=self.line(field), remedy=remedy)

    def number(self, field: str, default: int | None = None) -> int:
        value = self.tree.get(field, default)
        if value is None:
            near = nearest(field, self.tree)
            hint = f"add it (there is {near!r})" if near else "add it"
            raise self.fail(field, f"field {field!r} is missing", hint)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**31:
            raise self.fail(field, f"{field} is {value!r}", "write a whole number above 0")
        return value

    def real(self, field: str, default: float) -> float:
        value = self.tree.get(field, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
            raise self.fail(field, f"{field} is {value!r}", "write a number above 0")
        return float(value)

    def config(self) -> TransformerConfig:
        names = self.tree.get("architectures") or ["LlamaForCausalLM"]
        if not isinstance(names, list) or names[0] not in SUPPORTED:
            raise self.fail("architectures", f"architecture {names!r} is not supported", f"use {', '.join(SUPPORTED)}")
        if self.tree.get("hidden_act", "silu") != "silu":
            raise self.fail("hidden_act", f"hidden_act {self.tree['hidden_act']!r} is not supported", "use silu")
        hidden, heads = self.number("hidden_size"), self.number("num_attention_heads")
        kv_heads = self.number("num_key_value_heads", heads)
        if "head_dim" not in self.tree and hidden % heads:
            raise self.fail("num_attention_heads", f"hidden_size {hidden} is no multiple of {heads} heads", "add head_dim")
        if heads % kv_heads:
            raise self.fail(
                "num_key_value_heads", f"{heads} heads are no multiple of {kv_heads} KV heads", "correct one of them"
            )
        head_dim = self.number("head_dim", hidden // heads)
        if head_dim % 2:
            raise self.fail("head_dim", f"head_dim {head_dim} is odd", "rotary positions need pairs")
        return TransformerConfig(
            hidden=hidden,
            layers=self.number("num_hidden_layers"),
            heads=heads,
            kv_heads=kv_heads,
            head_dim=head_dim,
            ffn=self.number("intermediate_size"),
            vocab=self.number("vocab_size"),
            max_positions=self.number("max_position_embeddings", 4096),
            rope_theta=self.real("rope_theta", 10000.0),
            norm_eps=self.real("rms_norm_eps", 1e-6),
            tied=bool(self.tree.get("tie_word_embeddings", False)),
        )
