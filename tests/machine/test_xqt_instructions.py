"""Every computing instruction of xqt and every pair of formats, against a reference in numpy, bit for bit."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import archsim
from archsim.machine import layout as at
from archsim.machine.workbench import Workbench
from tests.machine.xqt_reference import ACTIVATIONS, CODES, INTEGERS, LARGEST, WEIGHTS, Reference, pack, unpack

SIZES = {"small": (4, 8, 32), "design": (16, 16, 128)}
FLOATS = tuple(name for name in WEIGHTS if name not in INTEGERS and name not in CODES)
WIDE = ACTIVATIONS[1:]
MX = ("int8", "float8_e4m3fn", "float8_e5m2", "float6_e3m2fn", "float4_e2m1fn")

# instruction: operands as registers, then the formats of weights and activations that it has
TABLE: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "mma": ("ac t t", INTEGERS + FLOATS, ACTIVATIONS),
    "mma.s": ("ac t t sc", INTEGERS + FLOATS, ACTIVATIONS),
    "mma.sz": ("ac t t sc+", INTEGERS + FLOATS, ACTIVATIONS),
    "mma.mx": ("ac t t sc+", MX, MX),
    "mma.cb": ("ac t t cb", CODES, ACTIVATIONS),
    "mma.cbs": ("ac t t sc cb", CODES, ACTIVATIONS),
    "mma.sgn": ("ac t t sc", ("any",), ACTIVATIONS),
    "unpk": ("t t", INTEGERS, ("any",)),
    "pack": ("t t", INTEGERS, ("any",)),
    "deq": ("t t sc", INTEGERS + FLOATS, WIDE),
    "cblk": ("t t cb", CODES, WIDE),
    "quant": ("t ac sc", ("any",), ("any",)),
    "quant.d": ("t t sc", ("any",), WIDE),
    "quant.mx": ("t t sc", MX, WIDE),
    "quant.cb": ("t t cb", CODES, WIDE),
    "sgnpk": ("t t", ("any",), ACTIVATIONS),
    "had": ("t t imm", ("any",), WIDE),
    "hads": ("t t t", ("any",), WIDE),
    "trw": ("t t imm", INTEGERS + CODES, ("any",)),
    "rmax": ("sc ac sc", ("any",), ("any",)),
    "expm": ("t ac sc", ("any",), ACTIVATIONS),
    "expd": ("sc sc sc", ("any",), ("any",)),
    "rsum": ("sc t sc", ("any",), ACTIVATIONS),
    "rescale": ("ac ac sc", ("any",), ("any",)),
    "rdiv": ("ac ac sc", ("any",), ("any",)),
    "rms": ("sc t", ("any",), ACTIVATIONS),
    "bias": ("ac ac sc", ("any",), ("any",)),
    "mvta": ("ac t", ("any",), ACTIVATIONS),
    "mvat": ("t ac", ("any",), ACTIVATIONS),
    "cvtf": ("ac", ("any",), ("any",)),
    "zero": ("t", ("any",), ("any",)),
    "zeroa": ("ac", ("any",), ("any",)),
}


@pytest.fixture(scope="module", params=SIZES)
def bench(request: pytest.FixtureRequest) -> Workbench:
    tm, tn, trowb = SIZES[request.param]
    isa = archsim.load_isa("rv64im", "zicsr", "xqt", parameters={"TM": tm, "TN": tn, "TROWB": trowb})
    return Workbench(isa)


def numbers(rng: np.random.Generator, count: int, spread: int) -> np.ndarray:
    """float32: mostly ordinary, now and then zeros, infinities, tiny and huge ones."""
    values = np.ldexp(rng.standard_normal(count), rng.integers(-spread, spread + 1, count)).astype(np.float32)
    special = np.array([0.0, -0.0, np.inf, -np.inf, 1e-40, 6e4, 1e30, 0.5, -1.0], np.float32)
    where = rng.random(count) < 0.03
    values[where] = rng.choice(special, where.sum())
    return values


def fill(reference: Reference, rng: np.random.Generator, tame: bool) -> None:
    """Random contents that make sense in the formats; `tame` leaves out infinities."""
    rows = reference.t.shape[1]
    for number in range(8):
        name = (reference.activation, reference.weight)[number & 1]
        if name.startswith(("float", "bfloat")):
            count = reference.trowb * 8 // bits_of(name)
            values = numbers(rng, rows * count, 3).reshape(rows, count)
            most = LARGEST.get(name, 6e4)
            values = np.clip(np.nan_to_num(values), -most, most) if tame or name in LARGEST else values
            pack(reference.t[number], values, name)
        else:
            reference.t[number] = rng.integers(0, 243, reference.t[number].shape)
        if tame and reference.afmt and name != reference.activation:
            # finite when they are read as activations, too: without the highest bit of an exponent
            reference.t[number, :, 1::2] &= 0xBF
            if bits_of(reference.activation) == 8:
                reference.t[number, :, ::2] &= 0xBF
    if reference.afmt == 0:
        # tiles of int8 at their limits
        reference.t[4:6] = rng.choice(np.array([128, 127, 0, 255, 1], np.uint8), reference.t[4:6].shape)
    if reference.afmt or rng.random() < 0.5:
        reference.acf[:] = np.clip(numbers(rng, reference.ac.size, 4), -1e30, 1e30).reshape(reference.ac.shape)
    else:
        reference.ac[:] = rng.integers(-(2**31), 2**31, reference.ac.shape)
    scales = np.abs(numbers(rng, reference.sc.size, 2)).reshape(reference.sc.shape)
    scales = np.where(np.isfinite(scales) & (scales < 6e4), scales, 1).astype(np.float16)
    reference.sc[:] = scales.view(np.uint16)
    reference.cb[:] = np.sort(rng.standard_normal(reference.cb.shape), axis=1).astype(np.float32)


def bits_of(name: str) -> int:
    from tests.machine.xqt_reference import BITS

    return int(BITS[name])


def load(bench: Workbench, reference: Reference) -> None:
    bench.registers("t").view(np.uint8)[:] = reference.t
    bench.registers("ac")[:] = reference.ac
    bench.registers("su")[:] = reference.sc
    bench.registers("cb")[:] = reference.cb
    fmt = reference.wfmt | reference.afmt << 4 | reference.sfmt << 10 | reference.glog2 << 14 | reference.sat << 18
    values = {"qfmt": fmt, "qtm": reference.m, "qtn": reference.n, "qtk": reference.k}
    values |= {"qexpscale": int(reference.exp_scale.view(np.uint32)), "qeps": int(reference.eps.view(np.uint32))}
    for name, value in values.items():
        bench.set_csr(name, value)


def same(found: np.ndarray, wanted: np.ndarray) -> bool:
    """Equal bits, or both NaN as float32."""
    if np.array_equal(found, wanted):
        return True
    one, two = (np.ascontiguousarray(array).view(np.uint8).view(np.float32) for array in (found, wanted))
    return bool(np.all((one.view(np.uint32) == two.view(np.uint32)) | (np.isnan(one) & np.isnan(two))))


def operands(kinds: str, rng: np.random.Generator, depth: int) -> tuple[str, list[int]]:
    """Assembly operands and their numbers."""
    texts, values = [], []
    for one in kinds.split():
        if one == "imm":
            value = int(rng.integers(0, min(8, depth.bit_length() - 1) + 1))
            texts.append(str(value))
        else:
            name = one.rstrip("+")
            value = int(rng.integers(0, {"t": 8, "ac": 4, "sc": 8 - ("+" in one), "cb": 4}[name]))
            texts.append(f"{name}{value}")
        values.append(value)
    return ", ".join(texts), values


def most_elements(reference: Reference, name: str) -> int:
    """The depth that formats and register sizes allow."""
    widest = max(bits_of(reference.activation), 8, bits_of(reference.weight))
    return min(reference.trowb, reference.trowb * 8 // widest)


def attempt(bench: Workbench, name: str, weight: str, activation: str, seed: int, edges: bool) -> None:
    rng = np.random.default_rng(seed)
    tm, tn, trowb = (bench.isa.parameters[key] for key in ("TM", "TN", "TROWB"))
    reference = Reference(tm, tn, trowb)
    reference.wfmt = int(rng.integers(0, 15)) if weight == "any" else WEIGHTS.index(weight)
    reference.afmt = int(rng.integers(0, 7)) if activation == "any" else ACTIVATIONS.index(activation)
    most = most_elements(reference, name)
    reference.m = int(rng.choice([1, tm, rng.integers(1, tm + 1)]))
    reference.n = int(rng.choice([1, tn, rng.integers(1, tn + 1)]))
    reference.k = int(rng.choice([1, most, rng.integers(1, most + 1)]))
    if name in ("mvta", "mvat", "expm"):
        reference.n = min(reference.n, trowb * 8 // bits_of(reference.activation))
    if name == "hads":
        reference.k = 1 << int(rng.integers(0, most.bit_length()))
    if name == "trw":
        reference.n, reference.k = min(reference.n, trowb // 9), min(reference.k, max(tm, tn))
    reference.glog2 = int(rng.choice([2, 3, 4, 5, 6, 7, 15]))
    reference.sfmt, reference.sat = int(rng.integers(0, 2)), int(rng.integers(0, 2))
    fill(reference, rng, tame=not edges)
    if name in ("rmax", "expm", "expd", "rsum", "rescale", "rdiv"):
        values = np.clip(numbers(rng, 8 * reference.sc.shape[1], 2), -30, 30)
        reference.statistics[:] = values.reshape(8, -1)
        if not edges:
            reference.acf[:] = np.clip(numbers(rng, reference.ac.size, 2), -30, 30).reshape(reference.ac.shape)
    text, values = operands(TABLE[name][0], rng, reference.k)
    load(bench, reference)
    with np.errstate(all="ignore"):
        getattr(reference, name.replace(".", "_"))(*values)
    sizes = f"m {reference.m} n {reference.n} k {reference.k}"
    case = f"qt.{name} {text} of {reference.weight}, {reference.activation}, {sizes}"
    assert bench.execute(f"qt.{name} {text}") == 0, case
    pairs: list[tuple[str, Any, np.ndarray]] = [
        ("t", bench.registers("t").view(np.uint8), reference.t),
        ("ac", bench.registers("ac"), reference.ac),
        ("sc", bench.registers("su"), reference.sc),
    ]
    for what, found, wanted in pairs:
        equal = np.array_equal(found, wanted) if what == "t" and not edges else same(found, wanted)
        assert equal, f"{what} after {case} (glog2 {reference.glog2}, sfmt {reference.sfmt}, seed {seed})"


CASES = [(name, weight, activation) for name, (_, ws, acts) in TABLE.items() for weight in ws for activation in acts]


@pytest.mark.parametrize("name, weight, activation", CASES)
def test_format_pairs(bench: Workbench, name: str, weight: str, activation: str) -> None:
    for seed in range(4):
        attempt(bench, name, weight, activation, seed, edges=False)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=st.sampled_from(CASES), seed=st.integers(0, 2**32))
def test_any_state(bench: Workbench, case: tuple[str, str, str], seed: int) -> None:
    attempt(bench, *case, seed, edges=False)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(INTEGERS),
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 90),
    st.data(),
    st.integers(0, 2**31),
)
def test_any_tiling_gives_the_same_product(
    bench: Workbench, name: str, m: int, n: int, k: int, data: st.DataObject, seed: int
) -> None:
    """A product by tiles of any sizes that fit, against one product of whole matrices (int32 wraps)."""
    rng = np.random.default_rng(seed)
    tm, tn, trowb = (bench.isa.parameters[key] for key in ("TM", "TN", "TROWB"))
    raw = rng.integers(0, 243, (n, trowb)).astype(np.uint8)
    weights = np.concatenate([unpack(raw, name)] * 90, axis=1)[:, :k]
    a, c = rng.integers(-128, 128, (m, k)), rng.integers(-(2**31), 2**31, (m, n))
    expected = (c + a @ weights.T).astype(np.int32)
    step = [data.draw(st.integers(1, limit)) for limit in (tm, tn, min(trowb, 128))]
    result = c.astype(np.int32)
    bench.set_csr("qfmt", WEIGHTS.index(name))
    tiles, accumulators = bench.registers("t").view(np.uint8), bench.registers("ac")
    for i in range(0, m, step[0]):
        for j in range(0, n, step[1]):
            rows, columns = min(step[0], m - i), min(step[1], n - j)
            bench.set_csr("qtm", rows)
            bench.set_csr("qtn", columns)
            accumulators[1, :rows, :columns] = result[i : i + rows, j : j + columns]
            for start in range(0, k, step[2]):
                depth = min(step[2], k - start)
                bench.set_csr("qtk", depth)
                tiles[2, :rows, :depth] = a[i : i + rows, start : start + depth].astype(np.int8).view(np.uint8)
                part = tiles[3, :columns].copy()
                pack(part, weights[j : j + columns, start : start + depth], name)
                tiles[3, :columns] = part
                assert bench.execute("qt.mma ac1, t2, t3") == 0
            result[i : i + rows, j : j + columns] = accumulators[1, :rows, :columns]
    assert np.array_equal(result, expected)


def test_every_computing_instruction_is_here(bench: Workbench) -> None:
    moved = re.compile(r"qt\.(set|a?ld|st|lda|sta|mulr)")
    computing = {name for name in bench.isa.extensions["Xqt"].instructions if not moved.match(name)}
    assert computing == {f"qt.{name}" for name in TABLE}


@pytest.mark.parametrize("name", [name for name, (_, ws, _) in TABLE.items() if ws != ("any",)])
def test_other_formats_are_illegal_and_change_nothing(bench: Workbench, name: str) -> None:
    _, weights, activations = TABLE[name]
    tm, tn, trowb = (bench.isa.parameters[key] for key in ("TM", "TN", "TROWB"))
    for wfmt in range(16):
        for afmt in range(16):
            legal = wfmt < 15 and WEIGHTS[wfmt] in weights
            legal &= activations == ("any",) or (afmt < 7 and ACTIVATIONS[afmt] in activations)
            if legal:
                continue
            reference = Reference(tm, tn, trowb, m=2, n=2, k=4)
            rng = np.random.default_rng(wfmt * 16 + afmt)
            fill(reference, rng, tame=True)
            reference.wfmt, reference.afmt = wfmt, afmt
            text, _ = operands(TABLE[name][0], rng, 4)
            load(bench, reference)
            assert bench.execute(f"qt.{name} {text}") == at.ILLEGAL, (name, wfmt, afmt)
            assert np.array_equal(bench.registers("t").view(np.uint8), reference.t)
            assert np.array_equal(bench.registers("ac"), reference.ac)
            assert np.array_equal(bench.registers("su"), reference.sc)
