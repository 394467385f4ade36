"""The same source through this assembler and through GNU as and ld gives the same bytes at the same addresses."""

from __future__ import annotations

import random
import re
import subprocess
from pathlib import Path

import pytest

from archsim.common.errors import InputError
from archsim.isa.assemble import Assembler
from archsim.isa.encoding import operand_range
from archsim.isa.load import load_isa
from archsim.isa.program import TEXT_BASE
from archsim.isa.spec import Isa, Variable
from archsim.isa.template import parse_template
from tests.isa.gnu import assemble_and_link, needs_binutils, needs_gcc, run

PROGRAMS = Path(__file__).parent.parent / "programs" / "freestanding"
GNU_EXTENSIONS = ("I", "M", "Zicsr")

PSEUDO = """
start:
    nop
    mv a0, a1
    not a0, a1
    neg a0, a1
    negw a0, a1
    sext.w a0, a1
    sext.b a0, a1
    sext.h t3, s11
    zext.b a0, a1
    zext.h a0, a1
    zext.w a0, a1
    seqz a0, a1
    snez a0, a1
    sltz a0, a1
    sgtz a0, a1
    sgt a0, a1, a2
    sgtu a0, a1, a2
    beqz a0, start
    bnez fp, start
    blez a0, start
    bgez a0, start
    bltz x31, start
    bgtz a0, start
    bgt a0, a1, end
    ble a0, a1, end
    bgtu a0, a1, end
    bleu a0, a1, end
    j end
    jal end
    jal t0, end
    jr a0
    jr 8(a0)
    jr a0, -8
    jalr a0
    jalr a0, a1
    jalr 8(a1)
    jalr a1, 8
    jalr a0, 8(a1)
    jalr a0, a1, 8
    ret
    call end
    tail end
    la a0, data
    lla a1, start
    csrr a0, 0x8c0
    csrw 0x8c0, a0
    csrs 0x8c0, a0
    csrc 0x8c0, a0
    csrwi 0x8c0, 3
    csrsi 0x8c0, 31
    csrci 0x8c0, 1
    rdcycle a0
    rdtime a0
    rdinstret a0
    fence
    fence rw, w
    fence.tso
    unimp
    add a0, a1, -5
    addw a0, a1, 5
    and a0, a1, 2047
    or a0, a1, 1
    xor a0, a1, 1
    slt a0, a1, 1
    sltu a0, a1, 1
    sll a0, a1, 63
    srl a0, a1, 1
    sra a0, a1, 1
    sllw a0, a1, 31
    srlw a0, a1, 1
    sraw a0, a1, 1
    lw a0, (a1)
    sd a0, (sp)
    andi a0, a0, 0xffffffffffffff80
end: ret
.data
data: .word 1
"""

