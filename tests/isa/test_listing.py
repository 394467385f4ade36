"""Listings against GNU objdump, on a whole C library."""

from __future__ import annotations

import re
from pathlib import Path

import archsim
from archsim.isa.listing import listing
from archsim.machine.instruction_set import standard_name
from tests.isa.gnu import needs_gcc, run

SOURCE = """
#include <math.h>
#include <stdio.h>
int main(int argc, char **argv) {
  float half = argc;
  printf("%f %g %d\\n", sin(argc), sqrtf(half) + fmaf(half, half, 1.0f), (int)(half * 3.5));
  return 0;
}
"""


def instructions(lines: list[str]) -> dict[int, str]:
    """Address -> line, without what objdump remarks on addresses that it works out."""
    found = {}
    for line in lines:
        match = re.match(r"\s*([0-9a-f]+):\t", line)
        if match:
            found[int(match[1], 16)] = re.sub(r"\s+# [0-9a-f]+ .*$", "", line).rstrip()
    return found


@needs_gcc
def test_as_objdump_writes_it(tmp_path: Path) -> None:
    source, elf = tmp_path / "float.c", tmp_path / "float.elf"
    source.write_text(SOURCE)
    run("riscv64-linux-gnu-gcc", "-static", "-O2", "-o", elf, source, "-lm")
    expected = run("riscv64-linux-gnu-objdump", "-d", "-M", "no-aliases", elf).splitlines()
    program = archsim.load_elf(elf)
    ours = list(listing(archsim.load_isa(standard_name(64)), program))
    theirs, mine = instructions(expected), instructions(ours)
    # objdump leaves out runs of zeros between functions, and writes a C.NOP as the C.ADDI whose code point it shares
    differences = [
        (line, mine.get(at)) for at, line in theirs.items() if mine.get(at) != line and "c.addi\tzero,0" not in line
    ]
    assert len(theirs) > 50_000 and differences == []
    assert [line for line in ours if line.endswith(">:")] == [line for line in expected if line.endswith(">:")]
    assert {line for line in expected if line.startswith("Disassembly")} == {
        line for line in ours if line.startswith("Disassembly")
    }
