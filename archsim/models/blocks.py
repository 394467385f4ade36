"""Ops that every transformer is built of: norms, products, attention, feed-forwards.

The residual stream `x` is float32. Matrix products multiply int8 activations, which have one float32 scale per row,
with quantised weights, add a float16 bias where there is one, and give float32. Keys and values are cached as int8 with
a float16 scale per token and head.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from archsim.models.config import TransformerConfig
from archsim.models.graph import Op, Tensor, array, weight_matrix
from archsim.models.matrices import DECODER, DOWN, GATES, OUT, QKV, UP, expert_part, layer_part


def _of(parts: tuple[str, ...], expert: int | None) -> tuple[str, ...]:
    """Names of matrices, or of those of an expert."""
    return parts if expert is None else tuple(expert_part(expert, part) for part in parts)


@dataclass(frozen=True)
class Blocks:
    """Ops for batch x tokens rows.

    Attributes:
        tokens: of each sequence that are worked on: all of them, or the last one.
        context: length of each sequence with them.
        weights: formats of matrices by name.
        causal: whether a token of several sees only itself and what precedes it.
        stack: whose layers these are.
    """

    config: TransformerConfig
    batch: int
    tokens: int
    context: int
    weights: Mapping[str, str]
    causal: bool
    stack: str = DECODER

    @property
    def rows(self) -> int:
        return self.batch * self.tokens

    def formats(self, layer: int, *parts: str) -> list[str]:
        """Formats of a layer's matrices."""
        return [self.weights[layer_part(layer, part, self.stack)] for part in parts]

    # -- norms

    def norm(self, name: str, rows: int, residual: str | None = None) -> Op:
        """A norm and quantisation; `residual` names what is first added to the residual stream."""
        inputs = ("x", residual) if residual else ("x",)
        if self.config.norm == "layer":
            return self.layer_norm(name, rows, inputs, "x" if residual else "")
        features = self.config.hidden
        x, *added = (array(one, (rows, features), "float32") for one in inputs)
        attributes = {"rows": rows, "features": features, "residual": int(residual is not None)}
        outputs = ((x,) if residual else ()) + self.codes(name, rows, features)
        return Op(name, "norm", attributes, (x, *added), outputs, (array(f"{name}.weight", (features,), "float32"),))

    def layer_norm(self, name: str, rows: int, inputs: tuple[str, ...], sum_to: str, **choices: int) -> Op:
        """LayerNorm of a sum of inputs, and quantisation.

        Args:
            sum_to: tensor that the sum goes to, or, with post=1, the result; "" for none.
            choices: post; gelu=1: first an activation, GELU by erf.
        """
        features = self.config.hidden
        attributes = {"rows": rows, "features": features, "residual": int(len(inputs) > 1), "post": 0, "gelu": 0}
        floats = tuple(array(one, (rows, features), "float32") for one in inputs)
        x = (array(sum_to, (rows, features), "float32"),) if sum_to else ()
        weights = tuple(array(f"{name}.{part}", (features,), "float32") for part in ("weight", "bias"))
        codes = self.codes("x" if choices.get("post") else name, rows, features)
        return Op(name, "layer_norm", attributes | choices, floats, x + codes, weights)

    # -- products

    def matmul(
        self, name: str, source: str, rows: int, in_features: int, out_features: int, form: str, bias: bool = False
    ) -> Op:
        return Op(
            name,
            "matmul",
            {"rows": rows, "in_features": in_features, "out_features": out_features},
            self.codes(source, rows, in_features),
            (array(name, (rows, out_features), "float32"),),
            (
                weight_matrix(f"{name}.weight", out_features, in_features, form),
                *([array(f"{name}.bias", (out_features,), "float16")] if bias else []),
            ),
        )

    def joined(
        self,
        name: str,
        source: str,
        rows: int,
        in_features: int,
        parts: tuple[tuple[str, int], ...],
        formats: list[str],
        bias: bool = False,
    ) -> Iterator[Op]:
        """Matrices that work on the same input: one product if their formats are the same, else one each.

        Args:
            parts: name and output features of each; their outputs adjoin.
        """
        width = sum(size for _, size in parts)
        if len(set(formats)) == 1:
            yield self.matmul(name, source, rows, in_features, width, formats[0], bias)
            return
        first = 0
        for (part, size), form in zip(parts, formats, strict=True):
            op = self.matmul(part, source, rows, in_features, size, form, bias)
            attributes = {**op.attributes, "first": first, "width": width}
            yield replace(op, attributes=attributes, outputs=(array(name, (rows, width), "float32"),))
            first += size

    def by_row(
        self, name: str, kind: str, features: int, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]
    ) -> Op:
        return Op(name, kind, {"rows": self.rows, "features": features}, inputs, outputs)

    def add(self, *deltas: str) -> Op:
        """x += deltas."""
        x = self.floats("x", self.config.hidden)
        return self.by_row("residual", "add", self.config.hidden, (x, *(replace(x, name=one) for one in deltas)), (x,))

    # -- feed-forward

    def feed_forward(self, layer: int, source: str) -> Iterator[Op]:
        """Feed-forward of a layer."""
        return self.inner(layer, source)

    def inner(self, layer: int, source: str, expert: int | None = None) -> Iterator[Op]:
        """Up (and gate), activation, down: of a layer, or of one of its experts."""
        c, bias, end = self.config, "ffn" in self.config.biases, "" if expert is None else f".{expert}"
        up = self.formats(layer, *_of(GATES if c.gated else (UP,), expert))
        (down,) = self.formats(layer, *_of((DOWN,), expert))
        kind = f"{c.activation}_mul" if c.gated else c.activation
        if c.gated:
            parts = ((f"gate{end}", c.ffn), (f"up{end}", c.ffn))
            yield from self.joined(f"gate_up{end}", source, self.rows, c.hidden, parts, up, bias)
        else:
            yield self.matmul(f"up{end}", source, self.rows, c.hidden, c.ffn, up[0], bias)
        inner = self.floats(f"gate_up{end}" if c.gated else f"up{end}", (2 if c.gated else 1) * c.ffn)
        yield self.by_row(f"{kind}{end}", kind, c.ffn, (inner,), self.codes(f"{kind}{end}", self.rows, c.ffn))
        yield self.matmul(f"down{end}", f"{kind}{end}", self.rows, c.ffn, c.hidden, down, bias)

    # -- attention

    def attention(self, layer: int, source: str) -> Iterator[Op]:
        """Self-attention with its products."""
        c = self.config
        features, cached = c.heads * c.head_dim, c.kv_heads * c.head_dim
        qkv = (("q", features), ("k", cached), ("v", cached))
        formats = self.formats(layer, *QKV)
        yield from self.joined("qkv", source, self.rows, c.hidden, qkv, formats, "qkv" in c.biases)
        attended = self.floats("attention", features)
        yield from self.attend(attended)
        yield self.by_row(
            "attn_quant", "quantize", features, (attended,), self.codes("attn_quant", self.rows, features)
        )
        (form,) = self.formats(layer, OUT)
        yield self.matmul("out", "attn_quant", self.rows, features, c.hidden, form, "out" in c.biases)

    def attend(self, out: Tensor) -> Iterator[Op]:
        """Heads into the cache, and attention over it."""
        c = self.config
        qkv = self.floats("qkv", (c.heads + 2 * c.kv_heads) * c.head_dim)
        sizes = {**self.sizes(), "position": self.context - self.tokens}
        if c.rotary_dim not in (None, c.head_dim):
            sizes["rotary"] = c.rotary_dim or 0
        name = "rope_kv" if c.positions == "rotary" else "heads_kv"
        yield Op(name, name, sizes, (qkv,), (*self.queries(), *self.cache(self.tokens)))
        attributes = {**self.sizes(), "causal": int(self.causal)}
        seen = self.context
        if c.window and self.context > c.window:
            attributes["window"] = c.window
            # tokens of a prompt together see all
            seen = self.context if self.causal else c.window
        if not c.scaled:
            attributes["unscaled"] = 1
        bias = (self.relative_bias(),) if c.positions == "relative" else ()
        inputs = (*self.queries(), *self.cache(seen), *bias)
        yield Op("attention", "attention", attributes, inputs, (out,))

    def relative_bias(self) -> Tensor:
        """Biases of scores by key less query, from that of the last query and the first key on."""
        return array("relative_bias", (self.config.heads, self.context + self.tokens - 1), "float32")

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

    # -- tensors

    def floats(self, name: str, features: int) -> Tensor:
        return array(name, (self.rows, features), "float32")

    def codes(self, name: str, rows: int, features: int) -> tuple[Tensor, Tensor]:
        """Quantised activations and their scales."""
        return array(f"{name}.codes", (rows, features), "int8"), array(f"{name}.scales", (rows,), "float32")

    def queries(self, prefix: str = "") -> tuple[Tensor, Tensor]:
        c = self.config
        return (
            array(f"{prefix}q.codes", (self.rows, c.heads, c.head_dim), "int8"),
            array(f"{prefix}q.scales", (self.rows, c.heads), "float32"),
        )

    def cache(self, tokens: int, prefix: str = "") -> tuple[Tensor, ...]:
        """Keys and values of so many tokens of each sequence, in one layer."""
        return self.cached(tokens, self.config.head_dim, "int8", "scales", prefix)

    def cached(self, tokens: int, width: int, element: str, factors: str, prefix: str = "") -> tuple[Tensor, ...]:
        """Codes of keys and their float16 factors, then those of values; `width` codes for a token and head."""
        heads = (self.batch, self.config.kv_heads, tokens)
        return tuple(
            tensor
            for name in ("k_cache", "v_cache")
            for tensor in (
                array(f"{prefix}{name}.codes", (*heads, width), element),
                array(f"{prefix}{name}.{factors}", heads, "float16"),
            )
        )
