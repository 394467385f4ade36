"""Kernels of what ONNX files take beside transformers' ops, and their arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from archsim.kernels.base import Kernel
from archsim.kernels.im2col import Im2Col
from archsim.kernels.pool import Pool
from archsim.kernels.row_function import BINARY, UNARY, RowFunction
from archsim.kernels.window import Window
from archsim.models.graph import Op

if TYPE_CHECKING:
    from archsim.mapping.bind import Setting

FLOAT = "float_"
"""Before the name of a function whose result stays float32."""
_FUNCTIONS = tuple(f"{FLOAT}{name}" for name in (*UNARY, *BINARY))

ONNX_ARRAYS: dict[str, tuple[str, ...]] = {
    "im2col": ("images", "codes", "scales"),
    **dict.fromkeys(("max_pool", "average_pool"), ("images", "out")),
    **dict.fromkeys(_FUNCTIONS, ("x", "other", "out")),
}


def window_of(op: Op) -> Window:
    a = op.attributes
    kernel, strides = ((a[f"{name}_height"], a[f"{name}_width"]) for name in ("kernel", "stride"))
    pads = a["top"], a["left"], a["bottom"], a["right"]
    sizes = a["images"], a["channels"], a["height"], a["width"]
    return Window(*sizes, kernel, strides, pads, bool(a.get("planes")))


def _row_function(op: Op, setting: Setting) -> Kernel:
    a, function = op.attributes, op.kind.removeprefix(FLOAT)
    return RowFunction(op.name, setting.target, a["rows"], a["features"], function, a.get("other_rows", 0))


ONNX_KERNELS: dict[str, Callable[[Op, Setting], Kernel]] = {
    "im2col": lambda op, setting: Im2Col(op.name, setting.target, window_of(op)),
    "max_pool": lambda op, setting: Pool(op.name, setting.target, window_of(op), True),
    "average_pool": lambda op, setting: Pool(op.name, setting.target, window_of(op), False),
    **dict.fromkeys(_FUNCTIONS, _row_function),
}
