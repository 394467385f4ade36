"""Random operands of every instruction that GNU binutils 2.40 knows: objdump says what we say, and as takes it back."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from archsim.isa.encoding import encode, operand_range
from archsim.isa.load import load_isa
from archsim.isa.spec import Instruction, Isa, Variable
from tests.isa.gnu import needs_binutils, run

NAMES = "gcv_zfh_zicsr_zifencei_zba_zbb_zbc_zbs_zbkb_zbkx_zawrs_zihintpause_zicbom_zicbop_zicboz"
UNKNOWN_TO_GNU = ("zicond", "zacas", "zabha", "zcb")
ABI = {32: "ilp32", 64: "lp64"}
EXACT = {"fcvt.d.w", "fcvt.d.wu", "fcvt.d.s", "fcvt.s.h", "fcvt.d.h"}
CUSTOM_CSRS = range(0x800, 0x900)


def load(xlen: int) -> Isa:
    return load_isa(f"rv{xlen}{NAMES}")


def value(rng: random.Random, isa: Isa, instruction: Instruction, variable: Variable) -> int:
    """A value that GNU knows a notation for."""
    low, high, step = operand_range(variable)
    if variable.name == "csr":
        return rng.choice([*isa.csr_names, *CUSTOM_CSRS])
    if instruction.name in EXACT and variable.name == "rm":
        # as of version 2.40, GNU writes no rounding mode where nothing is rounded
        return 0
    if variable.parts:
        # vill and reserved settings are written as numbers, in other bases
        return sum(rng.choice([i for i, word in enumerate(part.values) if word]) << part.low for part in variable.parts)
    if variable.letters:
        # GNU writes no accesses at all as "unknown", and does not take that back
        low = 1
    if instruction.name in ("c.slli", "c.srli", "c.srai") and variable.name == "shamt":
        # by 0, GNU calls them c.slli64 and so on
        low = 1
    while True:
        found = rng.choice([low, high, max(low, 0), rng.randrange(low, high + 1, step)])
        if found not in variable.forbidden:
            return found


def cases(isa: Isa, count: int) -> list[int]:
    """Words: `count` of every instruction."""
    rng = random.Random(7)
    return [
        encode(instruction, {v.name: value(rng, isa, instruction, v) for v in instruction.variables})
        for instruction in isa.instructions.values()
        for _ in range(count)
        # GNU calls it c.addi zero
        if instruction.name != "c.nop"
    ]


def objdump(isa: Isa, words: list[int], folder: Path) -> list[tuple[int, str]]:
    """Address and text of each word."""
    (folder / "x.s").write_text("".join(f".insn {word:#x}\n" for word in words))
    march = f"rv{isa.xlen}{NAMES}"
    run("riscv64-linux-gnu-as", f"-march={march}", f"-mabi={ABI[isa.xlen]}", folder / "x.s", "-o", folder / "x.o")
    result = []
    for line in run("riscv64-linux-gnu-objdump", "-d", "-z", "-M", "no-aliases", folder / "x.o").splitlines():
        match = re.match(r"\s*([0-9a-f]+):\s+[0-9a-f]{4,8}\s+(.*)", line)
        if match:
            text = re.sub(r"\s*(<.*>|#.*)", "", match[2])
            result.append((int(match[1], 16), " ".join(text.split())))
    return result


def ours(isa: Isa, word: int, address: int) -> str:
    """As objdump writes it: targets of jumps as addresses, no space behind commas."""
    text = isa.disassemble(word, address)
    return re.sub(r"\.[+-]\d+  # 0x([0-9a-f]+)", r"\1", text).replace(", ", ",")


@needs_binutils
@pytest.mark.parametrize("xlen", [32, 64])
def test_disassembly_is_that_of_objdump(xlen: int, tmp_path: Path) -> None:
    isa = load(xlen)
    words = cases(isa, 50)
    found = objdump(isa, [0x13, *words], tmp_path)[1:]
    assert len(found) == len(words)
    wrong = [
        (hex(word), ours(isa, word, address), text)
        for word, (address, text) in zip(words, found, strict=True)
        if ours(isa, word, address) != text
    ]
    assert wrong == []


@needs_binutils
@pytest.mark.parametrize("xlen", [32, 64])
def test_gnu_as_takes_our_text(xlen: int, tmp_path: Path) -> None:
    isa = load(xlen)
    words = cases(isa, 10)
    march = f"-march=rv{xlen}{NAMES}"
    # norvc: an instruction that has a short form stays as it is
    (tmp_path / "x.s").write_text(
        ".option norelax\n"
        + "".join(
            f".option {'' if word & 3 != 3 else 'no'}rvc\n{isa.disassemble(word)}\n" for word in words
        )
    )  # fmt: skip
    run("riscv64-linux-gnu-as", march, f"-mabi={ABI[xlen]}", tmp_path / "x.s", "-o", tmp_path / "x.o")
    run(
        "riscv64-linux-gnu-ld",
        "-m",
        f"elf{xlen}lriscv",
        "--no-relax",
        "-e",
        "0",
        tmp_path / "x.o",
        "-o",
        tmp_path / "x.elf",
    )
    run("riscv64-linux-gnu-objcopy", "-O", "binary", "-j", ".text", tmp_path / "x.elf", tmp_path / "x.bin")
    expected = b"".join(word.to_bytes(4 if word & 3 == 3 else 2, "little") for word in words)
    assert (tmp_path / "x.bin").read_bytes() == expected
    # and so does our own assembler
    text = "\n".join(isa.disassemble(word) for word in words)
    assert isa.assemble(text).segments[0].data == expected


@pytest.mark.parametrize("xlen", [32, 64])
@pytest.mark.parametrize("name", UNKNOWN_TO_GNU)
def test_what_gnu_does_not_know_goes_through_our_own_assembler(xlen: int, name: str) -> None:
    isa = load_isa(f"rv{xlen}{NAMES}_{name}")
    words = [
        encode(instruction, {v.name: value(random.Random(seed), isa, instruction, v) for v in instruction.variables})
        for instruction in isa.extensions[name.capitalize()].instructions.values()
        for seed in range(20)
    ]
    data = isa.assemble("\n".join(isa.disassemble(word) for word in words)).segments[0].data
    assert data == b"".join(word.to_bytes(4 if word & 3 == 3 else 2, "little") for word in words)


@needs_binutils
@pytest.mark.parametrize("xlen", [32, 64])
def test_every_halfword(xlen: int, tmp_path: Path) -> None:
    """All 16-bit words are what objdump says they are, and illegal where it knows none, or the manual reserves them."""
    isa = load(xlen)
    words = [word for word in range(1 << 16) if word & 3 != 3]
    renamed = {"c.addi zero": "c.nop", "c.slli64": "c.slli", "c.srli64": "c.srli", "c.srai64": "c.srai"}
    for word, (address, text) in zip(words, objdump(isa, [0x13, *words], tmp_path)[1:], strict=True):
        found = isa.disassemble(word, address)
        name = next((new for old, new in renamed.items() if text.startswith(old)), text.split()[0])
        shift = xlen == 32 and word & 0x1000 and name in ("c.slli", "c.srli", "c.srai")
        if name in (".2byte", "c.unimp") or shift or word == 0x6101:
            # reserved: all zeros; on RV32, shifts by 32 and more; c.addi16sp sp, 0
            assert found == f".2byte {word:#06x}", text
        elif name == text.split()[0]:
            assert ours(isa, word, address) == text
        else:
            assert found.split()[0] == name, text
