"""A GGUF file as a model: its sizes from metadata, and the format of each matrix from its tensors.

Keys and names of tensors are those of the GGUF specification and of llama.cpp's gguf-py (constants.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import Any

from archsim.common.errors import InputError
from archsim.formats import Format, parse_format
from archsim.formats.gguf_types import OTHER_TYPES
from archsim.models.config import TransformerConfig
from archsim.models.gguf_file import GgufFile
from archsim.models.matrices import DOWN, GATES, HEAD, OUT, QKV, ROUTER, expert_part, layer_part
from archsim.models.weight_plan import WeightPlan

ARCHITECTURES = ("llama", "qwen2", "gemma", "phi3", "gpt2")
GGUF = "gguf:"
"""Prefix of the name of a plan that follows a file."""
_PARTS = {
    **dict(zip(QKV, ("attn_q", "attn_k", "attn_v"), strict=True)),
    OUT: "attn_output", GATES[0]: "ffn_gate", GATES[1]: "ffn_up", DOWN: "ffn_down", ROUTER: "ffn_gate_inp",
}  # fmt: skip
_FUSED = {**dict.fromkeys(QKV, "attn_qkv"), GATES[0]: "ffn_up"}
"""Tensors that hold several matrices: q, k and v; gate and up."""
_TABLE = "token_embd.weight"


def gguf_config(file: GgufFile) -> TransformerConfig:
    """The configuration of a file.

    Raises:
        InputError: its architecture is not supported, or a key is missing or malformed.
    """
    architecture = file.metadata.get("general.architecture")
    if architecture not in ARCHITECTURES:
        raise InputError(
            f"architecture {str(architecture)[:40]!r} is not supported in GGUF files",
            file=file.path,
            remedy=f"supported: {', '.join(ARCHITECTURES)}",
        )
    keys = _Keys(file, architecture)
    return TransformerConfig(**_sizes(file, keys), **_choices(file, keys))


def _sizes(file: GgufFile, keys: _Keys) -> dict[str, Any]:
    hidden, heads = keys.size("embedding_length"), keys.size("attention.head_count")
    table = file.tensors.get(_TABLE)
    if table is None or len(table.shape) != 2:
        raise InputError(f"no tensor {_TABLE!r}", file=file.path, remedy="give the whole model")
    kv_heads = keys.size("attention.head_count_kv", heads)
    if heads % kv_heads or (hidden % heads and not keys.has("attention.key_length")):
        message = f"{heads} heads, {kv_heads} of keys and values, do not divide, or not {hidden} features"
        raise InputError(message, file=file.path, remedy="give another file")
    return {
        "hidden": hidden,
        "layers": keys.size("block_count"),
        "heads": heads,
        "kv_heads": kv_heads,
        "head_dim": keys.size("attention.key_length", hidden // heads),
        "ffn": keys.size("feed_forward_length"),
        "vocab": table.shape[0],
        "max_positions": keys.size("context_length"),
        "tied": "output.weight" not in file.tensors,
    }


def _choices(file: GgufFile, keys: _Keys) -> dict[str, Any]:
    """What an architecture computes, beside its sizes."""
    if keys.architecture == "gpt2":
        names = {"norm": "layer", "activation": "gelu_tanh", "gated": False, "positions": "learned"}
        return {**names, "norm_eps": keys.real("attention.layer_norm_epsilon"), "biases": ("qkv", "out", "ffn")}
    choices: dict[str, Any] = {
        "norm_eps": keys.real("attention.layer_norm_rms_epsilon"),
        "rope_theta": keys.real("rope.freq_base", 10000.0),
        "rope_type": "llama3" if "rope_freqs.weight" in file.tensors else "default",
    }
    if keys.architecture == "qwen2":
        choices["biases"] = ("qkv",)
    if keys.architecture == "gemma":
        choices |= {"activation": "gelu_tanh", "embed_scale": sqrt(keys.size("embedding_length"))}
    if keys.architecture == "phi3":
        choices |= {"fused": True, "window": keys.size("attention.sliding_window", 0) or None}
    if keys.has("expert_count"):
        choices |= {"experts": keys.size("expert_count"), "top_k": keys.size("expert_used_count")}
    return choices


class _Keys:
    """Metadata of an architecture."""

    def __init__(self, file: GgufFile, architecture: str) -> None:
        self.file, self.architecture = file, architecture

    def has(self, key: str) -> bool:
        """Whether a number stands there that is not 0."""
        return bool(self.file.metadata.get(f"{self.architecture}.{key}", 0))

    def real(self, key: str, default: float | None = None) -> float:
        """A number above 0, or the default, which may be 0."""
        name = f"{self.architecture}.{key}"
        found: Any = self.file.metadata.get(name, default)
        number = isinstance(found, (int, float)) and not isinstance(found, bool)
        if not number or not (0 < found < 2**31 or found == default):
            what = "is missing" if name not in self.file.metadata else f"is {str(found)[:40]}"
            raise InputError(f"{name} {what}", file=self.file.path, remedy="it must be a number above 0")
        return float(found)

    def size(self, key: str, default: int | None = None) -> int:
        return int(self.real(key, default))


def gguf_plan(file: GgufFile, config: TransformerConfig) -> WeightPlan:
    """The format of each matrix: its tensor's type.

    Raises:
        InputError: a tensor is missing, has another shape than the metadata make, or a type that is not supported.
    """
    formats = {name: _format(file, tensor, shape) for name, tensor, shape in _tensors(file, config)}
    return WeightPlan(f"{GGUF}{file.path.name}", None, formats)


def _tensors(file: GgufFile, c: TransformerConfig) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """Each matrix with its tensor, and the shape of that."""
    fused = c.fused or (c.norm == "layer")
    for layer in range(c.layers):
        for part, shape in _shapes(c).items():
            own = _FUSED[part] if fused and part in _FUSED else _PARTS[part]
            if c.experts and part in (*GATES, DOWN):
                for expert in range(c.experts):
                    yield layer_part(layer, expert_part(expert, part)), *_expert(file, layer, own, expert, shape, c)
            else:
                yield layer_part(layer, part), f"blk.{layer}.{own}.weight", shape
    yield HEAD, _TABLE if c.tied else "output.weight", (c.vocab, c.hidden)


def _expert(
    file: GgufFile, layer: int, part: str, expert: int, shape: tuple[int, ...], c: TransformerConfig
) -> tuple[str, tuple[int, ...]]:
    """Tensor and shape of an expert's matrix: all of a layer in one, or one each, as older files have them."""
    whole = f"blk.{layer}.{part}_exps.weight"
    return (whole, (c.experts, *shape)) if whole in file.tensors else (f"blk.{layer}.{part}.{expert}.weight", shape)


