"""SpacemiT's matrix instructions: examples of its documentation, chapter 5, and products in any tiling."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.machine.vector_bench import as_bytes, elements
from tests.machine.xsmt_bench import GEOMETRY, WIDTHS, read, smt, write


def test_the_convolution_of_the_documentation() -> None:
    """Sections 5.1.6 and 5.2.6: a 4 x 8 tile, and its windows one and two rows further."""
    machine = smt(256)
    rows = np.arange(8) + np.array([0, 1, 2, 4, 5, 6])[:, None]
    feature = np.zeros((8, 8), np.int8)
    feature[:6] = rows
    weight = np.array([range(8), range(1, 9), range(2, 10), [11, 4, 5, 6, 7, 8, 9, 10]], np.int8)
    write(machine, 0, as_bytes(feature, "i8"))
    write(machine, 8, as_bytes(weight, "i8"))
    write(machine, 16, np.zeros(64, np.uint8))
    corners = []
    for name in ("smt.vmadot", "smt.vmadot1", "smt.vmadot2"):
        assert machine.execute(f"{name} v16, v0, v8") == 0
        c = elements(read(machine, 16), "i32")
        corners.append([int(c[0]), int(c[2]), int(c[4]), int(c[15])])
    assert corners == [[140, 196, 168, 464], [308, 436, 364, 988], [504, 720, 616, 1572]]


def test_the_scaled_tile_of_the_documentation() -> None:
    """Section 5.4.7: rows i .. i + 15 times themselves, scales 1 to 8."""
    machine = smt(1024)
    tile = np.arange(16) + np.arange(8)[:, None]
    write(machine, 2, as_bytes(tile, "i8"))
    write(machine, 8, as_bytes(tile, "i8"))
    write(machine, 0, as_bytes(np.arange(1, 9).astype(np.float32), "f16"))
    write(machine, 16, np.zeros(128, np.uint8))
    assert machine.execute("smt.vmadot.hp v16, v2, v8, v0, 0") == 0
    c = elements(read(machine, 16, 1), "f16").reshape(8, 8)
    assert c[0].tolist() == [1240, 2720, 4440, 6400, 8600, 11040, 13720, 16640]
    assert c[7].tolist() == [2080, 4624, 7632, 11104, 15040, 19440, 24304, 29632]


def test_the_sparse_tile_of_the_documentation() -> None:
    """Section 5.3.7, rows 0 and 7 of the result."""
    machine = smt(1024)
    a = np.arange(32) + np.arange(8)[:, None]
    # where the documentation's matrices leave their pattern: rows of A from the fourth on, and one element of B
    a[3:, 16:] -= 1
    b = np.arange(16) + np.arange(8)[:, None]
    b[7, 3] = 0
    masks = np.repeat(np.array([0x99, 0xAA, 0xCC, 0x55, 0x66, 0x33, 0x99, 0xAA], np.uint8), 4)
    write(machine, 0, masks)
    write(machine, 2, as_bytes(a, "i8"))
    write(machine, 8, as_bytes(b, "i8"))
    write(machine, 16, np.zeros(256, np.uint8))
    assert machine.execute("smt.vmadot.sp v16, v2, v8, v0, 0") == 0
    c = elements(read(machine, 16), "i32").reshape(8, 8)
    assert c[0].tolist() == [2544, 2856, 3184, 3200, 3528, 3576, 4032, 4322]
    assert c[7].tolist() == [3292, 3708, 4140, 4260, 4692, 4844, 5404, 5728]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([256, 512, 1024]), st.sampled_from(["", ".i4"]))
def test_any_tiling_gives_the_same_product(seed: int, vlen: int, width: str) -> None:
    """Tiles in any order, steps of the depth in any order, at three sizes of tiles."""
    rng = np.random.default_rng(seed)
    machine, (m, k) = smt(vlen), GEOMETRY[vlen]
    k = k * 8 // WIDTHS[width]
    low = -8 if width else -128
    rows, columns, depth = (16, 8, 64)
    a, b = rng.integers(low, -low, (rows, depth)), rng.integers(low, -low, (columns, depth))
    steps = [(i, j, q) for i in range(0, rows, m) for j in range(0, columns, m) for q in range(0, depth, k)]
    c = np.zeros((rows, columns), np.int64)
    for i, j, q in rng.permutation(steps):
        for register, matrix, row in ((2, a, i), (5, b, j)):
            tile = matrix[row : row + m, q : q + k].reshape(-1)
            packed = ((tile[::2] & 15) | (tile[1::2] & 15) << 4).astype(np.uint8) if width else as_bytes(tile, "i8")
            write(machine, register, packed)
        write(machine, 16, as_bytes(c[i : i + m, j : j + m], "i32"))
        assert machine.execute(f"smt.vmadot{width} v16, v2, v5") == 0
        c[i : i + m, j : j + m] = elements(read(machine, 16), "i32")[: m * m].reshape(m, m)
    assert np.array_equal(c, a @ b.T)
