"""Every xqt instruction against numpy, on random shapes with ragged edges, bit for bit."""

from __future__ import annotations

import math

import numpy as np
import pytest

import archsim
import archsim.formats
import archsim.isa.spec
from archsim.isa.program import SCRATCHPAD_BASE

IN, OUT = 0x100000, 0x200000
EXIT = "li a0, 0\nli a7, 93\necall\n"
LOAD_ALL = f"""
    li   s0, {SCRATCHPAD_BASE}
    csrwi qdrows, 1
    li   t0, 65536
    csrw qdrowb, t0
    li   a0, {IN}
    qt.dma.ld b0, a0, s0
    qt.bar.wait b0
"""
STORE_ALL = f"""
    csrwi qdrows, 1
    li   t0, 65536
    csrw qdrowb, t0
    li   a0, {OUT}
    qt.dma.st b1, a0, s0
    qt.bar.wait b1
"""


@pytest.fixture(scope="module")
def isa() -> archsim.isa.spec.Isa:
    return archsim.load_isa("rv64im", "zicsr", "zicntr", "xqt", parameters=archsim.load_design("edge-npu").parameters)


def scratchpad_after(isa, body: str, contents: np.ndarray, fidelity: str = "functional") -> np.ndarray:
    """Run with `contents` (uint8) at the scratchpad's start; the scratchpad's first 64 KiB afterwards."""
    full = np.zeros(65536, np.uint8)
    full[: len(contents)] = contents
    program = isa.assemble(LOAD_ALL + body + STORE_ALL + EXIT)
    result = archsim.run(program, "edge-npu", isa=isa, fidelity=fidelity, memory={IN: full})
    return np.frombuffer(result.read(OUT, 65536), np.uint8)


def shape(m: int, n: int, k: int, wformat: int, log_group: int) -> str:
    values = {"qtm": m, "qtn": n, "qtk": k, "qfmt": wformat | log_group << 14}
    return "".join(f"    li t0, {value}\n    csrw {name}, t0\n" for name, value in values.items())


def tile(register: str, mnemonic: str, offset: int, stride: int) -> str:
    return f"    li t1, {offset}\n    add t1, t1, s0\n    li t2, {stride}\n    {mnemonic} {register}, t1, t2\n"


def as_bytes(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array).view(np.uint8).reshape(-1)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("wformat", [0, 1])
def test_matrix_multiply(isa, seed: int, wformat: int) -> None:
    rng = np.random.default_rng(seed)
    m, n, k = int(rng.integers(1, 17)), int(rng.integers(1, 17)), 8 * int(rng.integers(1, 17))
    log_group = int(rng.integers(4, 8))
    groups = max(1, min(8, k >> log_group))
    if (k + (1 << log_group) - 1) >> log_group > groups:
        k = groups << log_group
    a = rng.integers(-128, 128, (m, k)).astype(np.int8)
    w = rng.integers(-8, 8, (n, k)).astype(np.int8) if wformat else rng.integers(-128, 128, (n, k)).astype(np.int8)
    scales = rng.normal(size=(n, groups)).astype(np.float16)
    stored = archsim.formats.pack_int4(w) if wformat else w.view(np.uint8)
    contents = np.zeros(16384, np.uint8)
    contents[0 : m * k] = as_bytes(a)
    contents[4096 : 4096 + stored.size] = stored.reshape(-1)
    contents[8192 : 8192 + 2 * scales.size] = as_bytes(scales)
    body = shape(m, n, k, wformat, log_group)
    body += (
        tile("t0", "qt.ld", 0, k)
        + tile("t1", "qt.ldw", 4096, stored.shape[1])
        + tile("sc0", "qt.lds", 8192, 2 * groups)
    )
    body += "qt.zeroa ac0\nqt.zeroa ac1\n" + 2 * "qt.mma ac0, t0, t1\n" + 2 * "qt.mma.s ac1, t0, t1, sc0\n"
    body += tile("ac0", "qt.sta", 32768, 4 * n) + tile("ac1", "qt.sta", 40960, 4 * n)
    got = scratchpad_after(isa, body, contents)
    exact = got[32768 : 32768 + 4 * m * n].view(np.int32).reshape(m, n)
    assert np.array_equal(exact, 2 * (a.astype(np.int32) @ w.astype(np.int32).T))
    total = np.zeros((m, n), np.float32)
    size = min(1 << log_group, k)
    for _ in range(2):
        for g in range(groups):
            part = slice(g * size, min((g + 1) * size, k))
            dot = (a[:, part].astype(np.int32) @ w[:, part].astype(np.int32).T).astype(np.float32)
            total = total + dot * scales[:, g].astype(np.float32)
    assert np.array_equal(got[40960 : 40960 + 4 * m * n].view(np.float32).reshape(m, n), total)


