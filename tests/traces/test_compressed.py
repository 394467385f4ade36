"""Traces of programs with 16-bit instructions and atomics replay to the cycles of the run that they were taken from."""

from __future__ import annotations

import io
from pathlib import Path

import archsim
from archsim.traces.archsim_trace import save_trace
from archsim.traces.load import replay_trace

SOURCE = """
.text
_start:
  li s0, 50
  la s1, word
1:
  c.lw a0, 0(s1)
  c.addi a0, 3
  c.sw a0, 0(s1)
  amoadd.w a1, a0, (s1)
  fcvt.d.w fa0, a0
  fadd.d fa1, fa1, fa0
  c.addi s0, -1
  c.bnez s0, 1b
  c.li a0, 0
  li a7, 93
  ecall
.data
.align 3
word: .dword 0
"""


def test_same_cycles(tmp_path: Path) -> None:
    design = archsim.load_design("edge-npu")
    isa = archsim.load_isa("rv64gc", "xqt", "zicntr", parameters=design.parameters)
    program = isa.assemble(SOURCE)
    run = archsim.run(program, design, isa=isa, record=True)
    save_trace(tmp_path / "run.trace", run.trace, isa=["rv64gc", "xqt", "zicntr"], parameters=isa.parameters)
    replayed, unknown = replay_trace(tmp_path / "run.trace", design)
    assert (replayed.cycles, replayed.stalls, unknown) == (run.cycles, run.stalls, 0)

    log = io.StringIO()
    archsim.run(program, design, isa=isa, fidelity="functional", log=log)
    (tmp_path / "spike.log").write_text(log.getvalue())
    replayed, unknown = replay_trace(tmp_path / "spike.log", design)
    assert unknown == 0
    assert replayed.instructions == run.instructions
    # caches see other addresses of code, not of data
    assert replayed.cycles == run.cycles
