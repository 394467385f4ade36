"""A seeded part of the fuzzing that `make fuzz` does at length."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.debian import needs
from tests.fuzz.compare import GROUPS, VECTOR_LENGTHS, run_group

pytestmark = needs("qemu-riscv64", "qemu-user")
SCALAR, VECTOR = 2_400, 200
"""Instructions per group: most vector instructions are compiled for this test alone."""


@pytest.mark.parametrize("group", [group for group in GROUPS if not group.endswith("v")])
def test_scalar_programs_end_as_on_qemu(group: str, tmp_path: Path) -> None:
    outcome = run_group(group, 20_261_121, SCALAR, tmp_path)
    assert not outcome.differences
    assert outcome.instructions >= SCALAR


@pytest.mark.parametrize("vlen", VECTOR_LENGTHS)
def test_vector_programs_end_as_on_qemu(vlen: int, tmp_path: Path) -> None:
    outcome = run_group("rv64v", 7, VECTOR, tmp_path, vlen=vlen, body=100)
    assert not outcome.differences
    assert outcome.instructions >= VECTOR
