"""XuanTie's matrix extension against numpy, bit for bit, at three sizes of registers."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import archsim
from archsim.machine import layout as at
from archsim.machine.workbench import Workbench
from tests.machine.xtheadmatrix_reference import FLOATS, KINDS, Reference, parts, unsigned

SIZES = {"default": (8192, 512, 32), "example": (512, 128, 32), "wide": (2048, 256, 64)}
MEMORY = 0x4000
NAMES = ("tr0", "tr1", "tr2", "tr3", "acc0", "acc1", "acc2", "acc3")


@pytest.fixture(scope="module", params=SIZES)
def bench(request: pytest.FixtureRequest) -> Workbench:
    tlen, trlen, elen = SIZES[request.param]
    parameters = {"TLEN": tlen, "TRLEN": trlen, "ELEN": elen}
    return Workbench(archsim.load_isa("rv64im", "zicsr", "xtheadmatrixew", parameters=parameters))


def instructions(pattern: str) -> list[str]:
    isa = archsim.load_isa("rv64im", "zicsr", "xtheadmatrixew")
    own = [*isa.extensions["XTheadMatrix"].instructions, *isa.extensions["XTheadMatrixEw"].instructions]
    return [name for name in own if re.fullmatch(pattern, name)]


class Case:
    """A random state on the workbench and in the reference."""

    def __init__(self, bench: Workbench, seed: int) -> None:
        self.rng = rng = np.random.default_rng(seed)
        self.bench = bench
        self.r = r = Reference(*(bench.isa.parameters[name] for name in ("TLEN", "TRLEN", "ELEN")))
        r.tile_m, r.tile_n = (int(rng.choice([1, r.rows, rng.integers(1, r.rows + 1)])) for _ in range(2))
        most = r.trlen // 4
        r.tile_k = int(rng.choice([1, most, rng.integers(1, most + 1), rng.integers(1, 9)]))
        r.saten, r.xrm = int(rng.integers(0, 2)), int(rng.integers(0, 4))
        r.m[:] = rng.integers(0, 256, r.m.shape)
        if rng.random() < 0.3:
            r.m[:4] = rng.choice(np.array([0x80, 0x7F, 0xFF, 0], np.uint8), r.m[:4].shape)
        if rng.random() < 0.3:
            # accumulators near their limits
            r.m[4:].view(np.int32)[:] = rng.choice(np.array([2**31 - 1, -(2**31), 0, -1]), r.m[4:].view(np.int32).shape)

    def floats(self, registers: list[int], kind: np.dtype, spread: int = 4) -> None:
        """Fill registers with ordinary numbers of a format, and a few special ones."""
        for register in registers:
            view = self.r.m[register].view(kind)
            values = np.ldexp(self.rng.standard_normal(view.shape), self.rng.integers(-spread, spread, view.shape))
            special = self.rng.choice([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-7, 448.0], view.shape)
            with np.errstate(all="ignore"):
                view[:] = np.where(self.rng.random(view.shape) < 0.01, special, values).astype(kind)

    def load(self) -> None:
        r, bench = self.r, self.bench
        bench.registers("m")[:] = r.m
        for name, value in {"mtilem": r.tile_m, "mtilen": r.tile_n, "mtilek": r.tile_k}.items():
            bench.set_csr(name, value)
        bench.set_csr("xmcsr", r.saten << 11 | r.xrm)

    def check(self, text: str, act: Callable[[], None], floats: np.dtype | None = None) -> None:
        """Execute, act on the reference, and compare."""
        self.load()
        assert self.bench.execute(text) == 0, text
        with np.errstate(all="ignore"):
            act()
        found, wanted = self.bench.registers("m"), self.r.m
        if floats is not None and not np.array_equal(found, wanted):
            one, two = found.view(floats), wanted.view(floats)
            equal = one.view(unsigned(floats)) == two.view(unsigned(floats))
            nan = np.isnan(one.astype(np.float64)) & np.isnan(two.astype(np.float64))
            assert np.all(equal | nan), text
        else:
            assert np.array_equal(found, wanted), text
        assert self.bench.get_csr("xmsat") == self.r.sat, text

    def registers(self, *kinds: str) -> list[int]:
        bounds = {"t": (0, 4), "a": (4, 8), "m": (0, 8)}
        return [int(self.rng.integers(*bounds[kind])) for kind in kinds]

    def illegal(self, text: str) -> None:
        self.load()
        assert self.bench.execute(text) == at.ILLEGAL, text
        assert np.array_equal(self.bench.registers("m"), self.r.m)


SEEDS = pytest.mark.parametrize("seed", range(3))


@SEEDS
@pytest.mark.parametrize("name", instructions(r"m[ls][abc]t?e\d+"))
def test_loads_and_stores(bench: Workbench, name: str, seed: int) -> None:
    case = Case(bench, seed)
    way, matrix, _, width = parts(name)
    (md,) = case.registers("a" if matrix == "c" else "t")
    stride = int(case.rng.integers(0, 700))
    memory = case.rng.integers(0, 256, 1 << 18).astype(np.uint8)
    bench.memory.write(MEMORY, memory)
    bench.x[10], bench.x[11] = MEMORY, stride
    text = f"{name} {NAMES[md]}, (a0), a1"
    if matrix == "c" and width > case.r.elen:
        case.illegal(text)
        return
    case.check(text, lambda: (case.r.load if way == "l" else case.r.store)(name, md, memory, stride))
    assert bench.memory.read(MEMORY, len(memory)) == memory.tobytes()


@SEEDS
@pytest.mark.parametrize("name", instructions(r"m[ls]me\d+"))
def test_whole_registers(bench: Workbench, name: str, seed: int) -> None:
    case = Case(bench, seed)
    (md,) = case.registers("m")
    size = case.r.size(md)
    memory = case.rng.integers(0, 256, 1 << 15).astype(np.uint8)
    bench.memory.write(MEMORY, memory)
    bench.x[10] = MEMORY

    def act() -> None:
        block = memory[: case.r.rows * size].reshape(case.r.rows, size)
        if name[1] == "l":
            case.r.m[md, :, :size] = block
        else:
            block[:] = case.r.m[md, :, :size]

    case.check(f"{name} {NAMES[md]}, (a0)", act)
    assert bench.memory.read(MEMORY, len(memory)) == memory.tobytes()


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("name", instructions(r"p?mmacc.*"))
def test_integer_multiplies(bench: Workbench, name: str, seed: int) -> None:
    case = Case(bench, seed)
    md, ms2, ms1 = case.registers("a", "t", "t")
    text = f"{name} {NAMES[md]}, {NAMES[ms2]}, {NAMES[ms1]}"
    if ".d." in name and case.r.elen < 64:
        case.illegal(text)
    else:
        case.check(text, lambda: case.r.multiply_integers(name, md, ms2, ms1))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", instructions(r"mfmacc.*"))
def test_float_multiplies(bench: Workbench, name: str, seed: int) -> None:
    case = Case(bench, seed)
    md, ms2, ms1 = case.registers("a", "t", "t")
    to, _, source = name.removeprefix("mfmacc.").partition(".")
    case.floats([0, 1, 2, 3], FLOATS.get(source or to, np.dtype(np.float32)), 2)
    case.floats([4, 5, 6, 7], FLOATS[to])
    text = f"{name} {NAMES[md]}, {NAMES[ms2]}, {NAMES[ms1]}"
    if to == "d" and case.r.elen < 64:
        case.illegal(text)
        return
    case.check(text, lambda: case.r.multiply_floats(name, md, ms2, ms1), FLOATS[to])
    bench.set_csr("xmfrm", 1)
    assert bench.execute(text) == at.ILLEGAL


def test_operands_of_the_wrong_kind_are_no_instruction(bench: Workbench) -> None:
    for text in ("mmacc.w.b tr0, tr1, tr2", "mmacc.w.b acc0, acc1, tr2", "mlae8 acc0, (a0), a1", "mlce8 tr1, (a0), a1"):
        with pytest.raises(archsim.InputError):
            bench.execute(text)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 90), st.data())
def test_any_tiling_gives_the_same_product(bench: Workbench, m: int, n: int, k: int, data: st.DataObject) -> None:
    """int8 GEMM by blocks of any sizes that fit, with loads and stores, against one product."""
    rng = np.random.default_rng(m * 10000 + n * 100 + k)
    rows, depth = bench.isa.parameters["ROWNUM"], bench.isa.parameters["TRLEN"] // 8
    a, b = rng.integers(-128, 128, (m, k)).astype(np.int8), rng.integers(-128, 128, (n, k)).astype(np.int8)
    c = rng.integers(-(2**31), 2**31, (m, n)).astype(np.int32)
    step = [data.draw(st.integers(1, limit)) for limit in (rows, rows, depth)]
    bench.set_csr("xmcsr", 0)
    places = MEMORY, MEMORY + 8192, MEMORY + 16384
    for place, array in zip(places, (a, b, c), strict=True):
        bench.memory.write(place, array)
    for i in range(0, m, step[0]):
        for j in range(0, n, step[1]):
            for name, value in (("m", min(step[0], m - i)), ("n", min(step[1], n - j))):
                bench.x[10] = value
                bench.execute(f"msettile{name} a0")
            bench.x[10], bench.x[11] = places[2] + 4 * (i * n + j), 4 * n
            bench.execute("mlce32 acc1, (a0), a1")
            for start in range(0, k, step[2]):
                bench.x[12] = min(step[2], k - start)
                bench.execute("msettilek a2")
                for text, place in (("mlae8 tr0", places[0] + i * k), ("mlbe8 tr1", places[1] + j * k)):
                    bench.x[12], bench.x[13] = place + start, k
                    bench.execute(f"{text}, (a2), a3")
                assert bench.execute("mmacc.w.b acc1, tr1, tr0") == 0
            bench.execute("msce32 acc1, (a0), a1")
    result = np.frombuffer(bench.memory.read(places[2], 4 * m * n), np.int32).reshape(m, n)
    expected = (c.astype(np.int64) + a.astype(np.int64) @ b.T.astype(np.int64)).astype(np.int32)
    assert np.array_equal(result, expected)


@SEEDS
def test_moves(bench: Workbench, seed: int) -> None:
    for count in (0, 1, 3, 7):
        case = Case(bench, seed)
        md = int(case.rng.integers(0, 8 - count))
        case.check(f"mzero {NAMES[md]}, {count}", lambda md=md, count=count, r=case.r: r.zero(md, count))
        if md + count == 7 and md:
            case.illegal(f"mzero {NAMES[md + 1]}, {count}") if count else None
    case = Case(bench, seed)
    md, ms1 = case.registers("m", "m")
    case.check(f"mmov.mm {NAMES[md]}, {NAMES[ms1]}", lambda: case.r.move(md, ms1))
    for halves in ("", "hl", "hh"):
        case = Case(bench, seed)
        md = int(case.rng.integers(0, 8))
        ms2, ms1 = case.registers(*("tt" if md < 4 else "aa"))
        text = f"mpack{halves} {NAMES[md]}, {NAMES[ms2]}, {NAMES[ms1]}"
        case.check(text, lambda h=halves, a=(md, ms2, ms1), r=case.r: r.pack(h, *a))


@SEEDS
@pytest.mark.parametrize("width", KINDS)
def test_elements_and_integer_registers(bench: Workbench, width: str, seed: int) -> None:
    kind = KINDS[width]
    case = Case(bench, seed)
    (register,) = case.registers("m")
    columns = case.r.size(register) // kind.itemsize
    index, value = int(case.rng.integers(0, case.r.rows * columns)), int(case.rng.integers(-(2**63), 2**63))
    bench.x[10], bench.x[11] = index, value
    case.check(f"mmov{width}.x.m a2, {NAMES[register]}, a0", lambda: None)
    assert int(bench.x[12]) == int(case.r.view(register, kind)[index // columns, index % columns])

    def put() -> None:
        view = case.r.m[register].view(unsigned(kind))
        view[index // columns, index % columns] = value & (1 << 8 * kind.itemsize) - 1

    case.check(f"mmov{width}.m.x {NAMES[register]}, a1, a0", put)

    def fill() -> None:
        case.r.m[register].view(unsigned(kind))[:, :columns] = value & (1 << 8 * kind.itemsize) - 1

    case.check(f"mdup{width}.m.x {NAMES[register]}, a1", fill)


@SEEDS
@pytest.mark.parametrize("same", [True, False])
def test_slides_and_broadcasts(bench: Workbench, seed: int, same: bool) -> None:
    for name in instructions(r"m[rc]slide.*|m[rc]bca.*"):
        case = Case(bench, seed)
        r = case.r
        md = int(case.rng.integers(0, 8))
        (ms1,) = [md] if same else case.registers("t" if md < 4 else "a")
        count = int(case.rng.integers(0, 8))
        width = {"mcbca": name[5:6]}.get(name[:5], name[-1])
        kind = KINDS.get(width, KINDS["b"])
        columns = r.size(md) // kind.itemsize
        text = f"{name} {NAMES[md]}, {NAMES[ms1]}, {count}"
        if name.startswith("mrslide"):
            case.check(text, lambda n=name, a=(md, ms1, count), r=r: r.slide_rows("up" in n, *a))
        elif name.startswith("mcslide"):
            case.check(text, lambda n=name, k=kind, a=(md, ms1, count), r=r: r.slide_columns("up" in n, k, *a))
        elif count >= (r.rows if name.startswith("mrbca") else columns):
            case.illegal(text)
        elif name.startswith("mrbca"):
            case.check(text, lambda a=(md, ms1, count), r=r: r.broadcast_row(*a))
        else:
            case.check(text, lambda k=kind, a=(md, ms1, count), r=r: r.broadcast_column(k, *a))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", instructions(r"mfcvt[lh].*"))
def test_float_conversions(bench: Workbench, name: str, seed: int) -> None:
    case = Case(bench, seed)
    to, source = name.split(".")[1:]
    md, ms1 = case.registers("m", "m")
    case.floats(list(range(8)), FLOATS[source], 8)
    wide = max(FLOATS[to].itemsize, FLOATS[source].itemsize) * 8
    widest = md if FLOATS[to].itemsize > FLOATS[source].itemsize else ms1
    text = f"{name} {NAMES[md]}, {NAMES[ms1]}"
    if wide > case.r.elen and widest > 3:
        case.illegal(text)
        return
    other = case.r.size(ms1 if widest == md else md)
    if other < case.r.size(widest):
        pytest.skip("the narrow register is shorter than half a row of the wide one")
    case.check(text, lambda: case.r.convert_floats(name, md, ms1), FLOATS[to])


@pytest.mark.parametrize("seed", range(4))
def test_other_conversions(bench: Workbench, seed: int) -> None:
    def done(name: str, source: np.dtype, to: np.dtype, convert: Callable[[np.ndarray], np.ndarray]) -> None:
        case = Case(bench, seed)
        md = int(case.rng.integers(0, 8))
        (ms1,) = case.registers("t" if md < 4 else "a")
        if source.kind != "i" and source.kind != "u":
            case.floats([ms1], source, 30 if to.itemsize == 4 else 8)

        def act() -> None:
            size = case.r.size(md)
            values = case.r.m[ms1, :, :size].copy().view(source)
            half = size // max(source.itemsize, to.itemsize)
            first = half if re.match(r"m\w+cvth", name) else 0
            if to.itemsize >= source.itemsize:
                part = values[:, first : first + half] if to.itemsize > source.itemsize else values
                case.r.m[md, :, :size].view(to)[:, :half] = convert(part)
            else:
                case.r.m[md, :, :size].view(to)[:, first : first + half] = convert(values)

        case.check(f"{name} {NAMES[md]}, {NAMES[ms1]}", act, to if to.kind == "f" else None)

    def saturated(low: int, high: int) -> Callable[[np.ndarray], np.ndarray]:
        def convert(values: np.ndarray) -> np.ndarray:
            rounded = np.clip(np.rint(values.astype(np.float64)), low, high)
            return np.where(np.isnan(rounded), high, rounded).astype(np.int64)

        return convert

    half, single, i32, u32 = FLOATS["h"], FLOATS["s"], KINDS["w"], unsigned(KINDS["w"])
    for which in "lh":
        done(f"msfcvt{which}.h.b", KINDS["b"], half, lambda v: v.astype(half))
        done(f"mufcvt{which}.h.b", unsigned(KINDS["b"]), half, lambda v: v.astype(half))
        done(f"mfscvt{which}.b.h", half, KINDS["b"], saturated(-128, 127))
        done(f"mfucvt{which}.b.h", half, unsigned(KINDS["b"]), saturated(0, 255))
    done("msfcvt.s.w", i32, single, lambda v: v.astype(single))
    done("mufcvt.s.w", u32, single, lambda v: v.astype(single))
    done("mfscvt.w.s", single, i32, saturated(-(2**31), 2**31 - 1))
    done("mfucvt.w.s", single, u32, saturated(0, 2**32 - 1))
    done("mfcvt.s.tf32", single, single, lambda v: (v.view(np.uint32) & np.uint32(0xFFFFE000)).view(single))
    case = Case(bench, seed)
    case.floats([0, 1], single)
    raw = case.r.m[1, :, : case.r.size(1)].view(np.uint32)
    rounded = (raw + np.uint32(0xFFF) + (raw >> np.uint32(13) & np.uint32(1))) & np.uint32(0xFFFFE000)
    wanted = np.where(np.isnan(raw.view(single)), raw, rounded)
    case.check("mfcvt.tf32.s tr0, tr1", lambda: case.r.view(0, np.dtype(np.uint32)).__setitem__(..., wanted), single)
    for name in instructions(r"m[su]cvt[lh]\.b\.p"):
        case = Case(bench, seed)
        size = case.r.size(0)
        raw = case.r.m[1, :, :size]
        nibbles = np.stack([raw & 15, raw >> 4], axis=-1).reshape(len(raw), -1)
        part = nibbles[:, size:] if name[5] == "h" else nibbles[:, :size]
        values = (part.astype(np.int8) ^ 8) - 8 if name[1] == "s" else part
        new = values.astype(np.int8).view(np.uint8)
        case.check(f"{name} tr0, tr1", lambda r=case.r, new=new, n=size: r.m[0, :, :n].__setitem__(..., new))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", instructions(r"mn4clip.*"))
def test_narrowing_clips(bench: Workbench, name: str, seed: int) -> None:
    case = Case(bench, seed)
    md, ms2, ms1 = case.registers("a", "a", "a")
    shifts = case.r.view(ms1, np.dtype(np.uint32)).copy()
    row = int(case.rng.integers(0, 7))
    text = f"{name} {NAMES[md]}, {NAMES[ms2]}, {NAMES[ms1]}"
    if name.endswith(".mv.i"):
        text += f", {row}"
        if row >= case.r.rows:
            case.illegal(text)
            return
        shifts = np.broadcast_to(shifts[row], shifts.shape)
    case.check(text, lambda: case.r.clip(name, md, ms2, shifts))


INTEGER = {
    "madd": np.add, "msub": np.subtract, "mmul": np.multiply, "mmulh": lambda a, b: a * b >> 32, "mmax": np.maximum,
    "mumax": np.maximum, "mmin": np.minimum, "mumin": np.minimum, "msrl": lambda a, b: a >> (b & 31),
    "msll": lambda a, b: a << (b & 31), "msra": lambda a, b: a >> (b & 31),
}  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", instructions(r"m(add|sub|mulh?|u?max|u?min|srl|sll|sra)\.w\..*"))
def test_integer_element_wise(bench: Workbench, name: str, seed: int) -> None:
    case = Case(bench, seed)
    md, ms2, ms1 = case.registers("a", "a", "a")
    kind = unsigned(KINDS["w"]) if name.startswith(("mu", "msrl", "msll")) else KINDS["w"]
    one, two = (case.r.view(number, kind).astype(np.int64) for number in (ms2, ms1))
    row = int(case.rng.integers(0, 7))
    text = f"{name} {NAMES[md]}, {NAMES[ms2]}, {NAMES[ms1]}"
    if name.endswith(".mv.i"):
        text += f", {row}"
        if row >= case.r.rows:
            case.illegal(text)
            return
        two = np.broadcast_to(two[row], two.shape)
    result = INTEGER[name.split(".")[0]](one, two).astype(np.uint32)
    case.check(text, lambda: case.r.element_wise(md, result, np.dtype(np.uint32)))


def ieee(which: str, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Sums, products, and the greater and lesser numbers of IEEE 754-2019 with -0 below +0."""
    if which in ("mfadd", "mfsub", "mfmul"):
        return {"mfadd": np.add, "mfsub": np.subtract, "mfmul": np.multiply}[which](a, b)
    greater = which == "mfmax"
    zeros = (a == 0) & (b == 0)
    first = np.where(greater, a > b, a < b) | np.isnan(b) | (zeros & (np.signbit(a) != greater))
    return np.where(first & ~np.isnan(a), a, b)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", instructions(r"mf(add|sub|mul|max|min)\..*"))
