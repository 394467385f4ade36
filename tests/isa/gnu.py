"""GNU as, ld and objcopy as oracle."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.debian import needs

needs_binutils = needs("riscv64-linux-gnu-as", "binutils-riscv64-linux-gnu")
needs_gcc = needs("riscv64-linux-gnu-gcc", "gcc-riscv64-linux-gnu")
SECTIONS = (".text", ".rodata", ".data", ".bss")


def assemble_and_link(source: str, folder: Path, bases: dict[str, int], march: str = "rv64im") -> dict[str, bytes]:
    """Contents of the sections of a source (nothing for .bss), linked at these addresses."""
    xlen = march[2:4]
    (folder / "gnu.s").write_text(source)
    run("riscv64-linux-gnu-as", f"-march={march}", f"-mabi={'lp64' if xlen == '64' else 'ilp32'}", "-mno-relax",
        folder / "gnu.s", "-o", folder / "gnu.o")  # fmt: skip
    starts = [f"--section-start={name}={bases.get(name, 0x700000 + index * 0x100000):#x}"
              for index, name in enumerate(SECTIONS)]  # fmt: skip
    run(
        "riscv64-linux-gnu-ld",
        "-m",
        f"elf{xlen}lriscv",
        "--no-relax",
        "-e",
        "0x10000",
        *starts,
        folder / "gnu.o",
        "-o",
        folder / "gnu.elf",
    )
    result = {}
    for name in SECTIONS:
        content = folder / "gnu.bin"
        content.unlink(missing_ok=True)
        run("riscv64-linux-gnu-objcopy", "-O", "binary", "-j", name, folder / "gnu.elf", content)
        result[name] = content.read_bytes() if content.exists() else b""
    return result


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
