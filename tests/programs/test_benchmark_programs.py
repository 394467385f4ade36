"""The benchmark programs that ship: rebuilt byte for byte, against qemu-user, and one target against the other."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

import archsim
from tests.debian import needs

FOLDER = Path(__file__).parents[2] / "workloads" / "programs"
RECIPE = json.loads((FOLDER / "builds.json").read_text())
PROGRAMS, TARGETS = tuple(RECIPE["programs"]), tuple(RECIPE["targets"])
CORES = {"rv32im": "ibex", "rv64gc": "u74"}
LARGEST = 30_000
"""Bytes of a file that is part of the repository."""


def building() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_programs", FOLDER / "build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def passes(output: bytes) -> list[dict[str, int]]:
    return [{k: int(v) for k, v in (pair.split("=") for pair in line.split())} for line in output.decode().splitlines()]


def computed(output: bytes) -> list[tuple[int, int]]:
    """What no clock changes."""
    return [(one["iterations"], one["checksum"]) for one in passes(output)]


def run(target: str, program: str, fidelity: str = "functional") -> archsim.RunResult:
    return archsim.run(archsim.load_elf(FOLDER / target / f"{program}.elf"), CORES[target], fidelity=fidelity)


@needs("riscv64-unknown-elf-gcc", RECIPE["package"])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("program", PROGRAMS)
def test_the_files_are_what_the_sources_give(tmp_path: Path, program: str, target: str) -> None:
    build = building()
    if build.compiler() != RECIPE["compiler"]:
        pytest.skip(f"the files are of {RECIPE['compiler']}, not {build.compiler()}")
    assert build.build(program, target, tmp_path).read_bytes() == (FOLDER / target / f"{program}.elf").read_bytes()


@pytest.mark.parametrize("target", TARGETS)
def test_every_program_ships_small(target: str) -> None:
    sizes = {path.stem: path.stat().st_size for path in (FOLDER / target).glob("*.elf")}
    assert set(sizes) == set(PROGRAMS)
    assert max(sizes.values()) < LARGEST


@needs("qemu-riscv64", "qemu-user")
@pytest.mark.parametrize("program", PROGRAMS)
def test_results_as_on_qemu(program: str) -> None:
    elf = FOLDER / "rv64gc" / f"{program}.elf"
    expected = subprocess.run(["qemu-riscv64", elf], capture_output=True, timeout=60, check=True)
    ours = run("rv64gc", program)
    assert (ours.exit_code, ours.stderr) == (0, b"")
    assert computed(ours.stdout) == computed(expected.stdout) != []


@pytest.mark.parametrize("program", PROGRAMS)
def test_both_targets_compute_the_same(program: str) -> None:
    bare, process = run("rv32im", program), run("rv64gc", program)
    assert (bare.exit_code, bare.failed_test, process.exit_code) == (0, 0, 0)
    assert computed(bare.stdout) == computed(process.stdout)[: len(computed(bare.stdout))] != []


@pytest.mark.parametrize("target", TARGETS)
def test_the_timed_pass_leaves_start_up_out(target: str) -> None:
    """A functional run counts an instruction as a cycle, but the two counters are read one after the other."""
    done = run(target, "dhrystone_like")
    (timed,) = passes(done.stdout)
    assert 0 <= timed["instructions"] - timed["cycles"] < 64
    assert 0.7 * done.instructions < timed["instructions"] < done.instructions


def test_work_per_iteration_is_near_that_of_the_real_programs() -> None:
    """Published of RV64GC: CoreMark 345 k instructions (cvw issue 310), Dhrystone 398.5 (rocket-chip issue 2202)."""
    for program, published in (("coremark_like", 344_800), ("dhrystone_like", 398.5)):
        (timed,) = passes(run("rv64gc", program).stdout)
        assert 0.7 < timed["instructions"] / timed["iterations"] / published < 1.3


def test_arguments_change_the_size() -> None:
    elf = archsim.load_elf(FOLDER / "rv64gc" / "branchy_sort.elf")
    options = archsim.machine.environment.Options(arguments=("1000", "3"))
    (timed,) = passes(archsim.run(elf, "u74", fidelity="functional", options=options).stdout)
    assert timed["iterations"] == 3000


@pytest.mark.parametrize("arguments", [("1",), ("999999999999",)])
def test_impossible_arguments_end_with_1(arguments: tuple[str, ...]) -> None:
    elf = archsim.load_elf(FOLDER / "rv64gc" / "pointer_chase.elf")
    options = archsim.machine.environment.Options(arguments=arguments)
    assert archsim.run(elf, "u74", fidelity="functional", options=options).exit_code == 1