def test_float_element_wise(bench: Workbench, name: str, seed: int) -> None:
    case = Case(bench, seed)
    which, width, form = name.split(".", 2)
    kind = FLOATS[width]
    md, ms2, ms1 = case.registers("a", "a", "a")
    case.floats([4, 5, 6, 7], kind, 3)
    row = int(case.rng.integers(0, 7))
    text = f"{name} {NAMES[md]}, {NAMES[ms2]}, {NAMES[ms1]}" + (f", {row}" if form == "mv.i" else "")
    if 8 * kind.itemsize > case.r.elen or (form == "mv.i" and row >= case.r.rows):
        case.illegal(text)
        return
    one, two = (case.r.view(number, kind).copy() for number in (ms2, ms1))
    if form == "mv.i":
        two = np.broadcast_to(two[row], two.shape)
    with np.errstate(all="ignore"):
        result = ieee(which, one, two)
    case.check(text, lambda: case.r.element_wise(md, result, kind), kind)


def test_configuration(bench: Workbench) -> None:
    parameters = bench.isa.parameters
    for name, most in (("m", parameters["ROWNUM"]), ("n", parameters["ROWNUM"]), ("k", parameters["TRLEN"] // 4)):
        bench.execute(f"msettile{name}i 1")
        assert bench.get_csr(f"mtile{name}") == 1
        bench.x[10] = 10**6
        bench.execute(f"msettile{name} a0")
        assert bench.get_csr(f"mtile{name}") == most
    assert bench.execute("mrelease") == 0
    bytes_ = {"xtlenb": "TLEN", "xtrlenb": "TRLEN"}
    assert all(bench.get_csr(csr) == parameters[name] // 8 for csr, name in bytes_.items())
    assert bench.get_csr("xalenb") == parameters["ROWNUM"] ** 2 * parameters["ELEN"] // 8
