"""Bare metal: tohost, machine-mode traps as the Privileged Architecture 20240411 (chapter 3) says, several harts."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

import archsim
import archsim.isa.spec
from tests.debian import needs

TOHOST = "\n.data\n.align 6\n.globl tohost\ntohost: .8byte 0\nfromhost: .8byte 0\n"
EXIT = "\n la t0, tohost\n li t1, {word}\n sd t1, 0(t0)\n 9: j 9b\n"
FIDELITIES = pytest.mark.parametrize("fidelity", ["functional", "timed"])


@pytest.fixture(scope="module")
def isa() -> archsim.isa.spec.Isa:
    return archsim.load_isa("rv64imafd", "zicsr", "zicntr", "sm")


def run(isa: archsim.isa.spec.Isa, source: str, fidelity: str = "functional", **more):
    return archsim.run(isa.assemble(source), isa=isa, fidelity=fidelity, **more)


@pytest.mark.parametrize(("word", "code", "test"), [(1, 0, 0), (7, 3, 3), (2 * 300 + 1, 255, 300)])
@FIDELITIES
def test_an_odd_word_in_tohost_ends_the_run(isa, word: int, code: int, test: int, fidelity: str) -> None:
    result = run(isa, "_start:" + EXIT.format(word=word) + TOHOST, fidelity)
    assert (result.exit_code, result.failed_test) == (code, test)


# every trap stores mcause, mtval, mepc and mstatus; the handler goes on behind the instruction
TRAPS = """
_start:
    la t0, handler
    csrw mtvec, t0
    la s1, log
    li t0, 8
    csrs mstatus, t0
a0: .4byte 0
a1: lw t1, 0x18(zero)
a2: sd t1, 8(zero)
a3: ebreak
a4: ecall
a5: csrr t1, 0x7c0
a6: csrw cycle, t1
    la t0, user
    csrw mepc, t0
    li t0, 0x1800
    csrc mstatus, t0
    mret
user:
a7: csrr t1, mstatus
a8: mret
a9: ecall
    li t2, 0x300
    jr t2
back:
    ecall
handler:
    csrr t5, mcause
    csrr t4, mtval
    csrr t3, mepc
    csrr t6, mstatus
    sd t5, 0(s1)
    sd t4, 8(s1)
    sd t3, 16(s1)
    sd t6, 24(s1)
    addi s1, s1, 32
    addi t3, t3, 4
    li t4, 1
    bne t5, t4, 1f
    la t3, last
    csrw mepc, t3
    j last
1:  csrw mepc, t3
    mret
last:
""" + EXIT.format(word=1) + TOHOST + "log: .zero 512\n"  # fmt: skip


@FIDELITIES
def test_traps_go_to_the_handler(isa, fidelity: str) -> None:
    program = isa.assemble(TRAPS)
    result = archsim.run(program, isa=isa, fidelity=fidelity)
    log = np.frombuffer(result.read(program.symbols["log"], 512), np.uint64).reshape(-1, 4)
    at = program.symbols
    word = {name: int.from_bytes(result.read(at[name], 4), "little") for name in ("a5", "a6", "a7", "a8")}
    # cause, mtval, mepc (table 14 of section 3.1.15); privilege before it (mstatus.MPP)
    expected = [
        (2, 0, at["a0"], 3),
        (5, 0x18, at["a1"], 3),
        (7, 8, at["a2"], 3),
        (3, at["a3"], at["a3"], 3),
        (11, 0, at["a4"], 3),
        (2, word["a5"], at["a5"], 3),
        (2, word["a6"], at["a6"], 3),
        (2, word["a7"], at["a7"], 0),
        (2, word["a8"], at["a8"], 0),
        (8, 0, at["a9"], 0),
        (1, 0x300, 0x300, 0),
    ]
    for row, (cause, value, pc, privilege) in zip(log.tolist(), expected, strict=False):
        assert row[:3] == [cause, value, pc]
        assert row[3] >> 11 & 3 == privilege
        # interrupts are disabled in the handler, and MPIE holds what MIE was: set above, and again by every MRET
        assert row[3] & 8 == 0 and row[3] & 0x80
    assert result.exit_code == 0


def test_a_trap_without_a_handler_is_one_line(isa) -> None:
    cases = {
        "lw a0, 0(zero)": "load from an address outside memory (0x0)",
        ".4byte 0": "illegal instruction",
        "ecall": "environment call without a trap handler (mtvec)",
        "li t0, 0x300\n csrw mtvec, t0\n .4byte 0": "jump outside the program (0x300)",
        "la t0, _start\n csrw mtvec, t0\n 1: wfi\n j 1b": "every hart waits for an interrupt (wfi), and none can come",
    }
    for source, message in cases.items():
        with pytest.raises(archsim.SimulationError) as caught:
            run(isa, f"_start: {source}\n" + TOHOST)
        assert str(caught.value).endswith(message) and "\n" not in str(caught.value)
    with pytest.raises(
        archsim.SimulationError, match=r"stopped after 500\d instructions \(the limit is 5000\), hart 0 at"
    ):
        run(isa, "_start: j _start\n" + TOHOST, max_instructions=5000)


def test_floating_point_that_is_off_is_illegal(isa) -> None:
    # riscv-tests, rv64mi/csr: a store with mstatus.FS off traps and stores nothing
    source = """
