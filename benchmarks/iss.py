"""Speed of archsim as an instruction set simulator, beside qemu-user, on the same ELF files in one run.

Figures are wall times of this computer: compare their ratios. Needs Debian's clang-16, lld-16 and qemu-user.
Run: python benchmarks/iss.py [--json]
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAMS = Path(__file__).parent / "programs"
FLAGS = [
    "--target=riscv64-unknown-elf", "-march=rv64gcv", "-mabi=lp64d", "-mno-relax", "-nostdlib", "-static",
    "-fuse-ld=lld", "-O2", "-fno-builtin", "-fno-vectorize", "-fno-slp-vectorize", "-mcmodel=medany",
    "-Wl,-Ttext=0x20000",
]  # fmt: skip
QEMU = ["qemu-riscv64", "-cpu", "rv64,v=true,vlen=256,vext_spec=v1.0"]
SPIKE = {"hash": 445, "sieve": 512, "matmul": 105, "dot": 4.4}
"""MIPS of Spike (2026-06) on programs of the same kind, measured for this project, not in this run."""
RUNS = 3


def build(name: str, folder: Path) -> Path:
    """An ELF file of a program."""
    elf = folder / f"{name}.elf"
    subprocess.run(["clang-16", *FLAGS, PROGRAMS / f"{name}.c", "-o", elf], check=True)
    return elf


def archsim_rates(elf: str) -> dict[str, float]:
    """Instructions, and MIPS functional and timed: medians of some runs, after one that compiles."""
    import archsim
    from archsim.common.errors import SimulationError
    from archsim.machine.instruction_set import instruction_set_for

    program, design = archsim.load_elf(elf), archsim.load_design("edge-npu")
    isa = instruction_set_for(program, design, vlen=256)
    result: dict[str, float] = {}
    for fidelity in ("functional", "timed"):
        with contextlib.suppress(SimulationError):  # it is stopped, as asked
            archsim.run(program, design, isa=isa, fidelity=fidelity, max_instructions=2_000_000)
        rates = []
        for _ in range(RUNS):
            start = time.perf_counter()
            run = archsim.run(program, design, isa=isa, fidelity=fidelity)
            rates.append(run.instructions / (time.perf_counter() - start) / 1e6)
        result[fidelity] = statistics.median(rates)
        result["instructions"] = run.instructions
        result["exit_code"] = run.exit_code
    return result


def qemu_seconds(elf: Path) -> tuple[float, int]:
    """Median wall time of qemu-user, and the exit code."""
    seconds = []
    for _ in range(RUNS):
        start = time.perf_counter()
        code = subprocess.run([*QEMU, elf]).returncode
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), code


def starts(elf: Path) -> dict[str, float]:
    """Seconds that a fresh process takes for a first program, with an empty compile cache and then with it."""
    result = {}
    with tempfile.TemporaryDirectory() as cache:
        for fidelity in ("functional", "timed"):
            for state in ("cold", "warm"):
                command = [sys.executable, __file__, "--first", fidelity, str(elf)]
                start = time.perf_counter()
                subprocess.run(command, env={**os.environ, "ARCHSIM_CACHE_DIR": cache}, check=True)
                result[f"{fidelity}_{state}_s"] = time.perf_counter() - start
    return result


def first(fidelity: str, elf: str) -> None:
    """The first instructions of a program, for their start-up time."""
    import archsim
    from archsim.common.errors import SimulationError

    with contextlib.suppress(SimulationError):  # it is stopped, as asked
        archsim.run(archsim.load_elf(elf), "edge-npu", fidelity=fidelity, max_instructions=1000)


def main() -> None:
    if "--first" in sys.argv:
        return first(*sys.argv[-2:])
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in SPIKE:
            elf = build(name, Path(folder))
            rates = archsim_rates(str(elf))
            seconds, code = qemu_seconds(elf)
            if code != rates["exit_code"]:
                sys.exit(f"{name}: exit code {rates['exit_code']}, qemu {code}")
            qemu = rates["instructions"] / seconds / 1e6
            rows.append({"program": name, **rates, "qemu": qemu, "to_qemu": rates["functional"] / qemu,
                         "timed_to_functional": rates["timed"] / rates["functional"],
                         "spike_elsewhere": SPIKE[name]})  # fmt: skip
        start = starts(build("hash", Path(folder)))
    if "--json" in sys.argv:
        print(json.dumps({"programs": rows, "first_program": start}, indent=2))
        return None
    print("MIPS        instructions  functional   timed    qemu  functional/qemu  timed/functional  (Spike)")
    for row in rows:
        print(
            f"{row['program']:8} {row['instructions'] / 1e6:15.1f} M {row['functional']:10.0f} {row['timed']:7.0f} "
            f"{row['qemu']:7.0f} {row['to_qemu']:16.2f} {row['timed_to_functional']:17.2f} {row['spike_elsewhere']:8}"
        )
    print("first program, a fresh process: " + ", ".join(f"{key[:-2].replace('_', ' ')} {value:.1f} s"
                                                         for key, value in start.items()))  # fmt: skip
    return None


if __name__ == "__main__":
    main()
