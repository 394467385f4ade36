"""The graph of a decoder-only transformer, for prefill and decode.

The residual stream `x` is float32. Matrix products multiply int8 activations, which have one float32 scale per row,
with quantised weights, and give float32. Keys and values are cached as int8 with a float16 scale per token and head, or
as TurboQuant's codes with a float16 norm.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from operator import index
from typing import Any

from archsim.common.errors import InputError
from archsim.models.config import TransformerConfig
from archsim.models.graph import Graph, LayerKind, Op, Tensor, array, weight_matrix
from archsim.models.matrices import DOWN, GATES, HEAD, LINEARS, OUT, QKV, layer_matrices, layer_part
from archsim.models.weight_plan import WeightPlan, parse_weights

PHASES = ("prefill", "decode")
LARGEST_BATCH = 65536


def build_graph(
    config: TransformerConfig, phase: str, batch: int, context: int, weights: str | WeightPlan, code_bits: int = 0
) -> Graph:
    """The graph of a phase.

    Args:
        phase: "prefill" works on batch x context tokens, each attending over itself and what precedes it; "decode" on
            one token per sequence, at position context - 1, attending over `context` tokens of the cache, itself
            included.
        batch: sequences.
        context: tokens of each sequence.
        weights: format of the weights, such as "int4-g128", of the head, too; or a plan of formats.
        code_bits: bits of TurboQuant's codes of keys and values; 0: the cache is int8.

    Raises:
        InputError: the phase, a size or a format is wrong, or the plan is not for this model.
    """
    if phase not in PHASES:
        raise InputError(f"unknown phase {phase!r}", remedy="use prefill or decode")
    if not config.is_llama:
        raise InputError("a graph of this architecture is not there yet", remedy="use a model that computes as Llama")
    batch = _count("batch", batch, LARGEST_BATCH)
    slides = config.max_context == config.window
    note = ": a window that slides is not modelled" if slides else ""
    context = _count("context", context, config.max_context, note)
    plan = parse_weights(weights) if isinstance(weights, str) else weights
    formats = plan.formats([*layer_matrices(config.layers), HEAD])
    names = {name: form.name for name, form in formats.items()}
    builder = _Builder(config, phase, batch, context, names, code_bits)
    return Graph(phase, batch, context, builder.embed(), builder.kinds(), builder.head(), builder.kv_bytes())


def _count(name: str, value: Any, most: int, note: str = "") -> int:
    """A size as int; numpy's integers, which would overflow, are welcome too."""
    try:
        count = 0 if isinstance(value, bool) else index(value)
    except TypeError:
        count = 0
    if not 1 <= count <= most:
        raise InputError(f"{name} is {value!r}", remedy=f"use 1 to {most}{note}")
    return count


