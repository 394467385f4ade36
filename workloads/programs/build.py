"""Build the benchmark programs of this folder, as builds.json says.

Run: python workloads/programs/build.py [FOLDER]   (default: this folder, whose ELF files are part of the repository)
Needs Debian's gcc-riscv64-unknown-elf. The same version of the compiler gives the same bytes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
GCC, OBJCOPY = "riscv64-unknown-elf-gcc", "riscv64-unknown-elf-objcopy"


def recipes() -> dict[str, Any]:
    """What builds.json holds."""
    recipe: dict[str, Any] = json.loads((HERE / "builds.json").read_text())
    return recipe


def compiler() -> str:
    """The compiler that is installed, in its own words.

    Raises:
        FileNotFoundError: there is none.
    """
    return subprocess.run([GCC, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]


def build(program: str, target: str, folder: Path) -> Path:
    """Compile one program for one target: FOLDER/TARGET/PROGRAM.elf."""
    recipe = recipes()
    flags = [*recipe["flags"], *recipe["targets"][target]["flags"], *recipe["programs"][program]["flags"]]
    elf = folder / target / f"{program}.elf"
    elf.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        whole = Path(scratch) / "whole.elf"
        subprocess.run([GCC, *flags, f"{program}.c", "-o", str(whole), "-lgcc"], cwd=HERE, check=True)
        keep = [f"--keep-symbol={name}" for name in ("tohost", "fromhost")]
        subprocess.run(
            [OBJCOPY, "--strip-all", *keep, "-R", ".comment", "-R", ".riscv.attributes", str(whole), str(elf)],
            check=True,
        )
    return elf


def main() -> None:
    folder = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else HERE
    recipe = recipes()
    if compiler() != recipe["compiler"]:
        print(f"{compiler()} is not {recipe['compiler']}: the bytes will differ", file=sys.stderr)
    for target in recipe["targets"]:
        for program in recipe["programs"]:
            elf = build(program, target, folder)
            print(f"{elf.relative_to(folder)}: {elf.stat().st_size} bytes")


if __name__ == "__main__":
    main()
