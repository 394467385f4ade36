"""Bytes of a model's weights and KV cache, by class of tensor."""

from __future__ import annotations

from dataclasses import dataclass

from archsim.common.errors import InputError
from archsim.formats import Format, parse_format
from archsim.models.config import TransformerConfig
from archsim.models.gguf_file_types import FILE_TYPES, Place, tensor_type

NORMS = "fp32"
"""Format of norms, in GGUF files and in archsim's graphs."""


@dataclass(frozen=True)
class ClassMemory:
    """One class of tensors.

    Attributes:
        name: embedding, attention_q, attention_k, attention_v, attention_qkv, attention_o, mlp_gate, mlp_up,
            mlp_gate_up, mlp_down, norms, lm_head or kv_cache.
        elements: weights, or cached numbers.
        formats: of its tensors.
    """

    name: str
    elements: int
    nbytes: int
    formats: tuple[str, ...]

    @property
    def fp16_bytes(self) -> int:
        """The same numbers at 2 bytes each."""
        return 2 * self.elements

    @property
    def bits_per_element(self) -> float:
        return 8 * self.nbytes / self.elements

    @property
    def compression(self) -> float:
        """fp16_bytes over nbytes."""
        return self.fp16_bytes / self.nbytes


@dataclass(frozen=True)
class ModelMemory:
    """A model's weights and KV cache."""

    classes: tuple[ClassMemory, ...]

    @property
    def weights(self) -> ClassMemory:
        """All but the cache."""
        return _sum("weights", [part for part in self.classes if part.name != "kv_cache"])

    @property
    def kv_cache(self) -> ClassMemory:
        return next(part for part in self.classes if part.name == "kv_cache")

    @property
    def total(self) -> ClassMemory:
        return _sum("total", list(self.classes))


def model_memory(config: TransformerConfig, weights: str, kv: str, context: int, batch: int = 1) -> ModelMemory:
    """Memory of a model.

    Args:
        weights: a format, or a type of GGUF files such as "q4_k_m". A format applies to all matrices but the embedding
            table, which is float16, since single rows are gathered; a file type to all as llama.cpp assigns types.
            Names that are both mean the file type.
        kv: format of keys and values; each head of each token is a row.
        context: tokens of each sequence.
        batch: sequences.

    Raises:
        InputError: a format is unknown or does not divide the rows, or a size is out of range.
    """
    cache = parse_format(kv)
    for name, size, most in (("batch", batch, 1 << 20), ("context", context, config.max_positions)):
        if not 1 <= size <= most:
            raise InputError(f"{name} is {size!r}", remedy=f"use 1 to {most}")
    rows = 2 * config.layers * batch * context * config.kv_heads
    parts = [*_matrices(config, weights), _norms(config)]
    kv_bytes = cache.nbytes(rows, config.head_dim)
    return ModelMemory((*parts, ClassMemory("kv_cache", rows * config.head_dim, kv_bytes, (kv,))))


def _matrices(config: TransformerConfig, weights: str) -> list[ClassMemory]:
    """Classes of matrices; of a file type, each layer's tensor may have another format."""
    c, form = config, None if weights in FILE_TYPES else parse_format(weights)
    features, cached = c.heads * c.head_dim, c.kv_heads * c.head_dim
    layer = {
        "attention_q": (features, c.hidden),
        "attention_k": (cached, c.hidden),
        "attention_v": (cached, c.hidden),
        "attention_o": (c.hidden, features),
        "mlp_gate": (c.ffn, c.hidden),
        "mlp_up": (c.ffn, c.hidden),
        "mlp_down": (c.hidden, c.ffn),
    }
    if c.fused:
        layer = {
            "attention_qkv": (features + 2 * cached, c.hidden),
            "attention_o": (c.hidden, features),
            "mlp_gate_up": (2 * c.ffn, c.hidden),
            "mlp_down": (c.hidden, c.ffn),
        }
    table = (c.vocab, c.hidden)
    shapes = [("embedding", table, 1), *((name, shape, c.layers) for name, shape in layer.items())]
    shapes += [] if c.tied else [("lm_head", table, 1)]
    return [_class(c, weights, form, *shape) for shape in shapes]


def _class(
    c: TransformerConfig, weights: str, form: Format | None, name: str, shape: tuple[int, int], count: int
) -> ClassMemory:
    if form is not None:
        own = parse_format("fp16") if name == "embedding" else form
        return ClassMemory(name, count * shape[0] * shape[1], count * own.nbytes(*shape), (own.name,))
    is_70b = c.layers == 80 and c.hidden == 8192
    places = (Place(name, i, c.layers, shape[1], c.heads // c.kv_heads, is_70b, c.tied) for i in range(count))
    types = [tensor_type(weights, place) for place in places]
    nbytes = sum(parse_format(kind).nbytes(*shape) for kind in types)
    return ClassMemory(name, count * shape[0] * shape[1], nbytes, tuple(dict.fromkeys(types)))


def _norms(config: TransformerConfig) -> ClassMemory:
    elements = (2 * config.layers + 1) * config.hidden
    return ClassMemory("norms", elements, parse_format(NORMS).nbytes(1, elements), (NORMS,))


def _sum(name: str, parts: list[ClassMemory]) -> ClassMemory:
    formats = tuple(dict.fromkeys(form for part in parts for form in part.formats))
    return ClassMemory(name, sum(p.elements for p in parts), sum(p.nbytes for p in parts), formats)
