"""LSQ: weights that are rounded, and the step between their levels, both learned.

Esser et al., Learned Step Size Quantization, ICLR 2020, section 2, with steps of groups and channels as well as of
whole matrices.
"""

from __future__ import annotations

import math

import numpy as np

from archsim.common.errors import InputError
from archsim.formats import Format
from archsim.formats.format import Packed
from archsim.formats.integer import AsymmetricFormat, IntegerFormat
from archsim.formats.scaled import half

SMALLEST_STEP = 2.0**-14
"""The smallest normal float16: below it a stored step would no longer be the one that was learned."""


def code_range(bits: int) -> tuple[int, int]:
    """Q_N and Q_P: codes go from -Q_N to Q_P (section 2, signed data)."""
    return 1 << (bits - 1), (1 << (bits - 1)) - 1


def initial_steps(values: np.ndarray, bits: int) -> np.ndarray:
    """2 mean|v| / sqrt(Q_P) of each row (section 2.1): [rows, columns] -> [rows, 1]."""
    mean = np.abs(values).mean(1, keepdims=True)
    return np.maximum(2 * mean / math.sqrt(code_range(bits)[1]), SMALLEST_STEP)


def round_to_steps(values: np.ndarray, steps: np.ndarray, bits: int) -> np.ndarray:
    """Codes round(clip(v/s, -Q_N, Q_P)), ties to even (equation 1).

    Args:
        values: [rows, columns].
        steps: [rows, 1], positive.
    """
    low, high = code_range(bits)
    return np.rint(np.clip(values / steps, -low, high))


def gradients(values: np.ndarray, steps: np.ndarray, bits: int, rounded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gradients of values and of steps, the rounding passed straight through.

    Of a value (equation 5): that of the rounded one within the range, 0 outside. Of a step (equation 3): for each value
    round(v/s) - v/s within the range, -Q_N or Q_P outside; their sum is scaled by 1/sqrt(N Q_P), N values sharing the
    step (section 2.2).

    Args:
        values: [rows, columns].
        steps: [rows, 1].
        rounded: gradient of codes x steps, [rows, columns].

    Returns:
        [rows, columns] and [rows, 1].
    """
    low, high = code_range(bits)
    ratio = values / steps
    inside = (ratio > -low) & (ratio < high)
    slope = np.where(inside, np.rint(ratio) - ratio, np.clip(ratio, -low, high))
    scale = 1 / math.sqrt(values.shape[1] * high)
    return rounded * inside, (rounded * slope).sum(1, keepdims=True) * scale


class SteppedMatrix:
    """A matrix that is trained behind its rounding.

    Args:
        weight: float [outputs, inputs].
        form: symmetric integers of two bits or more.

    Attributes:
        values: what is rounded: [groups, inputs of a group].
        steps: [groups, 1].

    Raises:
        InputError: the format has zero points or one bit, or does not fit the matrix.
    """

    def __init__(self, weight: np.ndarray, form: Format) -> None:
        if not isinstance(form, IntegerFormat) or isinstance(form, AsymmetricFormat):
            raise InputError(
                f"lsq does not train {form.name!r}", remedy="use symmetric integers, such as int2-channel or int4-g64"
            )
        rows, columns = weight.shape
        self.form = form
        self._shape = (rows, columns)
        self._scales = form.sharing.scale_shape(rows, columns)
        self.values = weight.reshape(math.prod(self._scales), -1).copy()
        self.steps = initial_steps(self.values, form.bits)

    def rounded(self) -> np.ndarray:
        """Weights as the model multiplies by them: [outputs, inputs]."""
        return (round_to_steps(self.values, self.steps, self.form.bits) * self.steps).reshape(self._shape)

    def gradients(self, rounded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gradients of values and steps, given that of rounded()."""
        return gradients(self.values, self.steps, self.form.bits, rounded.reshape(self.values.shape))

    def packed(self) -> Packed:
        """As the format stores it, steps in float16.

        Codes go down to -Q_N, which two's complement holds and rounding to nearest leaves unused.

        Raises:
            InputError: a step does not fit float16.
        """
        scales = half(self.steps.astype(np.float32))
        codes = round_to_steps(self.values, scales.astype(np.float32), self.form.bits).astype(np.int8)
        arrays = {"codes": self.form.pack(codes.reshape(self._shape)), "scales": scales.reshape(self._scales)}
        return Packed(self.form, self._shape, arrays)
