"""The graph of an encoder and a decoder, as in T5 (Raffel et al., 2020).

Prefill is the encoder's pass over the source, and the keys and values of it that each layer of the decoder attends to:
no token comes of it. Decode is one token per sequence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from archsim.models.blocks import Blocks
from archsim.models.config import TransformerConfig
from archsim.models.decoder import cache_bytes, decoder_layer, embed, head, layer_kinds
from archsim.models.graph import Graph, Op
from archsim.models.matrices import (
    CROSS_KV,
    CROSS_OUT,
    CROSS_Q,
    ENCODER,
    decoder_linears,
    linears,
)

_CROSS = "cross_"


def encoder_decoder_graph(
    config: TransformerConfig, phase: str, batch: int, context: int, weights: Mapping[str, str]
) -> Graph:
    """The graph of a phase.

    Args:
        context: tokens of the source; in decode, of the target with the new one, too.
    """
    if phase == "prefill":
        blocks = Blocks(config, batch, context, context, weights, False, ENCODER)
        kinds = layer_kinds(
            weights, config.layers, linears(config), lambda number: decoder_layer(blocks, number), ENCODER
        )
        last = (blocks.norm("final_norm", blocks.rows), *_cross_caches(blocks))
        kv_bytes = cache_bytes(blocks, config.decoder_layers)
        return Graph(phase, batch, context, (embed(blocks),), kinds, last, kv_bytes)
    blocks = Blocks(config, batch, 1, context, weights, False)
    kinds = layer_kinds(weights, config.decoder_layers, decoder_linears(config), lambda number: _layer(blocks, number))
    kv_bytes = 2 * cache_bytes(blocks, config.decoder_layers)
    return Graph(phase, batch, context, (embed(blocks),), kinds, head(blocks), kv_bytes)


def _cross_caches(blocks: Blocks) -> Iterator[Op]:
    """Keys and values of the source for each layer of the decoder."""
    c = blocks.config
    cached = c.kv_heads * c.head_dim
    for layer in range(c.decoder_layers):
        own, name = replace(blocks, stack="model"), f"cross_kv.{layer}"
        parts = ((f"cross_k.{layer}", cached), (f"cross_v.{layer}", cached))
        formats = own.formats(layer, *CROSS_KV)
        yield from own.joined(name, "final_norm", own.rows, c.hidden, parts, formats)
        sizes = {**own.sizes(), "heads": 0, "position": 0}
        kv = own.floats(name, 2 * cached)
        yield Op(f"cross_cache.{layer}", "heads_kv", sizes, (kv,), own.cache(own.tokens, f"{_CROSS}{layer}."))


def _layer(blocks: Blocks, number: int) -> Iterator[Op]:
    """The ops of a layer of the decoder: attention, attention to the source, feed-forward."""
    yield blocks.norm("attn_norm", blocks.rows)
    yield from blocks.attention(number, "attn_norm")
    yield blocks.norm("cross_norm", blocks.rows, residual="out")
    yield from _cross_attention(blocks, number)
    yield blocks.norm("ffn_norm", blocks.rows, residual="cross_out")
    yield from blocks.feed_forward(number, "ffn_norm")
    yield blocks.add("down")


def _cross_attention(blocks: Blocks, number: int) -> Iterator[Op]:
    c = blocks.config
    features = c.heads * c.head_dim
    q_form, out_form = blocks.formats(number, CROSS_Q, CROSS_OUT)
    yield blocks.matmul("cross_q", "cross_norm", blocks.rows, c.hidden, features, q_form)
    sizes = {**blocks.sizes(), "kv_heads": 0, "position": 0}
    yield Op("cross_heads", "heads_kv", sizes, (blocks.floats("cross_q", features),), blocks.queries(_CROSS))
    attended = blocks.floats("cross_attention", features)
    attributes = {**blocks.sizes(), "causal": 0, "unscaled": int(not c.scaled)}
    inputs = (*blocks.queries(_CROSS), *blocks.cache(blocks.context, _CROSS))
    yield Op("cross_attention", "attention", attributes, inputs, (attended,))
    quantised = blocks.codes("cross_quant", blocks.rows, features)
    yield blocks.by_row("cross_quant", "quantize", features, (attended,), quantised)
    yield blocks.matmul("cross_out", "cross_quant", blocks.rows, features, c.hidden, out_form)
