"""Annotated listings: every cycle, instruction and joule of a run once."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from archsim.machine.debug_lines import source_lines
from archsim.machine.elf import load_elf
from archsim.machine.predecode import text_of
from archsim.report.annotate import Annotation, Costs
from archsim.traces.listing import Listing
from tests.debian import needs
from tests.report.programs import loop
from tests.traces.viewed import KINDS, MIXED, view

SOURCE = """\
static void finish(long code) {
  register long a0 asm("a0") = code;
  register long a7 asm("a7") = 93;
  asm volatile("ecall" ::"r"(a0), "r"(a7));
}
int table[64];
__attribute__((noinline)) int sum(int n) {
  int total = 0;
  for (int i = 0; i < n; i++)
    total += table[i & 63] * i;
  return total;
}
void _start(void) {
  sum(1000);
  finish(0);
  for (;;)
    ;
}
"""


def annotated(source: str, name: str = "edge-npu", overrides: dict | None = None):
    result, listing, (costs,) = view(source, name, overrides or {}, lambda listing, design: Costs())
    return result, Annotation.of(costs, listing, result)


@pytest.mark.parametrize(("name", "overrides"), KINDS)
def test_sums_are_those_of_the_run(name: str, overrides: dict) -> None:
    result, found = annotated(MIXED, name, overrides)
    costs = [cost for _, cost in found.lines]
    assert sum(cost.executions for cost in costs) == result.instructions
    assert sum(cost.busy for cost in costs) == result.busy_cycles
    assert sum(cost.cycles for cost in costs) + found.elsewhere.cycles == result.hart_cycles
    # only waits behind the last instruction belong to none
    assert set(found.elsewhere.stalls) <= {"drain", "idle"} and found.elsewhere.executions == 0
    for cause, cycles in result.stalls.items():
        listed = sum(cost.stalls.get(cause, 0) for cost in costs)
        assert listed + found.elsewhere.stalls.get(cause, 0) == cycles
    assert sum(cost.energy_j for cost in costs) + found.elsewhere.energy_j == pytest.approx(result.energy.total)
    # what belongs to no instruction is DRAM and leakage
    rest = result.energy.components["dram"] + result.energy.components["leakage"]
    assert found.elsewhere.energy_j == pytest.approx(rest, rel=0.02)
    functions, lines = found.functions(), found.source_lines()
    assert sum(cost.cycles for cost in functions.values()) == sum(cost.cycles for cost in costs)
    assert sum(cost.executions for cost in lines.values()) == result.instructions


def test_the_text_shows_what_an_instruction_waited_for() -> None:
    result, found = annotated(loop("mul a1, a1, a1\nmul a1, a1, a1\n", 100))
    lines = list(found.text())
    second = next(line for line in lines if "mul a1, a1, a1" in line and "dependency_mul 200" in line)
    assert second.split()[:2] == ["100", "300"]
    total = next(line for line in lines if "total" in line)
    assert total.split()[:2] == [f"{result.instructions:,}", f"{result.cycles:,}"]
    assert f"{result.hart_cycles:,}" in total


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lines")
    (folder / "sum.c").write_text(SOURCE)
    flags = ["-O1", "-march=rv64imac_zicsr", "-mabi=lp64", "-mcmodel=medany", "-nostdlib", "-static", "-ffreestanding"]
    for version in (2, 3, 4, 5):
        command = ["riscv64-unknown-elf-gcc", f"-gdwarf-{version}", *flags, "sum.c", "-o", f"sum{version}"]
        subprocess.run(command, cwd=folder, check=True)
    return folder


@needs("riscv64-unknown-elf-gcc", "gcc-riscv64-unknown-elf")
@pytest.mark.parametrize("version", [2, 3, 4, 5])
def test_source_lines_of_every_dwarf_version(compiled: Path, version: int) -> None:
    program = load_elf(compiled / f"sum{version}")
    lines = source_lines(compiled / f"sum{version}")
    place = lines.at(program.symbols["sum"])
    assert place == (str(compiled / "sum.c"), 7)
    assert lines.at(0) is None
    # addr2line of the same file says the same of every instruction
    addresses = list(range(program.symbols["sum"], program.symbols["_start"] + 16, 2))
    command = ["riscv64-unknown-elf-addr2line", "-e", compiled / f"sum{version}", *map(hex, addresses)]
    expected = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")
    for address, line in zip(addresses, expected, strict=False):
        file, number = line.partition(" ")[0].rsplit(":", 1)
        found = lines.at(address)
        assert (found and (found[0], str(found[1]))) == (None if file == "??" else (file, number))


@needs("riscv64-unknown-elf-gcc", "gcc-riscv64-unknown-elf")
def test_damaged_debug_information_is_one_error(compiled: Path, tmp_path: Path) -> None:
    from elftools.elf.elffile import ELFFile

    data = (compiled / "sum5").read_bytes()
    with (compiled / "sum5").open("rb") as stream:
        parts = [(s["sh_offset"], s["sh_size"]) for s in ELFFile(stream).iter_sections() if s.name.startswith(".debug")]
    broken = tmp_path / "broken"
    refused = 0
    for seed in range(300):
        changed = bytearray(data)
        for step in range(1 + seed % 5):
            offset, size = parts[(seed + step) % len(parts)]
            changed[offset + (seed * 7919 + step * 104729) % size] = (seed * 31 + step) & 255
        broken.write_bytes(changed)
        try:
            source_lines(broken)
        except ValueError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 20


def test_a_listing_knows_source_of_assembly_and_functions() -> None:
    _result, listing, _ = view(MIXED, "edge-npu", {})
    line = listing[(listing.program.symbols["work"] - listing.text) // 2]
    assert (line.function, line.mnemonic, line.source[1]) == ("work", "qt.dma.ld", 22)
    assert isinstance(listing, Listing) and text_of(listing.program) == listing.text
