"""Small element types in registers, against ml_dtypes, numpy and integers of Python."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

import archsim
from archsim.isa.element_types import ELEMENT_TYPES
from archsim.machine import layout as at
from archsim.machine.workbench import Workbench

BYTES = 32
FLOATS = [name for name, facts in ELEMENT_TYPES.items() if facts.value == "f32"]
INTEGERS = [name for name, facts in ELEMENT_TYPES.items() if facts.value == "int"]
CODED = ("float16", "bfloat16", *(name for name in FLOATS if name[-1] == "n" or "e5m2" in name))


def word(name: str, operands: str, number: int, body: str) -> str:
    lines = "".join(f"      {line}\n" for line in body.splitlines())
    match = f"{number:07b}----------000-----0001011"
    variables = {
        "td": f"{{name: td, location: 11-7, register: p, not: {list(range(2, 32))}}}",
        "gd": f"{{name: gd, location: 11-7, register: q, group: 2, not: {list(range(3, 32))}}}",
        "xs1": "{name: xs1, location: 19-15, register: X}",
        "xs2": "{name: xs2, location: 24-20, register: X}",
    }
    own = ", ".join(variables[key] for key in operands.split(", "))
    for key, low in (("xs2", 20), ("xs1", 15)):
        if key not in operands:
            match = match[: 31 - low - 4] + "00000" + match[32 - low :]
    return (
        f'  {name}:\n    long_name: test\n    encoding: {{match: "{match}", variables: [{own}]}}\n'
        f'    assembly: "{operands}"\n    unit: alu\n    operation: |\n{lines}'
    )


def extension(folder: Path) -> Path:
    """Instructions that read and write element k of every type: values go through memory as float32 or int64."""
    parts = ["extension: Xelements\nlong_name: elements\nsource: a test\nrequires: [I, Zicsr]\nstate:\n"]
    parts.append(f"  p: {{kind: register_file, count: 2, type: uint8, shape: [{BYTES}]}}\n")
    parts.append("  q: {kind: register_file, count: 4, type: int16, shape: [4]}\n")
    parts.append("  g: {kind: register_file, count: 4, type: int16, shape: [2, 3]}\n")
    parts.append("  room: {kind: scratch, type: float32, shape: [2, 8]}\n")
    parts.append("  sel: {kind: csr, address: 0x800, fields: {type: {location: 3-0}}}\n")
    parts.append(
        "  chosen: {kind: view, of: p, select: sel.type, types: [int8, int3, float16, null, ternary], as: f32}\n"
    )
    for name in ELEMENT_TYPES:
        parts.append(f"  v_{name}: {{kind: view, of: p, type: {name}}}\n")
    parts.append("instructions:\n")
    number = 0
    for name, facts in ELEMENT_TYPES.items():
        store = {"int": "store_64", "f32": "store_f32", "f64": "store_64"}[facts.value]
        load = {"int": "load_i64(X[xs2])", "f32": "load_f32(X[xs2])", "f64": "f64(load_f32(X[xs2]))"}[facts.value]
        value = f"v_{name}[td, X[xs1]]" if facts.value != "f64" else f"rint(v_{name}[td, X[xs1]])"
        parts.append(word(f"rd.{name}", "td, xs1, xs2", number, f"{store}(X[xs2], {value})"))
        number += 1
        if facts.writable:
            parts.append(word(f"wr.{name}", "td, xs1, xs2", number, f"v_{name}[td, X[xs1]] = {load}"))
            number += 1
    parts.append(word("rd.chosen", "td, xs1, xs2", number, "store_f32(X[xs2], chosen[td, X[xs1]])"))
    parts.append(word("wr.chosen", "td, xs1, xs2", number + 1, "chosen[td, X[xs1]] = load_f32(X[xs2])"))
    parts.append(word("count", "gd", number + 2, "for i in range(8):\n    q[gd, i] = i * i"))
    turn = "for i in range(2):\n    for j in range(8):\n        room[i, j] = f32(10 * i + j)\n"
    turn += "for j in range(4):\n    q[gd, j] = rint(room[1, 2 * j] + room[0, j])"
    parts.append(word("turn", "gd", number + 3, turn))
    path = folder / "xelements.yaml"
    path.write_text("".join(parts))
    return path


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    return Workbench(archsim.load_isa("rv64im", "zicsr", str(extension(tmp_path_factory.mktemp("isa")))))


def read(bench: Workbench, name: str, count: int) -> np.ndarray:
    """All elements of register p1."""
    bench.x[11] = 0x2000
    result = []
    for k in range(count):
        bench.x[10] = k
        assert bench.execute(f"rd.{name} p1, a0, a1") == 0
        kind = ELEMENT_TYPES[name].value if name in ELEMENT_TYPES else "f32"
        result.append(np.frombuffer(bench.memory.read(0x2000, 8), "<f4" if kind == "f32" else "<i8")[0])
    return np.array(result)


def ints(raw: np.ndarray, name: str) -> list[int]:
    """Elements by the definition: bits of one long little-endian integer."""
    if name == "ternary":
        return [int(byte) // 3**k % 3 - 1 for byte in raw for k in range(5)]
    bits = ELEMENT_TYPES[name].bits
    whole = int.from_bytes(raw.tobytes(), "little")
    found = [whole >> bits * k & (1 << bits) - 1 for k in range(len(raw) * 8 // bits)]
    if name == "sign":
        return [2 * value - 1 for value in found]
    signed = not name.startswith("u") or bits == 64
    return [value - (1 << bits) if signed and value >> bits - 1 else value for value in found]


@pytest.mark.parametrize("name", INTEGERS)
def test_integers_read(bench: Workbench, name: str) -> None:
    raw = bench.registers("p")[1]
    raw[:] = np.random.default_rng(len(name)).integers(0, 243 if name == "ternary" else 256, BYTES)
    expected = ints(raw, name)
    assert read(bench, name, len(expected)).tolist() == expected


@pytest.mark.parametrize("name", INTEGERS)
def test_integers_written(bench: Workbench, name: str) -> None:
    """Every element in random order, the others staying as they are; the value wraps to the width."""
    rng = np.random.default_rng(len(name) + 100)
    raw = bench.registers("p")[1]
    raw[:] = rng.integers(0, 243 if name == "ternary" else 256, BYTES)
    before = bench.registers("p")[0].copy()
    expected = ints(raw, name)
    bits = ELEMENT_TYPES[name].bits
    bench.x[11] = 0x2000
    for k in rng.permutation(len(expected)):
        value = int(rng.integers(-(1 << min(bits, 62)), 1 << min(bits, 62)))
        bench.memory.write(0x2000, np.array([value], np.int64))
        bench.x[10] = k
        assert bench.execute(f"wr.{name} p1, a0, a1") == 0
        if name == "ternary":
            expected[k] = max(-1, min(1, value))
        elif name == "sign":
            expected[k] = 1 if value > 0 else -1
        else:
            wrapped = value & (1 << bits) - 1
            signed = not name.startswith("u") or bits == 64
            expected[k] = wrapped - (1 << bits) if signed and wrapped >> bits - 1 else wrapped
        assert ints(raw, name) == expected
    assert np.array_equal(before, bench.registers("p")[0])


def codes(name: str) -> tuple[np.ndarray, np.ndarray]:
    """All codes of a float type (a sample of 16-bit ones), and their values as float32 by numpy or ml_dtypes."""
    facts = ELEMENT_TYPES[name]
    if facts.bits == 32:
        every = np.random.default_rng(1).integers(0, 1 << 32, 64).astype(np.uint32)
        return every, every.view(np.float32)
    kind = np.float16 if name == "float16" else getattr(ml_dtypes, name)
    every = np.arange(1 << facts.bits, dtype=np.uint16 if facts.bits == 16 else np.uint8)
    if facts.bits == 16:
        every = np.concatenate([every[:600], every[0x7B00:0x8100], every[::97]])
    return every, every.view(kind).astype(np.float32)


@pytest.mark.parametrize("name", FLOATS)
def test_floats_read(bench: Workbench, name: str) -> None:
    every, values = codes(name)
    bits, raw = ELEMENT_TYPES[name].bits, bench.registers("p")[1]
    per = BYTES * 8 // bits
    for start in range(0, len(every), per):
        part = every[start : start + per]
        whole = sum(int(code) << bits * k for k, code in enumerate(part))
        raw[:] = np.frombuffer(whole.to_bytes(BYTES, "little"), np.uint8)
        found, wanted = read(bench, name, len(part)), values[start : start + per]
        same = (found == wanted) & (np.signbit(found) == np.signbit(wanted))
        assert np.all(same | (np.isnan(found) & np.isnan(wanted)))


def interesting(name: str) -> np.ndarray:
    """float32 values: all of the type, those half way between neighbours and next to that, far ones, NaN."""
    _, values = codes(name)
    finite = np.unique(values[np.isfinite(values)].astype(np.float64))
    middle = (finite[1:] + finite[:-1]) / 2
    near = np.concatenate([finite, middle]).astype(np.float32)
    near = np.concatenate([near, np.nextafter(near, np.float32(np.inf)), np.nextafter(near, np.float32(-np.inf))])
    rng = np.random.default_rng(5)
    with np.errstate(over="ignore"):
        wide = np.ldexp(rng.standard_normal(200), rng.integers(-160, 140, 200)).astype(np.float32)
    rest = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, 3.4e38, -3.4e38], np.float32)
    chosen = rng.permutation(near)[:600]
    return np.concatenate([chosen, wide, rest])


@pytest.mark.parametrize("name", [name for name in FLOATS if ELEMENT_TYPES[name].writable])
def test_floats_written(bench: Workbench, name: str) -> None:
    facts, raw = ELEMENT_TYPES[name], bench.registers("p")[1]
    values = interesting(name)
    kind = np.dtype(name if name in ("float16", "float32") else getattr(ml_dtypes, name))
    with np.errstate(all="ignore"):
        wanted = values.astype(kind).view(f"u{kind.itemsize}")
    bench.x[10], bench.x[11] = 3, 0x2000
    mask = (1 << facts.bits) - 1
    for value, code in zip(values, wanted, strict=True):
        bench.memory.write(0x2000, np.array([value]))
        assert bench.execute(f"wr.{name} p1, a0, a1") == 0
        found = int.from_bytes(raw.tobytes(), "little") >> 3 * facts.bits & mask
        both_nan = np.isnan(value) and kind.itemsize > 1
        assert both_nan or found == int(code) & mask, (value, hex(found), hex(int(code)))


def test_chosen_by_csr(bench: Workbench) -> None:
    raw = bench.registers("p")[1]
    raw[:] = np.random.default_rng(9).integers(0, 243, BYTES)
    for number, name in enumerate(("int8", "int3", None, None, "ternary")):
        bench.set_csr("sel", number)
        if name:
            assert read(bench, "chosen", len(ints(raw, name))).tolist() == ints(raw, name)
    for number in (3, 5, 15):
        bench.set_csr("sel", number)
        assert bench.execute("rd.chosen p1, a0, a1") == at.ILLEGAL
        assert bench.execute("wr.chosen p1, a0, a1") == at.ILLEGAL
    bench.set_csr("sel", 2)
    bench.x[10] = BYTES // 2
    assert bench.execute("rd.chosen p1, a0, a1") == at.INDEX_FAULT
    bench.x[10] = 5
    bench.memory.write(0x2000, np.array([1.5], np.float32))
    assert bench.execute("wr.chosen p1, a0, a1") == 0
    assert raw.view(np.float16)[5] == 1.5


def test_groups_and_scratch(bench: Workbench) -> None:
    q = bench.registers("q")
    q[:] = -1
    assert bench.execute("count q1") == 0
    assert q.tolist() == [[-1] * 4, [0, 1, 4, 9], [16, 25, 36, 49], [-1] * 4]
    assert bench.execute("turn q2") == 0
    assert q[2].tolist() == [10, 13, 16, 19]
