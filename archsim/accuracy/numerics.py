"""A model's arithmetic with quantised activations and a quantised KV cache."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from archsim.accuracy import learned_clips
from archsim.accuracy.llama import Numerics
from archsim.common.errors import InputError
from archsim.formats import Format, parse_format
from archsim.formats.integer import AsymmetricFormat, IntegerFormat

OUTLIER = 6.0
"""Magnitude from which LLM.int8() leaves a feature in float16 (Dettmers et al., 2022, section 3.2)."""


NO_CLIPS: Mapping[str, float] = MappingProxyType({})


class CacheFormats(NamedTuple):
    """Formats of keys and of values.

    A row is a token's vector of one head; with one scale per channel, all tokens of a sequence and channel, so that
    scales know tokens that are still to come, as if they were calibrated.
    """

    keys: Format
    values: Format


def parse_cache(names: str) -> CacheFormats:
    """The formats of "NAME", or of "KEYS,VALUES".

    Raises:
        InputError: one is unknown, or there are more than two.
    """
    parts = [parse_format(name) for name in names.split(",")]
    if len(parts) > 2:
        raise InputError(f"--kv {names!r} names {len(parts)} formats", remedy="give one, or KEYS,VALUES")
    return CacheFormats(parts[0], parts[-1])


class QuantizedNumerics(Numerics):
    """Activations quantised row by row, a row being a token; keys and values as the cache holds them.

    Args:
        activations: of the inputs of a layer's matrices.
        outliers: leave features with a magnitude of OUTLIER or more, of those that are multiplied at once, as they are
            (LLM.int8()).
        clips: of the inputs of matrices, by name, learned beforehand: instead of a scale that follows from x.
    """

    def __init__(
        self,
        activations: Format,
        cache: CacheFormats,
        outliers: bool = False,
        clips: Mapping[str, float] = NO_CLIPS,
    ) -> None:
        self._activations, self._cache, self._outliers, self._clips = activations, cache, outliers, clips

    def linear(self, name: str, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
        if name in self._clips:
            return learned_clips.clip_and_round(x, self._clips[name], clip_maximum(self._activations)) @ weight.T
        if not self._outliers:
            return round_trip(x, self._activations) @ weight.T
        loud = np.abs(x).max(0) >= OUTLIER
        # a zero changes no scale
        quiet = round_trip(np.where(loud, np.float32(0), x), self._activations)
        return quiet @ weight.T + x[:, loud] @ weight[:, loud].T

    def keys(self, layer: int, k: np.ndarray) -> np.ndarray:
        return cached(k, self._cache.keys)

    def values(self, layer: int, v: np.ndarray) -> np.ndarray:
        return cached(v, self._cache.values)


def round_trip(x: np.ndarray, form: Format) -> np.ndarray:
    """A matrix quantised and read back; float32 stays."""
    return x if form.name == "fp32" else form.quantize(x).dequantize()


def clip_maximum(form: Format) -> int:
    """Largest code of symmetric integers with one scale per tensor, which can be learned beforehand; 0 of others."""
    if isinstance(form, IntegerFormat) and not isinstance(form, AsymmetricFormat) and form.scope == "tensor":
        return form.maximum
    return 0


def cached(x: np.ndarray, form: Format) -> np.ndarray:
    """[sequences, tokens, heads, channels] quantised and read back; each head is a tensor of its own."""
    sequences, tokens, heads, channels = x.shape
    by_head: list[np.ndarray] = []
    for head in range(heads):
        part = x[:, :, head]
        if is_per_channel(form):
            back = round_trip(part.transpose(0, 2, 1).reshape(-1, tokens), form)
            by_head.append(back.reshape(sequences, channels, tokens).transpose(0, 2, 1))
        else:
            by_head.append(round_trip(part.reshape(-1, channels), form).reshape(part.shape))
    return np.stack(by_head, axis=2)


def is_per_channel(form: Format) -> bool:
    """Whether tokens share a scale, not channels."""
    return getattr(form, "scope", "") == "channel"


def cache_bits(cache: CacheFormats, sequences: int, tokens: int, channels: int) -> float:
    """Bits per cached number, scales and tables included."""

    def bits(form: Format) -> float:
        if is_per_channel(form):
            return form.bits_per_weight(sequences * channels, tokens)
        return form.bits_per_weight(sequences * tokens, channels)

    return (bits(cache.keys) + bits(cache.values)) / 2
