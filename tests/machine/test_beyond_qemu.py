"""Extensions that qemu-user 7.2 does not know, against numpy, ml_dtypes and integers of Python."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import archsim
from archsim.isa.spec import Isa

A, B, C, OUT = 0x20_0000, 0x21_0000, 0x22_0000, 0x23_0000
COUNT = 40
END = "li a0, 0\n li a7, 93\n ecall\n"


@pytest.fixture(scope="module")
def isa() -> Isa:
    return archsim.load_isa("rv64gcv_zba_zbb_zicond_zcb_zacas_zvfh_zvbb_zvfbfwma", parameters={"VLEN": 256})


def run(isa: Isa, source: str, memory: dict[int, np.ndarray], size: int) -> bytes:
    """The bytes at OUT after a program."""
    result = archsim.run(isa.assemble(source + END), "edge-npu", isa=isa, fidelity="functional", memory=memory)
    assert result.memory is not None
    return result.memory.read(OUT, size)


def halves(seed: int) -> np.ndarray:
    """float16: edge cases, then numbers of a narrow range."""
    edges = [0, 0x8000, 0x3C00, 0xFC00, 0x7C00, 1, 0x03FF, 0x0400, 0x7BFF, 0x8001]
    rng = np.random.default_rng(seed)
    rest = (rng.standard_normal(COUNT - len(edges)) * 4).astype(np.float16)
    return np.concatenate([rng.permutation(np.array(edges, np.uint16)).view(np.float16), rest])


def canonical(values: np.ndarray) -> np.ndarray:
    """Bits, NaNs as RISC-V makes them."""
    bits = values.view(f"u{values.itemsize}").copy()
    bits[np.isnan(values)] = {2: 0x7E00, 4: 0x7FC00000}[values.itemsize]
    return bits


@pytest.mark.parametrize(
    "name,oracle",
    [
        ("vfadd.vv", np.add),
        ("vfsub.vv", np.subtract),
        ("vfmul.vv", np.multiply),
        ("vfdiv.vv", np.divide),
    ],
)
@pytest.mark.parametrize("lmul", ["m1", "m4"])
def test_half_arithmetic(isa: Isa, name: str, oracle: np.ufunc, lmul: str) -> None:
    a, b = halves(1), halves(2)
    count = min(COUNT, 16 if lmul == "m1" else COUNT)
    source = f"""
      li a3, {count}
      vsetvli t0, a3, e16, {lmul}, ta, ma
      li a0, {A}
      vle16.v v8, (a0)
      li a0, {B}
      vle16.v v16, (a0)
      {name} v24, v8, v16
      li a0, {OUT}
      vse16.v v24, (a0)
    """
    with np.errstate(all="ignore"):
        expected = oracle(a[:count], b[:count]).astype(np.float16)
    got = np.frombuffer(run(isa, source, {A: a, B: b}, 2 * count), np.uint16)
    assert np.array_equal(got, canonical(expected))


def test_half_widening_and_conversions(isa: Isa) -> None:
    a, b = halves(3), halves(4)
    source = f"""
      li a3, {COUNT}
      vsetvli t0, a3, e16, m4, ta, ma
      li a0, {A}
      vle16.v v4, (a0)
      li a0, {B}
      vle16.v v8, (a0)
      vfwmul.vv v16, v4, v8
      li a0, {OUT}
      vsetvli t0, a3, e32, m8, ta, ma
      vse32.v v16, (a0)
      vsetvli t0, a3, e16, m4, ta, ma
      vfncvt.f.f.w v12, v16
      addi a0, a0, {4 * COUNT}
      vse16.v v12, (a0)
      vfcvt.rtz.x.f.v v12, v4
      addi a0, a0, {2 * COUNT}
      vse16.v v12, (a0)
    """
    data = run(isa, source, {A: a, B: b}, 8 * COUNT)
    with np.errstate(all="ignore"):
        wide = a.astype(np.float32) * b.astype(np.float32)
        narrow = wide.astype(np.float16)
    assert np.array_equal(np.frombuffer(data[: 4 * COUNT], np.uint32), canonical(wide))
    assert np.array_equal(np.frombuffer(data[4 * COUNT : 6 * COUNT], np.uint16), canonical(narrow))
    exact = np.where(
        np.isnan(a), 32767, np.clip(np.nan_to_num(a.astype(np.float64), posinf=1e9, neginf=-1e9), -32768, 32767)
    )
    assert np.array_equal(np.frombuffer(data[6 * COUNT :], np.int16), np.trunc(exact).astype(np.int16))


def test_bfloat16(isa: Isa) -> None:
    rng = np.random.default_rng(5)
    wide = (rng.standard_normal(16) * 10.0 ** rng.integers(-6, 6, 16)).astype(np.float32)
    wide[:3] = np.inf, -0.0, np.nan
    b, c = rng.standard_normal(16).astype(ml_dtypes.bfloat16), rng.standard_normal(16).astype(np.float32)
    source = f"""
      li a3, 16
      vsetvli t0, a3, e16, m1, ta, ma
      li a0, {A}
      vle32.v v4, (a0)
      vfncvtbf16.f.f.w v8, v4
      li a0, {OUT}
      vse16.v v8, (a0)
      vfwcvtbf16.f.f.v v10, v8
      addi a0, a0, 32
      vse32.v v10, (a0)
      li a1, {B}
      vle16.v v9, (a1)
      li a1, {C}
      vle32.v v12, (a1)
      vfwmaccbf16.vv v12, v8, v9
      addi a0, a0, 64
      vse32.v v12, (a0)
    """
    data = run(isa, source, {A: wide, B: b.view(np.uint16), C: c}, 160)
    narrow = wide.astype(ml_dtypes.bfloat16)
    bits = narrow.view(np.uint16).copy()
    bits[np.isnan(wide)] = 0x7FC0
    assert np.array_equal(np.frombuffer(data[:32], np.uint16), bits)
    assert np.array_equal(np.frombuffer(data[32:96], np.uint32), canonical(narrow.astype(np.float32)))
    # products of two bfloat16 are exact in float64, and so is what float64 adds here
    fused = (narrow.astype(np.float64) * b.astype(np.float64) + c.astype(np.float64)).astype(np.float32)
    assert np.array_equal(np.frombuffer(data[96:], np.uint32), canonical(fused))


def reverse_bits(value: int, bits: int) -> int:
    return int(f"{value:0{bits}b}"[::-1], 2)


@pytest.mark.parametrize("sew", [8, 16, 32, 64])
def test_vector_bits(isa: Isa, sew: int) -> None:
    rng = np.random.default_rng(sew)
    a = rng.integers(0, 1 << 63, 16, np.uint64).astype(f"u{sew // 8}")
    a[:3] = 0, 1, (1 << sew) - 1
    b = rng.integers(0, 1 << 63, 16, np.uint64).astype(f"u{sew // 8}")
    mask = (1 << sew) - 1
    names = {
        "vandn.vv v20, v4, v8": lambda x, y: x & ~y & mask,
        "vbrev.v v20, v4": lambda x, y: reverse_bits(x, sew),
        "vbrev8.v v20, v4": lambda x, y: int.from_bytes(
            bytes(reverse_bits(c, 8) for c in x.to_bytes(8, "little")), "little"
        ),
        "vrev8.v v20, v4": lambda x, y: int.from_bytes(x.to_bytes(sew // 8, "little"), "big"),
        "vclz.v v20, v4": lambda x, y: sew - x.bit_length(),
        "vctz.v v20, v4": lambda x, y: (x & -x).bit_length() - 1 if x else sew,
        "vcpop.v v20, v4": lambda x, y: x.bit_count(),
        "vrol.vv v20, v4, v8": lambda x, y: (x << y % sew | x >> -y % sew) & mask if y % sew else x,
        "vror.vv v20, v4, v8": lambda x, y: (x >> y % sew | x << -y % sew) & mask if y % sew else x,
        "vror.vi v20, v4, 37": lambda x, y: (x >> 37 % sew | x << -37 % sew) & mask,
    }
    size = 2 * sew
    for text, oracle in names.items():
        source = f"""
          li a3, 16
          vsetvli t0, a3, e{sew}, m4, ta, ma
          li a0, {A}
          vle{sew}.v v4, (a0)
          li a0, {B}
          vle{sew}.v v8, (a0)
          {text}
          li a0, {OUT}
          vse{sew}.v v20, (a0)
        """
        got = np.frombuffer(run(isa, source, {A: a, B: b}, size), a.dtype)
        assert [int(v) for v in got] == [oracle(int(x), int(y)) for x, y in zip(a, b, strict=True)], text


def test_conditional_zero_and_compare_and_swap(isa: Isa) -> None:
    source = f"""
      li a0, {OUT}
      li a1, 7
      li a2, 5
      czero.eqz a3, a1, zero
      czero.nez a4, a1, zero
      sd a3, 0(a0)
      sd a4, 8(a0)
      sd a1, 16(a0)
      addi t0, a0, 16
      li a5, 6
      amocas.d a5, a2, (t0)
      sd a5, 24(a0)
      li a5, 7
      amocas.d a5, a2, (t0)
      sd a5, 32(a0)
      ld a6, 16(a0)
      sd a6, 40(a0)
    """
    words = np.frombuffer(run(isa, source, {}, 48), np.int64)
    # the first swap finds 7 where 6 is expected, the second what it expects
    assert list(words) == [0, 7, 5, 7, 7, 5]


def test_zcb_by_its_encodings(isa: Isa) -> None:
    """Halfwords from the tables of Zc 1.0, on a0 and a1."""
    words = {
        "c.zext.b a0": 0x9D61, "c.sext.b a0": 0x9D65, "c.zext.h a0": 0x9D69, "c.sext.h a0": 0x9D6D,
        "c.zext.w a0": 0x9D71, "c.not a0": 0x9D75, "c.mul a0, a1": 0x9D4D,
        "c.lbu a0, 1(a1)": 0x81C8, "c.lhu a0, 2(a1)": 0x85A8, "c.lh a0, 2(a1)": 0x85E8,
        "c.sb a0, 1(a1)": 0x89C8, "c.sh a0, 2(a1)": 0x8DA8,
    }  # fmt: skip
    program = isa.assemble("\n".join(words))
    text = next(segment for segment in program.segments if segment.executable).data
    assert [int.from_bytes(text[i : i + 2], "little") for i in range(0, 2 * len(words), 2)] == list(words.values())
    value = 0xFEDC_BA98_7654_83F1
    expected = [0xF1, -15, 0x83F1, -31759, 0x765483F1, ~value, None]
    for (name, _), result in zip(words.items(), expected, strict=False):
        if result is None:
            continue
        source = f"li a0, {value}\n {name}\n li a2, {OUT}\n sd a0, 0(a2)\n"
        assert int.from_bytes(run(isa, source, {}, 8), "little") == result & (1 << 64) - 1, name
