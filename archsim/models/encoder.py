"""The graph of an encoder: one pass over all tokens, each of which sees all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archsim.models.blocks import Blocks
from archsim.models.config import Image, TransformerConfig
from archsim.models.decoder import decoder_layer, embed, head, layer_kinds
from archsim.models.graph import Graph, Op, array
from archsim.models.matrices import HEAD, PATCHES, TRANSFORM, linears


def encoder_graph(config: TransformerConfig, batch: int, context: int, weights: Mapping[str, str]) -> Graph:
    """The graph of a pass.

    Args:
        context: tokens of each sequence; of an image its patches and one more.
    """
    blocks = Blocks(config, batch, context, context, weights, False)
    post = config.order == "post"
    kinds = layer_kinds(
        weights,
        config.layers,
        linears(config),
        lambda number: post_layer(blocks, number) if post else decoder_layer(blocks, number),
    )
    first = _patches(blocks, config.image) if config.image else tuple(_embed(blocks))
    # an image's labels come from its class token, which is the last
    return Graph("prefill", batch, context, first, kinds, _masked_head(blocks) if post else head(blocks), 0)


def post_layer(blocks: Blocks, number: int) -> Iterator[Op]:
    """The ops of a layer whose norms follow the residual sums, as in BERT (Devlin et al., 2018)."""
    yield from blocks.attention(number, "x")
    yield blocks.layer_norm("attn_norm", blocks.rows, ("x", "out"), "x", post=1)
    yield from blocks.feed_forward(number, "x")
    yield blocks.layer_norm("ffn_norm", blocks.rows, ("x", "down"), "x", post=1)


def _embed(blocks: Blocks) -> Iterator[Op]:
    """Tokens and positions, whose table holds the embedding of the first segment, too; and a norm."""
    yield embed(blocks)
    yield blocks.layer_norm("embed_norm", blocks.rows, ("x",), "x", post=1)


def _patches(blocks: Blocks, image: Image) -> tuple[Op, ...]:
    """Patches, which come as int8 with a scale each, become features; positions are added, and the class token.

    The class token stands last: order changes nothing where all see all. The table's last row holds it already.
    """
    c, rows = blocks.config, blocks.batch * image.patches
    form = blocks.weights[PATCHES]
    product = blocks.matmul("patch_embed", "patches", rows, image.features, c.hidden, form, True)
    table = array("embed.positions", (c.max_positions, c.hidden), "float16")
    sizes = {"rows": rows, "features": c.hidden, "patches": image.patches}
    x = blocks.floats("x", c.hidden)
    return product, Op("patches", "patches", sizes, product.outputs, (x,), (table,))


def _masked_head(blocks: Blocks) -> tuple[Op, ...]:
    """Logits of every token, as a masked language model has them: a product, GELU and a norm come first."""
    c, rows = blocks.config, blocks.rows
    first = blocks.matmul("transform", "x", rows, c.hidden, c.hidden, blocks.weights[TRANSFORM], True)
    norm = blocks.layer_norm("head_norm", rows, ("transform",), "", gelu=1)
    return first, norm, blocks.matmul("lm_head", "head_norm", rows, c.hidden, c.vocab, blocks.weights[HEAD], True)