# names of instruction sets -> what to assemble for them
BY_EXTENSION = {
    "rv32.*": """
    sext.b a0, a1
    sext.h a0, a1
    zext.h a0, a1
    zext.b a0, a1
    neg a0, a1
    rdcycleh a0
    rdtimeh a0
    rdinstreth a0
    li a0, 0x80000000
    li a0, -1
    li a0, 0x12345678
    li a0, 0xfffff7ff
    li a0, 2047
    la a0, data
    call end
    lw a0, data
    sw a0, data, t0
    sll a0, a1, 31
""",
    "rv64im_zba_zbb_zbs": """
    sext.b a0, a1
    sext.h a0, a1
    zext.h a0, a1
    zext.w a0, a1
    ror a0, a1, 63
    rorw a0, a1, 31
    bset a0, a1, 63
    bclr a0, a1, 1
    binv a0, a1, 1
    bext a0, a1, 1
    csrw 0x8c0, 5
    csrs 0x8c0, 5
    csrc 0x8c0, 5
    csrrw a0, 0x8c0, 31
    csrrs a0, 0x8c0, 0
    csrrc a0, 0x8c0, 1
    jump end, t0
    scall
    sbreak
""",
    "rv64imafd.*": """
    fmv.s fa0, fa1
    fabs.d fa0, ft11
    fneg.s fs0, fs11
    fgt.s a0, fa0, fa1
    fge.d a0, fa0, fa1
    fmv.x.s a0, fa0
    fmv.s.x fa0, a0
    frcsr a0
    fscsr a0
    fscsr a0, a1
    frrm a0
    fsrm a0
    fsrm a0, a1
    fsrmi 3
    fsrmi a0, 3
    frflags a0
    fsflags a0
    fsflags a0, a1
    fsflagsi 31
    fsflagsi a0, 31
    flw fa0, data, t0
    fld fa0, data, t0
    fsw fa0, data, t0
    fsd fa0, data, t0
    fadd.s fa0, fa1, fa2
    fadd.s fa0, fa1, fa2, rtz
    fadd.s f10, f11, f31, dyn
    fmadd.d fa0, fa1, fa2, fa3, rmm
    fcvt.d.w fa0, a0
    fcvt.d.s fa0, fa1
    fcvt.w.s a0, fa0
    fcvt.w.s a0, fa0, rup
    fsqrt.d fa0, fa0
    amoadd.w a0, a1, (a2)
    amoadd.d.aqrl a0, a1, 0(a2)
    lr.w.aq a0, (a1)
    sc.d.rl a0, a1, (a2)
""",
    "rv64imafd_zfh": """
    fmv.h fa0, fa1
    fneg.h fa0, fa1
    fabs.h fa0, fa1
    fgt.h a0, fa0, fa1
    flh fa0, data, t0
    fcvt.s.h fa0, fa1
    fcvt.h.s fa0, fa1
""",
    "rv64imafdv": """
    vsetvli a0, a1, e32, m4, ta, ma
    vsetvli a0, a1, e8, mf8, tu, mu
    vsetvli zero, a1, e64
    vsetvli a0, a1, e16, m2
    vsetvli a0, a1, e16, m2, ta
    vsetvli a0, a1, 0xc3
    vsetivli a0, 31, e64, m8, tu, ma
    vadd.vv v1, v2, v3
    vadd.vv v1, v2, v3, v0.t
    vadc.vvm v1, v2, v3, v0
    vmerge.vim v1, v2, -16, v0
    vle32.v v1, (a0)
    vle32.v v1, 0(a0), v0.t
    vlse64.v v8, (a0), t0, v0.t
    vluxei16.v v8, (a0), v4
    vlseg3e8.v v8, (a0)
    vneg.v v1, v2
    vneg.v v1, v2, v0.t
    vnot.v v1, v2
    vwcvt.x.x.v v2, v1
    vwcvtu.x.x.v v2, v1, v0.t
    vncvt.x.x.w v1, v2
    vfneg.v v1, v2
    vfabs.v v1, v2, v0.t
    vmsgt.vv v1, v2, v3
    vmsgtu.vv v1, v2, v3
    vmsge.vv v1, v2, v3, v0.t
    vmsgeu.vv v1, v2, v3
    vmfgt.vv v1, v2, v3
    vmfge.vv v1, v2, v3
    vmslt.vi v1, v2, 16
    vmslt.vi v1, v2, -15, v0.t
    vmsltu.vi v1, v2, 16
    vmsltu.vi v1, v2, 0
    vmsltu.vi v1, v2, 0, v0.t
    vmsge.vi v1, v2, 0
    vmsgeu.vi v1, v2, 16
    vmsgeu.vi v1, v2, 0
    vmsge.vx v1, v2, a0
    vmsgeu.vx v1, v2, a0, v0.t
    vmmv.m v1, v2
    vmcpy.m v1, v2
    vmnot.m v1, v2
    vmclr.m v1
    vmset.m v1
    vmandnot.mm v1, v2, v3
    vmornot.mm v1, v2, v3
    vpopc.m a0, v1
    vfredsum.vs v1, v2, v3
    vle1.v v1, (a0)
    vse1.v v1, (a0)
    vl1r.v v1, (a0)
    vl8r.v v8, (a0)
    vs4r.v v4, (a0)
""",
}

LABELS_AND_DATA = """
# comment ; not a statement
.equ four, 4
.set twice, four * 2
.globl _start
.text
_start: 1: addi a0, a0, four; addi a0, a0, -four
    beq a0, a1, 1b
    beq a0, a1, 1f
2:  j 1b
1:  j 2b
    bne a0, a1, . + 8
    lui a2, %hi(value)
    lw a3, %lo(value)(a2)
    lw a3, %lo(value + 4)(a2)
3:  auipc a4, %pcrel_hi(value)
    ld a5, %pcrel_lo(3b)(a4)
    sd a5, %pcrel_lo(3b)(a4)
    .align 4
    addi a0, a0, 'a'
    addi a0, a0, '\\n'
    addi a0, a0, ';'
    addi a0, a0, twice + 2 << 3 | 1
    .set twice, twice + 1
    addi a0, a0, twice
    .set twice, 3
    addi a0, a0, twice
    .balign 64
last: ret
    lw a0, value
    ld t0, value + 8
    sb a0, value, t1
    .balign 64
.section .rodata
text: .string "tab\\tquote\\" \\\\ hash # slashes // semi ; oct\\101 hex\\x42 \\303\\251", "two"
    .ascii "no end"
    .asciz "é"
    .byte 1, -1, 0xff, 'x', ' ', ','
    .p2align 3
    .half 0x1234, -2
    .2byte 7
    .dword last, last - _start, 0x8000000000000000, -1
    .word last - 1b + 3, ~0, 1+2<<3, 7&3+1, 6|1*2, 010, -5/2, -7%3, 100/3/2, (1|6)^3-1, -8>>1, 0b101
    .float 1.5, -0.1, 1e10
    .double 3.141592653589793
    .zero 5
    .space 3, 0xAA
    .dword text
    .dword 1f, 1b
1:
.data
    .byte 1
    .align 3
value: .quad 5, value, . - value, .
    .set here, .
    .8byte here + 1
    .long 3
    .short 4
    .skip 2
"""


