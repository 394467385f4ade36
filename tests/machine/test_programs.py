"""Programs that stock compilers build end as they do on qemu: same output, same exit code."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import archsim
from tests.debian import needs
from tests.programs.builds import Build, builds

pytestmark = [
    needs("riscv64-linux-gnu-gcc", "gcc-riscv64-linux-gnu"),
    needs("clang-16", "clang-16"),
    needs("riscv64-unknown-elf-gcc", "gcc-riscv64-unknown-elf"),
    needs("qemu-riscv64", "qemu-user"),
]
CPU = "v=true,vlen=128,vext_spec=v1.0,zba=true,zbb=true,zbc=true,zbs=true,Zfh=true"


def on_qemu(elf: Path, xlen: int) -> tuple[int, bytes]:
    cpu = f"rv64,{CPU}" if xlen == 64 else "rv32"
    done = subprocess.run([f"qemu-riscv{xlen}", "-cpu", cpu, elf], capture_output=True, timeout=120)
    return done.returncode, done.stdout


@pytest.mark.parametrize("build", builds(), ids=lambda build: build.name)
def test_same_output_and_exit_code(build: Build, tmp_path: Path) -> None:
    elf = build.make(tmp_path)
    code, output = on_qemu(elf, build.xlen)
    assert code >= 0, "qemu ended it by a signal: the program itself is wrong"
    result = archsim.run(archsim.load_elf(elf), "edge-npu", fidelity="functional")
    assert (result.exit_code, result.stdout) == (code, output)


@pytest.mark.parametrize(
    "build", [b for b in builds() if b.toolchain == "bare" and b.level == "-O2"], ids=lambda b: b.name
)
def test_timed_runs_end_alike(build: Build, tmp_path: Path) -> None:
    elf = build.make(tmp_path)
    timed = archsim.run(archsim.load_elf(elf), "edge-npu")
    assert (timed.exit_code, timed.stdout) == on_qemu(elf, build.xlen)
    assert timed.busy_cycles + sum(timed.stalls.values()) == timed.hart_cycles == timed.cycles