class _Builder:
    def __init__(
        self, config: TransformerConfig, phase: str, batch: int, context: int, weights: dict[str, str], code_bits: int
    ) -> None:
        self.config, self.batch, self.context, self.weights = config, batch, context, weights
        self.code_bits = code_bits
        self.causal = phase == "prefill"
        self.tokens = context if self.causal else 1
        self.rows = batch * self.tokens

    def embed(self) -> tuple[Op, ...]:
        """Gather rows of the table: float16, since single rows are read and nothing multiplies them."""
        c = self.config
        table = array("embed.weight", (c.vocab, c.hidden), "float16")
        attributes = {"rows": self.rows, "features": c.hidden}
        ids = array("token_ids", (self.rows,), "int32")
        return (Op("embed", "embed", attributes, (ids,), (self.floats("x", c.hidden),), (table,)),)

    def kinds(self) -> tuple[LayerKind, ...]:
        """Layers with the same formats are equal."""
        alike: dict[tuple[str, ...], list[int]] = {}
        for layer in range(self.config.layers):
            alike.setdefault(tuple(self.weights[layer_part(layer, part)] for part in LINEARS), []).append(layer)
        return tuple(LayerKind(self.layer(members[0]), tuple(members)) for members in alike.values())

    def layer(self, number: int) -> tuple[Op, ...]:
        """The ops of a layer."""
        c = self.config
        features, cached = c.heads * c.head_dim, c.kv_heads * c.head_dim
        qkv = (("q", features), ("k", cached), ("v", cached))

        def formats(*parts: str) -> list[str]:
            return [self.weights[layer_part(number, part)] for part in parts]

        x, attended = self.floats("x", c.hidden), self.floats("attention", features)
        gate_up = self.floats("gate_up", 2 * c.ffn)
        return (
            self.norm("attn_norm", self.rows),
            *self.joined("qkv", "attn_norm", self.rows, c.hidden, qkv, formats(*QKV)),
            *(self.coded_attention(attended) if self.code_bits else (self.rope_kv(), self.attention(attended))),
            self.by_row("attn_quant", "quantize", features, (attended,), self.codes("attn_quant", self.rows, features)),
            self.matmul("out", "attn_quant", self.rows, features, c.hidden, *formats(OUT)),
            self.norm("ffn_norm", self.rows, residual="out"),
            *self.joined("gate_up", "ffn_norm", self.rows, c.hidden, (("gate", c.ffn), ("up", c.ffn)), formats(*GATES)),
            self.by_row("silu_mul", "silu_mul", c.ffn, (gate_up,), self.codes("silu_mul", self.rows, c.ffn)),
            self.matmul("down", "silu_mul", self.rows, c.ffn, c.hidden, *formats(DOWN)),
            self.by_row("residual", "add", c.hidden, (x, self.floats("down", c.hidden)), (x,)),
        )

    def head(self) -> tuple[Op, ...]:
        """Only the last token of each sequence."""
        c = self.config
        return (
            self.norm("final_norm", self.batch),
            self.matmul("lm_head", "final_norm", self.batch, c.hidden, c.vocab, self.weights[HEAD]),
        )

    def norm(self, name: str, rows: int, residual: str | None = None) -> Op:
        """RMSNorm and quantisation; `residual` names what is first added to the residual stream."""
        features = self.config.hidden
        x = array("x", (rows, features), "float32")
        added = (array(residual, (rows, features), "float32"),) if residual else ()
        attributes = {"rows": rows, "features": features, "residual": int(residual is not None)}
        outputs = ((x,) if residual else ()) + self.codes(name, rows, features)
        return Op(name, "norm", attributes, (x, *added), outputs, (array(f"{name}.weight", (features,), "float32"),))

    def matmul(self, name: str, source: str, rows: int, in_features: int, out_features: int, form: str) -> Op:
        return Op(
            name,
            "matmul",
            {"rows": rows, "in_features": in_features, "out_features": out_features},
            self.codes(source, rows, in_features),
            (array(name, (rows, out_features), "float32"),),
            (weight_matrix(f"{name}.weight", out_features, in_features, form),),
        )

    def joined(
        self,
        name: str,
        source: str,
        rows: int,
        in_features: int,
        parts: tuple[tuple[str, int], ...],
        formats: list[str],
    ) -> Iterator[Op]:
        """Matrices that work on the same input: one product if their formats are the same, else one each.

        Args:
            parts: name and output features of each; their outputs adjoin.
        """
        width = sum(size for _, size in parts)
        if len(set(formats)) == 1:
            yield self.matmul(name, source, rows, in_features, width, formats[0])
            return
        first = 0
        for (part, size), form in zip(parts, formats, strict=True):
            op = self.matmul(part, source, rows, in_features, size, form)
            attributes = {**op.attributes, "first": first, "width": width}
            yield replace(op, attributes=attributes, outputs=(array(name, (rows, width), "float32"),))
            first += size

    def by_row(
        self, name: str, kind: str, features: int, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]
    ) -> Op:
        return Op(name, kind, {"rows": self.rows, "features": features}, inputs, outputs)

    def rope_kv(self) -> Op:
        """Rotate q and k, quantise q, append k and v to the cache."""
        c = self.config
        qkv = self.floats("qkv", (c.heads + 2 * c.kv_heads) * c.head_dim)
        attributes = {**self.sizes(), "position": self.context - self.tokens}
        return Op("rope_kv", "rope_kv", attributes, (qkv,), (*self.queries(), *self.cache(self.tokens)))

    def attention(self, out: Tensor) -> Op:
        attributes = {**self.sizes(), "causal": int(self.causal)}
        return Op("attention", "attention", attributes, (*self.queries(), *self.cache(self.context)), (out,))

    def coded_attention(self, out: Tensor) -> tuple[Op, ...]:
        """Rotate q and k, append the codes of k and v to the cache, attend over codes."""
        c = self.config
        qkv = self.floats("qkv", (c.heads + 2 * c.kv_heads) * c.head_dim)
        q = self.floats("q", c.heads * c.head_dim)
        k, v = (self.floats(name, c.kv_heads * c.head_dim) for name in "kv")
        sizes = {**self.sizes(), "bits": self.code_bits}
        constants = (
            array("turboquant.signs", (c.head_dim // 8,), "uint8"),
            array("turboquant.levels", (1 << self.code_bits,), "float32"),
        )
        new, whole = self.coded_cache(self.tokens), self.coded_cache(self.context)
        return (
            Op("rope", "rope", self.sizes(), (qkv,), (q, k, v)),
            Op("encode_k", "encode", sizes, (k, *constants), new[:2]),
            Op("encode_v", "encode", sizes, (v, *constants), new[2:]),
            Op("attention", "coded_attention", {**sizes, "causal": int(self.causal)}, (q, *constants, *whole), (out,)),
        )

    def coded_cache(self, tokens: int) -> tuple[Tensor, ...]:
        """Codes and norms of keys, then of values, of so many tokens of each sequence, in one layer."""
        return self.cached(tokens, self.config.head_dim * self.code_bits // 8, "uint8", "norms")

    def sizes(self) -> dict[str, int]:
        c = self.config
        return {
            "rows": self.rows,
            "batch": self.batch,
            "heads": c.heads,
            "kv_heads": c.kv_heads,
            "head_dim": c.head_dim,
            "context": self.context,
        }

    def floats(self, name: str, features: int) -> Tensor:
        return array(name, (self.rows, features), "float32")

    def codes(self, name: str, rows: int, features: int) -> tuple[Tensor, Tensor]:
        """Quantised activations and their scales."""
        return array(f"{name}.codes", (rows, features), "int8"), array(f"{name}.scales", (rows,), "float32")

    def queries(self) -> tuple[Tensor, Tensor]:
        c = self.config
        return (
            array("q.codes", (self.rows, c.heads, c.head_dim), "int8"),
            array("q.scales", (self.rows, c.heads), "float32"),
        )

    def cache(self, tokens: int) -> tuple[Tensor, ...]:
        """Keys and values of so many tokens of each sequence, in one layer."""
        return self.cached(tokens, self.config.head_dim, "int8", "scales")

    def cached(self, tokens: int, width: int, element: str, factors: str) -> tuple[Tensor, ...]:
        """Codes of keys and their float16 factors, then those of values; `width` codes for a token and head."""
        heads = (self.batch, self.config.kv_heads, tokens)
        return tuple(
            tensor
            for name in ("k_cache", "v_cache")
            for tensor in (
                array(f"{name}.codes", (*heads, width), element),
                array(f"{name}.{factors}", heads, "float16"),
            )
        )

    def kv_bytes(self) -> int:
        cache = self.coded_cache if self.code_bits else self.cache
        return self.config.layers * sum(tensor.nbytes for tensor in cache(self.context))