_start:
    la t0, handler
    csrw mtvec, t0
    li s2, 0
    la s0, data
    li a1, 0x6000
    csrs mstatus, a1
    fmv.w.x ft0, zero
    csrc mstatus, a1
    fsw ft0, 0(s0)
    frflags t1
    csrs mstatus, a1
    fsw ft0, 4(s0)
    sw s2, 8(s0)
""" + EXIT.format(word=1) + """
handler:
    addi s2, s2, 1
    csrr t3, mepc
    addi t3, t3, 4
    csrw mepc, t3
    mret
""" + TOHOST + "data: .4byte 1, 2, 3\n"  # fmt: skip
    program = isa.assemble(source)
    result = archsim.run(program, isa=isa, fidelity="functional")
    assert np.frombuffer(result.read(program.symbols["data"], 12), np.int32).tolist() == [1, 0, 2]


def test_host_calls_and_console(isa) -> None:
    # the blocks of riscv-tests' benchmarks (syscalls.c): number, arguments; the answer comes in the first word
    source = """
_start:
    la s0, block
    la s1, tohost
    la s2, fromhost
    li t0, 64
    sd t0, 0(s0)
    li t0, 1
    sd t0, 8(s0)
    la t0, text
    sd t0, 16(s0)
    li t0, 6
    sd t0, 24(s0)
    sd s0, 0(s1)
1:  ld t0, 0(s2)
    beqz t0, 1b
    sd zero, 0(s2)
    ld s3, 0(s0)
    li t0, 0x0101000000000021
    sd t0, 0(s1)
2:  ld t0, 0(s1)
    bnez t0, 2b
    li t0, 93
    sd t0, 0(s0)
    sd s3, 8(s0)
    sd s0, 0(s1)
3:  j 3b
""" + TOHOST + 'block: .zero 64\ntext: .ascii "hello\\n"\n'  # fmt: skip
    result = run(isa, source)
    assert (result.stdout, result.exit_code) == (b"hello\n!", 6)


LOCK = """
_start:
    la s1, lock
    li s3, 500
1:  li t1, 1
2:  lw t2, 0(s1)
    bnez t2, 2b
    amoswap.w.aq t2, t1, (s1)
    bnez t2, 2b
    lw t3, 4(s1)
    addi t3, t3, 1
    sw t3, 4(s1)
    amoswap.w.rl zero, zero, (s1)
    addi s3, s3, -1
    bnez s3, 1b
    csrr a1, mhartid
    bne a0, a1, bad
    li t1, 1
    addi t0, s1, 8
    amoadd.w zero, t1, (t0)
    bnez a0, park
3:  lw t1, 0(t0)
    li t2, HARTS
    bne t1, t2, 3b
    lw t3, 4(s1)
    slli t3, t3, 1
    ori t3, t3, 1
    la t0, tohost
    sd t3, 0(t0)
park: wfi
    j park
bad: la t0, tohost
    li t1, 3
    sd t1, 0(t0)
    j bad
