"""Compressed instructions: what they stand for, and what the loader refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from archsim.common.errors import InputError
from archsim.isa.encoding import decode, encode
from archsim.isa.exports import c_header, markdown
from archsim.isa.load import load_isa
from archsim.isa.operation import check_operation
from archsim.isa.spec import Instruction, Isa

GOOD = """\
extension: Xs
long_name: Short
source: here
requires: [I]
instructions:
  s.inc:
    long_name: Increment
    encoding:
      match: "000-----------00"
      variables:
        - {name: xd, location: 4-2, register: X, add: 8}
        - {name: imm, location: 12-5, left_shift: 2}
    assembly: "xd, sp, imm"
    expands: "addi xd, sp, imm"
"""


def write(folder: Path, text: str) -> str:
    path = folder / "xs.yaml"
    path.write_text(text)
    return str(path)


def full(isa: Isa, instruction: Instruction, values: dict[str, int]) -> tuple[str, dict[str, int]]:
    """The instruction that a short one stands for, with its operands."""
    assert instruction.expansion is not None
    operands = instruction.expansion.operands
    return instruction.expansion.mnemonic, {n: values[v] if isinstance(v, str) else v for n, v in operands.items()}


# short instruction, and what the manual says that it expands to (chapters 26 and 27)
EXPANSIONS = [
    ("c.addi4spn s0, sp, 1020", "addi s0, sp, 1020"),
    ("c.lw a5, 124(s1)", "lw a5, 124(s1)"),
    ("c.sw a5, 64(s1)", "sw a5, 64(s1)"),
    ("c.fld fa5, 248(s0)", "fld fa5, 248(s0)"),
    ("c.fsd fs0, 8(a0)", "fsd fs0, 8(a0)"),
    ("c.nop", "addi zero, zero, 0"),
    ("c.nop -32", "addi zero, zero, -32"),
    ("c.addi t6, -32", "addi t6, t6, -32"),
    ("c.li a0, 31", "addi a0, zero, 31"),
    ("c.addi16sp sp, -512", "addi sp, sp, -512"),
    ("c.lui a0, 0xfffff", "lui a0, 0xfffff"),
    ("c.lui a0, 31", "lui a0, 31"),
    ("c.srli a0, 31", "srli a0, a0, 31"),
    ("c.srai a0, 1", "srai a0, a0, 1"),
    ("c.andi a0, -1", "andi a0, a0, -1"),
    ("c.sub a0, a1", "sub a0, a0, a1"),
    ("c.xor a0, a1", "xor a0, a0, a1"),
    ("c.or a0, a1", "or a0, a0, a1"),
    ("c.and a0, a1", "and a0, a0, a1"),
    ("c.j .-2048", "jal zero, .-2048"),
    ("c.beqz a0, .+254", "beq a0, zero, .+254"),
    ("c.bnez a0, .-256", "bne a0, zero, .-256"),
    ("c.slli t6, 31", "slli t6, t6, 31"),
    ("c.lwsp ra, 252(sp)", "lw ra, 252(sp)"),
    ("c.swsp zero, 252(sp)", "sw zero, 252(sp)"),
    ("c.fldsp ft0, 504(sp)", "fld ft0, 504(sp)"),
    ("c.fsdsp ft11, 504(sp)", "fsd ft11, 504(sp)"),
    ("c.jr t6", "jalr zero, 0(t6)"),
    ("c.mv t6, t5", "add t6, zero, t5"),
    ("c.ebreak", "ebreak"),
    ("c.jalr t6", "jalr ra, 0(t6)"),
    ("c.add t6, t5", "add t6, t6, t5"),
    ("c.lbu a0, 3(a1)", "lbu a0, 3(a1)"),
    ("c.lhu a0, 2(a1)", "lhu a0, 2(a1)"),
    ("c.lh a0, 2(a1)", "lh a0, 2(a1)"),
    ("c.sb a0, 3(a1)", "sb a0, 3(a1)"),
    ("c.sh a0, 2(a1)", "sh a0, 2(a1)"),
    ("c.zext.b a0", "andi a0, a0, 255"),
    ("c.sext.b a0", "sext.b a0, a0"),
    ("c.zext.h a0", "zext.h a0, a0"),
    ("c.sext.h a0", "sext.h a0, a0"),
    ("c.not a0", "xori a0, a0, -1"),
    ("c.mul a0, a1", "mul a0, a0, a1"),
]
ONLY = {
    32: [
        ("c.jal .+2046", "jal ra, .+2046"),
        ("c.flw fa5, 124(s0)", "flw fa5, 124(s0)"),
        ("c.fsw fa5, 124(s0)", "fsw fa5, 124(s0)"),
        ("c.flwsp ft11, 252(sp)", "flw ft11, 252(sp)"),
        ("c.fswsp ft11, 252(sp)", "fsw ft11, 252(sp)"),
    ],
    64: [
        ("c.ld a5, 248(s1)", "ld a5, 248(s1)"),
        ("c.sd a5, 248(s1)", "sd a5, 248(s1)"),
        ("c.addiw a0, 0", "addiw a0, a0, 0"),
        ("c.subw a0, a1", "subw a0, a0, a1"),
        ("c.addw a0, a1", "addw a0, a0, a1"),
        ("c.ldsp ra, 504(sp)", "ld ra, 504(sp)"),
        ("c.sdsp ra, 504(sp)", "sd ra, 504(sp)"),
        ("c.slli t6, 63", "slli t6, t6, 63"),
        ("c.zext.w a0", "add.uw a0, a0, zero"),
    ],
}


@pytest.mark.parametrize("xlen", [32, 64])
def test_expansions_are_those_of_the_manual(xlen: int) -> None:
    isa = load_isa(f"rv{xlen}gc_zcb_zba_zbb")
    expected = dict(EXPANSIONS + ONLY[xlen])
    short = {name for name, instruction in isa.instructions.items() if instruction.width == 16}
    assert {text.split()[0] for text in expected} == short
    for text, meaning in expected.items():
        word = int.from_bytes(isa.assemble(text).segments[0].data, "little")
        found = decode(isa, word)
        assert found is not None and word < 1 << 16
        mnemonic, operands = full(isa, *found)
        target = isa.instructions[mnemonic]
        assert found[0].unit == target.unit
        # c.lui holds its immediate as a signed number, lui as an unsigned one
        operands = {n: v % (1 << 20) if mnemonic == "lui" and n == "imm" else v for n, v in operands.items()}
        assert encode(target, operands).to_bytes(4, "little") == isa.assemble(meaning).segments[0].data, text


def test_what_needs_another_extension_comes_with_it() -> None:
    assert "c.mul" not in load_isa("rv64ic_zcb").instructions and "c.mul" in load_isa("rv64imc_zcb").instructions
    assert "c.fld" not in load_isa("rv64imc").instructions and "c.fld" in load_isa("rv64imfdc").instructions
    assert "c.flw" not in load_isa("rv64imfc").instructions and "c.flw" in load_isa("rv32imfc").instructions
    assert "c.flw" not in load_isa("rv32imf_zca").instructions


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("addi xd", "adi xd", 14, "unknown instruction that s.inc expands to 'adi'; did you mean 'andi'?"),
        ("addi xd, sp, imm", "s.inc xd, sp, imm", 14, None),
        ("xd, sp, imm\"\n    exp", "xd, sb, imm\"\n    exp", 13, None),
        ("addi xd, sp", "addi xd", 14,
         "expansion of s.inc: 'addi xd, imm' has 2 operands; write it as addi xd, xs1, imm"),
        ("addi xd, sp", "addi xe, sp", 14, None),
        ("sp, imm\"\n", "sp, sp\"\n", 13, None),
        ("addi xd, sp, imm", "addi xd, sp, imn", 14,
         "unknown operand imm of the expansion 'imn'; did you mean 'imm'?"),
        ("addi xd, sp, imm", "addi xd, sp, 4096", 14, "expansion of s.inc: imm is 4096; use -2048 to 2047"),
        ("addi xd, sp, imm", "addi xd, imm, 3", 14,
         "expansion of s.inc: imm is an immediate, xs1 does not; use another"),
        ("addi xd, sp, imm", "lw xd, imm", 14,
         "expansion of s.inc: 'imm' is not of the form imm(xs1); write it as lw xd, imm(xs1)"),
        ("left_shift: 2", "left_shift: 5", 14,
         "expansion of s.inc: imm is 0 to 8160, imm holds -2048 to 2047; make it narrower"),
        ("add: 8", "add: 25", 11,
         "variable xd can be 32, X has 32 registers; make the field narrower, or list the values under 'not:'"),
        ("left_shift: 2", "add: 2", 12, "variable imm is an immediate with 'add'; leave it to registers"),
        ("    expands:", "    unit: alu\n    expands:", 14,
         "instruction s.inc has 'expands' and 'unit'; leave it to what it expands to"),
    ],
)  # fmt: skip
def test_errors(tmp_path: Path, old: str, new: str, line: int, message: str | None) -> None:
    assert old in GOOD
    with pytest.raises(InputError) as caught:
        load_isa("rv64i", write(tmp_path, GOOD.replace(old, new, 1)))
    assert caught.value.line == line
    if message is not None:
        assert str(caught.value) == f"{tmp_path / 'xs.yaml'}:{line}: {message}"


def test_exports_of_short_instructions(tmp_path: Path) -> None:
    isa = load_isa("rv64i", write(tmp_path, GOOD))
    assert "Stands for `addi` with xd = xd, xs1 = 2, imm = imm." in markdown(isa, "Xs")
    assert "Not for C: s.inc." in c_header(isa, "Xs")


def test_names_of_fixed_registers(tmp_path: Path) -> None:
    isa = load_isa("rv64i", write(tmp_path, GOOD))
    word = isa.assemble("s.inc a0, sp, 4").segments[0].data
    assert isa.assemble("s.inc x10, x2, 4").segments[0].data == word
    with pytest.raises(InputError, match="'a1' stands where only sp may; write sp"):
        isa.assemble("s.inc a0, a1, 4")
    with pytest.raises(InputError, match=r"xd of s.inc is 1; use 8 to 15"):
        isa.assemble("s.inc ra, sp, 4")


def test_every_shipped_operation_is_right_for_both_bases() -> None:
    """The checker takes every operation of what ships with either XLEN (loading checks them; this says which)."""
    for base in ("rv32", "rv64"):
        isa = load_isa(f"{base}gc_zcb_zba_zbb_zbc_zbs_zbkb_zbkx_zicond_zacas_zabha_zawrs_zicbom_zicbop_zicboz")
        for instruction in isa.instructions.values():
            if instruction.operation is not None:
                assert check_operation(instruction, isa.state, isa.parameters_of(instruction)).body