def same_as_gnu(isa: Isa, source: str, folder: Path, march: str = "rv64im") -> None:
    assembler = Assembler(isa, "source.s")
    ours = {segment.address: segment.data for segment in assembler.run(source).segments}
    bases = {name: base for name, base in assembler.symbols.bases.items() if name and assembler.sections[name].size}
    assert bases[".text"] == TEXT_BASE
    for name, content in assemble_and_link(source, folder, bases, march).items():
        assert ours.get(bases.get(name, -1), b"") == content, name


def operand(rng: random.Random, isa: Isa, variable: Variable) -> str:
    if variable.register:
        return rng.choice(isa.state[variable.register].names)
    if variable.letters:
        return "".join(letter for letter in variable.letters if rng.random() < 0.5) or "w"
    low, high, step = operand_range(variable)
    return str(rng.choice([low, high, 0, rng.randrange(low, high + 1, step)]))


@needs_binutils
def test_every_instruction_with_random_operands(isa: Isa, tmp_path: Path) -> None:
    rng = random.Random(1)
    lines = []
    for extension in GNU_EXTENSIONS:
        for instruction in isa.extensions[extension].instructions.values():
            for _ in range(8):
                texts = []
                for form in parse_template(instruction.assembly):
                    values = {name: operand(rng, isa, instruction.variable(name)) for name in form.variables}
                    # GNU as takes a bare number as an absolute address
                    if instruction.unit == "branch" and form.base is None and form.name == "imm":
                        values["imm"] = f". + {values['imm']}"
                    texts.append(values.get(form.name or "", "") + (f"({values[form.base]})" if form.base else ""))
                lines.append(f"{instruction.name} {', '.join(texts)}")
    # far jumps need room on both sides
    body = "\n".join(line for line in lines if not line.startswith("jal "))
    rng.shuffle(lines)
    same_as_gnu(isa, f".zero 0x2000\n{body}\n.zero 0x2000\n", tmp_path)
    jumps = "\n".join(line for line in lines if line.startswith("jal "))
    same_as_gnu(isa, f".zero 0x110000\n{jumps}\n.zero 0x110000\n", tmp_path)


@needs_binutils
@pytest.mark.parametrize("source", [PSEUDO, LABELS_AND_DATA], ids=["pseudo-instructions", "labels and data"])
def test_source(isa: Isa, tmp_path: Path, source: str) -> None:
    same_as_gnu(isa, source, tmp_path)


@needs_binutils
@pytest.mark.parametrize("march", ["rv32im", "rv64im_zba_zbb_zbs", "rv32im_zbb", "rv64imafd_zfh", "rv64imafdv"])
def test_pseudo_instructions_by_extension(march: str, tmp_path: Path) -> None:
    lines = [line for word, source in BY_EXTENSION.items() if re.fullmatch(word, march) for line in source.splitlines()]
    assert len(lines) > 8
    same_as_gnu(load_isa(march, "zicsr", "zicntr"), "\n".join(["start:", *lines, "end:", ".data", "data: .word 1"]),
                tmp_path, f"{march}_zicsr")  # fmt: skip


@needs_gcc
@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_what_gcc_writes(isa: Isa, tmp_path: Path, level: str) -> None:
    """Assembly that gcc makes of C programs."""
    for source in sorted(PROGRAMS.glob("*.c")):
        run(
            "riscv64-linux-gnu-gcc", "-march=rv64im", "-mabi=lp64", level, "-S", "-ffreestanding", "-fno-pic",
            "-mcmodel=medany", "-msmall-data-limit=0", "-fno-merge-constants", "-fno-reorder-functions",
            "-fno-zero-initialized-in-bss", "-mno-relax", "-o", tmp_path / "out.s", source,
        )  # fmt: skip
        same_as_gnu(isa, ".data\n__global_pointer$:\n.zero 8\n.text\n" + (tmp_path / "out.s").read_text(), tmp_path)


@needs_binutils
def test_what_gnu_as_refuses_is_refused_here(isa: Isa, tmp_path: Path) -> None:
    for line in (
        "addi a0, a0, 2048", "addi a0, a0", "addi a0, a0, a0, 3", "addq a0, a0, a1", "lw a0, a1", "slli a0, a0, 64",
        "slliw a0, a0, 32", "lui a0, 0x100000", "add a0, a1, x32", "csrwi 0x8c0, 32", "csrr a0, 0x1000",
        "sub a0, a0, 4", "1 2", "x: nop; x:", "j 5f", "li a0, label", "li a0, 0x10000000000000000",
        ".string abc", "fence rq, w", "addi a0, a0, (3", ".wodr 1", "jalr a0, 4096(a0)",
    ):  # fmt: skip
        (tmp_path / "bad.s").write_text(f"{line}\n")
        command = ["riscv64-linux-gnu-as", "-march=rv64im", tmp_path / "bad.s", "-o", tmp_path / "bad.o"]
        refused = subprocess.run(command, capture_output=True, text=True)
        link = ["riscv64-linux-gnu-ld", tmp_path / "bad.o", "-o", tmp_path / "bad.elf"]
        assert refused.returncode or subprocess.run(link, capture_output=True).returncode, line
        with pytest.raises(InputError):
            isa.assemble(line)
