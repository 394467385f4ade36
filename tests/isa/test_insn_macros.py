"""Words that GNU as and clang make of the exported macros equal those of archsim's assembler, for all that ships."""

from __future__ import annotations

import random
import subprocess
from functools import cache
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from archsim.common.resources import shipped
from archsim.common.yamlfile import load_yaml
from archsim.isa.export_insn_macros import has_split_address, insn_macros
from archsim.isa.load import load_isa
from archsim.isa.spec import Isa
from tests.debian import needs
from tests.isa import tables
from tests.isa.gnu import needs_binutils, run
from tests.isa.operand_texts import random_line

ROUNDS = {True: 100, False: 10}
"""Random operands of each instruction: of extensions that assemblers do not know, and of the others."""
GNU = ("riscv64-linux-gnu-as", "-march=rv64imafd_zicsr", "-mno-relax")
CLANG = ("clang-16", "--target=riscv64-linux-gnu", "-march=rv64imafd", "-mno-relax", "-c", "-x", "assembler")


@cache
def loaded(path: Path) -> tuple[Isa, str]:
    name = str(load_yaml(path)["extension"])
    base = ["rv32gc" if "base: 32" in path.read_text() else "rv64gc"]
    isa = load_isa(*base) if name in load_isa(*base).extensions else load_isa(*base, str(path))
    return isa, name


def text_section(path: Path) -> bytes:
    with path.open("rb") as stream:
        return bytes(ELFFile(stream).get_section_by_name(".text").data())


def assembled(isa: Isa, lines: list[str]) -> bytes:
    return bytes(isa.assemble("\n".join(lines)).segments[0].data)


def compare(isa: Isa, extension: str, rounds: int, command: tuple[str, ...], folder: Path) -> int:
    rng = random.Random(4)
    pairs = [
        random_line(rng, isa, instruction, has_split_address(instruction))
        for instruction in isa.extensions[extension].instructions.values()
        for _ in range(rounds)
    ]
    (folder / "macros.s").write_text(insn_macros(isa, extension))
    lines = [other for _, other in pairs]
    (folder / "x.s").write_text("\n".join(['.include "macros.s"', *lines, ""]))
    done = subprocess.run([*command, "x.s", "-o", "x.o"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:2000]
    ours, theirs = assembled(isa, [own for own, _ in pairs]), text_section(folder / "x.o")
    if ours != theirs[: len(ours)]:
        for own, other in pairs:
            word = assembled(isa, [own])
            assert word == theirs[: len(word)], (own, other, word[::-1].hex(), theirs[: len(word)][::-1].hex())
            theirs = theirs[len(word) :]
    assert not any(theirs[len(ours) :])
    disassembled = []
    place = 0
    while place < len(ours):
        size = 4 if ours[place] & 3 == 3 else 2
        disassembled.append(isa.disassemble(int.from_bytes(ours[place : place + size], "little")))
        place += size
    assert assembled(isa, disassembled) == ours
    return len(pairs)


def extensions() -> list[str]:
    return [name for name, path in shipped("isa", ".yaml").items() if "instructions" in load_yaml(path)]


@needs_binutils
@pytest.mark.parametrize("name", extensions())
def test_words_of_gnu_as(name: str, tmp_path: Path) -> None:
    isa, extension = loaded(shipped("isa", ".yaml")[name])
    assert compare(isa, extension, ROUNDS[extension.startswith("X")], GNU, tmp_path)


@needs("clang-16", "clang-16")
@pytest.mark.parametrize("name", extensions())
def test_words_of_clang(name: str, tmp_path: Path) -> None:
    isa, extension = loaded(shipped("isa", ".yaml")[name])
    assert compare(isa, extension, ROUNDS[extension.startswith("X")], CLANG, tmp_path)


@needs_binutils
@needs("clang-16", "clang-16")
@pytest.mark.parametrize("table", ["xuantie_matrix_0.6", "spacemit_ime_0.6", "zvt_zvvm_drafts"])
def test_words_of_published_tables(table: str, tmp_path: Path) -> None:
    """Encodings alone, with numbers for operands; tile loads that two drafts give the same words are taken once."""
    rows = {row["name"]: row for row in tables.rows(f"{table}.csv")}
    twice = ("vmtl.v", "vmts.v")
    kept = [row for name, row in rows.items() if name not in twice and not name.endswith(".mv.i")]
    (tmp_path / "x.yaml").write_text(tables.extension(kept, "Xtable"))
    isa = load_isa("rv64i", str(tmp_path / "x.yaml"))
    for command in (GNU, CLANG):
        assert compare(isa, "Xtable", ROUNDS[True], command, tmp_path) >= 3700


@needs_binutils
@needs("clang-16", "clang-16")
def test_values_that_do_not_fit_are_errors_of_the_assembler(tmp_path: Path) -> None:
    isa = load_isa("rv64gcv", "xqt")
    for extension, line in (
        ("I", "addi a0, a0, 2048"), ("I", "slli a0, a0, 64"), ("I", "add a0, a0, t7"), ("I", "add a0, a0, 3"),
        ("V", "vadd.vi v1, v2, 16"), ("V", "vadd.vv v1, v2, a3"), ("V", "vadd.vv v1, v2, v3, v1.t"),
        ("Xqt", "qt.mma ac4, t0, t1"), ("Xqt", "qt.mma ac0, a0, t1"), ("Xqt", "qt.mma ac0, t0"),
    ):  # fmt: skip
        (tmp_path / "macros.s").write_text(insn_macros(isa, extension))
        (tmp_path / "x.s").write_text(f'.include "macros.s"\n{line}\n')
        for command in (GNU, CLANG):
            done = subprocess.run([*command, "x.s", "-o", "x.o"], cwd=tmp_path, capture_output=True, text=True)
            assert done.returncode != 0 and "rror" in done.stderr, (command[0], line)


@needs_binutils
def test_several_extensions_in_one_source(tmp_path: Path) -> None:
    isa = load_isa("rv64im", "zicsr", "v", "xqt")
    for extension in ("V", "Xqt"):
        (tmp_path / f"{extension}.s").write_text(insn_macros(isa, extension))
    body = "vadd.vv v1, v2, v3, v0.t\nqt.mma ac1, t2, t3\nvsetvli a0, a1, e32, m4, ta, ma\nvle32.v v8, (a0)\n"
    (tmp_path / "x.s").write_text(f'.include "V.s"\n.include "Xqt.s"\n{body}csrr a0, +qtm\n')
    run(*GNU, str(tmp_path / "x.s"), "-I", str(tmp_path), "-o", str(tmp_path / "x.o"))
    assert text_section(tmp_path / "x.o") == assembled(isa, [body, "csrr a0, qtm"])
