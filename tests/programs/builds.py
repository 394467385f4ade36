"""How each test program is built: the compilers of Debian, all levels of optimisation, RV64 and RV32."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
_GLIBC = "/usr/riscv64-linux-gnu/include"
_PICOLIBC = Path("/usr/lib/picolibc/riscv64-unknown-elf")
_FREESTANDING = [
    "-nostdlib", "-static", "-ffreestanding", "-fno-tree-loop-distribute-patterns", "-fno-pic", "-no-pie",
    "-mcmodel=medany",
]  # fmt: skip


@dataclass(frozen=True)
class Build:
    """A program and how it is built."""

    source: Path
    toolchain: str
    level: str
    march: str

    @property
    def name(self) -> str:
        return f"{self.source.stem}-{self.toolchain}{self.level}-{self.march}"

    @property
    def xlen(self) -> int:
        return int(self.march[2:4])

    def make(self, folder: Path) -> Path:
        """Compile and link; the ELF file."""
        elf = folder / self.name
        getattr(self, f"_{self.toolchain}")(elf)
        return elf

    def _gcc(self, elf: Path) -> None:
        _run(
            "riscv64-linux-gnu-gcc", f"-march={self.march}", "-static", "-w", self.level, self.source, "-o", elf, "-lm",
            "-latomic",
        )  # fmt: skip

    def _clang(self, elf: Path) -> None:
        part = elf.with_suffix(".o")
        _run(
            "clang-16", "--target=riscv64-linux-gnu", f"-march={self.march}", "-mabi=lp64d",
            "-menable-experimental-extensions",
            "-mno-relax", "-isystem", _GLIBC, "-w", self.level, "-c", self.source, "-o", part,
        )  # fmt: skip
        _run("riscv64-linux-gnu-gcc", "-static", part, "-o", elf, "-lm")

    def _bare(self, elf: Path) -> None:
        """No library: start.h makes the system calls."""
        if self.xlen == 64:
            _run("riscv64-linux-gnu-gcc", f"-march={self.march}", "-mabi=lp64", *_FREESTANDING, self.level, self.source,
                 "-o", elf)  # fmt: skip
        else:
            _run("riscv64-unknown-elf-gcc", f"-march={self.march}", "-mabi=ilp32", *_FREESTANDING, "-w", self.level,
                 self.source, "-o", elf, "-lgcc")  # fmt: skip

    def _picolibc(self, elf: Path) -> None:
        abi = "ilp32d" if "d" in self.march[4:] else "ilp32"
        _run(
            "riscv64-unknown-elf-gcc", f"-march={self.march}", f"-mabi={abi}", "-isystem", _PICOLIBC / "include",
            "-nostdlib", "-static", "-w", self.level, self.source, HERE / "picolibc_start.c",
            "-L", _PICOLIBC / "lib" / self.march / abi, "-lm", "-lc", "-lgcc", "-o", elf,
        )  # fmt: skip


def _run(*command: str | Path) -> None:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


_HOSTED = {
    "atomics": ("-O0", "-O2"), "bits": ("-O1", "-O3"), "float_matmul": ("-O0", "-O3"), "json": ("-O1", "-O2"),
    "libm": ("-O2",), "long_double": ("-O0", "-O2"), "loops": ("-O1",), "lz": ("-O0", "-O3"),
    "malloc_stress": ("-O2",), "printf_formats": ("-O0", "-O3"), "puzzles": ("-O1", "-O3"),
    "qsort_bsearch": ("-O0", "-O2"), "rounding": ("-O0", "-O1"), "setjmp_longjmp": ("-O0", "-O2"),
    "sha256": ("-O1", "-O3"), "strtod_round_trip": ("-O2",), "text": ("-O0", "-O3"), "transformer": ("-O1", "-O3"),
    "varargs": ("-O0", "-O2"),
}  # fmt: skip
_CLANG = {
    "atomics": ("-O3", "rv64gc"), "bits": ("-O2", "rv64gc_zba_zbb_zbc_zbs"), "float_matmul": ("-O2", "rv64gcv"),
    "half_floats": ("-O2", "rv64gc_zfh"), "json": ("-O3", "rv64gc"), "libm": ("-O1", "rv64gc"),
    "loops": ("-O3", "rv64gcv"), "lz": ("-O2", "rv64gcv"), "malloc_stress": ("-O0", "rv64gc"),
    "puzzles": ("-O2", "rv64gc_zba_zbb_zbs"), "qsort_bsearch": ("-O3", "rv64gcv"), "sha256": ("-O2", "rv64gcv"),
    "strtod_round_trip": ("-O0", "rv64gc"), "text": ("-O2", "rv64gcv"), "transformer": ("-O3", "rv64gcv"),
    "varargs": ("-O1", "rv64gc"), "vector_intrinsics": ("-O2", "rv64gcv"), "vector_intrinsics_slow": ("-O0", "rv64gcv"),
}  # fmt: skip
_RV32 = {
    "json": ("-O2", "rv32imafdc"), "printf_formats": ("-O1", "rv32imac"),
    "puzzles": ("-O2", "rv32imac"), "qsort_bsearch": ("-O3", "rv32imac"), "text": ("-O1", "rv32imac"),
    "transformer": ("-O2", "rv32imafdc"), "varargs": ("-O0", "rv32imac"), "float_matmul": ("-O2", "rv32imafdc"),
}  # fmt: skip

_SIXTY_FOUR = ("divide", "multiply", "shifts")
"""Programs with instructions of RV64 in them."""


def builds() -> list[Build]:
    """All of them."""
    result = []
    for name, levels in _HOSTED.items():
        result += [Build(HERE / f"{name}.c", "gcc", level, "rv64gc") for level in levels]
    for name, (level, march) in _CLANG.items():
        result.append(Build(HERE / f"{name.removesuffix('_slow')}.c", "clang", level, march))
    for name, (level, march) in _RV32.items():
        result.append(Build(HERE / f"{name}.c", "picolibc", level, march))
    for source in sorted((HERE / "freestanding").glob("*.c")):
        result += [Build(source, "bare", level, "rv64im") for level in ("-O0", "-O2")]
        if source.stem not in _SIXTY_FOUR:
            result.append(Build(source, "bare", "-O3", "rv32imac"))
    return result
