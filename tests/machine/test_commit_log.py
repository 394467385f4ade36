"""Commit logs: lines as Spike writes them, and read back by the reader of Spike's logs."""

from __future__ import annotations

import io
from pathlib import Path

import archsim
from archsim.traces.spike import read_spike_log

SOURCE = """
_start:
    la s0, data
    ld a0, 0(s0)
    addi a0, a0, -1
    sw a0, 8(s0)
    li t0, 2
1:  addi t0, t0, -1
    bnez t0, 1b
    csrw mscratch, a0
    amoadd.d a1, a0, (s0)
    fld fa0, 16(s0)
    fadd.d fa1, fa0, fa0
    fdiv.d fa1, fa0, fa1
    sb zero, 24(s0)
    la t0, tohost
    li t1, 1
    sd t1, 0(t0)
9:  j 9b
.data
.align 6
tohost: .8byte 0
.align 6
data: .8byte 0x123456789, 0, 0x3ff0000000000001, -1
"""


def log_of(source: str, *extensions: str) -> tuple[list[str], archsim.isa.program.Program]:
    isa = archsim.load_isa("rv64imafd", "zicsr", "zicntr", "sm", *extensions)
    program = isa.assemble(source)
    stream = io.StringIO()
    archsim.run(program, isa=isa, fidelity="functional", log=stream)
    return stream.getvalue().splitlines(), program


def test_lines_as_spike_writes_them() -> None:
    lines, program = log_of(SOURCE)
    data = program.symbols["data"]
    parts = [line.split(") ", 1)[1] if ") " in line else "" for line in lines]
    assert lines[0].startswith("core   0: 3 0x0000000000010000 (0x")
    # riscv/execute.cc of Spike: " %c%-2d value", then " mem address" of loads, " mem address value" of stores
    assert f"x10 0x0000000123456789 mem 0x{data:016x}" in parts
    assert "x10 0x0000000123456788" in parts
    assert f"mem 0x{data + 8:016x} 0x23456788" in parts
    assert f"mem 0x{data + 24:016x} 0x00" in parts
    assert "c832_mscratch 0x0000000123456788" in parts
    total = 0x123456789 + 0x123456788
    assert f"x11 0x0000000123456789 mem 0x{data:016x} mem 0x{data:016x} 0x{total:016x}" in parts
    assert f"f10 0x3ff0000000000001 mem 0x{data + 16:016x}" in parts
    assert "f11 0x4000000000000001" in parts
    assert sum(part.startswith("x5  0x000000000000000") for part in parts) >= 3


def test_reading_it_back_gives_what_ran(tmp_path: Path) -> None:
    lines, program = log_of(SOURCE)
    path = tmp_path / "spike.log"
    path.write_text("\n".join(lines) + "\n")
    hart = read_spike_log(path)[0]
    assert hart.committed and len(hart.pc) == len(lines)
    text = program.segments[0]
    for pc, word in zip(hart.pc.tolist(), hart.word.tolist(), strict=True):
        offset = pc - text.address
        assert word == int.from_bytes(text.data[offset : offset + 4], "little")
    loads = [int(address) for address in hart.mem_addr if address]
    data = program.symbols["data"]
    assert loads[:5] == [data, data + 8, data, data + 16, data + 24]


def test_harts_that_retry_a_store_conditional_end() -> None:
    source = """
_start:
    la s0, count
    li s1, 50
1:  lr.w t0, (s0)
    addi t0, t0, 1
    sc.w t1, t0, (s0)
    bnez t1, 1b
    addi s1, s1, -1
    bnez s1, 1b
    addi s2, s0, 4
    li t1, 1
    amoadd.w zero, t1, (s2)
    li t1, 2
2:  lw t2, 0(s2)
    bne t2, t1, 2b
    lw t0, 0(s0)
    slli t0, t0, 1
    ori t0, t0, 1
    la t1, tohost
    sd t0, 0(t1)
9:  j 9b
.data
.align 6
tohost: .8byte 0
count: .4byte 0, 0
"""
    isa = archsim.load_isa("rv64ima", "zicsr", "zicntr", "sm")
    stream = io.StringIO()
    design = archsim.load_design("edge-npu", {"cores": "2"})
    program = isa.assemble(source)
    for log in (None, stream):
        result = archsim.run(program, design, isa=isa, fidelity="functional", log=log, max_instructions=200_000)
        assert result.failed_test == 100
    assert {line[:9] for line in stream.getvalue().splitlines()} == {"core   0:", "core   1:"}
