"""Rotations that spread outliers over all channels, folded into the weights where they can be (QuaRot).

Ashkboos et al., QuaRot: outlier-free 4-bit inference in rotated LLMs, 2024, section 4. Gains of norms move into the
matrices behind them, the residual stream is rotated as a whole (R1), values per head (R2). Two are left for run time:
of the down projection's input, and of queries and keys behind the rotary positions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from archsim.accuracy.llama import FINAL_NORM, NORMS, TABLE, Llama
from archsim.formats import Format
from archsim.formats.rotation import rotation
from archsim.models.matrices import DOWN, GATES, HEAD, OUT, QKV, layer_part

KIND, SEED = "hadamard", 0
"""Where a size is no power of two, rotations are uniformly distributed ones."""


def rotate_model(model: Llama, formats: Mapping[str, Format], calibration: np.ndarray) -> Llama:
    """The same function, computed on rotated activations.

    Args:
        formats, calibration: not asked; all methods are called alike.
    """
    config, old = model.config, model.weights
    stream, head, inner = (rotation(size, KIND, SEED) for size in (config.hidden, config.head_dim, config.ffn))
    weights = {
        TABLE: old[TABLE] @ stream,
        HEAD: (old.get(HEAD, old[TABLE]) * old[FINAL_NORM]) @ stream,
        FINAL_NORM: np.ones_like(old[FINAL_NORM]),
    }
    rotations: dict[str, np.ndarray] = {}
    for layer in range(config.layers):
        for norm, parts in zip(NORMS, (QKV, GATES), strict=True):
            gain = layer_part(layer, norm)
            weights[gain] = np.ones_like(old[gain])
            for name in (layer_part(layer, part) for part in parts):
                weights[name] = (old[name] * old[gain]) @ stream
        values, out, down = (layer_part(layer, part) for part in (QKV[2], OUT, DOWN))
        weights[values] = _by_head(weights[values].T, head).T
        weights[out] = stream.T @ _by_head(old[out], head)
        weights[down] = stream.T @ old[down] @ inner
        rotations |= {down: inner, layer_part(layer, "self_attn.keys"): head}
    contiguous = {name: np.ascontiguousarray(values) for name, values in weights.items()}
    return replace(model, config=replace(config, tied=False), weights=contiguous, rotations=rotations)


def _by_head(columns: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """Each head's columns times a rotation."""
    return (columns.reshape(len(columns), -1, len(turn)) @ turn).reshape(columns.shape)
