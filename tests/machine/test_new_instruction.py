"""The promise of archsim: an instruction written in YAML, and nothing else, assembles, runs, takes time and energy."""

from __future__ import annotations

from pathlib import Path

import pytest

import archsim
from archsim.common.errors import InputError

XDOT = """\
extension: Xdot
long_name: Saturating dot products
version: 0.1.0
source: this test
requires: [I]
state:
  dacc: {kind: register_file, count: 4, type: int32}
formats:
  R:
    variables:
      xd: {location: 11-7, register: X}
      xs1: {location: 19-15, register: X}
      xs2: {location: 24-20, register: X}
instructions:
  xd.dot4:
    long_name: Dot product of four signed bytes
    format: R
    encoding: {match: "0000000----------011-----1111011"}
    assembly: xd, xs1, xs2
    unit: mul
    work: {macs: 4, format: int8}
    operation: |
      total = 0
      for i in range(4):
          total += sext(X[xs1] >> 8 * i, 8) * sext(X[xs2] >> 8 * i, 8)
      X[xd] = sext(total, 32)
"""

PROGRAM = """
    li   a1, 0x04fd0201        # bytes 1, 2, -3, 4
    li   a2, 0x7f80ff05        # bytes 5, -1, -128, 127
    li   s0, 100
    li   a0, 0
1:  xd.dot4 a3, a1, a2
    add  a0, a0, a3
    addi s0, s0, -1
    bnez s0, 1b
    li   t0, 100 * (5 - 2 + 384 + 508)
    sub  a0, a0, t0
    snez a0, a0
    li   a7, 93
    ecall
"""


@pytest.fixture
def extension(tmp_path: Path) -> str:
    path = tmp_path / "xdot.yaml"
    path.write_text(XDOT)
    return str(path)


def test_an_instruction_in_yaml_runs_and_is_timed_and_charged(extension: str) -> None:
    isa = archsim.load_isa("rv64im", "zicsr", "zicntr", extension)
    program = isa.assemble(PROGRAM)
    for fidelity in ("functional", "timed", "addresses"):
        result = archsim.run(program, "edge-npu", isa=isa, fidelity=fidelity)
        assert result.exit_code == 0, fidelity
    assert result.macs == {"int8": 400}
    plain = isa.assemble(PROGRAM.replace("xd.dot4 a3, a1, a2", "li a3, 895"))
    without = archsim.run(plain, "edge-npu", isa=isa)
    assert without.exit_code == 0
    # the sum waits for the product: latency of the mul unit, less the cycle in which li would have issued
    latency = archsim.load_design("edge-npu").core.hart.latency.mul
    assert result.cycles - without.cycles == pytest.approx(100 * (latency - 1), abs=2)
    assert result.energy.components["matrix"] > 0 == without.energy.components["matrix"]


def test_it_disassembles_as_it_was_written(extension: str) -> None:
    isa = archsim.load_isa("rv64im", "zicsr", extension)
    segment = isa.assemble("xd.dot4 a3, a1, a2").segments[0]
    assert isa.disassemble(int.from_bytes(segment.data[:4], "little")) == "xd.dot4 a3, a1, a2"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("import os", "import is not allowed"),
        ("X[xd] = X.shape", "an attribute is not allowed"),
        ("X[xd] = xs9", "unknown name 'xs9'; did you mean 'xs2'?"),
        ("X[xd] = sextt(X[xs1], 8)", "unknown function 'sextt'; did you mean 'sext'?"),
        ("for i in range(X[xs1]):\n          X[xd] = i", "the loop has no known bound"),
        ("while 1:\n          X[xd] = 1", "while is not allowed"),
        ("X[xd] = f32(X[xs1]) + 1", "f32 + int"),
        ("X[xd] = (lambda: 1)()", "lambda is not allowed"),
        ("X[xd] = open('f')", "unknown function 'open'"),
        ("imm = 3\n      X[xd] = imm\n      xs1 = 4", "xs1 cannot be assigned"),
    ],
)
def test_forbidden_constructs_are_named_with_their_place(tmp_path: Path, body: str, message: str) -> None:
    path = tmp_path / "bad.yaml"
    text = XDOT[: XDOT.index("      total = 0")] + "      " + body + "\n"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        archsim.load_isa("rv64im", str(path))
    assert message in str(caught.value)
    line = text[: text.index(body)].count("\n") + 1
    assert str(caught.value).startswith(f"{path}:{line}") or "xs1 cannot" in message or "range" in body


def test_register_elements_cannot_be_reached_outside_a_register(tmp_path: Path) -> None:
    """An index that cannot be proven is checked when it runs: a trap, never a stray access."""
    path = tmp_path / "stray.yaml"
    text = XDOT.replace("int32}", "int32, shape: [4]}").replace(
        "xd: {location: 11-7, register: X}", "dd: {location: 11-7, register: dacc}"
    )
    head = text[: text.index("      total = 0")].replace("assembly: xd", "assembly: dd")
    head = head.replace("location: 11-7, register: dacc", "location: 8-7, register: dacc")
    head = head.replace("011-----1111011", "011000--1111011")
    path.write_text(head + "      dacc[dd, X[xs1]] = X[xs2]\n")
    isa = archsim.load_isa("rv64im", "zicsr", str(path))
    program = isa.assemble("li a1, 4\nxd.dot4 dacc1, a1, a1\n")
    with pytest.raises(archsim.SimulationError, match="element index out of range"):
        archsim.run(program, "edge-npu", isa=isa, fidelity="functional")
