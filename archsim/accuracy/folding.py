"""Scales that move from a model's activations into its weights, and change nothing else.

Inputs of some matrices are divided by a scale per channel, in the norm or matrix that they come from, and the columns
of those matrices are multiplied by it. Methods that make channels easier to quantise choose such scales.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from archsim.accuracy.llama import NORMS, Llama
from archsim.common.errors import InputError
from archsim.models.matrices import DOWN, GATES, OUT, QKV, layer_part


@dataclass(frozen=True)
class Site:
    """A place where scales can be moved.

    Attributes:
        source: a norm, or the matrix whose rows are the channels.
        targets: the matrices that read them.
        repeats: query heads that read a head of values: each channel comes up so often among a target's inputs.
    """

    source: str
    targets: tuple[str, ...]
    repeats: int = 1


def norm_sites(model: Llama) -> list[Site]:
    """Between norms and what follows."""
    layers = range(model.config.layers)
    after = (QKV, GATES)
    return [
        Site(layer_part(layer, norm), tuple(layer_part(layer, part) for part in parts))
        for layer in layers
        for norm, parts in zip(NORMS, after, strict=True)
    ]


def matrix_sites(model: Llama) -> list[Site]:
    """From values to the output projection, and from up to down."""
    repeats = model.config.heads // model.config.kv_heads
    sites = []
    for layer in range(model.config.layers):
        sites.append(Site(layer_part(layer, QKV[2]), (layer_part(layer, OUT),), repeats))
        sites.append(Site(layer_part(layer, GATES[1]), (layer_part(layer, DOWN),)))
    return sites


def shared_by_heads(model: Llama, site: Site, values: np.ndarray) -> np.ndarray:
    """The largest of what belongs to one channel: [inputs of the targets] -> [channels of the source]."""
    if site.repeats == 1:
        return values
    return values.reshape(-1, site.repeats, model.config.head_dim).max(1).ravel()


def for_each_head(model: Llama, site: Site, scales: np.ndarray) -> np.ndarray:
    """[channels of the source] -> [inputs of the targets]."""
    if site.repeats == 1:
        return scales
    return scales.reshape(-1, 1, model.config.head_dim).repeat(site.repeats, axis=1).ravel()


def fold(model: Llama, site: Site, scales: np.ndarray) -> Llama:
    """Divide channels by scales [channels of the source], and multiply the columns that read them."""
    source = model.weights[site.source]
    own = scales.astype(np.float32)
    changed = {site.source: source / own if source.ndim == 1 else source / own[:, None]}
    for name in site.targets:
        changed[name] = model.weights[name] * for_each_head(model, site, own)
    return model.with_weights(changed)


def inject_outliers(model: Llama, channels: int, factor: float = 32.0) -> Llama:
    """Make some channels behind each norm so many times as large, the function staying the same.

    Large models grow such channels by themselves (Dettmers et al., LLM.int8(), 2022); small ones do not.

    Args:
        channels: how many, the same behind all norms.
        factor: a power of two keeps the results the same bit by bit, or nearly.

    Raises:
        InputError: there are not so many channels.
    """
    if not 0 <= channels <= model.config.hidden:
        raise InputError(f"{channels} outlier channels", remedy=f"use 0 to {model.config.hidden}")
    scales = np.ones(model.config.hidden)
    scales[np.random.default_rng(0).permutation(model.config.hidden)[:channels]] = 1 / factor
    for site in norm_sites(model):
        model = fold(model, site, scales)
    return model