def test_tiles_move_transpose_unpack_and_requantise(isa) -> None:
    rng = np.random.default_rng(5)
    m, n, k = 7, 11, 90
    a = rng.integers(-128, 128, (m, k)).astype(np.int8)
    w = rng.integers(-8, 8, (n, k)).astype(np.int8)
    scales = rng.uniform(0.001, 0.01, (16, 8)).astype(np.float16)
    factors = rng.normal(size=m).astype(np.float32)
    contents = np.zeros(32768, np.uint8)
    contents[: m * k] = as_bytes(a)
    packed = archsim.formats.pack_int4(w)
    contents[4096 : 4096 + packed.size] = packed.reshape(-1)
    contents[8192 : 8192 + 256] = as_bytes(scales)
    contents[9216 : 9216 + 4 * m] = as_bytes(factors)
    body = shape(m, n, k, 1, 3) + tile("t0", "qt.ld", 0, k) + tile("t1", "qt.ldw", 4096, packed.shape[1])
    body += "qt.unpk t1, t1\n" + tile("t0", "qt.st", 16384, 100) + tile("t0", "qt.stt", 20480, 8)
    # the unpacked weights multiply as int8
    body += shape(m, n, k, 0, 7) + "qt.zeroa ac0\nqt.mma ac0, t0, t1\n"
    # scales of the rows, one per eight columns
    body += shape(16, 16, 64, 0, 3) + tile("sc1", "qt.lds", 8192, 16) + shape(m, n, k, 0, 3)
    body += "qt.quant t3, ac0, sc1\n" + shape(m, n, n, 0, 3) + tile("t3", "qt.st", 24576, 16)
    body += "qt.cvtf ac0\nli t1, 9216\nadd t1, t1, s0\nqt.mulr ac0, t1\n" + tile("ac0", "qt.sta", 28672, 4 * n)
    got = scratchpad_after(isa, body, contents).view(np.int8)
    assert np.array_equal(got[16384 : 16384 + 100 * m].reshape(m, 100)[:, :k], a)
    assert np.array_equal(got[20480 : 20480 + 8 * k].reshape(k, 8)[:, :m], a.T)
    dot = a.astype(np.int32) @ w.astype(np.int32).T
    scaled = dot.astype(np.float32) * np.repeat(scales.astype(np.float32), 8, axis=1)[:m, :n]
    expected = np.clip(np.rint(scaled.astype(np.float64)), -128, 127).astype(np.int8)
    assert np.array_equal(got[24576 : 24576 + 16 * m].reshape(m, 16)[:, :n], expected)
    rows = got[28672 : 28672 + 4 * m * n].view(np.float32).reshape(m, n)
    assert np.array_equal(rows, dot.astype(np.float32) * factors[:, None])


def lanes(values: np.ndarray) -> np.float32:
    """The sum's definition: 16 lanes in order, then the lanes in order, all float32."""
    total = np.float32(0)
    for lane in range(16):
        part = np.float32(0)
        for value in values[lane::16]:
            part = np.float32(part + value)
        total = np.float32(total + part)
    return total


