"""PACT: activations are clipped at a level that is learned, and rounded to integers with that level as their largest.

Choi et al., PACT: parameterized clipping activation for quantized neural networks, 2018, section 3: there of
activations from 0 on; here of both signs, clipped at -alpha and alpha.
"""

from __future__ import annotations

import math

import numpy as np

SMALLEST = 1e-6
"""Where a clip starts if nothing comes in."""


def initial_clip(x: np.ndarray, maximum: int) -> float:
    """Where clipping starts: the largest code times LSQ's first step, 2 mean|x| / sqrt(maximum).

    PACT starts from a constant, and lets weight decay pull it down; a statistic of the inputs needs no such constant.
    """
    return max(2 * float(np.abs(x).mean()) * math.sqrt(maximum), SMALLEST)


def clip_and_round(x: np.ndarray, clip: float, maximum: int) -> np.ndarray:
    """Codes of -maximum to maximum, ties to even, times clip / maximum (equations 1 and 2)."""
    scale = x.dtype.type(clip / maximum)
    return np.rint(np.clip(x / scale, -maximum, maximum)) * scale


def gradients(x: np.ndarray, clip: float, rounded: np.ndarray) -> tuple[np.ndarray, float]:
    """Gradients of x and of the clip, given that of clip_and_round (equation 3).

    The rounding is passed straight through: x has the gradient below the clip, and the clip has it from there on.
    """
    outside = np.abs(x) >= clip
    return np.where(outside, 0, rounded), float((rounded * np.sign(x))[outside].sum(dtype=np.float64))
