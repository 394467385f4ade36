"""Matrix tiles in vector registers (drafts Zvvmm, Zvvmtls, Zvvmttls) against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.machine import layout as at
from archsim.machine.workbench import Workbench
from tests.machine.vector_bench import Array, as_bytes, bench, bytes_of, elements

NAMES = {1: "vmmacc.vv", 2: "vwmmacc.vv", 4: "vqmmacc.vv", 8: "v8wmmacc.vv"}
CELLS = [(256, w, sew) for w in NAMES for sew in (8, 16, 32, 64) if sew >= 4 * w] + [(128, 4, 32), (512, 8, 32)]
A, B, C = 8, 16, 24
DATA = 0x4000


def zvvm(vlen: int) -> Workbench:
    return bench(vlen, "zvvmm", "zvvmtls", "zvvmttls")


def configure(machine: Workbench, sew: int, lam: int, lmul: int, vl: int, unsigned: tuple[int, int] = (0, 0)) -> int:
    """vl after vsetvl with lambda (0: none), LMUL and the signs of A and B."""
    vtype = (sew.bit_length() - 4) << 3 | lmul.bit_length() - 1
    machine.x[5] = vtype | lam.bit_length() << 60 | unsigned[0] << 58 | unsigned[1] << 57
    machine.x[6] = vl
    assert machine.execute("vsetvl t2, t1, t0") == 0
    return int(machine.x[7])


def packed(values: Array, bits: int) -> Array:
    if bits == 4:
        flat = values.reshape(-1)
        return ((flat[::2] & 15) | (flat[1::2] & 15) << 4).astype(np.uint8)
    return as_bytes(values, f"i{bits}")


def panels(matrix: Array, width: int, bits: int) -> Array:
    """Bytes of the registers of a tile: `width` columns to a register, row by row."""
    return np.concatenate([packed(part, bits) for part in np.split(matrix, matrix.shape[1] // width, axis=1)])


def registers(machine: Workbench, first: int) -> Array:
    return machine.registers("V")[first:].reshape(-1)


def lambdas(vlen: int, sew: int) -> list[int]:
    """Those with which C takes 1 to 8 registers."""
    return [lam for lam in (1, 2, 4, 8, 16) if 1 <= vlen // (sew * lam * lam) <= 8]


def geometry(vlen: int, sew: int, lam: int, lmul: int, w: int) -> tuple[int, int, int]:
    """M, registers of C, K."""
    m = vlen // (sew * lam)
    return m, m // lam, lam * w * lmul


@pytest.mark.parametrize(("vlen", "w", "sew"), CELLS)
def test_integer_tiles(vlen: int, w: int, sew: int) -> None:
    machine, bits = zvvm(vlen), sew // w

    @settings(max_examples=20, deadline=None)
    @given(
        st.sampled_from(lambdas(vlen, sew)), st.sampled_from([1, 2, 4, 8]),
        st.tuples(st.integers(0, 1), st.integers(0, 1)), bytes_of(vlen // 8), st.integers(0, 2**32 - 1), st.data(),
    )  # fmt: skip
    def check(lam: int, lmul: int, unsigned: tuple[int, int], raw: Array, seed: int, data: st.DataObject) -> None:
        m, count, k = geometry(vlen, sew, lam, lmul, w)
        columns = data.draw(st.integers(0, m))
        rng = np.random.default_rng(seed)
        flip = rng.integers(0, 256, 8 * len(raw)).astype(np.uint8) if seed % 2 else np.zeros(8 * len(raw), np.uint8)
        a, b = (
            elements(
                np.roll(np.resize(raw, 8 * len(raw)), shift) ^ flip, f"{'u' if sign and bits < 64 else 'i'}{bits}"
            )[: m * k].reshape(m, k)
            for shift, sign in zip((0, 3), unsigned, strict=True)
        )
        c = elements(rng.integers(0, 256, count * vlen // 8).astype(np.uint8), f"i{sew}").reshape(m, m)
        assert configure(machine, sew, lam, lmul, columns * lam * lmul, unsigned) == columns * lam * lmul
        registers(machine, A)[: m * k * bits // 8] = panels(a, lam * w, bits)
        registers(machine, B)[: m * k * bits // 8] = panels(b, lam * w, bits)
        registers(machine, C)[: len(raw) * count] = panels(c, lam, sew)
        before = machine.registers("V").copy()
        assert machine.execute(f"{NAMES[w]} v{C}, v{A}, v{B}") == 0
        with np.errstate(over="ignore"):
            c[:, :columns] += (a @ b.T)[:, :columns]
        before.reshape(-1)[C * len(raw) : (C + count) * len(raw)] = panels(c, lam, sew)
        assert np.array_equal(machine.registers("V"), before)

    check()


@pytest.mark.parametrize("sew", [8, 16, 32, 64])
@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("transposed", [False, True])
def test_tile_loads_and_stores(transposed: bool, own: bool, sew: int) -> None:
    vlen = 256
    machine, size = zvvm(vlen), sew // 8
    t = "t" if transposed else ""

    @settings(max_examples=30, deadline=None)
    @given(
        st.sampled_from([1, 2, 4]), st.sampled_from([1, 2, 4]), st.integers(0, 64), st.booleans(), st.booleans(),
        bytes_of(8192), st.integers(0, 7),
    )  # fmt: skip
    def check(lam: int, lmul: int, vl: int, masked: bool, apart: bool, raw: Array, extra: int) -> None:
        m, line = vlen // (sew * lam), lam * lmul
        vl = configure(machine, sew, 1 if own else lam, lmul, vl)
        stride = (m if transposed else line) + (extra if apart else 0)
        machine.x[10], machine.x[11] = DATA, stride
        machine.memory.write(DATA, raw)
        machine.registers("V")[:] = np.resize(raw[::-1], (32, vlen // 8))
        before = machine.registers("V").copy()
        active = np.unpackbits(before[0], bitorder="little").astype(bool) if masked else np.ones(vlen, bool)
        # the instruction's own lambda, or L0: that of vtype, which is another one otherwise
        operands = f"(a0), {'a1' if apart else 'zero'}, L{lam if own else 0}{', v0.t' if masked else ''}"
        assert machine.execute(f"vm{t}tl.v v8, {operands}") == 0
        after = before.reshape(-1).copy().view(f"u{size}")
        memory = raw.view(f"u{size}")
        per = vlen // sew
        places = []
        for n in range(vl):
            row, e = divmod(n, line)
            address = e * stride + row if transposed else row * stride + e
            places.append(((e // lam + 8) * per + row * lam + e % lam, address))
            if active[n]:
                after[places[-1][0]] = memory[places[-1][1]]
        assert np.array_equal(machine.registers("V").reshape(-1).view(f"u{size}"), after)
        machine.memory.write(DATA, np.zeros(8192, np.uint8))
        assert machine.execute(f"vm{t}ts.v v8, {operands}") == 0
        stored = np.zeros(8192 // size, f"u{size}")
        for n, (place, address) in enumerate(places):
            if active[n]:
                stored[address] = after[place]
        assert machine.memory.read(DATA, 8192) == stored.tobytes()

    check()


@pytest.mark.parametrize(
    ("sew", "lam", "lmul", "vl", "text"),
    [
        (32, 0, 1, 8, "vqmmacc.vv v24, v8, v16"),  # no lambda
        (32, 2, 1, 3, "vqmmacc.vv v24, v8, v16"),  # a column and a half
        (32, 4, 1, 8, "vqmmacc.vv v24, v8, v16"),  # C smaller than a register
        (32, 2, 1, 8, "vqmmacc.vv v25, v8, v16"),  # C's registers are two
        (32, 2, 2, 8, "vqmmacc.vv v24, v9, v16"), (32, 2, 2, 8, "vqmmacc.vv v24, v8, v17"),
        (32, 2, 1, 8, "vqmmacc.vv v8, v9, v16"), (32, 2, 1, 8, "vqmmacc.vv v8, v16, v8"),
        (8, 2, 1, 8, "vqmmacc.vv v24, v8, v16"), (16, 2, 1, 8, "v8wmmacc.vv v24, v8, v16"),
        (32, 0, 1, 8, "vmtl.v v8, (a0), a1"), (32, 0, 1, 8, "vmtts.v v8, (a0), a1"),
        (64, 8, 1, 4, "vmtl.v v8, (a0), a1"), (32, 2, 2, 8, "vmtl.v v9, (a0), a1"),
    ],
)  # fmt: skip
def test_what_is_reserved_is_illegal(sew: int, lam: int, lmul: int, vl: int, text: str) -> None:
    machine = zvvm(256)
    machine.x[10], machine.x[11] = DATA, 8
    configure(machine, sew, lam, lmul, vl)
    before = machine.registers("V").copy()
    assert machine.execute(text) == at.ILLEGAL
    assert np.array_equal(machine.registers("V"), before)


def test_other_bits_of_vtype_stay_reserved() -> None:
    machine = zvvm(256)
    for value in (1 << 8, 1 << 40, 1 << 56, -(1 << 63)):
        machine.x[5], machine.x[6] = value, 4
        machine.execute("vsetvl t2, t1, t0")
        assert machine.get_csr("vtype") == -(2**63)
    configure(machine, 32, 2, 1, 8)
    assert machine.get_csr("vtype") == 2 << 60 | 2 << 3


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([(vlen, lam) for vlen in (128, 256, 512) for lam in lambdas(vlen, 32)]),
    st.sampled_from([1, 2, 4]),
)
def test_any_tiling_gives_the_same_product(seed: int, shape: tuple[int, int], lmul: int) -> None:
    """int8 x int8 -> int32 with tile loads and stores, transposed ones of A too, at every lambda and LMUL."""
    vlen, lam = shape
    m, count, k = geometry(vlen, 32, lam, lmul, 4)
    machine, rng = zvvm(vlen), np.random.default_rng(seed)
    rows, columns, depth = 2 * m, m, 3 * k
    a, b = rng.integers(-128, 128, (rows, depth)), rng.integers(-128, 128, (columns, depth))
    # A once as it is, once with columns of four bytes as rows: what a transposing load takes
    turned = a.astype(np.int8).view(np.int32).reshape(rows, -1).T
    where = {"a": DATA, "t": DATA + 0x10000, "b": DATA + 0x20000, "c": DATA + 0x30000}
    for name, matrix in (("a", as_bytes(a, "i8")), ("t", as_bytes(turned, "i32")), ("b", as_bytes(b, "i8"))):
        machine.memory.write(where[name], matrix)
    machine.memory.write(where["c"], np.zeros(4 * rows * columns, np.uint8))
    steps = [(i, q) for i in range(0, rows, m) for q in range(0, depth, k)]
    for i, q in rng.permutation(steps):
        configure(machine, 32, lam, count, m * m)
        machine.x[12], machine.x[13] = where["c"] + 4 * columns * i, columns
        assert machine.execute(f"vmtl.v v{C}, (a2), a3") == 0
        configure(machine, 32, lam, lmul, m * lam * lmul)
        if rng.integers(2):
            machine.x[10], machine.x[11] = where["t"] + 4 * (q // 4 * rows + i), rows
            assert machine.execute(f"vmttl.v v{A}, (a0), a1") == 0
        else:
            machine.x[10], machine.x[11] = where["a"] + depth * i + q, depth // 4
            assert machine.execute(f"vmtl.v v{A}, (a0), a1") == 0
        machine.x[10], machine.x[11] = where["b"] + q, depth // 4
        assert machine.execute(f"vmtl.v v{B}, (a0), a1") == 0
        assert machine.execute(f"vqmmacc.vv v{C}, v{A}, v{B}") == 0
        configure(machine, 32, lam, count, m * m)
        assert machine.execute(f"vmts.v v{C}, (a2), a3") == 0
    c = np.frombuffer(machine.memory.read(where["c"], 4 * rows * columns), np.int32).reshape(rows, columns)
    assert np.array_equal(c, a @ b.T)
