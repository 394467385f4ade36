"""int8 products on five instruction sets, against numpy, at any size; cycles do not depend on values."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import archsim
from archsim.cli.main import app
from archsim.explore.gemm_comparison import DESIGNS, compare_gemm, layer_shapes, macs_per_cycle
from archsim.kernels.gemm import Shape
from archsim.kernels.gemm_parts import gemm
from archsim.machine.run import isa_of


def product(name: str, m: int, n: int, k: int, fidelity: str) -> tuple[np.ndarray, np.ndarray, archsim.RunResult]:
    design = archsim.load_design(name)
    isa = isa_of(design)
    one = gemm(Shape(m, n, k), design, isa)
    rng = np.random.default_rng(m * n * k)
    a, b = (rng.integers(-128, 128, (rows, k)).astype(np.int8) for rows in (m, n))
    memory = {} if fidelity == "addresses" else one.memory(a, b)
    run = archsim.run(isa.assemble(one.text), design, isa=isa, fidelity=fidelity, memory=memory)
    found = one.result(run) if memory else np.zeros(0)
    return found, a.astype(np.int32) @ b.T.astype(np.int32), run


@pytest.mark.parametrize("name", DESIGNS)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(1, 40), st.integers(1, 300), st.integers(1, 700))
def test_any_size(name: str, m: int, n: int, k: int) -> None:
    found, wanted, _ = product(name, m, n, k, "functional")
    assert np.array_equal(found, wanted)


@pytest.mark.parametrize("name", DESIGNS)
def test_every_fidelity_agrees(name: str) -> None:
    found, wanted, timed = product(name, 17, 130, 1030, "timed")
    assert np.array_equal(found, wanted)
    assert product(name, 17, 130, 1030, "addresses")[2].cycles == timed.cycles
    assert product(name, 17, 130, 1030, "functional")[2].instructions == timed.instructions
    # nothing is faster than the unit
    design = archsim.load_design(name)
    assert timed.cycles >= 17 * 130 * 1030 / macs_per_cycle(design, isa_of(design))


def test_designs_have_equal_macs_and_memory() -> None:
    designs = [archsim.load_design(name) for name in DESIGNS]
    assert {macs_per_cycle(design, isa_of(design)) for design in designs} == {256.0}
    assert (
        len(
            {
                (design.clock, str(design.memory), str(design.core.dma), str(design.core.scratchpad))
                for design in designs
            }
        )
        == 1
    )


def test_layer_of_llama() -> None:
    shapes = layer_shapes("llama-3-8b", 4)
    # Llama 3 8B: 218 million weights per layer in matrices (4096 hidden, 14336 FFN, 8 of 32 heads for keys and values)
    assert sum(shape.n * shape.k for shape in shapes.values()) == 2 * 4096**2 + 2 * 1024 * 4096 + 3 * 4096 * 14336


def test_comparison_adds_up() -> None:
    shapes = {"one": Shape(16, 64, 256), "two": Shape(3, 40, 100)}
    for row in compare_gemm(DESIGNS, shapes, check=True):
        assert row["macs"] == sum(shape.macs for shape in shapes.values())
        assert row["cycles"] == sum(one["cycles"] for one in row["products"])
        assert sum(row["energy"].values()) == pytest.approx(row["energy_j"])
        assert 0 < row["utilisation"] < 1


def test_command() -> None:
    done = CliRunner().invoke(app, ["gemm", "--shape", "4x64x128", "--designs", "gemm-xqt", "--json"])
    assert json.loads(done.stdout)[0]["macs"] == 4 * 64 * 128


@pytest.mark.parametrize(
    "shape, message", [("4x4", "shape '4x4' is no MxNxK"), ("16x64x900000", "take"), ("0x1x1", "use sizes from 1")]
)
def test_bad_shapes(shape: str, message: str) -> None:
    done = CliRunner().invoke(app, ["gemm", "--shape", shape, "--designs", "gemm-xqt"])
    assert done.exit_code != 0
    assert message in (done.output + str(done.exception))
