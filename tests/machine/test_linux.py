"""Static Linux programs end as they do on qemu: same output, same exit code."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import archsim
from archsim.machine.environment import Options
from tests.debian import needs

HERE = Path(__file__).parent
pytestmark = [
    needs("riscv64-linux-gnu-gcc", "gcc-riscv64-linux-gnu"),
    needs("qemu-riscv64", "qemu-user"),
]


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    elf = tmp_path_factory.mktemp("hosted") / "hosted"
    source = HERE / "linux" / "hosted.c"
    subprocess.run(["riscv64-linux-gnu-gcc", "-static", "-O2", "-o", elf, source, "-lm"], check=True)
    return elf


def on_qemu(elf: Path, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["qemu-riscv64", elf, *arguments], input=stdin, capture_output=True, timeout=60)


def test_a_hosted_program_as_on_qemu(hosted: Path, tmp_path: Path) -> None:
    given, made = tmp_path / "given.txt", tmp_path / "made.txt"
    given.write_text("first\nsecond\n")
    expected = on_qemu(hosted, str(given), str(made), stdin=b"one\ntwo\n")
    options = Options((str(given), str(made)), (given,), (made,), b"one\ntwo\n")
    made.unlink()
    result = archsim.run(archsim.load_elf(hosted), fidelity="functional", options=options)
    missing = b"no/such/file: No such file or directory"
    refused = b"no/such/file: Permission denied"
    assert result.stdout == expected.stdout.replace(missing, refused)
    assert (result.exit_code, result.stderr) == (expected.returncode, expected.stderr)
    assert made.read_text() == "written 7\n"
    again = archsim.run(archsim.load_elf(hosted), fidelity="functional", options=options)
    assert (again.instructions, again.stdout) == (result.instructions, result.stdout)


def test_abort_ends_as_a_shell_shows_it(hosted: Path) -> None:
    expected = on_qemu(hosted, "a", "b", "c")
    result = archsim.run(archsim.load_elf(hosted), fidelity="functional", options=Options(("a", "b", "c")))
    assert expected.returncode == -6 or expected.returncode == 134
    assert result.exit_code == 134


def test_files_that_nobody_allowed_stay_closed(hosted: Path, tmp_path: Path) -> None:
    given, made = tmp_path / "given.txt", tmp_path / "made.txt"
    given.write_text("first\n")
    link = tmp_path / "allowed" / "link"
    link.parent.mkdir()
    link.symlink_to(given)
    # the folder is allowed, what its link leads to is not; what may be read may not be written
    options = Options((str(link), str(given)), (link.parent,))
    out = archsim.run(archsim.load_elf(hosted), fidelity="functional", options=options).stdout
    assert f"{link}: Permission denied".encode() in out and f"{given}: Permission denied".encode() in out
    options = Options((str(given), str(made)), (tmp_path,))
    out = archsim.run(archsim.load_elf(hosted), fidelity="functional", options=options).stdout
    assert b"> first" in out and not made.exists()


CALL = """
#include "start.h"
int main(void) {
  put(call(%s) == %s ? "yes\\n" : "no\\n");
  return 0;
}
"""


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        ("63, 0, 0x7fff0000000, 8", "-14"),  # read to nowhere: EFAULT
        ("64, 1, 0xfffffffffffff000, 8", "-14"),
        ("64, 7, 0x10000, 1", "-9"),  # EBADF
        ("57, 9, 0, 0", "-9"),
        ("222, 0, 0, 3", "-22"),  # mmap of nothing: EINVAL
        ("215, 1, 4096, 0", "-22"),
        ("113, 99, 0x20000, 0", "-22"),
        ("278, -4096, 8, 0", "-14"),
        ("62, 1, 0, 0", "-29"),  # lseek on a pipe: ESPIPE
        ("29, 1, 0x5401, 0", "-25"),  # ioctl: ENOTTY
        ("98, 0x10000, 1, 1", "0"),  # futex wake
        ("5000, 1, 2, 3", "-38"),  # ENOSYS
    ],
)
def test_wrong_calls_answer_as_on_qemu(call: str, answer: str, tmp_path: Path) -> None:
    source, elf = tmp_path / "call.c", tmp_path / "call"
    source.write_text(CALL % (call, answer))
    subprocess.run(
        [
            "riscv64-linux-gnu-gcc", "-march=rv64im", "-mabi=lp64", "-nostdlib", "-static", "-ffreestanding", "-O1",
            "-I", HERE.parent / "programs" / "freestanding", "-fno-pic", "-no-pie", "-o", elf, source,
        ],
        check=True,
    )  # fmt: skip
    assert on_qemu(elf).stdout == b"yes\n"
    result = archsim.run(archsim.load_elf(elf), fidelity="functional")
    assert result.stdout == b"yes\n"
    assert result.unknown_calls == ({5000: 1} if "5000" in call else {})


@needs("riscv64-unknown-elf-gcc", "gcc-riscv64-unknown-elf")
@needs("qemu-riscv32", "qemu-user")
@pytest.mark.parametrize("name", ["sort", "strings", "sieve", "recursion"])
def test_32_bits(name: str, tmp_path: Path) -> None:
    elf = tmp_path / name
    subprocess.run(
        [
            "riscv64-unknown-elf-gcc", "-march=rv32imc", "-mabi=ilp32", "-nostdlib", "-static", "-ffreestanding", "-O2",
            "-fno-tree-loop-distribute-patterns", "-o", elf, HERE.parent / "programs" / "freestanding" / f"{name}.c",
            "-lgcc",
        ],
        check=True,
    )  # fmt: skip
    expected = subprocess.run(["qemu-riscv32", elf], capture_output=True, timeout=60)
    for fidelity in ("functional", "timed"):
        result = archsim.run(archsim.load_elf(elf), fidelity=fidelity)
        assert (result.exit_code, result.stdout) == (expected.returncode, expected.stdout)


def test_every_fidelity_has_room_for_stack_and_heap(hosted: Path) -> None:
    program = archsim.load_elf(hosted)
    results = {f: archsim.run(program, fidelity=f) for f in ("functional", "timed", "addresses")}
    # the only thing that differs is time, which the program prints in seconds of its epoch only
    assert len({result.stdout for result in results.values()}) == 1
    assert {result.exit_code for result in results.values()} == {1}