def _shapes(c: TransformerConfig) -> dict[str, tuple[int, ...]]:
    """Matrices of a layer, and the shapes of their tensors."""
    features, cached = c.heads * c.head_dim, c.kv_heads * c.head_dim
    whole = (features + 2 * cached, c.hidden)
    q, kv = (whole, whole) if c.fused or c.norm == "layer" else ((features, c.hidden), (cached, c.hidden))
    up = (2 * c.ffn if c.fused else c.ffn, c.hidden)
    gates = {GATES[0]: up, GATES[1]: up} if c.gated else {GATES[1]: up}
    router = {ROUTER: (c.experts, c.hidden)} if c.experts else {}
    first = {**dict(zip(QKV, (q, kv, kv), strict=True)), OUT: (c.hidden, features)}
    return {**first, **router, **gates, DOWN: (c.hidden, c.ffn)}


def _format(file: GgufFile, name: str, shape: tuple[int, ...]) -> Format:
    tensor = file.tensors.get(name)
    if tensor is None:
        raise InputError(f"no tensor {name!r}", file=file.path, remedy="give the whole model")
    if tensor.shape != shape:
        message = f"tensor {name!r} has shape {list(tensor.shape)}, where the metadata make {list(shape)}"
        raise InputError(message, file=file.path, remedy="give another file")
    if tensor.type in OTHER_TYPES:
        message = f"tensor {name!r} is of type {tensor.type}, which is not supported"
        raise InputError(message, file=file.path, remedy="convert it to another type")
    return parse_format(tensor.type)
