"""The graph of a decoder-only transformer, for prefill and decode.

Beside int8, the cache may hold TurboQuant's codes with a float16 norm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from archsim.common.errors import InputError
from archsim.models.blocks import Blocks
from archsim.models.config import TransformerConfig
from archsim.models.experts import ExpertBlocks
from archsim.models.graph import Graph, LayerKind, Op, Tensor, array
from archsim.models.matrices import DECODER, HEAD, layer_part, linears


def decoder_graph(
    config: TransformerConfig,
    phase: str,
    batch: int,
    context: int,
    weights: Mapping[str, str],
    code_bits: int,
    shares: tuple[float, ...] | None,
) -> Graph:
    """The graph of a phase; see models.build.build_graph.

    Raises:
        InputError: a cache of codes is not for this model.
    """
    causal = phase == "prefill"
    sizes = (config, batch, context if causal else 1, context, weights, causal)
    if code_bits:
        _check_codes(config, context)
        blocks: Blocks = CodedBlocks(*sizes, DECODER, code_bits)
    else:
        blocks = ExpertBlocks(*sizes, DECODER, shares) if config.experts else Blocks(*sizes)
    kinds = layer_kinds(weights, config.layers, linears(config), lambda number: decoder_layer(blocks, number))
    return Graph(phase, batch, context, (embed(blocks),), kinds, head(blocks), cache_bytes(blocks, config.layers))


def _check_codes(config: TransformerConfig, context: int) -> None:
    """Refuse what the kernels of coded caches do not do."""
    slides = config.window is not None and context > config.window
    if not config.is_llama or slides:
        what = "attention over a window that slides" if slides else "models that compute otherwise than Llama"
        raise InputError(f"{what}: no kernel with a KV cache of codes", remedy="use kv int8")


def layer_kinds(
    weights: Mapping[str, str],
    layers: int,
    parts: list[str],
    ops: Callable[[int], Iterator[Op]],
    stack: str = DECODER,
    first: int = 0,
) -> tuple[LayerKind, ...]:
    """Layers with the same formats are equal.

    Args:
        parts: names of a layer's matrices.
        ops: gives those of a layer of the stack.
        first: number of its first layer among all that the graph has.
    """
    alike: dict[tuple[str, ...], list[int]] = {}
    for layer in range(layers):
        alike.setdefault(tuple(weights[layer_part(layer, part, stack)] for part in parts), []).append(layer)
    return tuple(LayerKind(tuple(ops(few[0])), tuple(first + one for one in few)) for few in alike.values())


def decoder_layer(blocks: Blocks, number: int) -> Iterator[Op]:
    """The ops of a layer: norms first, or one norm and both parts beside each other."""
    parallel = blocks.config.order == "parallel"
    yield blocks.norm("attn_norm", blocks.rows)
    yield from blocks.attention(number, "attn_norm")
    if parallel:
        yield from blocks.feed_forward(number, "attn_norm")
        yield blocks.add("out", "down")
        return
    yield blocks.norm("ffn_norm", blocks.rows, residual="out")
    yield from blocks.feed_forward(number, "ffn_norm")
    # experts have added their rows themselves
    if not blocks.config.experts:
        yield blocks.add("down")


def embed(blocks: Blocks) -> Op:
    """Gather rows of tables: float16, since single rows are read and nothing multiplies them."""
    c = blocks.config
    tables = [array("embed.weight", (c.vocab, c.hidden), "float16")]
    attributes = {"rows": blocks.rows, "features": c.hidden}
    if c.positions == "learned":
        tables.append(array("embed.positions", (c.max_positions, c.hidden), "float16"))
        attributes |= {"tokens": blocks.tokens, "position": blocks.context - blocks.tokens}
    ids = array("token_ids", (blocks.rows,), "int32")
    return Op("embed", "embed", attributes, (ids,), (blocks.floats("x", c.hidden),), tuple(tables))


def head(blocks: Blocks) -> tuple[Op, ...]:
    """Only the last token of each sequence."""
    c, form = blocks.config, blocks.weights[HEAD]
    product = blocks.matmul("lm_head", "final_norm", blocks.batch, c.hidden, c.vocab, form, "head" in c.biases)
    return blocks.norm("final_norm", blocks.batch), product


def cache_bytes(blocks: Blocks, layers: int) -> int:
    """Of the cache of so many layers once a phase is done."""
    return layers * sum(tensor.nbytes for tensor in blocks.cache(blocks.context))


@dataclass(frozen=True)
class CodedBlocks(Blocks):
    """Blocks whose cache holds TurboQuant's codes of so many bits."""

    bits: int = 0

    def attend(self, out: Tensor) -> Iterator[Op]:
        """Rotate q and k, append the codes of k and v to the cache, attend over codes."""
        c = self.config
        qkv = self.floats("qkv", (c.heads + 2 * c.kv_heads) * c.head_dim)
        q = self.floats("q", c.heads * c.head_dim)
        k, v = (replace(self.floats("k", c.kv_heads * c.head_dim), name=name) for name in "kv")
        sizes = {**self.sizes(), "bits": self.bits}
        constants = (
            array("turboquant.signs", (c.head_dim // 8,), "uint8"),
            array("turboquant.levels", (1 << self.bits,), "float32"),
        )
        new, whole = self.cache(self.tokens), self.cache(self.context)
        yield Op("rope", "rope", self.sizes(), (qkv,), (q, k, v))
        yield Op("encode_k", "encode", sizes, (k, *constants), new[:2])
        yield Op("encode_v", "encode", sizes, (v, *constants), new[2:])
        attributes = {**sizes, "causal": int(self.causal)}
        yield Op("attention", "coded_attention", attributes, (q, *constants, *whole), (out,))

    def cache(self, tokens: int, prefix: str = "") -> tuple[Tensor, ...]:
        """Codes and norms of keys, then of values, of so many tokens of each sequence, in one layer."""
        return self.cached(tokens, self.config.head_dim * self.bits // 8, "uint8", "norms", prefix)