""" + TOHOST + "lock: .4byte 0, 0, 0\n"  # fmt: skip


@FIDELITIES
@pytest.mark.parametrize("harts", [1, 4])
def test_harts_share_memory_and_take_turns(isa, harts: int, fidelity: str) -> None:
    source = LOCK.replace("HARTS", str(harts))
    design = archsim.load_design("edge-npu", {"cores": str(harts)})
    result = run(isa, source, fidelity, design=design)
    assert result.failed_test == 500 * harts


def test_32_bits() -> None:
    isa = archsim.load_isa("rv32im", "zicsr", "zicntr", "sm")
    source = """
_start:
    la t0, handler
    csrw mtvec, t0
    la s0, log
    csrr t0, misa
    sw t0, 0(s0)
    li t0, -1
    csrw minstret, t0
    csrw minstreth, t0
    nop
    csrr t1, minstret
    sw t1, 4(s0)
    csrr t1, minstreth
    sw t1, 8(s0)
    csrwi mcycleh, 5
    csrr t1, cycleh
    sw t1, 12(s0)
    li t0, 0x80000000
    csrw mscratch, t0
    csrr t1, mscratch
    sw t1, 16(s0)
    .4byte 0xffffffff
handler:
    csrr t1, mtval
    sw t1, 20(s0)
    csrr t1, mcause
    sw t1, 24(s0)
    la t0, tohost
    li t1, 1
    sw t1, 0(t0)
9:  j 9b
""" + TOHOST + "log: .zero 32\n"  # fmt: skip
    program = isa.assemble(source)
    result = archsim.run(program, isa=isa, fidelity="functional")
    log = np.frombuffer(result.read(program.symbols["log"], 28), np.uint32)
    # MXL is 1 in the upper two bits (section 3.1.1); writes of a half of a counter suppress its increment
    assert log.tolist() == [0x40101100, 0, 0, 5, 0x80000000, 0xFFFFFFFF, 2]


# the start of riscv-tests' "p" environment: CSRs that may be missing are written under a handler that skips them
ENVIRONMENT = """
.globl _start
_start:
    la t0, 1f
    csrw mtvec, t0
    csrwi satp, 0
.align 2
1:  la t0, 1f
    csrw mtvec, t0
    li t0, -1
    csrw pmpaddr0, t0
    li t0, 0x1f
    csrw pmpcfg0, t0
.align 2
1:  la t0, 1f
    csrw mtvec, t0
    csrwi medeleg, 0
    csrwi mideleg, 0
.align 2
1:  csrwi mie, 0
    la t0, trap_vector
    csrw mtvec, t0
    csrwi mstatus, 0
    la t0, 1f
    csrw mepc, t0
    csrr a0, mhartid
    mret
1:  li gp, 5
    c.li a0, 3
    li a7, 93
    ecall
.align 2
trap_vector:
    csrr t5, mcause
    li t6, 8
    bne t5, t6, fail
write_tohost:
    slli gp, a0, 1
    ori gp, gp, 1
    la t0, tohost
    sw gp, 0(t0)
    sw zero, 4(t0)
    j write_tohost
fail: li a0, 99
    j write_tohost
.section .tohost, "aw", @progbits
.align 6
.globl tohost
tohost: .dword 0
"""


@needs("riscv64-linux-gnu-gcc", "gcc-riscv64-linux-gnu")
@pytest.mark.parametrize("march", ["rv64gc -mabi=lp64d", "rv32gc -mabi=ilp32d"])
def test_an_elf_file_at_the_usual_address(march: str, tmp_path: Path) -> None:
    source, elf = tmp_path / "test.S", tmp_path / "test.elf"
    source.write_text(ENVIRONMENT)
    subprocess.run(
        [
            "riscv64-linux-gnu-gcc", *f"-march={march}".split(), "-nostdlib", "-static", "-no-pie",
            "-Wl,-Ttext=0x80000000", "-Wl,--section-start=.tohost=0x80001000", "-Wl,--build-id=none",
            *(["-Wl,-melf32lriscv"] if "32" in march else []), "-o", elf, source,
        ],
        check=True,
    )  # fmt: skip
    program = archsim.load_elf(elf)
    assert program.entry == 0x80000000
    for fidelity in ("functional", "timed", "addresses"):
        assert archsim.run(program, fidelity=fidelity).exit_code == 3
