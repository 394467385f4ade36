"""Vector tiles (draft Zvt): configuration and multiplications against numpy."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.machine import layout as at
from archsim.machine.workbench import Workbench
from tests.machine.vector_bench import Array, as_bytes, bench, bytes_of, elements, floats_of, same_floats

TE, VLEN = 8, 256
ALTFMT = 0x100
A, B = 8, 16


def zvt(te: int = TE) -> Workbench:
    return bench(VLEN, "zvti8i32mm", "zvtofp8fmm", "zvtmoves", ZVT_TE=te)


def configure(machine: Workbench, sew: int, tm: int, tn: int, tk: int, altfmt: int = 0) -> tuple[int, int, int]:
    """tm, tn, tk as granted, at TEW 32."""
    machine.x[5] = {8: 3, 16: 2, 32: 1}[sew]
    machine.x[6] = (sew.bit_length() - 4) << 3 | altfmt
    assert machine.execute("msetmtype t2, t0, t1") == 0
    assert machine.get_csr("vl") == 0
    granted = []
    for name, value in (("msettm", tm), ("msettn", tn), ("msettk", tk)):
        machine.x[5] = value
        assert machine.execute(f"{name} t2, t0") == 0
        granted.append(int(machine.x[7]))
    return granted[0], granted[1], granted[2]


def rows(raw: Array, first: int, step: int, count: int, width: int, kind: str) -> Array:
    """`count` vectors of `width` elements, `step` registers from each other."""
    return (
        np.stack([elements(raw[first + step * k], kind)[:width] for k in range(count)])
        if count
        else np.zeros((0, width))
    )


SHAPE = st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 6))


@pytest.mark.parametrize(("sew", "kmax"), [(8, 4), (16, 2), (32, 1)])
def test_shapes_are_granted_as_far_as_tiles_and_vectors_reach(sew: int, kmax: int) -> None:
    machine = zvt()
    assert configure(machine, sew, 100, 100, 100) == (TE, TE, kmax)
    assert configure(machine, sew, -1, -1, -1) == (TE, TE, kmax)
    assert configure(machine, sew, 3, 5, 1) == (3, 5, 1)
    assert machine.get_csr("mtype") == {8: 3, 16: 2, 32: 1}[sew] | 3 << 10 | 1 << 5
    machine.x[5] = machine.x[6] = 0
    machine.execute("msetmtype t2, t0, t1")
    assert machine.x[7] == {8: 3, 16: 2, 32: 1}[sew] | 3 << 10 | 1 << 5
    machine.x[5] = 20
    machine.execute("msettm t2, t0")
    assert machine.x[7] == 0
    # without matrices, tn is vl alone
    machine.execute("msettn t2, t0")
    assert machine.x[7] == 20
    # short vectors bound rows and columns, too
    assert configure(bench(VLEN, "zvti8i32mm", ZVT_TE=64), 32, 64, 64, 4) == (8, 8, 1)


def test_clearing_the_part_in_use() -> None:
    machine = zvt()
    configure(machine, 8, 3, 5, 4)
    machine.registers("mt")[:] = 7
    assert machine.execute("vtzero mt4") == 0
    expected = np.full((16, TE, TE), 7)
    expected[4, :3, :5] = 0
    assert np.array_equal(machine.registers("mt"), expected)
    assert machine.execute("vtdiscard") == 0
    for tile in ("mt1", "mt6"):
        assert machine.execute(f"vtzero {tile}") == at.ILLEGAL


@pytest.mark.parametrize("u", ["u", "s"])
@pytest.mark.parametrize("altfmt", [0, ALTFMT])
def test_multiplication_of_bytes(altfmt: int, u: str) -> None:
    machine = zvt()

    @settings(max_examples=40, deadline=None)
    @given(SHAPE, bytes_of(1024), bytes_of(4 * TE * TE), st.sampled_from([0, 4, 8, 12]))
    def check(shape: tuple[int, int, int], raw: Array, c: Array, tile: int) -> None:
        tm, tn, tk = configure(machine, 8, *shape, altfmt)
        machine.registers("V")[:] = raw.reshape(32, -1)
        machine.registers("mt")[:] = elements(c, "i32").reshape(TE, TE)
        expected = machine.registers("mt").copy()
        assert machine.execute(f"vtmm{u}.tvv mt{tile}, v{A}, v{B}") == 0
        a = rows(raw.reshape(32, -1), A, 2, tk, tm, "u8" if u == "u" else "i8")
        b = rows(raw.reshape(32, -1), B, 2, tk, tn, "i8" if altfmt else "u8")
        with np.errstate(over="ignore"):
            expected[tile, :tm, :tn] += (a.T @ b).astype(np.int32)
        assert np.array_equal(machine.registers("mt"), expected)

    check()


def fused(a: Array, b: Array, c: Array) -> Array:
    """a * b + c of float32, rounded once: exact in float64 or by an error-free product and round-to-odd sum."""
    product = a.astype(np.float64) * b.astype(np.float64)
    total = product + c.astype(np.float64)
    # two-sum: what the float64 addition lost decides where its result lies half way between float32 numbers
    part = total - product
    lost = (product - (total - part)) + (c.astype(np.float64) - part)
    bits = total.view(np.int64)
    odd = np.where((lost != 0) & np.isfinite(lost) & (bits & 1 == 0), np.where((lost > 0) == (total > 0), 1, -1), 0)
    return (bits + odd).view(np.float64).astype(np.float32)


CELLS = [
    (8, "", 0, "e4m3", "e4m3"), (8, "", ALTFMT, "e4m3", "e5m2"), (8, ".alt", 0, "e5m2", "e4m3"),
    (8, ".alt", ALTFMT, "e5m2", "e5m2"), (16, "", 0, "f16", "f16"), (16, ".alt", ALTFMT, "bf16", "bf16"),
    (32, "", 0, "f32", "f32"),
]  # fmt: skip


@pytest.mark.parametrize(("sew", "alt", "altfmt", "first", "second"), CELLS)
def test_multiplication_of_floats(sew: int, alt: str, altfmt: int, first: str, second: str) -> None:
    machine, step = zvt(), sew // 4

    @settings(max_examples=30, deadline=None)
    @given(SHAPE, *(floats_of(8 * VLEN // sew, kind) for kind in (first, second)), floats_of(TE * TE, "f32"))
    def check(shape: tuple[int, int, int], a: Array, b: Array, c: Array) -> None:
        tm, tn, tk = configure(machine, sew, *shape, altfmt)
        machine.registers("V")[A : A + 8] = a.reshape(8, -1)
        machine.registers("V")[B : B + 8] = b.reshape(8, -1)
        machine.registers("mt")[8] = elements(c, "i32").reshape(TE, TE)
        assert machine.execute(f"vtfmm{alt}.tvv mt8, v{A}, v{B}") == 0
        left = rows(a.reshape(8, -1), 0, step, tk, tm, first).astype(np.float32)
        right = rows(b.reshape(8, -1), 0, step, tk, tn, second).astype(np.float32)
        total = c.view(np.float32).reshape(TE, TE).copy()
        with np.errstate(all="ignore"):
            for k in range(tk):
                total[:tm, :tn] = fused(left[k][:, None], right[k][None, :], total[:tm, :tn])
        assert same_floats(machine.registers("mt")[8].view(np.float32).reshape(-1), total.reshape(-1))

    check()


@pytest.mark.parametrize(
    ("sew", "altfmt", "text"),
    [
        (16, 0, "vtmmu.tvv mt0, v8, v16"), (8, 0, "vtmmu.tvv mt2, v8, v16"), (16, ALTFMT, "vtfmm.tvv mt0, v8, v16"),
        (16, 0, "vtfmm.alt.tvv mt0, v8, v16"), (32, 0, "vtfmm.alt.tvv mt0, v8, v16"), (8, 0, "vtmv.v.t v8, a0"),
        (8, 0, "vtle32 a0, (a1)"),
    ],
)  # fmt: skip
def test_what_is_reserved_or_not_known_is_illegal(sew: int, altfmt: int, text: str) -> None:
    machine = zvt()
    configure(machine, sew, 4, 4, 1, altfmt)
    assert machine.execute(text) == at.ILLEGAL


def test_no_tiles_without_their_width() -> None:
    machine = zvt()
    for mtwiden in (0, 1, 2):
        machine.x[5], machine.x[6] = mtwiden, 0
        machine.execute("msetmtype t2, t0, t1")
        for text in ("vtzero mt0", "vtmms.tvv mt0, v8, v16", "vtfmm.tvv mt0, v8, v16"):
            assert machine.execute(text) == at.ILLEGAL


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([4, 8, 16]))
def test_any_tiling_gives_the_same_product(seed: int, te: int) -> None:
    """int8 x int8, tiles of three sizes, ragged steps of the depth."""
    machine, rng = zvt(te), np.random.default_rng(seed)
    a, b = rng.integers(-128, 128, (16, 24)), rng.integers(-128, 128, (24, 16))
    result = np.zeros((16, 16), np.int64)
    for i in range(0, 16, te):
        for j in range(0, 16, te):
            configure(machine, 8, te, te, 4, ALTFMT)
            assert machine.execute("vtzero mt12") == 0
            cuts = np.unique(np.concatenate([rng.integers(0, 25, 3), np.arange(0, 25, 4)]))
            for first, last in rng.permutation(np.stack([cuts[:-1], cuts[1:]], axis=1)):
                machine.x[5] = last - first
                machine.execute("msettk t2, t0")
                for k in range(first, last):
                    register = 2 * (k - first)
                    machine.registers("V")[A + register][:te] = as_bytes(a[i : i + te, k], "i8")
                    machine.registers("V")[B + register][:te] = as_bytes(b[k, j : j + te], "i8")
                assert machine.execute(f"vtmms.tvv mt12, v{A}, v{B}") == 0
            result[i : i + te, j : j + te] = machine.registers("mt")[12]
    assert np.array_equal(result, a @ b)


def test_the_fused_reference_is_that_of_ml_dtypes_where_products_are_exact() -> None:
    """The helper above, where float64 holds everything: fp8 products added to small multiples."""
    rng = np.random.default_rng(0)
    a, b, c = (rng.normal(size=1000).astype(ml_dtypes.float8_e4m3fn).astype(np.float32) for _ in range(3))
    assert np.array_equal(fused(a, b, c), (a.astype(np.float64) * b + c).astype(np.float32))
