"""SpacemiT's matrix instructions against numpy, bit for bit, at both silicon points and between."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.common.errors import InputError
from archsim.machine import layout as at
from tests.machine.vector_bench import Array, as_bytes, bench, bytes_of, elements, floats_of, same_floats
from tests.machine.xsmt_bench import GEOMETRY, WIDTHS, product, read, smt, write

VLENS = (128, 256, 1024)
SIGNS = {"u": "uu", "us": "ui", "su": "iu", "": "ii"}
REGISTERS = st.sampled_from([(16, 2, 4), (30, 0, 29), (0, 2, 3), (8, 6, 6)])
BF16 = pytest.mark.parametrize("half", ["f16", "bf16"])


@pytest.mark.parametrize("vlen", GEOMETRY)
def test_geometry_is_that_of_the_silicon(vlen: int) -> None:
    parameters = bench(vlen, "xsmt").isa.parameters
    assert (parameters["SMT_M"], parameters["SMT_K"]) == GEOMETRY[vlen]


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("vlen", VLENS)
def test_tiles_of_integers(vlen: int, width: str, sign: str) -> None:
    machine, (m, _), size = smt(vlen), GEOMETRY[vlen], vlen // 8

    @settings(max_examples=25, deadline=None)
    @given(bytes_of(size), bytes_of(size), bytes_of(2 * size), REGISTERS)
    def check(a: Array, b: Array, c: Array, registers: tuple[int, int, int]) -> None:
        vd, vs1, vs2 = registers
        b = a if vs1 == vs2 else b
        for register, raw in ((vs1, a), (vs2, b), (vd, c)):
            write(machine, register, raw)
        left = elements(a, SIGNS[sign][0] + str(WIDTHS[width])).reshape(m, -1)
        right = elements(b, SIGNS[sign][1] + str(WIDTHS[width])).reshape(m, -1)
        product(machine, f"smt.vmadot{sign}{width} v{vd}, v{vs1}, v{vs2}", vd, left @ right.T, m)

    check()


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("slide", [1, 2, 3])
@pytest.mark.parametrize("vlen", [256, 1024])
def test_sliding_windows_of_integers(vlen: int, slide: int, sign: str) -> None:
    machine, (m, _), size = smt(vlen), GEOMETRY[vlen], vlen // 8

    @settings(max_examples=15, deadline=None)
    @given(bytes_of(2 * size), bytes_of(size), bytes_of(2 * size))
    def check(a: Array, b: Array, c: Array) -> None:
        for register, raw in ((2, a), (5, b), (16, c)):
            write(machine, register, raw)
        window = elements(a, SIGNS[sign][0] + "8").reshape(2 * m, -1)[slide : slide + m]
        right = elements(b, SIGNS[sign][1] + "8").reshape(m, -1)
        product(machine, f"smt.vmadot{slide}{sign} v16, v2, v5", 16, window @ right.T, m)

    check()


PLACES = {0b1001: (0, 3), 0b1010: (1, 3), 0b1100: (2, 3), 0b0101: (0, 2), 0b0110: (1, 2), 0b0011: (0, 1)}


def recovered(stored: Array, masks: Array) -> Array:
    """The dense form of a 4:2 sparse matrix: stored [n, k], masks [n, k / 2] of four bits."""
    dense = np.zeros((len(stored), 2 * stored.shape[1]), np.int64)
    for n, row in enumerate(masks):
        for g, mask in enumerate(row):
            for place, value in zip(PLACES.get(int(mask), ()), stored[n, 2 * g : 2 * g + 2], strict=False):
                dense[n, 4 * g + place] = value
    return dense


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("vlen", [256, 1024])
def test_sparse_tiles(vlen: int, width: str, sign: str) -> None:
    machine, (m, k), size, bits = smt(vlen), GEOMETRY[vlen], vlen // 8, WIDTHS[width]
    valid = bytes_of(size).map(lambda raw: np.array(sorted(PLACES), np.uint8)[raw % 6] * 16 + 3)

    @settings(max_examples=15, deadline=None)
    @given(bytes_of(2 * size), bytes_of(size), bytes_of(2 * size), bytes_of(size) | valid, st.integers(0, 3))
    def check(a: Array, b: Array, c: Array, masks: Array, segment: int) -> None:
        write(machine, 0, masks[::-1])
        write(machine, 1, masks)
        for register, raw in ((2, a), (5, b), (16, c)):
            write(machine, register, raw)
        text = f"smt.vmadot{sign}.sp{width} v16, v2, v5, v1, {segment}"
        # a segment is what the columns of a tile need: a quarter of the register for int8, a half for int4
        length = m * k * 8 // bits // 2
        nibbles = elements(masks, "u4")[segment * length : (segment + 1) * length]
        if len(nibbles) == 0:
            assert machine.execute(text) == at.ILLEGAL
            return
        left = elements(a, f"{SIGNS[sign][0]}{bits}").reshape(m, -1)
        stored = elements(b, f"{SIGNS[sign][1]}{bits}").reshape(m, -1)
        product(machine, text, 16, left @ recovered(stored, nibbles.reshape(m, -1)).T, m)

    check()


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("width", WIDTHS)
@BF16
@pytest.mark.parametrize("vlen", [256, 1024])
def test_tiles_with_block_scales(vlen: int, half: str, width: str, sign: str) -> None:
    machine, (m, _), size, bits = smt(vlen), GEOMETRY[vlen], vlen // 8, WIDTHS[width]
    machine.set_csr("mcpm", int(half == "bf16"))
    kind = np.float16 if half == "f16" else ml_dtypes.bfloat16

    @settings(max_examples=10, deadline=None)
    @given(bytes_of(size), bytes_of(size), floats_of(size // 2, half), floats_of(size // 2, half), st.integers(0, 7))
    def check(a: Array, b: Array, c: Array, scales: Array, group: int) -> None:
        for register, raw in ((1, scales), (2, a), (5, b), (17, c)):
            write(machine, register, raw)
        text = f"smt.vmadot{sign}.hp{width} v17, v2, v5, v1, {group}"
        scale = elements(scales, half)[group * m : (group + 1) * m]
        if len(scale) == 0:
            assert machine.execute(text) == at.ILLEGAL
            return
        assert machine.execute(text) == 0
        left = elements(a, f"{SIGNS[sign][0]}{bits}").reshape(m, -1)
        right = elements(b, f"{SIGNS[sign][1]}{bits}").reshape(m, -1)
        before = elements(c, half)[: m * m].reshape(m, m)
        with np.errstate(all="ignore"):
            expected = (before + (left @ right.T).astype(np.float32) * scale).astype(kind).reshape(-1)
        assert same_floats(read(machine, 17, 1).view(kind)[: m * m], expected)

    check()
    machine.set_csr("mcpm", 0)


@pytest.mark.parametrize("slide", [0, 1, 2, 3])
@BF16
@pytest.mark.parametrize("vlen", [256, 1024])
def test_tiles_of_floats(vlen: int, half: str, slide: int) -> None:
    machine, (m, k), size = smt(vlen), GEOMETRY[vlen], vlen // 8
    machine.set_csr("mcpm", int(half == "bf16"))

    @settings(max_examples=15, deadline=None)
    @given(floats_of(size, half), floats_of(size // 2, half), floats_of(size // 2, "f32"))
    def check(a: Array, b: Array, c: Array) -> None:
        for register, raw in ((2, a), (5, b), (16, c)):
            write(machine, register, raw)
        assert machine.execute(f"smt.vfwmadot{slide or ''} v16, v2, v5") == 0
        left = elements(a, half).reshape(2 * m, -1)[slide : slide + m]
        right = elements(b, half).reshape(m, -1)
        total = elements(c, "f32")[: m * m].reshape(m, m)
        with np.errstate(all="ignore"):
            for step in range(k // 2):
                total = total + left[:, step, None] * right[None, :, step]
        assert same_floats(read(machine, 16).view(np.float32)[: m * m], total.reshape(-1))

    check()
    machine.set_csr("mcpm", 0)


@pytest.mark.parametrize("sew", [8, 16, 32, 64])
@pytest.mark.parametrize("vlen", VLENS)
def test_pack_and_unpack(vlen: int, sew: int) -> None:
    machine, size = smt(vlen), vlen // 8
    rng = np.random.default_rng(sew)
    for imm, block in enumerate((sew // 8, 16, 32, 64)):
        machine.execute(f"vsetvli t0, zero, e{sew}, m1, ta, ma")
        one, two = rng.integers(0, 256, (2, size)).astype(np.uint8)
        write(machine, 2, one)
        write(machine, 5, two)
        trap = machine.execute(f"smt.vpack.vv v16, v2, v5, {imm}")
        assert trap == (at.ILLEGAL if block > size else 0)
        if trap:
            assert machine.execute(f"smt.vupack.vv v16, v2, v5, {imm}") == at.ILLEGAL
            continue
        packed = np.stack([one.reshape(-1, block), two.reshape(-1, block)], axis=1).reshape(-1)
        assert np.array_equal(read(machine, 16), packed)
        assert machine.execute(f"smt.vupack.vv v20, v16, v17, {imm}") == 0
        assert np.array_equal(read(machine, 20), np.concatenate([one, two]))


@pytest.mark.parametrize("sew", [4, 8, 16, 32])
@pytest.mark.parametrize("saturate", ["", "s"])
@pytest.mark.parametrize("vlen", VLENS)
def test_narrowing_pack(vlen: int, saturate: str, sew: int) -> None:
    machine, size, wide = smt(vlen), vlen // 8, 2 * sew
    rng = np.random.default_rng(sew)
    name = f"smt.vn{saturate}pack{'4' if sew == 4 else ''}.vv"
    for imm, bits in enumerate((32, 64, 128, 256)):
        machine.execute(f"vsetvli t0, zero, e{max(sew, 8)}, m1, ta, ma")
        one, two = rng.integers(0, 256, (2, size)).astype(np.uint8)
        one[: size // 2] = np.resize([0x7F, 0x80, 0, 0xFF, 0x08, 0xF7, 0x07], size // 2)
        write(machine, 2, one)
        write(machine, 5, two)
        trap = machine.execute(f"{name} v17, v2, v5, {imm}")
        assert trap == (at.ILLEGAL if bits > vlen or bits < wide else 0)
        if trap:
            continue
        count = bits // wide
        both = np.stack([elements(raw, f"i{wide}").reshape(-1, count) for raw in (one, two)], axis=1).reshape(-1)
        if saturate:
            both = np.clip(both, -(1 << sew - 1), (1 << sew - 1) - 1)
        if sew == 4:
            expected = ((both[::2] & 15) | (both[1::2] & 15) << 4).astype(np.uint8)
        else:
            expected = as_bytes(both, f"i{sew}")
        assert np.array_equal(read(machine, 17, 1), expected)


@pytest.mark.parametrize(
    "text",
    [
        "smt.vmadot v16, v16, v2", "smt.vmadot v16, v2, v17", "smt.vmadot1 v16, v16, v2", "smt.vmadot1 v16, v2, v17",
        "smt.vmadot.sp v16, v16, v2, v0, 0", "smt.vmadot.sp v0, v2, v4, v1, 0", "smt.vmadot.sp.i4 v16, v2, v4, v1, 2",
        "smt.vmadot.hp v16, v16, v2, v0, 0", "smt.vmadot.hp v1, v2, v4, v1, 0", "smt.vfwmadot v16, v2, v17",
        "smt.vpack.vv v16, v17, v2, 0", "smt.vnpack.vv v16, v2, v16, 1",
    ],
)  # fmt: skip
def test_reserved_registers_are_illegal(text: str) -> None:
    machine = smt(1024)
    before = machine.registers("V").copy()
    assert machine.execute(text) == at.ILLEGAL
    assert np.array_equal(machine.registers("V"), before)


@pytest.mark.parametrize("vtype", ["vsetvli t0, zero, e8, m2, ta, ma", "vsetvl t0, zero, s1"])
def test_another_lmul_and_vill_are_illegal(vtype: str) -> None:
    machine = smt(256)
    machine.x[9] = 1 << 40
    machine.execute(vtype)
    for text in ("smt.vmadot v16, v2, v4", "smt.vfwmadot1 v16, v2, v4", "smt.vmadot.hp v16, v2, v4, v0, 0"):
        assert machine.execute(text) == at.ILLEGAL
    assert machine.execute("smt.vpack.vv v16, v2, v4, 0") == at.ILLEGAL


def test_odd_pairs_do_not_assemble() -> None:
    isa = smt(256).isa
    for text in ("smt.vmadot v1, v2, v4", "smt.vmadot1 v16, v3, v4", "smt.vfwmadot2 v16, v3, v4"):
        with pytest.raises(InputError):
            isa.assemble(text)


def test_a_window_beyond_the_pair_is_illegal() -> None:
    machine = smt(128)
    assert machine.execute("smt.vmadot2 v16, v2, v4") == 0
    assert machine.execute("smt.vmadot3 v16, v2, v4") == at.ILLEGAL
