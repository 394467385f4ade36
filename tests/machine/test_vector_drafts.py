"""Draft vector extensions (absolute differences, dot products, zips) against numpy, masks and group sizes included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.machine import layout as at
from archsim.machine.workbench import Workbench
from tests.machine.vector_bench import Array, as_bytes, bench, bytes_of, elements

VLEN = 256
SIZE = VLEN // 8
ALTFMT = 0x100
LMULS = {"mf2": 7, "m1": 0, "m2": 1, "m4": 2}


def drafts(vlen: int = VLEN) -> Workbench:
    return bench(vlen, "zvabd", "zvdot4a", "zvqwdota8i", "zvqwbdota8i", "zvzip")


def configure(machine: Workbench, sew: int, lmul: str, count: int, altfmt: int = 0) -> int:
    """vl after a vsetvl."""
    machine.x[5] = LMULS[lmul] | (sew.bit_length() - 4) << 3 | altfmt
    machine.x[6] = count
    assert machine.execute("vsetvl t2, t1, t0") == 0
    return int(machine.x[7])


def fill(machine: Workbench, raw: Array) -> Array:
    """Put bytes into all vector registers; a copy of what they hold then."""
    registers = machine.registers("V").reshape(-1)
    registers[:] = np.resize(raw, len(registers))
    registers[::7] ^= 0x5A
    return registers.copy()


def group(raw: Array, register: int, count: int, kind: str, size: int = SIZE) -> Array:
    """The first elements of a register group."""
    width = int(kind[1:])
    return elements(raw[register * size : register * size + count * width // 8], kind)


def expect(machine: Workbench, before: Array, register: int, sew: int, values: Array, active: Array) -> None:
    """Check that active elements hold values and that nothing else changed."""
    size = machine.registers("V").shape[1]
    after = before.copy()
    view = after[register * size :].view(f"u{sew // 8}")
    new = as_bytes(values, f"i{sew}").view(f"u{sew // 8}")
    view[: len(values)][active] = new[active]
    assert np.array_equal(machine.registers("V").reshape(-1), after)


def mask_bits(raw: Array, count: int) -> Array:
    return np.unpackbits(raw[: (count + 7) // 8], bitorder="little")[:count].astype(bool)


SHAPES = st.tuples(st.sampled_from(sorted(LMULS)), st.integers(0, 140), st.booleans())


@pytest.mark.parametrize("sew", [8, 16])
@pytest.mark.parametrize("u", ["", "u"])
@pytest.mark.parametrize("form", ["vv", "vx"])
@pytest.mark.parametrize("wide", [False, True])
def test_absolute_differences(wide: bool, form: str, u: str, sew: int) -> None:
    machine = drafts()

    @settings(max_examples=15, deadline=None)
    @given(bytes_of(256), SHAPES, st.integers(-(2**63), 2**63 - 1))
    def check(raw: Array, shape: tuple[str, int, bool], scalar: int) -> None:
        lmul, count, masked = shape
        vl = configure(machine, sew, lmul, count)
        before = fill(machine, raw)
        machine.x[10] = scalar
        name = f"vwabda{u}" if wide else f"vabd{u}"
        source = "v12" if form == "vv" else "a0"
        assert machine.execute(f"{name}.{form} v16, v8, {source}{', v0.t' if masked else ''}") == 0
        kind = f"{u or 'i'}{sew}"
        a = group(before, 8, vl, kind)
        b = group(before, 12, vl, kind) if form == "vv" else elements(as_bytes(np.array([scalar]), f"i{sew}"), kind)
        difference = np.abs(a - b)
        if wide:
            difference = difference + group(before, 16, vl, f"i{2 * sew}")
        active = mask_bits(before, vl) if masked else np.ones(vl, bool)
        expect(machine, before, 16, 2 * sew if wide else sew, difference, active)

    check()


@pytest.mark.parametrize("name", ["vabd.vv", "vabdu.vv", "vwabda.vv"])
@pytest.mark.parametrize("sew", [32, 64])
def test_absolute_differences_of_wider_elements_are_reserved(name: str, sew: int) -> None:
    machine = drafts()
    configure(machine, sew, "m1", 4)
    assert machine.execute(f"{name} v16, v8, v12") == at.ILLEGAL


@pytest.mark.parametrize(
    ("sign", "form"), [(s, form) for s in ("", "u", "su") for form in ("vv", "vx")] + [("us", "vx")]
)
def test_dot_products_of_four_bytes(sign: str, form: str) -> None:
    machine = drafts()
    signs = {"": "ii", "u": "uu", "su": "iu", "us": "ui"}[sign]

    @settings(max_examples=20, deadline=None)
    @given(bytes_of(256), SHAPES, st.integers(-(2**63), 2**63 - 1))
    def check(raw: Array, shape: tuple[str, int, bool], scalar: int) -> None:
        lmul, count, masked = shape
        vl = configure(machine, 32, lmul, count)
        before = fill(machine, raw)
        machine.x[10] = scalar
        source = "v12" if form == "vv" else "a0"
        assert machine.execute(f"vdot4a{sign}.{form} v16, v8, {source}{', v0.t' if masked else ''}") == 0
        a = group(before, 8, 4 * vl, f"{signs[0]}8").reshape(-1, 4)
        if form == "vv":
            b = group(before, 12, 4 * vl, f"{signs[1]}8").reshape(-1, 4)
        else:
            b = elements(as_bytes(np.array([scalar]), "i64")[:4], f"{signs[1]}8")
        total = group(before, 16, vl, "i32") + (a * b).sum(axis=1)
        expect(machine, before, 16, 32, total, mask_bits(before, vl) if masked else np.ones(vl, bool))

    check()


@pytest.mark.parametrize("u", ["u", "s"])
@pytest.mark.parametrize("altfmt", [0, ALTFMT])
def test_dot_product_of_vectors(altfmt: int, u: str) -> None:
    machine = drafts()

    @settings(max_examples=30, deadline=None)
    @given(bytes_of(256), SHAPES)
    def check(raw: Array, shape: tuple[str, int, bool]) -> None:
        lmul, count, masked = shape
        vl = configure(machine, 8, lmul, count, altfmt)
        before = fill(machine, raw)
        assert machine.execute(f"vqwdota{u}.vv v17, v8, v12{', v0.t' if masked else ''}") == 0
        active = mask_bits(before, vl) if masked else np.ones(vl, bool)
        a = group(before, 8, vl, "u8" if u == "u" else "i8")
        b = group(before, 12, vl, "i8" if altfmt else "u8")
        total = group(before, 17, 1, "i32") + (a * b)[active].sum()
        expect(machine, before, 17, 32, total, np.array([vl > 0]))

    check()


@pytest.mark.parametrize("u", ["u", "s"])
@pytest.mark.parametrize("altfmt", [0, ALTFMT])
@pytest.mark.parametrize("vlen", [128, 256, 1024])
def test_eight_dot_products(vlen: int, altfmt: int, u: str) -> None:
    machine, size = drafts(vlen), vlen // 8

    @settings(max_examples=20, deadline=None)
    @given(bytes_of(256), st.integers(0, 140), st.booleans(), st.integers(0, 7))
    def check(raw: Array, count: int, masked: bool, ci: int) -> None:
        vl = configure(machine, 8, "m1", count, altfmt)
        before = fill(machine, raw)
        trap = machine.execute(f"vqwbdota{u}.vv v16, v8, v5, {ci}{', v0.t' if masked else ''}")
        assert trap == (at.ILLEGAL if 8 * ci + 8 > max(vlen // 32, 8) else 0)
        if trap:
            return
        active = mask_bits(before, 8 * ci + 8) if masked else np.ones(8 * ci + 8, bool)
        active[: 8 * ci] = False
        b = group(before, 5, vl, "i8" if altfmt else "u8", size)
        values = group(before, 16, 8 * ci + 8, "i32", size)
        for n in range(8):
            values[8 * ci + n] += group(before, 8 + n, vl, "u8" if u == "u" else "i8", size) @ b
        expect(machine, before, 16, 32, values, active)

    check()


@pytest.mark.parametrize("text", ["vqwbdotau.vv v8, v8, v5, 0", "vqwbdotau.vv v5, v8, v5, 0"])
def test_eight_dot_products_do_not_overlap(text: str) -> None:
    machine = drafts()
    configure(machine, 8, "m1", 32)
    assert machine.execute(text) == at.ILLEGAL
    configure(machine, 8, "m2", 32)
    assert machine.execute("vqwbdotau.vv v16, v8, v5, 0") == at.ILLEGAL


@pytest.mark.parametrize("sew", [8, 16, 32, 64])
@pytest.mark.parametrize("name", ["vzip.vv", "vunzipe.v", "vunzipo.v", "vpaire.vv", "vpairo.vv"])
def test_zips(name: str, sew: int) -> None:
    machine = drafts()

    @settings(max_examples=20, deadline=None)
    @given(bytes_of(256), SHAPES)
    def check(raw: Array, shape: tuple[str, int, bool]) -> None:
        lmul, count, masked = shape
        if sew == 64 and lmul == "mf2":
            lmul = "m1"
        vl = configure(machine, sew, lmul, count)
        before = fill(machine, raw)
        kind, size = f"i{sew}", SIZE * 8 // sew
        reach = size << LMULS[lmul] if LMULS[lmul] < 4 else size // 2
        two = "" if name[1] == "u" else ", v4"
        assert machine.execute(f"{name} v16, v8{two}{', v0.t' if masked else ''}") == 0
        a, b = group(before, 8, 2 * reach, kind), group(before, 4, reach, kind)
        if name == "vzip.vv":
            values = np.stack([a[:vl], b[:vl]], axis=1).reshape(-1)
        elif name[1] == "u":
            values = a[int(name[6] == "o") :: 2][:vl]
        else:
            # pairs of the register group; what is behind its last element reads as 0
            first, second = (np.append(x[:reach], 0)[int(name[5] == "o") :: 2] for x in (a, b))
            some = min(len(first), len(second))
            values = np.stack([first[:some], second[:some]], axis=1).reshape(-1)[:vl]
        active = mask_bits(before, len(values)) if masked else np.ones(len(values), bool)
        expect(machine, before, 16, sew, values, active)

    check()


@pytest.mark.parametrize(
    "text",
    [
        "vzip.vv v8, v8, v4", "vzip.vv v8, v4, v9", "vzip.vv v9, v4, v5", "vunzipe.v v8, v8", "vunzipo.v v9, v8",
        "vunzipe.v v8, v5", "vpaire.vv v8, v4, v8",
    ],
)  # fmt: skip
def test_zips_do_not_overlap_and_are_aligned(text: str) -> None:
    machine = drafts()
    configure(machine, 8, "m1", 8)
    assert machine.execute(text) == at.ILLEGAL