def exp32(values: np.ndarray) -> np.ndarray:
    return np.array([math.exp(v) for v in values.astype(np.float64)]).astype(np.float32)


@pytest.mark.parametrize("size", [1, 5, 16, 37, 128, 500])
def test_row_operations(isa, size: int) -> None:
    rng = np.random.default_rng(size)
    a, b = (rng.normal(size=size).astype(np.float32) for _ in range(2))
    s = np.float32(rng.uniform(0.5, 2))
    half = rng.normal(size=size).astype(np.float16)
    contents = np.zeros(16384, np.uint8)
    for offset, array in ((0, a), (4096, b), (8192, np.array([s])), (12288, half)):
        raw = as_bytes(array)
        contents[offset : offset + raw.size] = raw
    one = np.float32(1)
    eps = np.float32(1e-5)
    expected = {
        "qv.add {d}, a1, a2": a + b,
        "qv.sub {d}, a1, a2": a - b,
        "qv.mul {d}, a1, a2": a * b,
        "qv.muls {d}, a1, a3": a * s,
        "qv.divs {d}, a1, a3": a / s,
        "qv.exps {d}, a1, a3": exp32(a - s),
        "qv.silu {d}, a1": a / (one + exp32(-a)),
        "qv.sum {d}, a1": np.array([lanes(a)]),
        "qv.sumsq {d}, a1": np.array([lanes(a * a)]),
        "qv.max {d}, a1": np.array([a.max()]),
        "qv.amax {d}, a1": np.array([np.abs(a).max()]),
        "qv.rsqrt {d}, a5, a3": one / np.sqrt(np.abs(a) * s + eps),
        "qv.quant {d}, a1, a3": np.clip(np.rint((a * (np.float32(127) / s)).astype(np.float64)), -127, 127).astype(
            np.int8
        ),
        "qv.h2f {d}, a4": half.astype(np.float32),
        "qv.f2h {d}, a1": a.astype(np.float16),
    }
    raw = as_bytes(np.abs(a))
    contents = np.concatenate([contents, np.zeros(4096, np.uint8)])
    contents[16384 : 16384 + raw.size] = raw
    body = f"li t0, {size}\ncsrw qvl, t0\nli t0, {int(eps.view(np.int32))}\ncsrw qeps, t0\n"
    for register, offset in (("a1", 0), ("a2", 4096), ("a3", 8192), ("a4", 12288), ("a5", 16384)):
        body += f"li {register}, {offset}\nadd {register}, {register}, s0\n"
    for index, template in enumerate(expected):
        body += f"li a6, {24576 + 2048 * index}\nadd a6, a6, s0\n{template.format(d='a6')}\n"
    got = scratchpad_after(isa, body, contents)
    for index, (template, values) in enumerate(expected.items()):
        raw = as_bytes(values)
        found = got[24576 + 2048 * index :][: raw.size]
        assert np.array_equal(found, raw), template


def test_touching_an_unfinished_transfer_is_a_race(isa) -> None:
    body = (
        f"""
    li   s0, {SCRATCHPAD_BASE}
    csrwi qdrows, 1
    li   t0, 4096
    csrw qdrowb, t0
    csrw qvl, t0
    li   a0, {IN}
    qt.dma.ld b0, a0, s0
    qv.zero s0
"""
        + EXIT
    )
    with pytest.raises(archsim.SimulationError, match=r"unfinished \(qt\.bar\.wait is missing\)"):
        archsim.run(isa.assemble(body, "race.s"), "edge-npu", isa=isa)


def test_a_weight_format_the_unit_lacks_traps(isa) -> None:
    body = shape(1, 16, 128, 1, 7) + "qt.mma ac0, t0, t1\n" + EXIT
    with pytest.raises(archsim.SimulationError, match="does not multiply this weight format"):
        archsim.run(isa.assemble(body), "edge-npu-int8", isa=isa)
