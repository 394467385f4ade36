"""Kernels of convolutions, pooling and general graphs, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.kernels import reference
from archsim.kernels.im2col import Im2Col
from archsim.kernels.layer_norm import LayerNorm
from archsim.kernels.pool import Pool
from archsim.kernels.reference_images import im2col, pool, row_function
from archsim.kernels.row_function import BINARY, UNARY, RowFunction
from archsim.kernels.window import Window
from tests.kernels.checking import check, design_of, target

WINDOWS = [
    Window(1, 3, 8, 8, (3, 3), (1, 1), (1, 1, 1, 1)),
    Window(2, 5, 9, 7, (3, 2), (2, 1), (0, 1, 2, 0)),
    Window(2, 16, 4, 5, (2, 2), (2, 2)),
    Window(1, 70, 6, 6, (1, 1), (2, 2)),
    Window(3, 33, 4, 3, (4, 3)),
    Window(1, 4, 5, 5, (5, 5), (1, 1), (4, 4, 4, 4)),
]


def floats(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def images_of(window: Window) -> np.ndarray:
    return floats(5, *window.array(target("edge-npu")).shape)


@pytest.mark.parametrize("planes", [False, True])
@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_im2col(window: Window, planes: bool) -> None:
    window = Window(**{**vars(window), "planes": planes})
    images = images_of(window)
    codes, scales = im2col(images, window)
    kernel = Im2Col("conv", target("edge-npu"), window)
    check(kernel, design_of("edge-npu"), {"images": images}, {"codes": codes, "scales": scales})


def test_windows_are_those_of_a_convolution() -> None:
    """By its definition: sums over kernel and channels, here of products with a kernel that picks one number."""
    window = Window(1, 2, 5, 5, (3, 3), (2, 2), (1, 1, 1, 1))
    image = np.arange(50, dtype=np.float32).reshape(25, 2)
    codes, scales = im2col(image, window)
    row = (codes[4] * scales[4]).reshape(3, 3, 2)
    np.testing.assert_allclose(row, image.reshape(5, 5, 2)[1:4, 1:4], atol=0.2)
    assert not codes[0].reshape(3, 3, 2)[0].any()


@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_pool(window: Window, largest: bool) -> None:
    images = images_of(window)
    kernel = Pool("pool", target("edge-npu"), window, largest)
    check(kernel, design_of("edge-npu"), {"images": images}, {"out": pool(images, window, largest)})


@pytest.mark.parametrize("cores", [1, 3])
def test_several_cores(cores: int) -> None:
    from archsim.design import load_design
    from archsim.kernels.target import target_of

    design, window = load_design("edge-npu", {"cores": cores}), WINDOWS[1]
    images = images_of(window)
    check(
        Pool("pool", target_of(design), window, True), design, {"images": images}, {"out": pool(images, window, True)}
    )


@pytest.mark.parametrize("function", UNARY)
@pytest.mark.parametrize("rows, features", [(1, 64), (19, 200), (48, 33), (256, 16)])
def test_functions_of_rows(function: str, rows: int, features: int) -> None:
    x = 3 * floats(rows, rows, features)
    kernel = RowFunction("f", target("edge-npu"), rows, features, function)
    check(kernel, design_of("edge-npu"), {"x": x}, {"out": row_function(function, x)})


@pytest.mark.parametrize("function", BINARY)
@pytest.mark.parametrize("others", [1, 6, 18])
def test_functions_of_two_rows(function: str, others: int) -> None:
    x, other = floats(1, 18, 70), floats(2, others, 70)
    kernel = RowFunction("f", target("edge-npu"), 18, 70, function, others)
    check(kernel, design_of("edge-npu"), {"x": x, "other": other}, {"out": row_function(function, x, other)})


def test_layer_norm_that_stays_float32() -> None:
    x, gamma, beta = floats(1, 9, 100), floats(2, 100), floats(3, 100)
    kernel = LayerNorm("norm", target("edge-npu"), 9, 100, ("delta",), 1e-5, out=True)
    wanted = {"y": reference.layer_norm(x, gamma, beta, 1e-5)}
    check(kernel, design_of("edge-npu"), {"delta": x, "gamma": gamma, "beta": beta}, wanted)
