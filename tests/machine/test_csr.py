"""CSRs as data: windows, masks, legal values, counters, privileges."""

from __future__ import annotations

from pathlib import Path

import pytest

import archsim

EXTENSION = """
extension: Xcsr
long_name: CSRs of every kind
source: "this test"
requires: [I, Zicsr]
state:
  whole: {kind: csr, address: 0x800, reset: 5, mask: 0xF0F}
  upper: {kind: csr, address: 0x801, of: whole, location: 11-8}
  lower: {kind: csr, address: 0x802, of: whole, location: 3-0}
  clamped: {kind: csr, address: 0x803, maximum: 10}
  choosy: {kind: csr, address: 0x804, fields: {kind: {location: 5-4, legal: [0, 2]}}}
  fixed: {kind: csr, address: 0xCC0, reset: 7}
"""


@pytest.fixture(scope="module")
def isa(tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.mktemp("isa") / "xcsr.yaml"
    path.write_text(EXTENSION)
    return archsim.load_isa("rv64im", "zicsr", "zicntr", "sm", str(path))


def value_of(isa, body: str) -> int:
    """What a0 holds at the end."""
    source = body + "\n li t0, 0x100000\n sd a0, 0(t0)\n li a0, 0\n li a7, 93\n ecall\n"
    result = archsim.run(isa.assemble(source), isa=isa, fidelity="functional")
    return int.from_bytes(result.read(0x100000, 8), "little")


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("csrr a0, whole", 5),
        ("li t0, -1\n csrw whole, t0\n csrr a0, whole", 0xF0F),
        ("csrwi upper, 9\n csrr a0, whole", 0x905),
        ("li t0, 0x7A\n csrw lower, t0\n csrr a0, whole", 0x00A),
        ("li t0, 0xC03\n csrw whole, t0\n csrr a0, upper", 0xC),
        ("li t0, 0xC03\n csrw whole, t0\n csrrsi a0, lower, 4\n csrr a0, whole", 0xC07),
        ("csrwi clamped, 9\n csrr a0, clamped", 9),
        ("csrwi clamped, 11\n csrr a0, clamped", 10),
        ("li t0, -1\n csrw clamped, t0\n csrr a0, clamped", 10),
        ("li t0, 0x2C\n csrw choosy, t0\n li t0, 0x1F\n csrw choosy, t0\n csrr a0, choosy", 0x2F),
        ("csrr a0, fixed", 7),
        ("csrrs a0, fixed, zero", 7),
        ("nop\n nop\n csrr a0, instret", 2),
        ("csrwi minstret, 0\n csrr a0, minstret", 0),
        ("csrwi minstret, 0\n nop\n csrr a0, instret", 1),
        ("csrwi mcountinhibit, 4\n csrr t1, minstret\n nop\n csrr t2, minstret\n sub a0, t2, t1", 0),
        ("csrwi mcountinhibit, 4\n nop\n csrr t1, minstret\n csrwi mcountinhibit, 0\n nop\n csrr t2, minstret\n"
         "sub a0, t2, t1", 1),
        ("csrr a0, mhartid", 0),
        # I, M, U and MXL 2 (Privileged Architecture, section 3.1.1)
        ("csrr a0, misa", 2 << 62 | 1 << 20 | 1 << 12 | 1 << 8),
    ],
)  # fmt: skip
def test_values(isa, body: str, value: int) -> None:
    assert value_of(isa, body) == value


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("csrw fixed, t0", "write to a read-only CSR (0xcc0)"),
        ("csrrs a0, cycle, t0", "write to a read-only CSR (0xc00)"),
        ("csrr a0, 0x7C0", "access to a CSR that does not exist, or not at this privilege (0x7c0)"),
        ("csrw 0x7C0, a0", "access to a CSR that does not exist, or not at this privilege (0x7c0)"),
        ("csrr a0, 0xC80", "access to a CSR that does not exist, or not at this privilege (0xc80)"),
    ],
)
def test_refused_accesses(isa, source: str, message: str) -> None:
    with pytest.raises(archsim.SimulationError) as caught:
        archsim.run(isa.assemble(source), isa=isa, fidelity="functional")
    assert str(caught.value).endswith(message)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("w: {kind: csr, address: 0x805, of: nothing, location: 3-0}", "CSR that w is a window on"),
        ("w: {kind: csr, address: 0x805, of: whole}", "has 'of' without 'location'"),
        ("w: {kind: csr, address: 0x805, location: 3-0}", "has 'location' without 'of'"),
        ("w: {kind: csr, address: 0x805, of: whole, location: 3-0, mask: 1}", "is a window and has 'mask'"),
        ("w: {kind: csr, address: 0x805, shows: weather}", "shows"),
        ("w: {kind: csr, address: 0x805, xlen: 16}", "xlen of CSR w is 16"),
        ("w: {kind: csr, address: 0x805, fields: {f: {location: 3-0, legal: [16]}}}", "legal values"),
    ],
)
def test_wrong_declarations_are_refused(state: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(EXTENSION + f"  {state}\n")
    with pytest.raises(archsim.InputError, match=message) as caught:
        archsim.load_isa("rv64im", "zicsr", str(path))
    assert f"{path}:13" in str(caught.value)
