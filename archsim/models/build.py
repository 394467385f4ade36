"""The graph of a model in a phase."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Any

from archsim.common.errors import InputError
from archsim.models.config import TransformerConfig
from archsim.models.decoder import decoder_graph
from archsim.models.encoder import encoder_graph
from archsim.models.encoder_decoder import encoder_decoder_graph
from archsim.models.experts import check_shares
from archsim.models.graph import Graph
from archsim.models.matrices import matrix_names
from archsim.models.weight_plan import WeightPlan, parse_weights

PHASES = ("prefill", "decode")
LARGEST_BATCH = 65536


def build_graph(
    config: TransformerConfig,
    phase: str,
    batch: int,
    context: int,
    weights: str | WeightPlan,
    code_bits: int = 0,
    routing: Sequence[float] | None = None,
) -> Graph:
    """The graph of a phase.

    Args:
        phase: "prefill" works on batch x context tokens, each attending over itself and what precedes it (of an
            encoder over all); "decode" on one token per sequence, at position context - 1, attending over `context`
            tokens of the cache, itself included.
        batch: sequences.
        context: tokens of each sequence.
        weights: format of the weights, such as "int4-g128", of the head, too; or a plan of formats.
        code_bits: bits of TurboQuant's codes of keys and values; 0: the cache is int8.
        routing: shares of tokens by expert; None: equal ones.

    Raises:
        InputError: the phase, a size or a format is wrong, or the plan or the routing is not for this model.
    """
    if phase not in PHASES:
        raise InputError(f"unknown phase {phase!r}", remedy="use prefill or decode")
    batch = _count("batch", batch, LARGEST_BATCH)
    context = _context(config, context)
    plan = parse_weights(weights) if isinstance(weights, str) else weights
    names = {name: form.name for name, form in plan.formats(matrix_names(config)).items()}
    if routing is not None:
        check_shares(routing, config)
    if config.role == "decoder":
        shares = None if routing is None else tuple(routing)
        return decoder_graph(config, phase, batch, context, names, code_bits, shares)
    if code_bits:
        raise InputError(f"an {config.role.replace('_', '-')} has no KV cache of codes", remedy="use kv int8")
    if config.role == "encoder_decoder":
        return encoder_decoder_graph(config, phase, batch, context, names)
    if phase == "decode":
        raise InputError("an encoder generates no tokens", remedy="use phase prefill: its one pass")
    return encoder_graph(config, batch, context, names)


def _context(config: TransformerConfig, context: Any) -> int:
    if config.image is None:
        return _count("context", context, config.max_positions)
    if isinstance(context, bool) or context != config.max_positions:
        note = f"use {config.max_positions}: an image has so many patches, and one class token"
        raise InputError(f"context is {context!r}", remedy=note)
    return config.max_positions


def _count(name: str, value: Any, most: int) -> int:
    """A size as int; numpy's integers, which would overflow, are welcome too."""
    try:
        count = 0 if isinstance(value, bool) else index(value)
    except TypeError:
        count = 0
    if not 1 <= count <= most:
        raise InputError(f"{name} is {value!r}", remedy=f"use 1 to {most}")
    return count
