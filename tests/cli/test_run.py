"""archsim run and archsim isa disasm on programs of stock compilers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from archsim.traces.spike import read_spike_log
from tests.cli.run_archsim import archsim
from tests.debian import needs

PROGRAMS = Path(__file__).parents[1] / "programs" / "freestanding"
ECHO = """
#include <stdio.h>
int main(int argc, char **argv) {
  char line[80];
  for (int i = 1; i < argc; i++) puts(argv[i]);
  while (fgets(line, sizeof line, stdin)) fputs(line, stdout);
  return argc;
}
"""
pytestmark = needs("riscv64-linux-gnu-gcc", "gcc-riscv64-linux-gnu")


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("echo")
    (folder / "echo.c").write_text(ECHO)
    subprocess.run(["riscv64-linux-gnu-gcc", "-static", "-O2", "-o", folder / "echo", folder / "echo.c"], check=True)
    return folder / "echo"


def test_arguments_and_exit_code(echo: Path, capsys, monkeypatch) -> None:
    outcome = archsim(
        "run", echo, "--functional", "--json", "--", "--first", "two", capsys=capsys, monkeypatch=monkeypatch
    )
    result = json.loads(outcome.out)
    assert (outcome.code, result["exit_code"], result["stdout"]) == (3, 3, "--first\ntwo\n")


def test_standard_input_only_where_it_is_given(echo: Path) -> None:
    command = [sys.executable, "-m", "archsim", "run", echo, "--functional"]
    given = subprocess.run([*command, "--stdin"], input=b"one\ntwo\n", capture_output=True)
    assert (given.returncode, given.stdout) == (1, b"one\ntwo\n")
    assert subprocess.run(command, input=b"one\n", capture_output=True).stdout == b""


def test_the_limit_of_instructions_is_one_line(echo: Path, capsys, monkeypatch) -> None:
    outcome = archsim("run", echo, "--functional", "--max-instructions", 500, capsys=capsys, monkeypatch=monkeypatch)
    assert outcome.code == 1 and outcome.err.count("\n") == 1
    assert "stopped after" in outcome.err and "(the limit is 500)" in outcome.err and "<" in outcome.err


def test_a_trace_reads_back(echo: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    log = tmp_path / "commits.log"
    outcome = archsim("run", echo, "--trace", log, "--json", capsys=capsys, monkeypatch=monkeypatch)
    hart = read_spike_log(log)[0]
    assert len(hart.pc) == json.loads(outcome.out)["instructions"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("*(volatile int *)8 = 1;", "store to an address outside memory (0x8)"),
        ("return *(volatile int *)0x7fff00000000;", "load from an address outside memory (0x7fff00000000)"),
        ("((void (*)(void))0x300)();", "jump outside the program (0x300)"),
        ('asm(".word 0");', "illegal instruction"),
        ('asm("ebreak");', "breakpoint (ebreak)"),
        ('asm("csrr t0, mstatus");', "access to a CSR that does not exist, or not at this privilege (0x300)"),
    ],
)
def test_what_a_program_does_wrong_is_one_line(body: str, message: str, tmp_path: Path, capsys, monkeypatch) -> None:
    source, elf = tmp_path / "wrong.c", tmp_path / "wrong"
    source.write_text(f'#include "start.h"\nint main(void) {{ {body} return 0; }}\n')
    flags = [
        "-nostdlib",
        "-static",
        "-ffreestanding",
        "-O1",
        "-fno-inline",
        "-march=rv64imac_zicsr",
        "-mabi=lp64",
        "-I",
        PROGRAMS,
    ]
    subprocess.run(["riscv64-linux-gnu-gcc", *flags, "-o", elf, source], check=True)
    for how in ("--functional", "--addresses"):
        outcome = archsim("run", elf, how, capsys=capsys, monkeypatch=monkeypatch)
        assert outcome.code == 1 and outcome.err.count("\n") == 1
        assert outcome.err.endswith(f": {message}\n") and "<main" in outcome.err


def test_disassembly_of_a_program(echo: Path, capsys, monkeypatch) -> None:
    outcome = archsim("isa", "disasm", echo, capsys=capsys, monkeypatch=monkeypatch)
    expected = subprocess.run(
        ["riscv64-linux-gnu-objdump", "-d", "-M", "no-aliases", echo], capture_output=True, text=True
    )
    start = next(line for line in expected.stdout.splitlines() if line.endswith("<main>:"))
    assert outcome.code == 0 and start in outcome.out.splitlines()
