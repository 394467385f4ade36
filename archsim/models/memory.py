"""Bytes of a model's weights and KV cache, by class of tensor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from archsim.common.errors import InputError
from archsim.formats import parse_format
from archsim.models.config import TransformerConfig
from archsim.models.gguf_file_types import FILE_TYPES, Place, tensor_type
from archsim.models.matrices import CROSS_KV, CROSS_OUT, CROSS_Q, HEAD, OUT, QKV, ROUTER, matrix_names
from archsim.models.parameters import BIAS, MATRIX, NORM, RELATIVE, TABLE, ParameterClass, parameters
from archsim.models.weight_plan import WeightPlan, parse_weights

_FORMATS = {TABLE: "fp16", RELATIVE: "fp32", NORM: "fp32", BIAS: "fp16"}
"""Formats of what is not multiplied: norms as in GGUF files; the others, and all of them in archsim's graphs."""

_MATRICES = {
    "attention_q": QKV[0], "attention_k": QKV[1], "attention_v": QKV[2], "attention_qkv": QKV[0], "attention_o": OUT,
    "cross_q": CROSS_Q, "cross_k": CROSS_KV[0], "cross_v": CROSS_KV[1], "cross_o": CROSS_OUT, "router": ROUTER,
    "mlp_gate": ".gate_proj", "mlp_up": ".up_proj", "mlp_gate_up": ".gate_proj", "mlp_down": ".down_proj",
}  # fmt: skip
"""What names of a class's matrices end with; the others are named as their class is."""


@dataclass(frozen=True)
class ClassMemory:
    """One class of tensors.

    Attributes:
        name: of a class of models.parameters, or kv_cache.
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
        return 8 * self.nbytes / self.elements if self.elements else 0.0

    @property
    def compression(self) -> float:
        """fp16_bytes over nbytes."""
        return self.fp16_bytes / self.nbytes if self.nbytes else 1.0


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
        """An encoder has none."""
        return _sum("kv_cache", [part for part in self.classes if part.name == "kv_cache"])

    @property
    def total(self) -> ClassMemory:
        return _sum("total", list(self.classes))


def model_memory(
    config: TransformerConfig, weights: str | WeightPlan, kv: str, context: int, batch: int = 1
) -> ModelMemory:
    """Memory of a model.

    Args:
        weights: a format, a plan of formats, or a type of GGUF files such as "q4_k_m". A format applies to all matrices
            but the embedding table, which is float16, since single rows are gathered (a tied one is held twice: to be
            multiplied, too); a file type to all as llama.cpp assigns types. Names that are both mean the file type.
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
    parts = [*_classes(config, weights)]
    if config.role != "encoder":
        # a decoder that reads an encoder caches keys and values of both
        caches = 2 if config.role == "encoder_decoder" else 1
        rows = 2 * caches * config.cached_layers * batch * context * config.kv_heads
        kv_bytes = cache.nbytes(rows, config.head_dim)
        parts.append(ClassMemory("kv_cache", rows * config.head_dim, kv_bytes, (kv,)))
    return ModelMemory(tuple(parts))


def _classes(config: TransformerConfig, weights: str | WeightPlan) -> Iterator[ClassMemory]:
    """Classes of parameters; each layer's tensor may have another format."""
    by_file_type = weights in FILE_TYPES
    plan = parse_weights(weights) if isinstance(weights, str) and not by_file_type else weights
    for part in parameters(config):
        if part.kind != MATRIX and part.name != "embedding":
            own = parse_format(_FORMATS[part.kind])
            yield ClassMemory(part.name, part.elements, part.count * own.nbytes(*part.shape), (own.name,))
        elif not isinstance(plan, WeightPlan):
            yield _by_file_type(config, plan, part)
        else:
            yield _by_plan(config, plan, part) if part.kind == MATRIX else _embedding(config, plan, part)


def _by_plan(c: TransformerConfig, plan: WeightPlan, part: ParameterClass) -> ClassMemory:
    names = [name for name in matrix_names(c) if name.endswith(_MATRICES.get(part.name, part.name))]
    forms = [plan.of(name) for name in names]
    nbytes = sum(form.nbytes(*part.shape) for form in forms)
    return ClassMemory(part.name, part.elements, nbytes, tuple(dict.fromkeys(form.name for form in forms)))


def _embedding(config: TransformerConfig, plan: WeightPlan, part: ParameterClass) -> ClassMemory:
    """The table of embeddings, and of a tied head the same in the format that is multiplied."""
    forms = [parse_format(_FORMATS[TABLE])]
    if config.tied and plan.of(HEAD).name != forms[0].name:
        forms.append(plan.of(HEAD))
    nbytes = sum(one.nbytes(*part.shape) for one in forms)
    return ClassMemory(part.name, part.elements, nbytes, tuple(one.name for one in forms))


def _by_file_type(c: TransformerConfig, weights: str, part: ParameterClass) -> ClassMemory:
    if c.experts:
        raise InputError(
            f"which types {weights} files give to experts is not known here", remedy="use a format, such as int4-g128"
        )
    is_70b = c.layers == 80 and c.hidden == 8192
    shared = c.heads // c.kv_heads
    places = (Place(part.name, i, c.layers, part.shape[1], shared, is_70b, c.tied) for i in range(part.count))
    types = [tensor_type(weights, place) for place in places]
    nbytes = sum(parse_format(kind).nbytes(*part.shape) for kind in types)
    return ClassMemory(part.name, part.elements, nbytes, tuple(dict.fromkeys(types)))


def _sum(name: str, parts: list[ClassMemory]) -> ClassMemory:
    formats = tuple(dict.fromkeys(form for part in parts for form in part.formats))
    return ClassMemory(name, sum(p.elements for p in parts), sum(p.nbytes for p in parts), formats)
