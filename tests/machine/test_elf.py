"""ELF files that are whole, cut anywhere, or something else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import archsim
from tests.debian import needs

PROGRAMS = Path(__file__).parent / "programs"
pytestmark = needs("riscv64-linux-gnu-gcc", "gcc-riscv64-linux-gnu")


def build(tmp_path: Path, *flags: str) -> Path:
    elf = tmp_path / "sieve.elf"
    base = ["riscv64-linux-gnu-gcc", "-march=rv64im", "-mabi=lp64", "-nostdlib", "-ffreestanding", "-O1"]
    subprocess.run([*base, *flags, "-o", elf, PROGRAMS / "sieve.c"], check=True)
    return elf


def test_wherever_a_file_is_cut_it_is_refused_in_one_line(tmp_path: Path) -> None:
    elf = build(tmp_path, "-static", "-no-pie", "-fno-pic", "-mcmodel=medany")
    whole = elf.read_bytes()
    assert archsim.run(archsim.load_elf(elf), fidelity="functional").exit_code == 2262 & 127
    for size in (0, 3, 4, 17, 63, 64, 100, 200, len(whole) // 3, len(whole) // 2, len(whole) - 1):
        elf.write_bytes(whole[:size])
        with pytest.raises(archsim.InputError) as caught:
            archsim.load_elf(elf)
        assert str(caught.value).startswith(f"{elf}: ") and "\n" not in str(caught.value)


def test_objects_and_other_machines_are_refused(tmp_path: Path) -> None:
    with pytest.raises(archsim.InputError, match="is not a static executable"):
        archsim.load_elf(build(tmp_path, "-c"))
    elf = build(tmp_path, "-static", "-no-pie", "-fno-pic", "-mcmodel=medany")
    content = bytearray(elf.read_bytes())
    content[18] = 62
    elf.write_bytes(content)
    with pytest.raises(archsim.InputError, match="is for EM_X86_64"):
        archsim.load_elf(elf)
