"""Fixed point against its definition in Python's integers (V 1.0, sections 3.8 and 12) and against qemu.

ARCHSIM_FUZZ=1 compares a million cases per operation.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archsim.machine import fixedpoint
from tests.machine import batches
from tests.machine.batches import FUZZ, Answers, Array
from tests.machine.float_oracle import Result
from tests.machine.riscv_guest import Guest, needs_qemu

COUNT = 1_000_000 if FUZZ else 3_000
SLOW_COUNT = 250_000 if FUZZ else 800
BITS = (8, 16, 32, 64)
OPERATIONS = [
    *((name, bits) for name in ("sat_add", "sat_addu", "sat_sub", "sat_subu") for bits in BITS),
    *((name, bits) for name in ("avg_add", "avg_addu", "avg_sub", "avg_subu") for bits in BITS),
    *((name, bits) for name in ("frac_mul", "round_shr", "round_shru") for bits in BITS),
    *((name, bits) for name in ("narrow_clip", "narrow_clipu") for bits in BITS[:3]),
]


def shifted(value: int, shift: int, vxrm: int) -> int:
    """roundoff() of section 3.8, by its definition."""
    floor, rest = value >> shift, value & (1 << shift) - 1
    half = 1 << shift - 1 if shift else 1
    if vxrm == 3:
        return floor | (rest > 0)
    return floor + (vxrm < 2 and rest >= half and not (vxrm == 1 and rest == half and floor % 2 == 0))


def exact(operation: str, bits: int, vxrm: int, a: int, b: int) -> Result:
    """Result (as its pattern of bits) and vxsat."""
    is_signed, wide = not operation.endswith("u"), 2 * bits if operation.startswith("narrow") else bits
    if not is_signed:
        a &= (1 << wide) - 1
    if not is_signed and not operation.startswith(("narrow", "round")):
        b &= (1 << bits) - 1
    kind = operation.removesuffix("u")
    value = {
        "sat_add": lambda: a + b,
        "sat_sub": lambda: a - b,
        "avg_add": lambda: shifted(a + b, 1, vxrm),
        "avg_sub": lambda: shifted(a - b, 1, vxrm),
        "frac_mul": lambda: shifted(a * b, bits - 1, vxrm),
        "round_shr": lambda: shifted(a, b, vxrm),
        "narrow_clip": lambda: shifted(a, b, vxrm),
    }[kind]()
    least, most = (-(1 << bits - 1), (1 << bits - 1) - 1) if is_signed else (0, (1 << bits) - 1)
    clipped = min(max(value, least), most)
    if operation.startswith("avg"):
        return value & (1 << bits) - 1, 0
    return clipped & (1 << bits) - 1, int(clipped != value)


def rows(operation: str, bits: int, count: int) -> tuple[Array, Array, Array]:
    """vxrm and operands, int64 [n]: sign-extended, half of them at or next to the ends of the range or a tie."""
    rng = np.random.default_rng([sum(map(ord, operation)), bits])
    narrow, shift = operation.startswith("narrow"), operation.startswith(("narrow", "round"))
    a = _elements(rng, 2 * bits if narrow else bits, count)
    b = rng.integers(0, 2 * bits if narrow else bits, count) if shift else _elements(rng, bits, count)
    return rng.integers(0, 4, count), a, b


def _elements(rng: np.random.Generator, bits: int, count: int) -> Array:
    most = (1 << bits - 1) - 1
    ends = np.array([-most - 1, -most, -2, -1, 0, 1, 2, most - 1, most, most // 2, most // 2 + 1, -most // 2], np.int64)
    uniform = rng.integers(-most - 1, most, count, endpoint=True, dtype=np.int64)
    short = uniform & (np.int64(-1) << rng.integers(0, bits, count))
    kind = rng.integers(0, 4, count)
    return np.where(kind == 0, rng.choice(ends, count), np.where(kind == 1, short, uniform))


def answers(operation: str, bits: int, vxrm: Array, a: Array, b: Array) -> Answers:
    """What the compiled function gives; results sign-extended from their width."""
    function = getattr(fixedpoint, operation)
    if operation.startswith("sat"):
        result, saturated = batches.saturating(function, bits, a, b)
    elif operation.startswith(("frac", "narrow")):
        result, saturated = batches.scaling(function, bits, vxrm, a, b)
    elif operation == "round_shr":
        result, saturated = batches.shifting(function, vxrm, a, b)
    else:
        result, saturated = batches.averaging(function, bits, vxrm, a, b)
    return result << 64 - bits >> 64 - bits, saturated


@pytest.mark.parametrize(("operation", "bits"), OPERATIONS)
def test_against_definition(operation: str, bits: int) -> None:
    vxrm, a, b = rows(operation, bits, SLOW_COUNT)
    result, saturated = answers(operation, bits, vxrm, a, b)
    columns = (column.tolist() for column in (vxrm, a, b, result, saturated))
    for mode, one, two, got, sat in zip(*columns, strict=True):
        assert (got & (1 << bits) - 1, sat) == exact(operation, bits, mode, one, two), (mode, one, two)


@pytest.mark.parametrize("operation", ["sat_add", "sat_subu", "avg_add", "avg_subu", "frac_mul"])
def test_all_pairs_of_bytes(operation: str) -> None:
    a, b = np.repeat(np.arange(-128, 128), 256), np.tile(np.arange(-128, 128), 256)
    for mode in range(4) if FUZZ else (1,):
        result, saturated = answers(operation, 8, np.full(len(a), mode), a, b)
        for one, two, got, sat in zip(*(column.tolist() for column in (a, b, result, saturated)), strict=True):
            assert (got & 255, sat) == exact(operation, 8, mode, one, two), (mode, one, two)


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Guest:
    return Guest(Path(tmp_path_factory.mktemp("guest")))


@pytest.mark.parametrize("mark", [pytest.param(None, marks=needs_qemu)])
@pytest.mark.parametrize(("operation", "bits"), OPERATIONS)
def test_on_qemu(operation: str, bits: int, mark: None, guest: Guest) -> None:
    vxrm, a, b = rows(operation, bits, COUNT)
    result, saturated = answers(operation, bits, vxrm, a, b)
    expected, flags = guest.run(f"{operation}.{bits}", vxrm, a, b)
    different = np.flatnonzero((result != expected) | (saturated != flags))
    assert not len(different), [column[different[0]] for column in (vxrm, a, b, result, saturated, expected, flags)]
