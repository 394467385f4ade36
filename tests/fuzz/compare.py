"""Run a random program on qemu-user and on archsim, and find out what differs."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import archsim
from archsim.common.errors import InputError, SimulationError
from archsim.isa.spec import Isa
from tests.fuzz.programs import BUFFER, Fuzzed, make_program

_SETS = {64: "rv64gcv_zfh_zba_zbb_zbc_zbs", 32: "rv32gc_zfh_zba_zbb_zbc_zbs"}
_BITS = ("Zba", "Zbb", "Zbc", "Zbs", "Zbb_Zbkb")
GROUPS: dict[str, tuple[str, ...]] = {
    "rv64i": ("I",),
    "rv32i": ("I",),
    "rv64m": ("M",),
    "rv32m": ("M",),
    "rv64a": ("Zaamo", "Zalrsc"),
    "rv32a": ("Zaamo", "Zalrsc"),
    "rv64c": ("Zca", "Zcd", "C"),
    "rv32c": ("Zca", "Zcf", "Zcd", "C"),
    "rv64f": ("F", "Zicsr"),
    "rv32f": ("F", "Zicsr"),
    "rv64d": ("D", "F", "Zicsr"),
    "rv32d": ("D", "F", "Zicsr"),
    "rv64zfh": ("Zfh", "Zicsr"),
    "rv32zfh": ("Zfh", "Zicsr"),
    "rv64b": _BITS,
    "rv32b": _BITS,
    "rv64v": ("V", "Zicsr"),
}
"""Name -> the extensions whose instructions a body has. qemu-user 7.2 knows no Zicond, Zcb, Zacas, Zfbfmin, Zvfh, Zvbb:
those have oracles of their own."""
SKIPPED = "qemu fell over"
TIMED = 8
"""Every so many programs one runs timed."""
VECTOR_LENGTHS = (128, 256, 512, 1024)


@dataclass
class Outcome:
    """What a group of programs gave; programs at which qemu itself falls over are skipped."""

    programs: int = 0
    instructions: int = 0
    skipped: int = 0
    differences: list[str] = field(default_factory=list)


def isa_of(group: str, vlen: int = 128) -> tuple[Isa, list[str]]:
    """The instruction set of a group, and the mnemonics of its bodies."""
    isa = archsim.load_isa(_SETS[int(group[2:4])], parameters={"VLEN": vlen})
    return isa, [i.name for i in isa.instructions.values() if i.extension in GROUPS[group]]


def run_group(
    group: str, seed: int, count: int, folder: Path, *, vlen: int = 128, body: int = 300, only: str = ""
) -> Outcome:
    """Compare programs until `count` instructions have been compared; stops at the third difference."""
    isa, names = isa_of(group, vlen)
    if only:
        names = [name for name in names if only in name]
    outcome = Outcome()
    while outcome.instructions < count and len(outcome.differences) < 3:
        program = make_program(isa, names, seed + outcome.programs, min(body, count))
        timed = outcome.programs % TIMED == TIMED - 1
        difference = compare(program, isa, folder, vlen, "timed" if timed else "functional")
        outcome.programs += 1
        outcome.skipped += difference == SKIPPED
        outcome.instructions += program.count if difference != SKIPPED else 0
        if difference and difference != SKIPPED:
            small = shrink(isa, names, seed + outcome.programs - 1, min(body, count), folder, vlen)
            outcome.differences.append(f"{group} seed {seed + outcome.programs - 1} vlen {vlen}: {small or difference}")
    return outcome


def shrink(isa: Isa, names: list[str], seed: int, count: int, folder: Path, vlen: int) -> str:
    """The difference of the shortest body of the same seed that shows one, and its last instructions."""
    low, high = 0, count
    while high - low > 1:
        middle = (low + high) // 2
        if compare(make_program(isa, names, seed, middle), isa, folder, vlen):
            high = middle
        else:
            low = middle
    program = make_program(isa, names, seed, high)
    difference = compare(program, isa, folder, vlen)
    return f"{high} instructions, {difference}; last: {'; '.join(program.listing[-2:])}"


def compare(program: Fuzzed, isa: Isa, folder: Path, vlen: int, fidelity: str = "functional") -> str:
    """Words for the first difference, or nothing."""
    path = folder / "fuzz.elf"
    path.write_bytes(program.elf)
    path.chmod(0o755)
    expected = subprocess.run([f"qemu-riscv{isa.xlen}", "-cpu", _cpu(isa, vlen), path], capture_output=True, timeout=60)
    if b"Assertion" in expected.stderr:
        return SKIPPED
    try:
        result = archsim.run(archsim.load_elf(path), "edge-npu", isa=isa, fidelity=fidelity)
    except (SimulationError, InputError) as error:
        return f"{error} (qemu: {expected.returncode})"
    if (result.exit_code, len(result.stdout)) != (expected.returncode, len(expected.stdout)):
        return f"exit code {result.exit_code}, qemu {expected.returncode} {expected.stderr[-200:]!r}"
    for at, (one, two) in enumerate(zip(result.stdout, expected.stdout, strict=True)):
        if one != two:
            return _where(isa, at, result.stdout, expected.stdout)
    return ""


def _cpu(isa: Isa, vlen: int) -> str:
    options = "zba=true,zbb=true,zbc=true,zbs=true,Zfh=true"
    vector = f",v=true,vlen={vlen},vext_spec=v1.0" if "V" in isa.extensions else ""
    return f"rv{isa.xlen},{options}{vector}"


def _where(isa: Isa, at: int, ours: bytes, theirs: bytes) -> str:
    """What stands at a byte of the output."""
    size = isa.xlen // 8
    offset = at - BUFFER
    if offset < 0:
        return f"buffer byte {at:#x} is {ours[at]:#x}, qemu {theirs[at]:#x}"
    if offset < 512:
        place, width = f"word {offset // size} (x, then CSRs)", size
    elif offset < 1024:
        place, width = f"f{(offset - 512) // 8}", 8
    else:
        vlenb = isa.parameters["VLEN"] // 8
        register, byte = divmod(offset - 1024, vlenb)
        start = BUFFER + 1024 + register * vlenb
        return (
            f"v{register} byte {byte} is {ours[start : start + vlenb].hex(' ', 4)}, "
            f"qemu {theirs[start : start + vlenb].hex(' ', 4)}"
        )
    start = at - offset % width
    one, two = (int.from_bytes(data[start : start + width], "little") for data in (ours, theirs))
    return f"{place} is {one:#x}, qemu {two:#x}"
