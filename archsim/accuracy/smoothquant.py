"""SmoothQuant: activations give a part of their range to the weights (Xiao et al., 2023, equations 3 and 4)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from archsim.accuracy.calibration import record_inputs
from archsim.accuracy.folding import fold, norm_sites
from archsim.accuracy.llama import Llama
from archsim.formats import Format

STRENGTH = 0.5
"""alpha of equation 4; the paper's for most models."""
SMALLEST = 1e-5


def smooth(model: Llama, formats: Mapping[str, Format], calibration: np.ndarray) -> Llama:
    """Divide channels behind norms by max|x|**alpha / max|w|**(1 - alpha).

    Args:
        formats: not asked; all methods are called alike.
        calibration: tokens [windows, length].
    """
    sites = norm_sites(model)
    inputs = record_inputs(model, calibration, [site.targets[0] for site in sites])
    for site in sites:
        activations = np.maximum(inputs[site.targets[0]].largest, SMALLEST)
        weights = np.max([np.abs(model.weights[name]).max(0) for name in site.targets], axis=0)
        model = fold(model, site, activations**STRENGTH / np.maximum(weights, SMALLEST) ** (1 - STRENGTH))
    return model
