"""AWQ: channels that see large activations are scaled up before weights are rounded (Lin et al., 2024, section 3.2)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from archsim.accuracy.calibration import Inputs, record_inputs
from archsim.accuracy.folding import Site, fold, for_each_head, matrix_sites, norm_sites, shared_by_heads
from archsim.accuracy.llama import Llama
from archsim.accuracy.numerics import round_trip
from archsim.formats import Format

STRENGTHS = np.arange(20) / 20
"""alpha of equation 5 that are tried; the first leaves the model as it is."""
SMALLEST = 1e-4


def scale_salient_channels(model: Llama, formats: Mapping[str, Format], calibration: np.ndarray) -> Llama:
    """Scale columns by mean|x|**alpha, alpha searched so that the outputs of the rounded matrices err least.

    Args:
        formats: of the matrices, by name.
        calibration: tokens [windows, length].
    """
    sites = [*norm_sites(model), *matrix_sites(model)]
    inputs = record_inputs(model, calibration, [site.targets[0] for site in sites])
    for site in sites:
        seen = inputs[site.targets[0]]
        salience = np.maximum(shared_by_heads(model, site, seen.magnitudes), SMALLEST)
        candidates = [_normalised(salience**strength) for strength in STRENGTHS]
        errors = [_error(model, site, scales, seen, formats) for scales in candidates]
        model = fold(model, site, candidates[int(np.argmin(errors))])
    return model


def _normalised(scales: np.ndarray) -> np.ndarray:
    """Around 1, as the authors' code has it: over the geometric mean of the extremes."""
    return scales / np.sqrt(scales.max() * scales.min())


def _error(model: Llama, site: Site, scales: np.ndarray, seen: Inputs, formats: Mapping[str, Format]) -> float:
    """Squared error of the outputs of a site's targets, summed over the calibration tokens."""
    wide = for_each_head(model, site, scales).astype(np.float32)
    total = 0.0
    for name in site.targets:
        exact = model.weights[name]
        wrong = (round_trip(exact * wide, formats[name]) / wide - exact).astype(np.float64)
        total += float(np.vdot(wrong @ seen.gram, wrong))
    return total
