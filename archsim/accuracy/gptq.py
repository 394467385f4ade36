"""GPTQ: columns are rounded one by one, and those not yet rounded make up for the error.

Frantar et al., GPTQ: accurate post-training quantization for generative pre-trained transformers, 2023, algorithm 1,
without its blocks of columns and with columns in their order.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from archsim.accuracy.calibration import record_inputs
from archsim.accuracy.llama import Llama
from archsim.common.errors import InputError
from archsim.formats import Format
from archsim.formats.scaled import ScaledFormat
from archsim.models.matrices import LINEARS, layer_part

DAMPING = 0.01
"""Part of the mean of the Hessian's diagonal that is added to it (section 3.3)."""


def round_weights(model: Llama, formats: Mapping[str, Format], calibration: np.ndarray) -> Llama:
    """All matrices rounded, layer by layer, each for the inputs that it has behind the rounded layers before.

    Raises:
        InputError: a format has no scales of groups or rows.
    """
    for layer in range(model.config.layers):
        names = [layer_part(layer, part) for part in LINEARS]
        inputs = record_inputs(model, calibration, names)
        changed = {name: round_matrix(model.weights[name], inputs[name].gram, formats[name]) for name in names}
        model = model.with_weights(changed)
    return model


def round_matrix(weight: np.ndarray, gram: np.ndarray, form: Format) -> np.ndarray:
    """A matrix rounded to a format so that the error of its outputs is small: float32 [outputs, inputs].

    Args:
        gram: sum of x x^T over inputs.

    Raises:
        InputError: the format has no scales of groups or rows.
    """
    if not isinstance(form, ScaledFormat) or form.scope == "tensor":
        raise InputError(f"GPTQ does not round to {form.name!r}", remedy="use a format with groups, such as int4-g128")
    w, rounded = weight.astype(np.float64), np.empty(weight.shape, np.float32)
    columns = weight.shape[1]
    width = columns // form.sharing.groups(columns)
    upper = _inverse_factor(gram)
    for start in range(0, columns, width):
        fitted = form.fit(np.ascontiguousarray(w[:, start : start + width], np.float32), 1)
        for column in range(start, start + width):
            exact = np.ascontiguousarray(w[:, column : column + 1], np.float32)
            codes = form.pack(form.round(exact, fitted))
            value = np.empty_like(exact)
            form.decode({"codes": codes, **fitted}, value)
            rounded[:, column] = value[:, 0]
            error = (w[:, column] - value[:, 0]) / upper[column, column]
            w[:, column + 1 :] -= np.outer(error, upper[column, column + 1 :])
    return rounded


def _inverse_factor(gram: np.ndarray) -> np.ndarray:
    """Upper triangular U with U^T U the inverse of the damped Hessian."""
    hessian = gram + max(DAMPING * float(np.diag(gram).mean()), 1e-12) * np.eye(len(gram))
    return np.linalg.cholesky(np.linalg.inv(hessian)).T
