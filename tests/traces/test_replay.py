"""Replaying trace files on a design: the cycles are those of the run that was recorded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import archsim
from archsim.common.errors import InputError
from archsim.machine.recording import Trace
from archsim.traces.archsim_trace import save_trace
from archsim.traces.load import replay_trace

# loads that miss and hit, a dependency, taken and untaken branches, code that is never executed
LOOP = """
    li   t0, 300
    li   a1, 0x200000
1:  ld   t1, 0(a1)
    mul  t2, t1, t0
    sd   t2, 8(a1)
    andi t3, t0, 3
    bnez t3, 2f
    addi a1, a1, 192
2:  addi t0, t0, -1
    bnez t0, 1b
    beqz zero, 3f
    nop
3:  li   a0, 0
    li   a7, 93
    ecall
"""

EXTENSION = """
extension: Xdot
long_name: Dot products
version: 0.1.0
source: a test
requires: [I]
formats:
  R:
    variables:
      xd: {location: 11-7, register: X}
      xs1: {location: 19-15, register: X}
      xs2: {location: 24-20, register: X}
instructions:
  xd.twice:
    long_name: Twice a sum
    format: R
    encoding: {match: "0000000----------011-----1111011"}
    assembly: xd, xs1, xs2
    unit: mul
    operation: |
      X[xd] = (X[xs1] + X[xs2]) * 2
"""


def spike_log(trace: Trace, shift: int) -> str:
    """What Spike would log of a run, with code and data `shift` bytes further up."""
    ((index, value),) = trace.harts
    lines = []
    for slot, result in zip(index.tolist(), value.tolist(), strict=True):
        word = int(trace.words[slot // 2])
        line = f"core   0: 3 0x{trace.text + 2 * slot + shift:016x} (0x{word:08x})"
        if word & 0x7F not in (0x63, 0x23, 0x73):
            moved = result + shift if word >> 7 & 31 == 11 else result
            line += f" x{word >> 7 & 31:<2} 0x{moved & (1 << 64) - 1:016x}"
        lines.append(line + "\n")
    return "".join(lines)


def test_a_trace_and_a_spike_log_of_a_run_replay_to_its_cycles(tmp_path: Path) -> None:
    design = archsim.load_design("edge-npu")
    run = archsim.run(archsim.load_isa(*design.isa, parameters=design.parameters).assemble(LOOP), design, record=True)
    assert run.stalls["branch"] > 0
    save_trace(tmp_path / "loop.trace", run.trace, isa=design.isa, parameters=design.parameters)
    (tmp_path / "loop.log").write_text(spike_log(run.trace, 0))
    (tmp_path / "far.log").write_text(spike_log(run.trace, 1 << 31))
    results = [replay_trace(tmp_path / name, design) for name in ("loop.trace", "loop.log", "far.log")]
    assert [unknown for _, unknown in results] == [0, 0, 0]
    assert [result.instructions for result, _ in results] == [run.instructions] * 3
    assert [result.cycles for result, _ in results[:2]] == [run.cycles] * 2
    assert [result.stalls for result, _ in results[:2]] == [run.stalls] * 2
    # other DRAM rows and banks, but the same lines and sets
    assert results[2][0].cycles == pytest.approx(run.cycles, rel=0.02)

    slower = archsim.load_design("edge-npu", {"core.hart.branch_penalty": 12})
    for result in (replay_trace(tmp_path / "loop.trace", slower)[0], replay_trace(tmp_path / "loop.log", slower)[0]):
        assert result.stalls["branch"] == 6 * run.stalls["branch"]


def test_extensions_in_files_come_along(tmp_path: Path) -> None:
    file = tmp_path / "xdot.yaml"
    file.write_text(EXTENSION)
    design = archsim.load_design("edge-npu")
    isa = archsim.load_isa(*design.isa, str(file), parameters=design.parameters)
    program = isa.assemble("li a0, 1\n xd.twice a1, a0, a0\n xd.twice a2, a1, a0\n li a0, 0\n li a7, 93\n ecall\n")
    run = archsim.run(program, design, isa=isa, record=True)
    path = tmp_path / "dot.trace"
    save_trace(path, run.trace, isa=[*design.isa, str(file)], parameters=design.parameters)
    result, unknown = replay_trace(path, design)
    assert (result.cycles, unknown) == (run.cycles, 0)
    file.unlink()
    assert replay_trace(path, design)[1] == 2


def test_more_harts_than_cores_are_refused(tmp_path: Path) -> None:
    line = "core {:3}: 3 0x0000000000001000 (0x00000013)\n"
    (tmp_path / "two.log").write_text("".join(line.format(hart) for hart in range(2)))
    with pytest.raises(InputError, match="the trace has 2 harts, design edge-npu has 1"):
        replay_trace(tmp_path / "two.log", archsim.load_design("edge-npu"))
    assert np.isfinite(replay_trace(tmp_path / "two.log", archsim.load_design("edge-npu", {"cores": 2}))[0].time_s)
