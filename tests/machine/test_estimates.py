"""Seven-bit estimates against qemu, and against what they estimate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archsim.machine.estimates import frec7, frsqrt7
from tests.machine import batches
from tests.machine.batches import FUZZ
from tests.machine.float_cases import numbers
from tests.machine.riscv_guest import Guest, needs_qemu
from tests.machine.test_softfloat import agree, as_float

COUNT = 1_000_000 if FUZZ else 20_000


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Guest:
    return Guest(Path(tmp_path_factory.mktemp("guest")))


@pytest.mark.parametrize("mark", [pytest.param(None, marks=needs_qemu)])
@pytest.mark.parametrize("width", [16, 32, 64])
def test_on_qemu(width: int, mark: None, guest: Guest) -> None:
    rng = np.random.default_rng(width)
    a = numbers(rng, width, COUNT) if width > 16 else np.tile(np.arange(1 << 16), 5)
    modes = np.arange(len(a)) * 5 // len(a)
    agree(width, batches.rounded(frec7, width, modes, a), guest.run(f"frec7.{width}", modes, a), [modes, a])
    agree(width, batches.estimated(frsqrt7, width, a), guest.run(f"frsqrt7.{width}", modes, a), [modes, a])


@pytest.mark.parametrize("width", [16, 32, 64])
def test_seven_bits_are_right(width: int) -> None:
    """V 1.0, sections 13.9 and 13.10: relative error of at most 2**-7."""
    rng = np.random.default_rng(width)
    a = numbers(rng, width, 5_000)
    value = as_float(width, a)
    normal = (np.abs(value) > 1e-3) & (np.abs(value) < 1e3)
    a, value = a[normal], value[normal]
    reciprocal, _ = batches.rounded(frec7, width, np.zeros(len(a), np.int64), a)
    assert np.all(np.abs(as_float(width, reciprocal) * value - 1) < 2**-7)
    root, _ = batches.estimated(frsqrt7, width, a[value > 0])
    assert np.all(np.abs(as_float(width, root) ** 2 * value[value > 0] - 1) < 2**-6)
