"""What kernels of images must compute, in numpy; as reference.py says it of the others."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from archsim.kernels.reference import F, Floats, exponential, gelu_erf, gelu_tanh, quantize, total
from archsim.kernels.window import Window


def pixels_of(images: Floats, window: Window) -> Floats:
    """Stored images as [images, height, width, channels]."""
    w = window
    if w.planes:
        return images.reshape(w.images, w.channels, w.height, w.width).transpose(0, 2, 3, 1)
    return images.reshape(w.images, w.height, w.width, w.channels)


def _windows(window: Window) -> Iterator[tuple[int, int, int]]:
    """Image, first row and first column of each, which may lie before the image's."""
    w = window
    for image in range(w.images):
        for y in range(w.out_height):
            for x in range(w.out_width):
                yield image, y * w.strides[0] - w.pads[0], x * w.strides[1] - w.pads[1]


def im2col(images: Floats, window: Window) -> tuple[np.ndarray, Floats]:
    """Windows as int8 codes [windows, size x channels] and scales."""
    top, left, bottom, right = window.pads
    padded = np.pad(pixels_of(images, window), ((0, 0), (top, bottom), (left, right), (0, 0)))
    rows = []
    for image, y, x in _windows(window):
        part = padded[image, y + top : y + top + window.kernel[0], x + left : x + left + window.kernel[1]]
        rows.append((part.transpose(2, 0, 1) if window.planes else part).reshape(-1))
    return quantize(np.stack(rows))


def pool(images: Floats, window: Window, largest: bool) -> Floats:
    """Pooled pixels [windows, channels]: each window's in rising order."""
    pixels, rows = pixels_of(images, window), []
    for image, y, x in _windows(window):
        part = pixels[image, max(y, 0) : y + window.kernel[0], max(x, 0) : x + window.kernel[1]]
        first, *others = part.reshape(-1, window.channels)
        for other in others:
            first = first + (np.maximum(other - first, F(0)) if largest else other)
        rows.append(first if largest else first * F(1 / window.size))
    return np.stack(rows)


def softmax(x: Floats) -> Floats:
    """exp(x - max) / sum of rows."""
    powers = exponential(x - x.max(axis=1, keepdims=True))
    return np.stack([row / total(row) for row in powers])


def row_function(function: str, x: Floats, other: Floats | None = None) -> Floats:
    """See kernels.row_function.RowFunction; rows of `other` are used again and again."""
    if other is None:
        return _UNARY[function](x)
    spread = other[np.arange(len(x)) % len(other)]
    return {"add": x + spread, "sub": x - spread, "mul": x * spread}[function]


_UNARY = {
    "relu": lambda x: np.maximum(x, F(0)),
    "gelu_tanh": gelu_tanh,
    "gelu_erf": gelu_erf,
    "silu": lambda x: x / (F(1) + exponential(-x)),
    "softmax": softmax,
}
