"""Configurations of decoder-only transformers, from a Hugging Face config.json."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archsim.common.errors import InputError, nearest

_ARCHITECTURES = {"llama": "LlamaForCausalLM", "mistral": "MistralForCausalLM", "phi3": "Phi3ForCausalLM"}
"""What is supported, by model_type."""
_DIFFERENCES = {
    "Qwen2ForCausalLM": "q, k and v have biases",
    "Qwen3ForCausalLM": "q and k are normalised",
    "GemmaForCausalLM": "GELU, and norms that scale by 1 + weight",
    "Gemma2ForCausalLM": "GELU, and four norms per layer",
    "PhiForCausalLM": "LayerNorm and biases",
}
_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts")
_SIZES = {
    "hidden": "hidden_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "ffn": "intermediate_size",
    "vocab": "vocab_size",
    "max_positions": "max_position_embeddings",
}
_OTHERS = {
    "architectures", "model_type", "hidden_act", "num_key_value_heads", "head_dim", "rope_theta", "rms_norm_eps",
    "original_max_position_embeddings", "sliding_window", "tie_word_embeddings",
}  # fmt: skip
"""Fields that are no misspelling of a size."""
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:\n]')


@dataclass(frozen=True)
class TransformerConfig:
    """Shape of a decoder-only transformer with RMSNorm, rotary positions, grouped queries, gated SiLU, and no biases.

    Attributes:
        hidden: features of the residual stream.
        ffn: features inside the feed-forward.
        max_positions: tokens the model is made for.
        rope_theta, rope_type: base of the rotary angles, and how they are scaled ("default": not at all, "llama3",
            ...); they change angles, not ops.
        norm_eps: RMSNorm adds it to the mean square.
        tied: the head is the embedding table.
        fused: checkpoints hold q, k and v as one matrix, and gate and up as another.
        window: keys that sliding-window attention looks back on, or None for all.
    """

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    vocab: int
    max_positions: int
    rope_theta: float = 10000.0
    norm_eps: float = 1e-6
    tied: bool = False
    window: int | None = None
    rope_type: str = "default"
    fused: bool = False

    @property
    def max_context(self) -> int:
        """Most tokens a query may attend over: max_positions, and no more than what a window leaves whole."""
        return min(self.max_positions, self.window or self.max_positions)

    @property
    def layer_parameters(self) -> int:
        """Parameters of one decoder layer: q, k, v, o; gate, up, down; two norms."""
        attention = self.hidden * self.head_dim * (2 * self.heads + 2 * self.kv_heads)
        return attention + 3 * self.hidden * self.ffn + 2 * self.hidden

    @property
    def parameters(self) -> int:
        """All parameters: layers, final norm, embedding table, and the head unless it is tied."""
        return self.layers * self.layer_parameters + self.hidden + self.vocab * self.hidden * (1 if self.tied else 2)


def read_config(path: Path) -> TransformerConfig:
    """Read a config.json.

    Raises:
        InputError: no JSON, a field is missing or malformed, or the architecture is not supported.
    """
    try:
        text = path.read_text(encoding="utf-8")
        tree = json.loads(text)
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror}", file=path, remedy="check the path") from None
    except UnicodeDecodeError:
        raise InputError("not UTF-8 text", file=path, remedy="give a config.json") from None
    except json.JSONDecodeError as error:
        where = {"line": error.lineno, "column": error.colno}
        raise InputError(f"not valid JSON: {error.msg}", file=path, remedy="mend the syntax", **where) from None
    except (ValueError, RecursionError):
        raise InputError("a number or a nesting is too large", file=path, remedy="give a config.json") from None
    if not isinstance(tree, dict):
        raise InputError("the top must be an object", file=path, line=1, remedy="give a config.json")
    return _Reader(tree, path, text).config()


class _Reader:
    """Fields of one file, checked; null is the same as absent."""

    def __init__(self, tree: dict[str, Any], path: Path, text: str) -> None:
        self.tree = {key: value for key, value in tree.items() if value is not None}
        self.path = path
        self.lines = _field_lines(text)

    def config(self) -> TransformerConfig:
        self.check_architecture()
        sizes: dict[str, Any] = {name: self.size(field) for name, field in _SIZES.items()}
        return TransformerConfig(
            **sizes,
            **self.heads(sizes["hidden"], sizes["heads"]),
            norm_eps=self.real("rms_norm_eps", self.tree, 1e-6),
            tied=self.flag("tie_word_embeddings"),
            fused=self.architecture() == "Phi3ForCausalLM",
            window=self.size("sliding_window") if "sliding_window" in self.tree else None,
            **self.rope(),
        )

    def architecture(self) -> Any:
        """The name of the architecture."""
        field = "architectures" if "architectures" in self.tree else "model_type"
        names = self.tree.get(field)
        if names is None:
            raise self.missing("architectures")
        name = names[0] if isinstance(names, list) and names else names
        return _ARCHITECTURES.get(str(name), name) if field == "model_type" else name

    def check_architecture(self) -> None:
        """Refuse what the graph would get wrong."""
        name = self.architecture()
        if name not in _ARCHITECTURES.values():
            reason = self.difference(str(name))
            known = ", ".join(_ARCHITECTURES.values())
            field = "architectures" if "architectures" in self.tree else "model_type"
            raise self.error(field, f"architecture {name!r}{reason} is not supported", f"supported: {known}")
        if self.tree.get("hidden_act", "silu") != "silu":
            raise self.error("hidden_act", f"hidden_act {self.tree['hidden_act']!r} is not supported", "only silu is")
        for bias in ("attention_bias", "mlp_bias"):
            if self.flag(bias):
                raise self.error(bias, f"{bias} true is not supported", "only models without biases are")

    def difference(self, name: str) -> str:
        """Why an architecture is not supported, in brackets, where it is known."""
        if any(field in self.tree for field in _EXPERTS):
            return " (a mixture of experts)"
        if self.tree.get("is_encoder_decoder") or not name.endswith(("ForCausalLM", "LMHeadModel")):
            return " (no decoder-only language model)"
        return f" ({_DIFFERENCES[name]})" if name in _DIFFERENCES else ""

    def heads(self, hidden: int, heads: int) -> dict[str, Any]:
        """kv_heads and head_dim."""
        kv_heads = self.size("num_key_value_heads", heads)
        if heads % kv_heads:
            message = f"num_attention_heads {heads} is no multiple of num_key_value_heads {kv_heads}"
            raise self.error("num_key_value_heads", message, "correct one of them")
        if "head_dim" not in self.tree and hidden % heads:
            message = f"hidden_size {hidden} is no multiple of num_attention_heads {heads}"
            raise self.error("num_attention_heads", message, "correct one, or add head_dim")
        head_dim = self.size("head_dim", hidden // heads)
        if head_dim % 2:
            field = "head_dim" if "head_dim" in self.tree else "num_attention_heads"
            raise self.error(field, f"head_dim {head_dim} is odd", "rotary positions need an even one")
        return {"kv_heads": kv_heads, "head_dim": head_dim}

    def rope(self) -> dict[str, Any]:
        """rope_theta and rope_type, from their own fields or from the rope_parameters of later files."""
        tables = {field: self.tree.get(field, {}) for field in ("rope_scaling", "rope_parameters")}
        for field, table in tables.items():
            if not isinstance(table, dict):
                raise self.error(field, f"{field} is {table!r}", "write an object, or null")
        both = {**self.tree, **tables["rope_parameters"]}
        if both.get("partial_rotary_factor", 1) != 1:
            field = "partial_rotary_factor" if "partial_rotary_factor" in self.tree else "rope_parameters"
            raise self.error(field, "rotary positions on a part of the head are not supported", "only factor 1 is")
        scaling = tables["rope_scaling"] or tables["rope_parameters"]
        rope_type = str(scaling.get("rope_type", scaling.get("type", "default")))
        return {"rope_theta": self.real("rope_theta", both, 10000.0), "rope_type": rope_type}

    def size(self, field: str, default: int | None = None) -> int:
        """A whole number above 0."""
        if field not in self.tree and default is None:
            raise self.missing(field)
        value = self.tree.get(field, default)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**31:
            raise self.error(field, f"{field} is {_short(value)}", "write a whole number from 1 to 2147483647")
        return value

    def real(self, field: str, table: dict[str, Any], default: float) -> float:
        """A number above 0, no NaN or infinity."""
        value = table.get(field, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e300:
            raise self.error(field, f"{field} is {_short(value)}", "write a number above 0")
        return float(value)

    def flag(self, field: str) -> bool:
        """true or false, which is the default."""
        value = self.tree.get(field, False)
        if not isinstance(value, bool):
            raise self.error(field, f"{field} is {_short(value)}", "write true or false")
        return value

    def missing(self, field: str) -> InputError:
        """The error for a field that is not there: points at one that looks like it."""
        near = nearest(field, set(self.tree) - _OTHERS - set(_SIZES.values()))
        remedy = f"did you mean it with {near!r}?" if near else "add it"
        return self.error(near or field, f"field {field!r} is missing", remedy)

    def error(self, field: str, message: str, remedy: str) -> InputError:
        return InputError(message, file=self.path, line=self.lines.get(field), remedy=remedy)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."


def _field_lines(text: str) -> dict[str, int]:
    """The line of each field of the top object of valid JSON."""
    lines: dict[str, int] = {}
    depth, line, before, before_line = 0, 1, "", 1
    for token in _TOKEN.findall(text):
        if token == "\n":
            line += 1
            continue
        if token == ":" and depth == 1:
            lines[json.loads(before)] = before_line
        depth += (token in "{[") - (token in "]}")
        before, before_line = token, line
    return lines
