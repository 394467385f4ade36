"""Programs that a stock compiler builds end as they do on qemu: same output, same exit code."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import archsim
from tests.debian import needs

PROGRAMS = Path(__file__).parent / "programs"
pytestmark = [
    needs("riscv64-linux-gnu-gcc", "gcc-riscv64-linux-gnu"),
    needs("qemu-riscv64", "qemu-user"),
]


@pytest.mark.parametrize("level", ["-O0", "-O2"])
@pytest.mark.parametrize("name", sorted(path.stem for path in PROGRAMS.glob("*.c")))
def test_same_output_and_exit_code(name: str, level: str, tmp_path: Path) -> None:
    elf = tmp_path / name
    subprocess.run(
        [
            "riscv64-linux-gnu-gcc", "-march=rv64im", "-mabi=lp64", "-nostdlib", "-static", "-ffreestanding",
            "-fno-tree-loop-distribute-patterns", "-fno-pic", "-no-pie", "-mcmodel=medany", level,
            "-o", elf, PROGRAMS / f"{name}.c",
        ],
        check=True,
    )  # fmt: skip
    expected = subprocess.run(["qemu-riscv64", elf], capture_output=True, timeout=60)
    program = archsim.load_elf(elf)
    functional = archsim.run(program, "edge-npu", fidelity="functional")
    assert (functional.exit_code, functional.stdout) == (expected.returncode, expected.stdout)
    timed = archsim.run(program, "edge-npu")
    assert (timed.exit_code, timed.stdout) == (expected.returncode, expected.stdout)
    assert timed.instructions == functional.instructions
    assert timed.busy_cycles + sum(timed.stalls.values()) == timed.hart_cycles == timed.cycles
