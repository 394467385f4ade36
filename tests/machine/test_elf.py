"""ELF files that are whole, cut anywhere, changed at random, or something else."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

import archsim
from tests.debian import needs

PROGRAMS = Path(__file__).parents[1] / "programs" / "freestanding"
pytestmark = needs("riscv64-linux-gnu-gcc", "gcc-riscv64-linux-gnu")
STATIC = ("-static", "-no-pie", "-fno-pic", "-mcmodel=medany")
MUTATIONS = 20_000 if os.environ.get("ARCHSIM_FUZZ") else 500


def build(folder: Path, *flags: str) -> Path:
    elf = folder / "sieve.elf"
    base = ["riscv64-linux-gnu-gcc", "-march=rv64im", "-mabi=lp64", "-nostdlib", "-ffreestanding", "-O1"]
    subprocess.run([*base, *flags, "-o", elf, PROGRAMS / "sieve.c"], check=True)
    return elf


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return build(tmp_path_factory.mktemp("elf"), *STATIC).read_bytes()


def test_facts_of_a_file(tmp_path: Path) -> None:
    program = archsim.load_elf(build(tmp_path, *STATIC))
    assert (program.xlen, program.headers.entry_size) == (64, 56)
    assert program.arch.startswith("rv64i2p1_m2p0")
    assert program.place(program.symbols["main"] + 4) == "main+0x4"
    assert [section.name for section in program.code_sections] == [".text"]


def test_wherever_a_file_is_cut_it_is_refused_in_one_line(whole: bytes, tmp_path: Path) -> None:
    elf = tmp_path / "cut.elf"
    elf.write_bytes(whole)
    assert archsim.run(archsim.load_elf(elf), fidelity="functional").exit_code == 2262 & 127
    for size in (0, 3, 4, 17, 63, 64, 100, 200, len(whole) // 3, len(whole) // 2, len(whole) - 1):
        elf.write_bytes(whole[:size])
        with pytest.raises(archsim.InputError) as caught:
            archsim.load_elf(elf)
        assert str(caught.value).startswith(f"{elf}: ") and "\n" not in str(caught.value)


def test_objects_and_position_independent_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(archsim.InputError, match="is not a static executable but an object file"):
        archsim.load_elf(build(tmp_path, "-c"))
    with pytest.raises(archsim.InputError, match="is not a static executable but a shared"):
        archsim.load_elf(build(tmp_path, "-static-pie"))


PROGRAM_HEADER, FIELDS = 64, {"type": (0, "<I"), "offset": (8, "<Q"), "address": (16, "<Q"), "file": (32, "<Q"),
                              "memory": (40, "<Q")}  # fmt: skip


@pytest.mark.parametrize(
    ("place", "form", "value", "message"),
    [
        (18, "<H", 62, "is for EM_X86_64"),
        (18, "<H", 8, "is for EM_MIPS"),
        (5, "<B", 2, "is not little-endian"),
        (4, "<B", 3, "has class 3"),
        (24, "<Q", 0x10001, "its entry 0x10001 is odd"),
        (24, "<Q", 0, "its entry 0x0 is not in an executable segment"),
        (32, "<Q", 1 << 60, "is cut short: its program header table ends"),
        (54, "<H", 0, "has program headers of 0 bytes, not 56"),
        (56, "<H", 0xFFFF, "is cut short: its program header table ends"),
        (58, "<H", 0, "has section headers of 0 bytes, not 64"),
        (60, "<H", 0xFFFF, "is cut short: its section table ends"),
        ("address", None, 1 << 40, "lies outside memory"),
        ("address", None, 0, "lies outside memory"),
        ("memory", None, 1 << 62, "lies outside memory"),
        ("memory", None, 1, "bytes for 1 bytes of memory"),
        ("file", None, 1 << 62, "is cut short: a segment ends"),
        ("offset", None, (1 << 64) - 1, "is cut short: a segment ends"),
    ],
)
def test_a_field_that_cannot_be(whole: bytes, tmp_path: Path, place, form, value: int, message: str) -> None:
    content = bytearray(whole)
    if form is None:
        index = next(i for i in range(4) if struct.unpack_from("<I", whole, PROGRAM_HEADER + 56 * i)[0] == 1)
        offset, form = FIELDS[place]
        place = PROGRAM_HEADER + 56 * index + offset
    struct.pack_into(form, content, place, value)
    elf = tmp_path / "wrong.elf"
    elf.write_bytes(content)
    with pytest.raises(archsim.InputError, match=message) as caught:
        archsim.load_elf(elf)
    assert str(caught.value).startswith(f"{elf}: ") and "; " in str(caught.value)


def test_segments_that_overlap_are_refused(whole: bytes, tmp_path: Path) -> None:
    content = bytearray(whole)
    loads = [i for i in range(6) if struct.unpack_from("<I", whole, PROGRAM_HEADER + 56 * i)[0] == 1]
    for index in loads[1:2]:
        content[PROGRAM_HEADER + 56 * index : PROGRAM_HEADER + 56 * index + 56] = content[
            PROGRAM_HEADER + 56 * loads[0] : PROGRAM_HEADER + 56 * loads[0] + 56
        ]
    elf = tmp_path / "twice.elf"
    elf.write_bytes(content)
    with pytest.raises(archsim.InputError, match="overlaps the one at"):
        archsim.load_elf(elf)


def mutated(rng: np.random.Generator, whole: bytes) -> bytes:
    """A file with bits turned over, header bytes replaced, cut, or with a piece copied elsewhere."""
    data = bytearray(whole)
    kind = rng.integers(5)
    if kind == 0:
        for bit in rng.integers(8 * len(data), size=rng.integers(1, 8)):
            data[bit >> 3] ^= 1 << (bit & 7)
    elif kind == 1:
        for place in rng.integers(PROGRAM_HEADER + 56 * 4, size=rng.integers(1, 4)):
            data[place] = rng.integers(256)
    elif kind == 2:
        del data[rng.integers(len(data)) :]
    elif kind == 3:
        first, last = sorted(rng.integers(len(data), size=2))
        to = rng.integers(len(data))
        data[to : to + last - first] = data[first:last]
    else:
        # instructions only
        for place in rng.integers(0x158, 0x400, size=rng.integers(1, 30)):
            data[place] = rng.integers(256)
    return bytes(data)


def test_files_changed_at_random_end_in_one_line(whole: bytes, tmp_path: Path) -> None:
    rng = np.random.default_rng(2026)
    elf = tmp_path / "changed.elf"
    endings = {"input": 0, "simulation": 0}
    for _ in range(MUTATIONS):
        elf.write_bytes(mutated(rng, whole))
        try:
            archsim.run(archsim.load_elf(elf), fidelity="functional", max_instructions=2000)
        except archsim.InputError as error:
            endings["input"] += 1
            assert "\n" not in str(error)
        except archsim.SimulationError as error:
            endings["simulation"] += 1
            assert "\n" not in str(error)
    assert min(endings.values()) > MUTATIONS // 4
