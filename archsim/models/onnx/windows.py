"""Convolution windows in ONNX's attributes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archsim.models.onnx.file import Node
from archsim.models.onnx.values import Unsupported, Value


@dataclass(frozen=True)
class Images:
    """Sizes of the windows of a batch of images [images, channels, height, width]."""

    shape: tuple[int, ...]
    kernel: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)

    @classmethod
    def whole(cls, shape: tuple[int, ...]) -> Images:
        """One window for each image."""
        return cls(shape, (shape[2], shape[3]))

    @property
    def pointwise(self) -> bool:
        """Whether windows are pixels."""
        return self.kernel == (1, 1) and self.strides == (1, 1) and not any(self.pads)

    @property
    def size(self) -> int:
        """Pixels of a window."""
        return self.kernel[0] * self.kernel[1]

    @property
    def out(self) -> tuple[int, int]:
        """Rows and columns of windows."""
        height, width = (
            (self.shape[2 + axis] + self.pads[axis] + self.pads[axis + 2] - self.kernel[axis]) // self.strides[axis] + 1
            for axis in range(2)
        )
        return height, width

    @property
    def attributes(self) -> dict[str, int]:
        """Of an op."""
        names = ("images", "channels", "height", "width")
        sizes = {"rows": self.shape[0] * self.out[0] * self.out[1], **dict(zip(names, self.shape, strict=True))}
        sizes |= {"kernel_height": self.kernel[0], "kernel_width": self.kernel[1]}
        sizes |= {"stride_height": self.strides[0], "stride_width": self.strides[1]}
        return sizes | dict(zip(("top", "left", "bottom", "right"), self.pads, strict=True))


def window_sizes(node: Node, value: Value, kernel: Sequence[int]) -> Images:
    """The windows of a node.

    Raises:
        Unsupported: there are gaps in them, or some lie outside of the image.
    """
    a = node.attributes
    if any(one != 1 for one in a.get("dilations", ())):
        raise Unsupported(f"dilations are {list(a['dilations'])}, not 1")
    if a.get("ceil_mode", 0):
        raise Unsupported("ceil_mode is 1, not 0")
    strides = tuple(a.get("strides", (1, 1)))
    images = Images(value.shape, (kernel[0], kernel[1]), (strides[0], strides[1]), _pads(node, value, kernel, strides))
    if any(pad >= images.kernel[axis % 2] for axis, pad in enumerate(images.pads)) or min(images.out) < 1:
        raise Unsupported(f"pads {list(images.pads)} for a kernel of {list(kernel)}")
    return images


def _pads(node: Node, value: Value, kernel: Sequence[int], strides: Sequence[int]) -> tuple[int, int, int, int]:
    """Top, left, bottom, right."""
    way = node.attributes.get("auto_pad", "NOTSET")
    if way == "NOTSET":
        top, left, bottom, right = node.attributes.get("pads", (0, 0, 0, 0))
        return top, left, bottom, right
    if way == "VALID":
        return 0, 0, 0, 0
    pads = []
    for size, length, stride in zip(value.shape[2:], kernel, strides, strict=True):
        total = max(0, (-(-size // stride) - 1) * stride + length - size)
        pads.append((total // 2, total - total // 2) if way == "SAME_UPPER" else (total - total // 2, total // 2))
    (top, bottom), (left, right) = pads
    return top, left, bottom, right
